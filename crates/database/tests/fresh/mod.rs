//! A database of a test's own on the PostgreSQL of `scripts/servers`, deleted at its end.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

const URL: &str = "GATECAST_TEST_POSTGRES_URL";

/// A database that nothing has used yet.
pub(crate) struct FreshDatabase {
    /// Where it is.
    pub(crate) url: String,
    name: String,
}

impl FreshDatabase {
    /// Makes one; fails loudly where there is no server.
    pub(crate) async fn new() -> Self {
        let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
        let name = format!("test_{}_{random:x}", std::process::id());
        on_the_server(format!("CREATE DATABASE {name}")).await;
        Self { url: url_of(&name), name }
    }

    /// Runs a statement behind everyone's back.
    #[allow(dead_code, reason = "not every test does")]
    pub(crate) async fn execute(&self, sql: &str) {
        let mut connection = PgConnection::connect(&self.url).await.expect("the database is there");
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("is SQL");
    }
}

/// The server's URL with another database in it.
fn url_of(name: &str) -> String {
    let server = server();
    let (address, query) = server.split_once('?').map_or((server.as_str(), None), |(a, q)| (a, Some(q)));
    let (address, _database) = address.rsplit_once('/').expect("the URL names a database");
    query.map_or_else(|| format!("{address}/{name}"), |query| format!("{address}/{name}?{query}"))
}

fn server() -> String {
    std::env::var(URL).unwrap_or_else(|_| {
        panic!("{URL} is not set: run eval \"$(scripts/servers start)\" in this shell first")
    })
}

async fn on_the_server(sql: String) {
    let mut connection = PgConnection::connect(&server()).await.expect("PostgreSQL is there");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the user may do so");
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(on_the_server(drop));
        });
        let _ = cleaning.join(); // a server that has gone has nothing left to delete
    }
}
