//! From a file that nobody has described to series on a grid.

use forecasting::{
    series::{Covariates, Frame, Grid, Series},
    spec::DatasetSpec,
};
use history::{MAX_STEPS, Observation};
use jiff::Timestamp;

use super::{super::import::advised, dataset};
use crate::{
    config::cloud_variables,
    failure::{ExitCode, Failure, OrExit as _},
    import::{self, ImportOptions, ImportReport},
    input,
};

/// What a file holds.
pub(in crate::commands) struct Contents {
    /// What its series make: the frequency is the most common step.
    pub(in crate::commands) dataset: DatasetSpec,
    pub(in crate::commands) frame: Frame,
    pub(in crate::commands) covariates: Covariates,
    pub(in crate::commands) report: ImportReport,
}

/// Reads the series of a file and their covariates.
pub(in crate::commands) async fn read(
    file: &str,
    mut options: ImportOptions,
    now: Timestamp,
) -> Result<Contents, Failure> {
    let input = input::open(file, &cloud_variables()).await?;
    let declared = options.time_zone.get_or_insert_with(|| PLAIN.to_owned());
    let zone = if declared == PLAIN { "UTC".to_owned() } else { declared.clone() };
    let reading = tokio::task::spawn_blocking(move || {
        let describe = |frequency| dataset(frequency, &zone);
        let read = import::read_undescribed(input, &options, describe, now);
        let (dataset, imported) = read.map_err(super::super::import::refused)?;
        let frame = frame(&imported.observations, &dataset.grid()).or_exit(ExitCode::Invalid)?;
        Ok(Contents { dataset, frame, covariates: imported.covariates, report: imported.report })
    });
    reading.await?.map_err(|failure| advised(failure, file))
}

/// The word for time stamps of no zone.
const PLAIN: &str = "none";

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
