//! A PostgreSQL that vanishes without a word: whoever waits for it is told, and works again once it is back.

mod fresh;
#[path = "../../../tests/integration/proxy.rs"]
mod proxy;

use database::{PostgresSchema, PostgresSettings, PostgresTransaction};
use fresh::FreshDatabase;
use futures::TryStreamExt as _;
use proxy::{Mode, Proxy, address_in};
use sqlx::migrate::Migrator;

/// As many as a process has.
const CONNECTIONS: usize = 8;

static NO_TABLES: Migrator = Migrator::DEFAULT;

struct Server {
    proxy: Proxy,
    schema: PostgresSchema,
    _database: FreshDatabase,
}

impl Server {
    async fn start() -> Self {
        let database = FreshDatabase::new().await;
        let proxy = Proxy::to(address_in(&database.url)).await;
        let url = Proxy::in_front_of(&database.url, &proxy);
        let settings = PostgresSettings { url, certificate_authority: None };
        let schema = PostgresSchema::start(&settings, "silence", &NO_TABLES).expect("a good url");
        schema.migrate().await.expect("an empty database");
        Self { proxy, schema, _database: database }
    }

    async fn reading(&self) -> PostgresTransaction {
        self.schema.read().await.expect("the server answers")
    }

    /// From now on nothing is answered, and time flies while everybody waits.
    fn vanish(&self) {
        self.proxy.set(Mode::Frozen);
        tokio::time::pause();
    }

    fn come_back(&self) {
        tokio::time::resume();
        self.proxy.set(Mode::Open);
    }
}

fn is_silence<T: std::fmt::Debug>(outcome: sqlx::Result<T>) {
    let error = outcome.expect_err("nobody answers").to_string();
    assert!(error.ends_with("PostgreSQL has said nothing for 90 s"), "{error}");
}

#[tokio::test]
async fn statements_copies_and_commits_end_with_an_error_that_says_so() {
    let server = Server::start().await;
    let mut one = server.reading().await;
    let mut copying = server.schema.write("a").await.expect("the server answers");
    sqlx::query("CREATE TABLE t (n INT)").execute(&mut *copying).await.expect("may do so");
    let committing = server.schema.write("b").await.expect("the server answers");
    let mut optional = server.reading().await;
    server.vanish();
    is_silence(sqlx::query("SELECT 1").execute(&mut *one).await);
    is_silence(sqlx::query("SELECT 1").fetch_optional(&mut *optional).await);
    is_silence(copying.copy_in("COPY t FROM STDIN", [b"1\n2\n".to_vec()]).await);
    is_silence(committing.commit().await);
}

#[tokio::test]
async fn rows_that_stop_coming_end_with_an_error_that_says_so() {
    let server = Server::start().await;
    let mut reading = server.reading().await;
    let mut rows = sqlx::query("SELECT generate_series(1, 50000000)").fetch(&mut *reading);
    rows.try_next().await.expect("the server answers").expect("there is a first one");
    server.vanish();
    let outcome = loop {
        match rows.try_next().await {
            Ok(Some(_on_its_way_before)) => {}
            end => break end,
        }
    };
    is_silence(outcome.map(|row| row.is_some()));
}

#[tokio::test]
async fn nobody_who_waited_keeps_a_place_among_the_connections() {
    let server = Server::start().await;
    let mut all = Vec::new();
    for _each in 0..CONNECTIONS {
        all.push(server.reading().await);
    }
    server.vanish();
    for mut reading in all {
        is_silence(sqlx::query("SELECT 1").execute(&mut *reading).await);
    }
    server.schema.read().await.expect_err("no connection can be made");
    server.come_back();
    let mut again = Vec::new();
    for _each in 0..CONNECTIONS {
        again.push(server.reading().await);
    }
    let one: i32 =
        sqlx::query_scalar("SELECT 1").fetch_one(&mut *again[0]).await.expect("the server answers again");
    assert_eq!(one, 1);
}
