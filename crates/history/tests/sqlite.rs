//! What only the SQLite history promises: it lasts, and it agrees with the memory one on anything.

use forecasting::{
    names::{DatasetName, SeriesId},
    series::{Frequency, Grid},
};
use history::{History, MemoryHistory, Observation, Range, SqliteHistory, contract::or_hangs};
use jiff::Timestamp;
use proptest::prelude::*;

fn dataset() -> DatasetName {
    DatasetName::new("pedestrians").expect("is a name")
}

fn grid() -> Grid {
    Grid::new(Frequency::Minutes(60), "UTC").expect("UTC is known")
}

fn second(n: i64) -> Timestamp {
    Timestamp::from_second(n).expect("is early enough")
}

fn observation(series: u8, half_hour: i64, y: f64) -> Observation {
    let series = SeriesId::new(format!("s{series}")).expect("is an id");
    Observation { series, ds: second(1800 * half_hour), y }
}

#[tokio::test]
async fn what_was_recorded_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let before = SqliteHistory::open(&path).await.unwrap();
    before.record(&dataset(), &grid(), &[observation(0, 0, 1.5)], second(9)).await.unwrap();
    let revision = before.revision(&dataset()).await.unwrap();
    before.close().await;
    let after = SqliteHistory::open(&path).await.unwrap();
    let frame = after.read(&dataset(), &grid(), &Range::default()).await.unwrap();
    assert_eq!(frame.series[0].values, [1.5]);
    assert_eq!(after.revision(&dataset()).await.unwrap(), revision);
}

/// Few series, steps, values and clock readings, so that they meet often; clocks may go back, and now and
/// then a time stamp is off the grid of the others.
fn batches() -> impl Strategy<Value = Vec<(Vec<Observation>, i64)>> {
    let value = prop::sample::select(vec![1.0, 2.0, f64::NAN]);
    let half_hour = prop::sample::select(vec![0, 2, 4, 6, 2, 4, 1, 5]);
    let one =
        (0_u8..2, half_hour, value).prop_map(|(series, half_hour, y)| observation(series, half_hour, y));
    prop::collection::vec((prop::collection::vec(one, 0..6), 0_i64..5), 1..8)
}

async fn agree(batches: Vec<(Vec<Observation>, i64)>) {
    let folder = tempfile::tempdir().expect("a folder for a test");
    let sqlite = SqliteHistory::open(folder.path().join("history.db")).await.expect("a new file");
    let memory = MemoryHistory::new();
    for (observations, at) in &batches {
        let one = sqlite.record(&dataset(), &grid(), observations, second(*at)).await;
        let other = memory.record(&dataset(), &grid(), observations, second(*at)).await;
        assert_eq!(one.map_err(|error| error.to_string()), other.map_err(|error| error.to_string()));
    }
    for as_of in (-1..6).map(|at| Some(second(at))).chain([None]) {
        let range = Range { from: Some(second(3600)), as_of, ..Range::default() };
        // A clock that went back may leave a past instant two phases; what is known now can be read.
        let one = sqlite.read(&dataset(), &grid(), &range).await;
        let other = memory.read(&dataset(), &grid(), &range).await;
        assert!(as_of.is_some() || one.is_ok(), "{one:?}");
        assert_eq!(format!("{one:?}"), format!("{other:?}"), "as of {as_of:?}");
        let one = sqlite.coverage(&dataset(), as_of).await.expect("can be read");
        assert_eq!(one, memory.coverage(&dataset(), as_of).await.expect("can be read"), "as of {as_of:?}");
    }
    assert_eq!(
        sqlite.newest(&dataset()).await.expect("can be read"),
        memory.newest(&dataset()).await.expect("can be read")
    );
    assert_eq!(
        sqlite.revision(&dataset()).await.expect("can be read"),
        memory.revision(&dataset()).await.expect("can be read")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_histories_agree_whatever_is_recorded_in_whatever_order(batches in batches()) {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(or_hangs(agree(batches)));
    }
}
