//! A Redis of a test's own, that it may freeze, stop and fill with garbage.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

const TRIES: u32 = 5;

/// A running server.
pub(crate) struct OwnRedis {
    port: u16,
    arguments: Vec<String>,
    server: Option<Child>,
}

impl OwnRedis {
    /// Starts a server on a free port; fails loudly where there is none.
    pub(crate) fn start() -> Self {
        Self::on_a_free_port(|port| vec!["--port".to_owned(), port.to_string()])
    }

    /// Starts a server that speaks TLS only, with this certificate and key.
    pub(crate) fn start_with_tls(certificate: &Path, key: &Path) -> Self {
        let text = |path: &Path| path.to_str().expect("text").to_owned();
        Self::on_a_free_port(|port| {
            let arguments = [
                ("--port", "0".to_owned()),
                ("--tls-port", port.to_string()),
                ("--tls-cert-file", text(certificate)),
                ("--tls-key-file", text(key)),
                ("--tls-ca-cert-file", text(certificate)),
                ("--tls-auth-clients", "no".to_owned()),
            ];
            arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
        })
    }

    /// A port that was free a moment ago may be somebody else's by now, as another test's server.
    fn on_a_free_port(arguments: impl Fn(u16) -> Vec<String>) -> Self {
        for _try in 0..TRIES {
            let port = free_port();
            let mut redis = Self { port, arguments: arguments(port), server: None };
            if redis.comes_up() {
                return redis;
            }
        }
        panic!("redis-server does not come up on any of {TRIES} free ports");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn start_again(&mut self) {
        assert!(self.comes_up(), "redis-server does not come up on port {}", self.port);
    }

    /// Starts the server; `false` if it ends before it is ready.
    fn comes_up(&mut self) -> bool {
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
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut started =
            started.expect("redis-server is not installed: run scripts/servers start redis first");
        let mut said = BufReader::new(started.stdout.take().expect("piped")).lines();
        self.server = Some(started);
        let is_ready = said.any(|line| line.expect("text").contains("Ready to accept connections"));
        thread::spawn(move || said.for_each(drop)); // else it would wait for a reader some day
        is_ready
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
