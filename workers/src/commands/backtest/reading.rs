//! From a file that nobody has described to series on a grid.

use std::{io::Read as _, sync::Arc};

use anyhow::Context as _;
use forecasting::{
    series::{Frame, Frequency, Grid, Series},
    spec::DatasetSpec,
};
use history::{MAX_STEPS, Observation};
use jiff::Timestamp;

use super::{super::import::open, dataset};
use crate::{
    cli,
    failure::{ExitCode, Failure, OrExit as _},
    import::{self, ImportError, ImportOptions, Imported, OnGap},
};

/// The series of the file, and the dataset that they make: its frequency is the most common step.
pub(super) async fn read(arguments: &cli::Backtest, now: Timestamp) -> Result<(DatasetSpec, Frame), Failure> {
    let mut input = open(&arguments.file)?;
    let file = arguments.file.display().to_string();
    let options = ImportOptions {
        time_zone: Some(arguments.tz.clone().unwrap_or_else(|| PLAIN.to_owned())),
        on_daylight_saving: arguments.dst,
        on_duplicate: arguments.on_duplicate,
        on_gap: arguments.on_gap,
        on_unsorted: arguments.on_unsorted,
    };
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).with_context(|| format!("reading {file}"))?;
        let bytes: Arc<[u8]> = bytes.into();
        let (dataset, imported) = read_as_found(&bytes, &options, now).or_exit(ExitCode::Invalid)?;
        let frame = frame(&imported.observations, &dataset.grid()).or_exit(ExitCode::Invalid)?;
        Ok((dataset, frame))
    });
    reading.await?
}

/// The word for time stamps of no zone.
const PLAIN: &str = "none";
/// The frequency that a file is first read with: what is found instead is named in the error.
const FIRST_GUESS: Frequency = Frequency::Minutes(60);

fn read_as_found(
    bytes: &[u8],
    options: &ImportOptions,
    now: Timestamp,
) -> Result<(DatasetSpec, Imported), ImportError> {
    let zone = options.time_zone.as_deref().filter(|zone| *zone != PLAIN).unwrap_or("UTC");
    // Where gaps are allowed, any longer step would pass as one: the frequency is found with them refused.
    let strict = ImportOptions { on_gap: OnGap::Error, ..options.clone() };
    let mut frequency = FIRST_GUESS;
    let found = match import::read(bytes, &strict, &dataset(frequency, zone), now) {
        Err(ImportError::OtherFrequency { found, .. }) if found.parse::<Frequency>().is_ok() => {
            frequency = found.parse().unwrap_or(FIRST_GUESS);
            None
        }
        Ok(imported) => Some(imported),
        Err(ImportError::Gaps { .. }) => None,
        Err(error) => return Err(error),
    };
    let dataset = dataset(frequency, zone);
    let imported = match found {
        Some(imported) => imported,
        None => import::read(bytes, options, &dataset, now)?,
    };
    Ok((dataset, imported))
}

/// Observations come in ascending order of series and time, on the grid.
fn frame(observations: &[Observation], grid: &Grid) -> anyhow::Result<Frame> {
    let mut series = Vec::new();
    for of_series in observations.chunk_by(|one, next| one.series == next.series) {
        let (id, start) = (&of_series[0].series, of_series[0].ds);
        let mut values = Vec::new();
        for observation in of_series {
            let index = usize::try_from(grid.steps_between(start, observation.ds)?)?;
            anyhow::ensure!(index < MAX_STEPS, "series {id} spans more than {MAX_STEPS} steps");
            values.resize(index, f64::NAN);
            values.push(observation.y);
        }
        series.push(Series { id: id.clone(), start, values });
    }
    Ok(Frame::new(grid.clone(), series)?)
}
