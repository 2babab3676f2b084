//! What only the PostgreSQL registry promises: it looks before it works, waits for nobody for ever, and shows
//! notebooks what happened.

#[path = "../../database/tests/fresh/mod.rs"]
mod fresh;

use std::sync::Arc;

use database::{Migrated, PostgresError, PostgresSettings};
use forecasting::names::ModelName;
use fresh::FreshDatabase;
use registry::{PostgresRegistry, Registry, RegistryError};
use sqlx::{Connection, PgConnection, Row};

fn settings(url: &str) -> PostgresSettings {
    PostgresSettings { url: url.to_owned(), certificate_authority: None }
}

/// The text of an error with all of its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

#[tokio::test]
async fn nothing_works_before_the_tables_are_there_and_everything_afterwards() {
    let database = FreshDatabase::new().await;
    let registry = PostgresRegistry::start(&settings(&database.url)).expect("a good url");
    let refused = registry.datasets().await.expect_err("there are no tables");
    assert!(matches!(refused, RegistryError::Unavailable(_)), "{refused:?}");
    let told = told(&refused);
    assert!(
        told.contains("schema registry has version 0, this program needs 4: run `gatecast migrate`"),
        "{told}"
    );

    let another = PostgresRegistry::start(&settings(&database.url)).expect("a good url");
    assert_eq!(another.migrate().await.expect("migrates"), Migrated { from: 0, to: 4 });
    assert_eq!(another.migrate().await.expect("again"), Migrated { from: 4, to: 4 });
    assert_eq!(registry.datasets().await.expect("works without a restart").len(), 0);
}

#[tokio::test]
async fn many_may_migrate_at_once() {
    let database = FreshDatabase::new().await;
    let migrating = (0..4).map(|_| {
        let registry = PostgresRegistry::start(&settings(&database.url)).expect("a good url");
        tokio::spawn(async move { registry.migrate().await.expect("waits for its turn") })
    });
    let mut did = Vec::new();
    for task in migrating.collect::<Vec<_>>() {
        did.push(task.await.expect("no panic").from);
    }
    did.sort_unstable();
    assert_eq!(did, [0, 4, 4, 4]);
}

#[tokio::test]
async fn tables_of_a_newer_program_are_refused() {
    let database = FreshDatabase::new().await;
    let registry = PostgresRegistry::start(&settings(&database.url)).expect("a good url");
    registry.migrate().await.expect("migrates");
    let newer =
        "INSERT INTO registry._sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (99, 'from the future', true, '', 0)";
    database.execute(newer).await;
    for outcome in [registry.check().await.map(|()| Migrated { from: 0, to: 0 }), registry.migrate().await] {
        let refused = outcome.expect_err("a newer version");
        assert!(matches!(refused, PostgresError::Newer { found: 99, needed: 4, .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_without_its_password() {
    let registry =
        PostgresRegistry::start(&settings("postgres://u:canary@127.0.0.1:1/db")).expect("a good url");
    let refused = registry.datasets().await.expect_err("nobody listens there");
    assert!(!format!("{refused:?}{}{registry:?}", told(&refused)).contains("canary"));
    let refused = PostgresRegistry::start(&settings("mysql://u:canary@host/db")).expect_err("no PostgreSQL");
    assert!(!format!("{refused:?}{refused}").contains("canary"));
}

#[tokio::test]
async fn a_notebook_sees_what_happened_with_real_time_stamps() {
    let database = FreshDatabase::new().await;
    let registry = PostgresRegistry::start(&settings(&database.url)).expect("a good url");
    registry.migrate().await.expect("migrates");
    let registry: Arc<dyn Registry> = Arc::new(registry);
    registry::contract::the_first_promotion_makes_an_incumbent(registry.clone(), registry.clone()).await;
    let model = ModelName::new("bike-demand").expect("a name");
    let decision = registry.decisions(&model, 1).await.expect("reads").remove(0);

    let mut notebook = PgConnection::connect(&database.url).await.expect("connects");
    let row = sqlx::query(
        "SELECT jobs.state, decisions.verdict, incumbents.generation, (extract(epoch FROM decisions.decided_at) * 1000000)::bigint AS decided_at,
                incumbents.since = decisions.decided_at AS since_then, incumbents.until IS NULL AS in_use
         FROM analytics.jobs JOIN analytics.decisions USING (job_id) JOIN analytics.incumbents USING (decision_id)",
    )
    .fetch_one(&mut notebook)
    .await
    .expect("one line");
    assert_eq!(row.get::<&str, _>("state"), "promoted");
    assert_eq!(row.get::<&str, _>("verdict"), "promote");
    assert_eq!(row.get::<i64, _>("generation"), 1);
    assert_eq!(row.get::<i64, _>("decided_at"), decision.decided_at.as_microsecond());
    assert!(row.get::<bool, _>("since_then") && row.get::<bool, _>("in_use"));

    let undocumented: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'analytics'::regnamespace AND relkind = 'v' AND obj_description(oid) IS NULL",
    )
    .fetch_all(&mut notebook)
    .await
    .expect("reads");
    assert_eq!(undocumented, Vec::<String>::new());
}

#[tokio::test]
async fn a_notebook_sees_who_put_a_version_into_use_and_who_kept_one_out() {
    let database = FreshDatabase::new().await;
    let registry = PostgresRegistry::start(&settings(&database.url)).expect("a good url");
    registry.migrate().await.expect("migrates");
    let registry: Arc<dyn Registry> = Arc::new(registry);
    registry::contract::a_roll_back_makes_a_retired_version_the_incumbent_again(
        registry.clone(),
        registry.clone(),
    )
    .await;

    let mut notebook = PgConnection::connect(&database.url).await.expect("connects");
    let row = sqlx::query(
        "SELECT acts.kind, acts.version, acts.reason, acts.refusal IS NULL AS done, incumbents.version AS in_use,
                incumbents.acted_by, decisions.verdict
         FROM analytics.acts JOIN analytics.incumbents USING (act_id)
              JOIN analytics.decisions ON decisions.barred_by = acts.act_id",
    )
    .fetch_one(&mut notebook)
    .await
    .expect("one line");
    assert_eq!((row.get::<&str, _>("kind"), row.get::<i64, _>("version")), ("roll-back", 1));
    assert_eq!((row.get::<&str, _>("acted_by"), row.get::<i64, _>("in_use")), ("ann", 1));
    assert_eq!(row.get::<&str, _>("verdict"), "promote");
    assert!(row.get::<bool, _>("done") && row.get::<&str, _>("reason").contains("ferry"));
}
