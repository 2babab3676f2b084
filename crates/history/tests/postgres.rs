//! What only the PostgreSQL history promises: it agrees with the memory one, and shows notebooks what is known.

#[path = "../../database/tests/fresh/mod.rs"]
mod fresh;

use database::PostgresSettings;
use forecasting::{
    names::{AttributeText, CovariateName, DatasetName, ModelName, SeriesId},
    series::{Attribute, Covariates, Frequency, Grid, SeriesCovariates},
};
use fresh::FreshDatabase;
use history::{History, IssuedForecast, Observation, ObservationMessage, PostgresHistory, RecordError, Rows};
use jiff::Timestamp;
use sqlx::{Connection, PgConnection};

async fn fresh() -> (FreshDatabase, PostgresHistory) {
    let database = FreshDatabase::new().await;
    let settings = PostgresSettings { url: database.url.clone(), certificate_authority: None };
    let history = PostgresHistory::start(&settings).expect("a good url");
    history.migrate().await.expect("an empty database");
    (database, history)
}

fn hour(n: i64) -> Timestamp {
    Timestamp::from_second(3600 * n).expect("is early enough")
}

#[tokio::test]
async fn a_notebook_sees_actuals_and_forecasts_with_real_time_stamps() {
    let (database, history) = fresh().await;
    let dataset = DatasetName::new("bikes").expect("a name");
    let series = SeriesId::new("docks, \"north\"").expect("an id");
    let grid = Grid::new(Frequency::Minutes(60), "UTC").expect("a grid");
    let value = |ds, y| Observation { series: series.clone(), ds: hour(ds), y };
    let batch = [value(0, 1.5), value(1, 2.5), value(2, 3.5)];
    history.record(&dataset, &grid, &batch, hour(10)).await.expect("records");
    // A correction, and a value that is taken back.
    let corrections = [value(1, 20.5), value(2, f64::NAN)];
    history.record(&dataset, &grid, &corrections, hour(11)).await.expect("records");
    let forecast = IssuedForecast {
        request_id: "r1".into(),
        model: ModelName::new("bike-demand").expect("a name"),
        series: series.clone(),
        origin: hour(3),
        issued_at: hour(4),
        version: Some(7),
        generation: 2,
        route: "primary".into(),
        reason: None,
        values: vec![0.25, 0.5],
    };
    history.record_forecasts(&[forecast], hour(12)).await.expect("records");

    let mut notebook = PgConnection::connect(&database.url).await.expect("connects");
    let actuals: Vec<(String, String, f64, i64)> = sqlx::query_as(
        "SELECT dataset, unique_id, y, extract(epoch FROM recorded_at)::bigint
         FROM analytics.actuals WHERE ds >= TIMESTAMPTZ '1970-01-01 00:00Z' ORDER BY ds",
    )
    .fetch_all(&mut notebook)
    .await
    .expect("reads");
    let name = series.to_string();
    assert_eq!(
        actuals,
        [("bikes".into(), name.clone(), 1.5, 36_000), ("bikes".into(), name.clone(), 20.5, 39_600)]
    );
    let forecasts: Vec<(String, i64, i32, f64, i64)> = sqlx::query_as(
        "SELECT unique_id, version, step, forecast, extract(epoch FROM origin)::bigint
         FROM analytics.forecasts ORDER BY step",
    )
    .fetch_all(&mut notebook)
    .await
    .expect("reads");
    assert_eq!(forecasts, [(name.clone(), 7, 1, 0.25, 10_800), (name, 7, 2, 0.5, 10_800)]);
}

#[tokio::test]
async fn a_notebook_sees_covariates_apart_from_actuals() {
    let (database, history) = fresh().await;
    let dataset = DatasetName::new("shops").expect("a name");
    let series = SeriesId::new("north-1").expect("an id");
    let grid = Grid::new(Frequency::Minutes(60), "UTC").expect("a grid");
    let name = |text: &str| CovariateName::new(text).expect("a name");
    let of_north = SeriesCovariates {
        known: [(name("price/kg"), vec![1.5, 2.5])].into(),
        attributes: [(name("region"), Attribute::Text(AttributeText::new("north").expect("a text")))].into(),
        ..SeriesCovariates::none(hour(0))
    };
    let covariates = Covariates::new([(series.clone(), of_north)].into());
    let observations = [Observation { series, ds: hour(0), y: 7.0 }];
    let rows = Rows { observations: &observations, covariates: &covariates };
    history.record_rows(&dataset, &grid, rows, hour(10)).await.expect("records");

    let mut notebook = PgConnection::connect(&database.url).await.expect("connects");
    let actuals: Vec<(String, f64)> = sqlx::query_as("SELECT dataset, y FROM analytics.actuals")
        .fetch_all(&mut notebook)
        .await
        .expect("reads");
    assert_eq!(actuals, [("shops".into(), 7.0)]);
    let numbers: Vec<(String, String, String, f64)> = sqlx::query_as(
        "SELECT dataset, unique_id, covariate, number FROM analytics.covariates
         WHERE ds >= TIMESTAMPTZ '1970-01-01 00:00Z' ORDER BY ds",
    )
    .fetch_all(&mut notebook)
    .await
    .expect("reads");
    let of_price = |number| ("shops".to_owned(), "north-1".to_owned(), "price/kg".to_owned(), number);
    assert_eq!(numbers, [of_price(1.5), of_price(2.5)]);
    let attributes: Vec<(String, String, Option<f64>, Option<String>)> =
        sqlx::query_as("SELECT unique_id, attribute, number, text FROM analytics.attributes")
            .fetch_all(&mut notebook)
            .await
            .expect("reads");
    assert_eq!(attributes, [("north-1".into(), "region".into(), None, Some("north".into()))]);
}

#[tokio::test]
async fn a_message_that_the_database_refuses_takes_no_other_of_its_group_along() {
    let (_database, history) = fresh().await;
    let dataset = DatasetName::new("bikes").expect("a name");
    let grid = Grid::new(Frequency::Minutes(60), "UTC").expect("a grid");
    let message = |message_id: &str, ds| ObservationMessage {
        message_id: message_id.to_owned(),
        observations: vec![Observation {
            series: SeriesId::new("docks").expect("an id"),
            ds: hour(ds),
            y: 1.5,
        }],
    };
    // PostgreSQL takes no text with a NUL.
    let group = [message("before", 0), message("\0", 1), message("after", 2)];
    let outcomes = history.record_messages(&dataset, &grid, &group, hour(10)).await.expect("is there");
    assert!(matches!(outcomes[1], Err(RecordError::Failed(_))), "{outcomes:?}");
    let new = |outcome: &Result<history::Recorded, RecordError>| outcome.as_ref().map(|it| it.new).ok();
    assert_eq!(outcomes.iter().map(new).collect::<Vec<_>>(), [Some(1), None, Some(1)]);
}

#[tokio::test]
async fn forecasts_issued_wait_for_nobody() {
    let (database, history) = fresh().await;
    let forecast = |request: &str, series: &str| IssuedForecast {
        request_id: request.into(),
        model: ModelName::new("bike-demand").expect("a name"),
        series: SeriesId::new(series).expect("an id"),
        origin: hour(3),
        issued_at: hour(4),
        version: None,
        generation: 0,
        route: "fallback".into(),
        reason: Some("no_incumbent".into()),
        values: vec![1.0],
    };
    // Another recorder is in the middle of a message, whatever it may lock beside its rows.
    let mut other = PgConnection::connect(&database.url).await.expect("connects");
    let mut unfinished = other.begin().await.expect("begins");
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('gatecast.history.forecasts issued', 0))")
        .execute(&mut *unfinished)
        .await
        .expect("locks");
    sqlx::query(
        "INSERT INTO history.forecast_issued
             (request_id, model, series, origin, issued_at, recorded_at, generation, route, forecast)
         VALUES ('r0', 'bike-demand', 'a', 0, 0, 0, 0, 'fallback', '[1.0]')",
    )
    .execute(&mut *unfinished)
    .await
    .expect("inserts");
    let batch: Vec<IssuedForecast> = (0..2_500).map(|number| forecast("r1", &format!("s{number}"))).collect();
    assert_eq!(history.record_forecasts(&batch, hour(5)).await.expect("records"), 2_500);
    assert_eq!(history.record_forecasts(&batch[1_000..], hour(6)).await.expect("records"), 0);
}

#[tokio::test]
async fn a_migration_does_not_cross_a_reader_between_series_and_observations() {
    let (database, history) = fresh().await;
    let mut reader = PgConnection::connect(&database.url).await.expect("connects");
    let version_2 = "DROP VIEW analytics.covariates, analytics.attributes;
                     DROP TABLE history.attribute;
                     ALTER TABLE history.observation ADD CONSTRAINT observation_series_id_fkey
                         FOREIGN KEY (series_id) REFERENCES history.series;
                     DELETE FROM history._sqlx_migrations WHERE version > 2";
    sqlx::raw_sql(version_2).execute(&mut reader).await.expect("goes back");
    let mut reading = reader.begin().await.expect("begins");
    sqlx::query("SELECT name FROM history.series").execute(&mut *reading).await.expect("reads");

    let migrating = tokio::spawn(async move { history.migrate().await });
    let mut watcher = PgConnection::connect(&database.url).await.expect("connects");
    let waits = "SELECT EXISTS (
                     SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
                     WHERE datname = current_database() AND relation = 'history.series'::regclass AND NOT granted
                 )";
    loop {
        let is_waiting: bool = sqlx::query_scalar(waits).fetch_one(&mut watcher).await.expect("reads");
        if is_waiting {
            break;
        }
        assert!(!migrating.is_finished(), "nobody changes what a reader is reading");
    }
    sqlx::query("SELECT y FROM history.observation").execute(&mut *reading).await.expect("no deadlock");
    reading.commit().await.expect("commits");
    let migrated = migrating.await.expect("does not panic").expect("goes on once the reader is done");
    assert_eq!((migrated.from, migrated.to), (2, 4));
}
