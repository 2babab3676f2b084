//! Tables of the version before, with what its program wrote: brought up to date, everything can be read.

#[path = "../../database/tests/fresh/mod.rs"]
mod fresh;

use std::sync::Arc;

use database::{Migrated, PostgresSettings};
use fresh::FreshDatabase;
use registry::{JobId, MadeBy, PostgresRegistry, Registry, SqliteRegistry};
use sqlx::{
    AssertSqlSafe, Connection, PgConnection, SqliteConnection, migrate::Migrator,
    sqlite::SqliteConnectOptions,
};

/// What the first version wrote about a promotion and a job without a candidate.
const OLD_ROWS: &str = r#"
    INSERT INTO dataset VALUES ('bikes', 0);
    INSERT INTO model VALUES ('bike-demand', 0);
    INSERT INTO job VALUES ('j1', 'bike-demand', '5bec', 0, 0, '[]', 'a test', 0);
    INSERT INTO job VALUES ('j0', 'bike-demand', '5bec', 0, 0, '[]', 'a test', 0);
    INSERT INTO artifact VALUES ('{artifact}', 7, 0, NULL);
    INSERT INTO version VALUES ('bike-demand', 1, 'j0', 'seasonal-naive', '{artifact}', 0, 0, '5bec', 'da7a', 0,
        '0.1.0', '[]', 0, 'promoted', 3);
    INSERT INTO decision (job_id, look, model, version, judged_against, verdict, judgement, decided_at) VALUES
        ('j0', 1, 'bike-demand', 1, NULL, 'promote', '{"verdict": {"verdict": "promote"}, "candidate": null,
         "incumbent": null, "evidence": {"origins": 0, "rows": 0, "series": 0, "first_origin": null,
         "last_target": null, "tail_points": 0, "tail_share": 0.0, "pooled_scale_series": 0,
         "candidate_fallback_forecasts": 0, "incumbent_fallback_forecasts": 0, "rows_hash": ""}}', 3);
    INSERT INTO incumbent VALUES ('bike-demand', 1, 1, NULL, 1, 3);
    INSERT INTO decision (job_id, look, model, version, judged_against, verdict, judgement, decided_at) VALUES
        ('j1', 1, 'bike-demand', NULL, NULL, 'no-candidate', '{"verdict": {"verdict": "no-candidate",
         "because": "3 days of history"}, "candidate": null, "incumbent": null, "evidence": {"origins": 0,
         "rows": 0, "series": 0, "first_origin": null, "last_target": null, "tail_points": 0,
         "tail_share": 0.0, "pooled_scale_series": 0, "candidate_fallback_forecasts": 0,
         "incumbent_fallback_forecasts": 0, "rows_hash": ""}}', 7);
"#;

fn old_rows() -> String {
    OLD_ROWS.replace("{artifact}", &"0123456789abcdef".repeat(4))
}

fn first_version(all: &Migrator) -> Migrator {
    Migrator::with_migrations(all.iter().filter(|migration| migration.version == 1).cloned().collect())
}

async fn is_readable(registry: Arc<dyn Registry>) {
    let job = JobId::new("j1").expect("an id");
    let decision = registry.decision_of_job(&job).await.expect("can be read").expect("was made");
    assert_eq!((decision.judgement.verdict.name(), decision.scored_rows), ("no-candidate", None));
    assert_eq!((decision.barred_by.as_ref(), decision.look), (None, 1));
    assert_eq!(registry.job(&job).await.expect("can be read").and_then(|job| job.shift), None);
    assert_eq!(decision.as_of, jiff::Timestamp::UNIX_EPOCH, "as its job says");
    let decisions = registry.decisions(&decision.model, 10).await.expect("can be read");
    assert_eq!((decisions.len(), &decisions[0]), (2, &decision));
    let incumbent = registry.incumbent(&decision.model).await.expect("can be read").expect("was promoted");
    assert_eq!((incumbent.version, incumbent.generation), (1, 1));
    assert_eq!(incumbent.made_by, MadeBy::Decision(decisions[1].id));
    assert_eq!(registry.acts(&decision.model).await.expect("can be read"), []);
}

#[tokio::test]
async fn a_decision_of_before_scored_rows_were_kept_is_read_from_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&options).await.unwrap();
    first_version(&sqlx::migrate!("migrations/sqlite")).run_direct(None, &mut old, false).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(old_rows())).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    is_readable(Arc::new(SqliteRegistry::open(&path).await.unwrap())).await;
}

#[tokio::test]
async fn a_decision_of_before_scored_rows_were_kept_is_read_from_postgres_and_shown_to_notebooks() {
    let database = FreshDatabase::new().await;
    let mut old = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("CREATE SCHEMA registry; SET search_path = registry").execute(&mut old).await.unwrap();
    first_version(&sqlx::migrate!("migrations/postgres")).run_direct(None, &mut old, false).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(old_rows())).execute(&mut old).await.unwrap();
    let settings = PostgresSettings { url: database.url.clone(), certificate_authority: None };
    let registry = PostgresRegistry::start(&settings).unwrap();
    assert_eq!(registry.migrate().await.unwrap(), Migrated { from: 1, to: 4 });
    is_readable(Arc::new(registry)).await;
    let shown: (String, Option<String>, Option<i64>) = sqlx::query_as(
        "SELECT verdict, scored_rows, scored_rows_bytes FROM analytics.decisions WHERE job_id = 'j1'",
    )
    .fetch_one(&mut old)
    .await
    .unwrap();
    assert_eq!(shown, ("no-candidate".to_owned(), None, None));
}
