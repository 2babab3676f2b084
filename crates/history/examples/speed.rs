//! How fast the SQLite history is on this machine: `cargo run --release -p history --example speed`.

use std::time::Instant;

use forecasting::{
    names::{DatasetName, SeriesId},
    series::{Frequency, Grid},
};
use history::{History, Observation, Range, SqliteHistory};
use jiff::{SignedDuration, Timestamp};

const SERIES: usize = 21;
const YEARS: [(&str, usize); 2] = [("an import", 31_810), ("two years", 2 * 8760)];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    for (what, hours) in YEARS {
        measure(what, hours).await?;
    }
    Ok(())
}

async fn measure(what: &str, hours: usize) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let history = SqliteHistory::open(folder.path().join("history.db")).await?;
    let dataset = DatasetName::new("pedestrians")?;
    let grid = Grid::new(Frequency::Minutes(60), "Pacific/Auckland")?;
    let start: Timestamp = "2022-01-01T00:00:00Z".parse()?;
    let mut observations = observations(start, hours)?;
    let rows = observations.len();
    println!("{what}: {rows} hourly rows of {SERIES} series");

    let began = Instant::now();
    history.record(&dataset, &grid, &observations, start).await?;
    println!("  recorded into an empty history in {:?}", began.elapsed());

    let began = Instant::now();
    history.record(&dataset, &grid, &observations, start).await?;
    println!("  the same again in {:?}", began.elapsed());

    for observation in observations.iter_mut().step_by(100) {
        observation.y += 1.0;
    }
    let began = Instant::now();
    let recorded = history.record(&dataset, &grid, &observations, start).await?;
    println!("  with {} corrections in {:?}", recorded.corrected, began.elapsed());

    let last_hour = &observations[..1];
    let began = Instant::now();
    history.record(&dataset, &grid, last_hour, start).await?;
    println!("  one row in {:?}", began.elapsed());

    let began = Instant::now();
    let frame = history.read(&dataset, &grid, &Range::default()).await?;
    let values: usize = frame.series.iter().map(|series| series.values.len()).sum();
    println!("  {values} values read in {:?}", began.elapsed());

    let began = Instant::now();
    history.coverage(&dataset, None).await?;
    println!("  coverage in {:?}", began.elapsed());
    Ok(())
}

/// As an import brings them: hour by hour, all series of an hour.
fn observations(start: Timestamp, hours: usize) -> Result<Vec<Observation>, Box<dyn std::error::Error>> {
    let ids: Vec<_> = (0..SERIES).map(|n| SeriesId::new(format!("street-{n}"))).collect::<Result<_, _>>()?;
    let mut observations = Vec::with_capacity(hours * SERIES);
    for hour in 0..hours {
        let ds = start + SignedDuration::from_hours(i64::try_from(hour)?);
        for (n, series) in ids.iter().enumerate() {
            observations.push(Observation { series: series.clone(), ds, y: ((hour * 7 + n) % 500) as f64 });
        }
    }
    Ok(observations)
}
