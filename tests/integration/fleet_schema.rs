//! Tables of another version than the program's: every command says so, says what to do, and changes nothing.

use std::process::Command;

use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::{
    command_line::{gatecast, succeed},
    fleet::Fleet,
};

/// What is known about the versions of both schemas, to see that nothing changed.
async fn versions(fleet: &Fleet) -> Vec<(String, i64)> {
    let mut connection = PgConnection::connect(&fleet.database_url).await.expect("connects");
    sqlx::query_as(
        "SELECT 'registry', version FROM registry._sqlx_migrations
         UNION ALL SELECT 'history', version FROM history._sqlx_migrations ORDER BY 1, 2",
    )
    .fetch_all(&mut connection)
    .await
    .expect("reads")
}

async fn execute(fleet: &Fleet, sql: &'static str) {
    let mut connection = PgConnection::connect(&fleet.database_url).await.expect("connects");
    sqlx::raw_sql(sql).execute(&mut connection).await.expect("is SQL");
}

#[track_caller]
fn fails(command: &mut Command, says: &str) {
    let output = command.output().expect("starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let told = format!("{stderr}{}", String::from_utf8_lossy(&output.stdout)); // doctor's findings are its result
    assert_eq!(output.status.code(), Some(5), "{command:?}: {told}");
    assert!(told.contains(says), "{command:?}: {told:?} does not say {says:?}");
}

/// What people and supervisors start.
const COMMANDS: [&[&str]; 5] = [
    &["run", "--role", "recorder"],
    &["run", "--role", "forecaster"],
    &["datasets", "list"],
    &["train", "--all"],
    &["doctor"],
];

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_newer_program_are_left_alone_by_everything() {
    for (schema, insert) in [
        (
            "registry has version 99, this program knows 4",
            "INSERT INTO registry._sqlx_migrations VALUES (99, 'newer', now(), true, '', 0)",
        ),
        (
            "history has version 99, this program knows 4",
            "INSERT INTO history._sqlx_migrations VALUES (99, 'newer', now(), true, '', 0)",
        ),
    ] {
        let fleet = Fleet::new().await;
        execute(&fleet, insert).await;
        let before = versions(&fleet).await;
        let says = format!("schema {schema}: use a newer gatecast");
        for command in COMMANDS {
            fails(fleet.gatecast().args(command), &says);
        }
        fails(fleet.gatecast().arg("migrate"), &says);
        fails(fleet.gatecast().args(["run", "--migrate", "--role", "recorder"]), &says);
        assert_eq!(versions(&fleet).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_an_older_program_need_migrate_and_nothing_else_touches_them() {
    for (schema, needed, drop) in
        [("registry", 4, "DROP SCHEMA registry CASCADE"), ("history", 4, "DROP SCHEMA history CASCADE")]
    {
        let fleet = Fleet::new().await;
        execute(&fleet, drop).await;
        let says =
            format!("schema {schema} has version 0, this program needs {needed}: run `gatecast migrate`");
        for command in COMMANDS {
            fails(fleet.gatecast().args(command), &says);
        }
        let mut connection = PgConnection::connect(&fleet.database_url).await.expect("connects");
        let made: bool = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
            .bind(schema)
            .fetch_one(&mut connection)
            .await
            .expect("reads");
        assert!(!made, "{schema} was made without being asked");
    }
    // What migrate does is shown once, on both.
    let fleet = Fleet::new().await;
    execute(
        &fleet,
        "DROP SCHEMA registry CASCADE; DROP SCHEMA history CASCADE; DROP SCHEMA analytics CASCADE",
    )
    .await;
    succeed(fleet.gatecast().arg("migrate"));
    succeed(fleet.gatecast().args(["datasets", "list"]));
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_left_alone_by_everything() {
    for (file, known) in [("registry.db", 4), ("history.db", 3)] {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        succeed(gatecast(&data).args(["datasets", "list"]));
        let path = data.join(file);
        let mut connection =
            SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.expect("is there");
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                     VALUES (99, 'newer', 1, x'', 0)";
        sqlx::query(newer).execute(&mut connection).await.expect("is SQL");
        connection.close().await.expect("closes");
        let before = std::fs::read(&path).expect("reads");
        let says =
            format!("{} has version 99, this program knows {known}: use a newer gatecast", path.display());
        for command in COMMANDS {
            fails(gatecast(&data).args(command), &says);
        }
        assert_eq!(std::fs::read(&path).expect("reads"), before);
    }
}
