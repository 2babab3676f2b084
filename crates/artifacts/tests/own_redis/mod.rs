//! A Redis of a test's own, that it may freeze, stop and fill with garbage.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running server.
pub(crate) struct OwnRedis {
    port: u16,
    arguments: Vec<String>,
    server: Option<Child>,
}

impl OwnRedis {
    /// Starts a server on a free port; fails loudly where there is none.
    pub(crate) fn start() -> Self {
        let mut redis = Self { port: free_port(), arguments: Vec::new(), server: None };
        redis.arguments = vec!["--port".into(), redis.port.to_string()];
        redis.start_again();
        redis
    }

    /// Starts a server that speaks TLS only, with this certificate and key.
    pub(crate) fn start_with_tls(certificate: &Path, key: &Path) -> Self {
        let port = free_port();
        let text = |path: &Path| path.to_str().expect("text").to_owned();
        let arguments = [
            ("--port", "0".to_owned()),
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", text(certificate)),
            ("--tls-key-file", text(key)),
            ("--tls-ca-cert-file", text(certificate)),
            ("--tls-auth-clients", "no".to_owned()),
        ];
        let arguments = arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
        let mut redis = Self { port, arguments, server: None };
        redis.start_again();
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn start_again(&mut self) {
        let started = Command::new("redis-server")
            .args(&self.arguments)
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--enable-debug-command",
                "yes",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let started = started.expect("redis-server is not installed: run scripts/servers start redis first");
        self.server = Some(started);
        let give_up_at = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < give_up_at, "redis-server does not come up");
            std::thread::sleep(Duration::from_millis(5)); // polls for the event it waits for
        }
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("kill -9");
            server.wait().expect("it is dead");
        }
    }

    /// It accepts and never answers, until it is thawed.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.server.as_ref().expect("it runs").id().to_string();
        let told = Command::new("kill").args([&format!("-{signal}"), &id]).status().expect("kill is there");
        assert!(told.success());
    }

    /// Sends a command in the text form of the protocol; returns the first bytes of the answer.
    pub(crate) fn command(&self, command: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("it is there");
        connection.write_all(format!("{command}\r\n").as_bytes()).expect("sends");
        let mut answer = [0; 1024];
        let length = connection.read(&mut answer).expect("answers");
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}
