//! One dataset that is locked (an import writes it in one long transaction) holds up the recording of no other,
//! however many messages wait for it.

use std::time::Duration;

use forecasting::{
    names::DatasetName,
    series::{Frequency, Grid},
};
use history::Range;
use jiff::SignedDuration;
use protocol::{
    ContentType, Queue, WireMessage,
    messages::{ObservationBatch, SeriesValues},
};
use sqlx::{Connection as _, PgConnection};
use tokio::time::sleep;
use workers::environment::Environment;

use crate::{
    books::{NEW_YEAR, confirmed, wait_until_empty},
    fleet::Fleet,
    process::Process,
    stack::{at, in_time},
};

/// Several times as many as a recorder has in hand at once.
const FOR_THE_LOCKED: u32 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_dataset_holds_up_no_other_however_many_messages_it_gets() {
    let fleet = Fleet::new().await;
    fleet.apply_dataset("locked");
    fleet.apply_dataset("free");
    let environment = fleet.environment_now().await;
    let mut importer = PgConnection::connect(&fleet.database_url).await.expect("connects");
    sqlx::query("SELECT pg_advisory_lock(hashtextextended('gatecast.history.locked', 0))")
        .execute(&mut importer)
        .await
        .expect("locks");
    for number in 0..FOR_THE_LOCKED {
        confirmed(&environment, Queue::Observations, &hour("locked", number)).await;
    }
    confirmed(&environment, Queue::Observations, &hour("free", 0)).await;

    let mut recorder = Process::start(&fleet, "recorder");
    in_time(has_hours(&environment, "free", 1)).await;
    let locked = environment.history.newest(&name("locked")).await.expect("reads");
    assert_eq!(locked, None, "the lock is held");
    importer.close().await.expect("closes, and unlocks");
    in_time(has_hours(&environment, "locked", FOR_THE_LOCKED as usize)).await;
    in_time(wait_until_empty(&environment)).await;
    recorder.terminate();
}

/// Waits until the dataset has so many hours.
async fn has_hours(environment: &Environment, dataset: &str, hours: usize) {
    let grid = Grid::new(Frequency::Minutes(60), "UTC").expect("a grid");
    loop {
        let read = environment.history.read(&name(dataset), &grid, &Range::default()).await.expect("reads");
        if read.series.first().is_some_and(|series| series.values == vec![1.0; hours]) {
            return;
        }
        sleep(Duration::from_millis(100)).await; // polls for the event it waits for
    }
}

fn name(dataset: &str) -> DatasetName {
    dataset.parse().expect("a name")
}

fn hour(dataset: &str, number: u32) -> WireMessage {
    let series = SeriesValues {
        id: "a".into(),
        start: at(NEW_YEAR) + SignedDuration::from_hours(number.into()),
        frequency: "PT1H".into(),
        tz: "UTC".into(),
        values: vec![Some(1.0)],
    };
    let batch = ObservationBatch { dataset: dataset.into(), series: vec![series] };
    WireMessage::new(&batch, ContentType::MessagePack, format!("{dataset}-{number}")).expect("a small body")
}
