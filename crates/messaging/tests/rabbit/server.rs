//! A server of a test's own, that it may kill: of Debian's `RabbitMQ`, or of the suite that
//! `GATECAST_RABBITMQ_SUITE` names (see `scripts/servers`).

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The port `offset` ports above that of the shared server: clones of this repository beside each other have
/// different ones.
pub(crate) fn port(offset: u16) -> u16 {
    let url = super::url();
    let port = url.rsplit('@').next().and_then(|address| address.split(['/', ':']).nth(1));
    let port: u16 = port.and_then(|port| port.parse().ok()).expect("the shared server's URL names its port");
    port + offset
}

/// A private server; its folder is deleted at its end.
pub(crate) struct Server {
    pub(crate) url: String,
    folder: PathBuf,
    first_port: u16,
    configuration: String,
}

impl Server {
    /// Starts a server on four ports from `offset` ports above that of the shared server, which no other test
    /// uses.
    pub(crate) fn start(offset: u16) -> Self {
        Self::start_with(offset, "")
    }

    /// The same with more lines in its configuration.
    pub(crate) fn start_with(offset: u16, configuration: &str) -> Self {
        let first_port = port(offset);
        let folder = std::env::temp_dir().join(format!("gatecast-rabbitmq-{first_port}"));
        let server = Self {
            url: format!("amqp://guest:guest@127.0.0.1:{first_port}/%2f"),
            folder,
            first_port,
            configuration: configuration.to_owned(),
        };
        server.script("stop"); // what an interrupted run left behind
        let _ = std::fs::remove_dir_all(&server.folder);
        server.script("start");
        server
    }

    pub(crate) fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.join("rabbitmq/pid")).expect("it runs");
        let killed = Command::new("kill").args(["-9", pid.trim()]).status();
        assert!(killed.expect("kill runs").success());
    }

    pub(crate) fn start_again(&self) {
        self.script("start");
    }

    /// `rabbitmqctl`.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> String {
        let mut ctl = Command::new(self.folder.join("rabbitmq/ctl"));
        said(ctl.args(arguments).stdin(Stdio::null()))
    }

    /// Imports a file of definitions. The server may have a file system of its own, and `rabbitmqctl` of 4.0 does not
    /// see the end of what it reads from a pipe.
    pub(crate) fn import_definitions(&self, file: File) {
        const IMPORT: &str = "cat >definitions.json && \
            exec /usr/lib/rabbitmq/bin/rabbitmqctl import_definitions \"$PWD/definitions.json\"";
        said(Command::new(self.folder.join("rabbitmq/in")).args(["/bin/sh", "-c", IMPORT]).stdin(file));
    }

    fn script(&self, command: &str) {
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let script = above.map(|folder| folder.join("scripts/servers")).find(|script| script.exists());
        let script = script.expect("the repository has scripts/servers");
        let done = Command::new(script)
            .args([command, "rabbitmq"])
            .env("GATECAST_SERVERS_FOLDER", &self.folder)
            .env("GATECAST_SERVERS_PORT", self.first_port.to_string())
            .env("GATECAST_RABBITMQ_CONF", &self.configuration)
            .env_remove(super::URL)
            .output()
            .expect("the script runs");
        let complaint = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{command}: {complaint}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.script("stop");
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What a command says that must succeed.
fn said(command: &mut Command) -> String {
    let done = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}{complaint}");
    said
}
