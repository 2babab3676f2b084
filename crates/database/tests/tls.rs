//! TLS to a real PostgreSQL with certificates of our own authority: the good one is taken, one for another host
//! and one that has expired are refused with a sentence that says so.

#[path = "../../../tests/certificates.rs"]
mod certificates;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use certificates::{Certificates, Flaw, complaint};
use database::{PostgresError, PostgresSchema, PostgresSettings};
use sqlx::{Connection, PgConnection, migrate::Migrator};

/// Above the ports of the shared servers.
const PORTS: u16 = 30;
static NOTHING: Migrator = Migrator::DEFAULT;

#[tokio::test]
async fn a_certificate_is_checked_for_its_authority_its_host_and_its_time() {
    let certificates = Certificates::new();
    let server = OwnPostgres::start();
    for flaw in [Flaw::Nothing, Flaw::WrongName, Flaw::Expired] {
        server.present(&certificates.certificate(flaw), &certificates.key(flaw)).await;
        let settings = PostgresSettings {
            url: format!("postgres://gatecast@localhost:{}/postgres", first_port() + 5),
            certificate_authority: Some(certificates.authority.clone()),
        };
        let schema = PostgresSchema::start(&settings, "public", &NOTHING).expect("a good url");
        match (flaw, schema.check().await) {
            (Flaw::Nothing, checked) => checked.expect("a good certificate"),
            (bad, Err(PostgresError::Unavailable(fault))) => {
                let told = fault.to_string();
                assert!(told.contains(complaint(bad)), "{bad:?}: {told}");
            }
            (bad, other) => panic!("{bad:?}: {other:?}"),
        }
    }
}

/// The first port of this test's server.
fn first_port() -> u16 {
    let shared = std::env::var("GATECAST_SERVERS_PORT").ok();
    shared.map_or(21_670, |port| port.parse::<u16>().expect("a port")) + PORTS
}

/// A server of the test's own, stopped at its end.
struct OwnPostgres {
    folder: PathBuf,
}

impl OwnPostgres {
    fn start() -> Self {
        let server =
            Self { folder: std::env::temp_dir().join(format!("gatecast-postgres-{}", first_port())) };
        server.script("stop"); // what an interrupted run left behind
        server.script("start");
        server
    }

    /// Presents this certificate to everyone who connects from now on.
    async fn present(&self, certificate: &Path, key: &Path) {
        let data = self.folder.join("postgres/data");
        for (from, name) in [(certificate, "server.crt"), (key, "server.key")] {
            fs::copy(from, data.join(name)).expect("copies");
        }
        // The server reads its key as its own user and insists that nobody else can.
        let prepared = Command::new("sh")
            .arg("-c")
            .arg("chown --reference=PG_VERSION server.crt server.key && chmod 600 server.key")
            .current_dir(&data)
            .status();
        assert!(prepared.expect("a shell").success());
        let url = format!("postgres://gatecast@127.0.0.1:{}/postgres", first_port() + 5);
        let before = loaded_at(&url).await;
        let mut connection = PgConnection::connect(&url).await.expect("it is there");
        for statement in ["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"] {
            sqlx::raw_sql(statement).execute(&mut connection).await.expect("the superuser may");
        }
        while loaded_at(&url).await == before {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await; // polls for the event it waits for
        }
    }

    fn script(&self, command: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/servers");
        let done = Command::new(script)
            .args([command, "postgres"])
            .env("GATECAST_SERVERS_FOLDER", &self.folder)
            .env("GATECAST_SERVERS_PORT", first_port().to_string())
            .env_remove("GATECAST_TEST_POSTGRES_URL")
            .output()
            .expect("the script runs");
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        self.script("stop");
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// When the server that takes new connections read its configuration and its certificate.
async fn loaded_at(url: &str) -> String {
    let mut connection = PgConnection::connect(url).await.expect("it is there");
    let asked = sqlx::query_scalar("SELECT pg_conf_load_time()::text");
    asked.fetch_one(&mut connection).await.expect("reads")
}
