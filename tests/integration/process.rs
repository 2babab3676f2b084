//! Workers as processes of their own, that tests kill, freeze and stop.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use workers::config::Config;

use crate::fleet::Fleet;

/// What an end may take beside the grace, where other tests run too.
const SLOW_MACHINE: Duration = Duration::from_secs(20);

/// A running `gatecast run --role …`, killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the roles, separated by commas, on the servers of `fleet`. Returns at once.
    pub(crate) fn start(fleet: &Fleet, roles: &str) -> Self {
        Self::spawn(fleet, roles, fleet.gatecast().args(["run", "--role", roles]))
    }

    /// Starts the roles with probes on `port`.
    pub(crate) fn start_probed(fleet: &Fleet, roles: &str, port: u16) -> Self {
        Self::start_with(fleet, roles, &[("GATECAST__HEALTH__LISTEN", &format!("127.0.0.1:{port}"))])
    }

    /// Starts the roles with more of a configuration.
    pub(crate) fn start_with(fleet: &Fleet, roles: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = fleet.gatecast();
        Self::spawn(fleet, roles, command.envs(settings.iter().copied()).args(["run", "--role", roles]))
    }

    /// Starts `command`, which runs the roles.
    pub(crate) fn spawn(fleet: &Fleet, roles: &str, command: &mut Command) -> Self {
        let log = fleet.new_log(roles);
        let written = File::create(&log).expect("a file for the log");
        let child = command.stdout(Stdio::null()).stderr(written).spawn().expect("starts");
        Self { child, log }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("it is dead");
    }

    /// `kill -SIGNAL`, e.g. `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let told = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(told.expect("kill is there").success());
    }

    /// Tells it to stop, and waits until it has; fails unless that is within its grace, as configured by default.
    pub(crate) fn terminate(&mut self) {
        self.terminate_within(Config::default().runner.grace);
    }

    /// The same with another grace.
    pub(crate) fn terminate_within(&mut self, grace: Duration) {
        self.signal("TERM");
        let told = Instant::now();
        let ended = loop {
            if let Some(ended) = self.child.try_wait().expect("is asked") {
                break ended;
            }
            assert!(told.elapsed() < grace + SLOW_MACHINE, "it does not end within {grace:?}");
            thread::sleep(Duration::from_millis(10)); // polls for the event it waits for
        };
        assert!(ended.success(), "it ends well when it is told to stop: {ended}\n{}", self.said());
    }

    /// Memory in use, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says so");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024
    }

    /// Everything that it logged.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("its log")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails where the process has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.said());
        }
    }
}
