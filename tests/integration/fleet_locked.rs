//! One dataset that is locked (an import writes it in one long transaction) holds up the recording of no other.

use std::sync::Arc;

use forecasting::spec::DatasetSpec;
use history::ObservationMessage;
use sqlx::{Connection as _, PgConnection};
use workers::roles::recorder::GroupedRecords;

use crate::{
    books::NEW_YEAR,
    fleet::Fleet,
    stack::{at, in_time},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_dataset_holds_up_no_other() {
    let fleet = Fleet::new().await;
    let environment = fleet.environment_now().await;
    let records = Arc::new(GroupedRecords::new(environment.history.clone(), environment.clock.clone()));
    let mut importer = PgConnection::connect(&fleet.database_url).await.expect("connects");
    sqlx::query("SELECT pg_advisory_lock(hashtextextended('gatecast.history.locked', 0))")
        .execute(&mut importer)
        .await
        .expect("locks");

    let waiting = tokio::spawn({
        let records = records.clone();
        async move { records.record(dataset("locked"), message()).await }
    });
    in_time(somebody_waits(&mut importer)).await;
    let recorded = in_time(records.record(dataset("free"), message())).await;
    assert_eq!(recorded.expect("records").new, 1);
    assert!(!waiting.is_finished(), "the lock is held");
    importer.close().await.expect("closes, and unlocks");
    assert_eq!(in_time(waiting).await.expect("no panic").expect("records").new, 1);
}

/// Waits until a lock of this database is waited for.
async fn somebody_waits(connection: &mut PgConnection) {
    let waits = "SELECT EXISTS (SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
                                WHERE locktype = 'advisory' AND NOT granted AND datname = current_database())";
    while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut *connection).await.expect("asks") {
        tokio::task::yield_now().await; // polls for the event it waits for
    }
}

fn dataset(name: &str) -> DatasetSpec {
    let text = format!("name = \"{name}\"\nfrequency = \"PT1H\"\ntime_zone = \"UTC\"\n");
    toml::from_str(&text).expect("a specification")
}

fn message() -> ObservationMessage {
    let observation = history::Observation { series: "a".parse().expect("an id"), ds: at(NEW_YEAR), y: 1.0 };
    ObservationMessage { message_id: "m-1".into(), observations: vec![observation] }
}
