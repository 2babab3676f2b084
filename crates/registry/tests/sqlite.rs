//! What only the SQLite registry promises: it lasts, and says what it cannot read.

use std::path::Path;

use forecasting::spec::DatasetSpec;
use jiff::Timestamp;
use registry::{Registry, RegistryError, SqliteRegistry};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

fn bikes() -> DatasetSpec {
    let spec = serde_json::json!({ "name": "bikes", "frequency": "PT1H", "time_zone": "UTC" });
    serde_json::from_value(spec).expect("is a dataset")
}

async fn change_behind_its_back(path: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&options).await.expect("is a file");
    sqlx::query(sql).execute(&mut connection).await.expect("is SQL");
    connection.close().await.expect("can be closed");
}

#[tokio::test]
async fn what_was_recorded_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry.db");
    let before = SqliteRegistry::open(&path).await.unwrap();
    before.apply_dataset(&bikes(), Timestamp::UNIX_EPOCH).await.unwrap();
    before.close().await;
    let after = SqliteRegistry::open(&path).await.unwrap();
    let stored = after.dataset(&bikes().name).await.unwrap().unwrap();
    assert_eq!((stored.spec, stored.applied_at), (bikes(), Timestamp::UNIX_EPOCH));
}

#[tokio::test]
async fn a_row_of_a_newer_build_is_unreadable_and_not_a_reason_to_try_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry.db");
    let registry = SqliteRegistry::open(&path).await.unwrap();
    registry.apply_dataset(&bikes(), Timestamp::UNIX_EPOCH).await.unwrap();
    let newer = "UPDATE dataset_spec SET spec = json_set(spec, '$.from_the_future', 1)";
    change_behind_its_back(&path, newer).await;
    let refused = registry.dataset(&bikes().name).await;
    assert!(matches!(refused, Err(RegistryError::Unreadable(_))), "{refused:?}");
}
