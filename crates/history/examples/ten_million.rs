//! Ten million rows in PostgreSQL: how long an import takes beside a plain `COPY` into the same table, and how
//! much memory a training frame of them takes. Needs a server and a database that nothing has used yet:
//! `cargo run --release -p history --example ten_million -- postgres://user@host/empty_database [ROWS]`.

use std::{fmt::Write as _, time::Instant};

use database::PostgresSettings;
use forecasting::{
    names::{DatasetName, SeriesId},
    series::{Frequency, Grid},
};
use history::{History, Observation, PostgresHistory, Range};
use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection, PgConnection};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const SERIES: usize = 500;
/// Rows in one call, as an import of parts would bring them.
const ROWS_AT_ONCE: usize = 1_000_000;

#[tokio::main]
async fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("the URL of an empty database is needed")?;
    let rows: usize = arguments.next().map_or(Ok(10_000_000), |rows| rows.parse())?;
    let hours = rows / SERIES;
    let settings = PostgresSettings { url: url.clone(), certificate_authority: None };
    let history = PostgresHistory::start(&settings)?;
    history.migrate().await?;
    let (dataset, grid) = (DatasetName::new("city")?, Grid::new(Frequency::Minutes(60), "UTC")?);
    let ids: Vec<_> = (0..SERIES).map(|n| SeriesId::new(format!("series-{n}"))).collect::<Result<_, _>>()?;

    let copied = copy(&url, hours).await?;
    println!("a plain COPY of {rows} rows into a table with the same key: {copied:.1} s");
    let mut imported = 0.0;
    for some in ids.chunks((ROWS_AT_ONCE / hours).max(1)) {
        let observations = observations(some, hours)?;
        let began = Instant::now();
        history.record(&dataset, &grid, &observations, "2026-01-01T00:00:00Z".parse()?).await?;
        imported += began.elapsed().as_secs_f64();
    }
    println!("recorded through the history: {imported:.1} s, {:.2} x", imported / copied);

    std::fs::write("/proc/self/clear_refs", "5")?; // from here on a new peak (Linux)
    let before = peak_memory_mib()?;
    let began = Instant::now();
    let frame = history.read(&dataset, &grid, &Range::default()).await?;
    let values: usize = frame.series.iter().map(|series| series.values.len()).sum();
    println!(
        "a frame of {values} values ({} MiB) read in {:.1} s; peak memory of the process {} MiB, before it {before} MiB",
        (values * 8) >> 20,
        began.elapsed().as_secs_f64(),
        peak_memory_mib()?,
    );
    Ok(())
}

/// Copies the same rows into a table of its own with the columns and the key of the history's.
async fn copy(url: &str, hours: usize) -> Outcome<f64> {
    let mut connection = PgConnection::connect(url).await?;
    let create = "CREATE TABLE plain (LIKE history.observation INCLUDING ALL)";
    sqlx::raw_sql(create).execute(&mut connection).await?;
    let mut seconds = 0.0;
    let began = Instant::now();
    let mut copying = connection.copy_in_raw("COPY plain (series_id, ds, recorded_at, y) FROM STDIN").await?;
    seconds += began.elapsed().as_secs_f64();
    for series in 0..SERIES {
        let mut text = String::new();
        for hour in 0..hours {
            let ds = start() + SignedDuration::from_hours(i64::try_from(hour)?);
            let (ds, y) = (ds.as_microsecond(), value(series, hour));
            writeln!(text, "{series}\t{ds}\t1767225600000000\t{y:?}")?;
        }
        let began = Instant::now();
        copying.send(text.into_bytes()).await?;
        seconds += began.elapsed().as_secs_f64();
    }
    let began = Instant::now();
    copying.finish().await?;
    seconds += began.elapsed().as_secs_f64();
    sqlx::raw_sql("DROP TABLE plain").execute(&mut connection).await?;
    Ok(seconds)
}

fn observations(ids: &[SeriesId], hours: usize) -> Outcome<Vec<Observation>> {
    let mut observations = Vec::with_capacity(ids.len() * hours);
    for (n, series) in ids.iter().enumerate() {
        for hour in 0..hours {
            let ds = start() + SignedDuration::from_hours(i64::try_from(hour)?);
            observations.push(Observation { series: series.clone(), ds, y: value(n, hour) });
        }
    }
    Ok(observations)
}

fn start() -> Timestamp {
    "2022-01-01T00:00:00Z".parse().expect("a time stamp")
}

fn value(series: usize, hour: usize) -> f64 {
    ((hour * 7 + series) % 500) as f64 / 3.0
}

/// The most that this process had in memory since the last new peak (Linux).
fn peak_memory_mib() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM")?;
    let kib: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kib / 1024)
}
