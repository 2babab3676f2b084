//! No secret is told to anyone. A canary stands in the place of every password that the configuration can hold, and
//! is looked for in everything that processes and commands say.

use std::{
    borrow::BorrowMut,
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::Command,
};

use bytes::Bytes;
use protocol::Queue;
use serde_json::{Map, Value};
use workers::environment::Environment;

use crate::{
    books::{confirmed, hour},
    fleet::Fleet,
    fleet_probed::{answers, free_port, get},
    process::Process,
    proxy::address_in,
    rabbit::{Tenant, server::Server},
    stack::in_time,
};

/// Above the port of the shared server: four ports that no other test uses.
const PORTS: u16 = 44;

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_canary_is_heard_from_nobody() {
    let server = Server::start(PORTS);
    let cage = Cage::new(&server).await;
    let mut said = Said::default();

    let log = work(&cage, &mut said).await;
    is_json(&log);
    said.add("workers", log);
    wrong_passwords(&cage, &mut said).await;
    invalid_configurations(&cage, &mut said);

    assert_eq!(said.who_told(&cage.canary), BTreeSet::new(), "told the canary");
    // The same ears hear what may be told: the name of the user beside the password.
    let told_the_user = said.who_told(&cage.user);
    for teller in ["workers", "config show --origin", "doctor", "doctor, wrong broker"] {
        assert!(told_the_user.contains(teller), "{teller} does not name the user: {told_the_user:?}");
    }
}

/// A job, a forecast, a poison message, and everything that can be asked. Returns the log of the workers.
async fn work(cage: &Cage, said: &mut Said) -> String {
    let mut workers = cage.start("trainer,gatekeeper,forecaster,recorder", &[]);
    in_time(answers(cage.port, "/readyz", 200)).await;
    said.hear(0, "train", cage.gatecast(&["train", "bike-demand", "--learner", "few-trees", "--wait"]));
    said.hear(0, "forecast", cage.gatecast(&["forecast", "bike-demand"]));

    let environment = cage.fleet.environment_now().await;
    let (queue, mut poison) = hour(0);
    poison.body = Bytes::from_static(b"nothing that anybody wrote");
    confirmed(&environment, queue, &poison).await;
    in_time(until_dead(&environment, queue)).await;
    let id = poison.properties.message_id.as_str();
    said.hear(0, "dead-letters list", cage.gatecast(&["--json", "dead-letters", "list"]));
    said.hear(0, "dead-letters show", cage.gatecast(&["dead-letters", "show", queue.name(), id]));

    for arguments in [
        &["config", "show", "--origin"][..],
        &["--json", "config", "show"],
        &["config", "check"],
        &["doctor"],
        &["--json", "doctor"],
        &["healthcheck"],
        &["migrate"],
    ] {
        said.hear(0, &arguments.join(" "), cage.gatecast(arguments));
    }
    for path in ["/livez", "/readyz", "/metrics"] {
        said.add(path, get(cage.port, path).expect("an answer"));
    }
    workers.terminate();
    workers.said()
}

/// Servers that do not let us in, or are not there.
async fn wrong_passwords(cage: &Cage, said: &mut Said) {
    let secret = format!("{}:{}wrong", cage.user, cage.canary);
    let [broker, redis] = [&cage.fleet.broker().0, &cage.fleet.redis_url].map(|url| address_in(url));
    let broker = ("GATECAST__BROKER__URL", format!("amqp://{secret}@{broker}/%2f"));
    let cache = ("GATECAST__CACHE__URL", format!("redis://{secret}@{redis}/0"));
    let history = ("GATECAST__HISTORY__URL", format!("postgres://{secret}@127.0.0.1:1/none"));
    for (name, wrong) in [("broker", &broker), ("cache", &cache), ("history", &history)] {
        let mut doctor = cage.gatecast(&["doctor"]);
        said.hear(5, &format!("doctor, wrong {name}"), doctor.env(wrong.0, &wrong.1));
    }
    let all = [broker, cache, history];
    said.hear(5, "forecast, all wrong", cage.gatecast(&["forecast", "bike-demand"]).envs(all.clone()));
    let mut locked_out = cage.start("trainer,forecaster,recorder", &all);
    in_time(async {
        while !["no connection", "events are not heard"].iter().all(|word| locked_out.said().contains(word)) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await; // polls for the event it waits for
        }
    })
    .await;
    locked_out.terminate();
    is_json(&locked_out.said());
    said.add("locked out", locked_out.said());
}

/// What cannot be read or used is refused, and quoted without its secrets.
fn invalid_configurations(cage: &Cage, said: &mut Said) {
    let secret = format!("{}:{}", cage.user, cage.canary);
    let check = || cage.gatecast(&["config", "check"]);
    for (variable, value) in [
        ("GATECAST__BROKER__URL", format!("http://{secret}@host")),
        ("GATECAST__BROKER__URL", cage.canary.clone()),
        ("GATECAST__BROKER__URL", format!("{secret}@host")),
        ("GATECAST__BROKER__URI", format!("amqp://{secret}@host")),
        ("GATECAST__BROKER", format!("amqp://{secret}@host")),
        ("GATECAST__CACHE__URL", format!("memcached://{secret}@host")),
        ("GATECAST__HISTORY__URL", format!("mysql://{secret}@host?password={}", cage.canary)),
        ("GATECAST__ARTIFACTS__URL", format!("s3://{secret}@bucket")),
        ("GATECAST__CACHE__URL_FILE", format!("redis://{secret}@host")),
    ] {
        said.hear(4, &format!("config check, {variable}"), check().env(variable, value));
    }
    let file = cage.file("unfinished.toml", &format!("[broker]\nurl = \"amqp://{secret}@host"));
    let mut unfinished = cage.gatecast(&["config", "check", "--config"]);
    said.hear(4, "config check, unfinished", unfinished.arg(file));
    // Addresses that look like URLs and are none.
    for (variable, value) in [
        ("GATECAST__BROKER__URL", format!("amqp://{secret}@host:port/%2f")),
        ("GATECAST__BROKER__URL", format!("amqp://{secret}@ho st/%2f")),
        ("GATECAST__CACHE__URL", format!("redis://{secret}@host:port")),
        ("GATECAST__HISTORY__URL", format!("postgres://{secret}@host:port/x")),
        ("GATECAST__HISTORY__URL", format!("postgres://{secret}@host/x?sslmode=maybe")),
    ] {
        said.hear(5, &format!("doctor, {variable}"), cage.gatecast(&["doctor"]).env(variable, value));
    }
}

async fn until_dead(environment: &Environment, queue: Queue) {
    while environment.broker.depth(queue).await.expect("asks").dead == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await; // polls for the event it waits for
    }
}

/// Every line is one object.
fn is_json(log: &str) {
    assert!(log.lines().count() > 3, "{log}");
    for line in log.lines() {
        let parsed = serde_json::from_str::<Map<String, Value>>(line);
        assert!(parsed.is_ok_and(|line| line.contains_key("level")), "no JSON object of a log: {line}");
    }
}

/// A fleet whose every password is the canary.
struct Cage {
    canary: String,
    user: String,
    fleet: Fleet,
    /// Of the workers' probes.
    port: u16,
    redis: SocketAddr,
    /// The registry's URL comes from a file, as secrets do in containers.
    registry_file: PathBuf,
}

impl Cage {
    async fn new(server: &Server) -> Self {
        let random = uuid::Uuid::now_v7().simple().to_string();
        let (canary, user) = (format!("canary{random}"), format!("planted{random}"));
        server.ctl(&["add_user", &user, &canary]);
        server.ctl(&["set_permissions", "--vhost", "/", &user, ".*", ".*", ".*"]);
        let url = server.url.replace("guest:guest", &format!("{user}:{canary}"));
        let mut fleet = Fleet::on(Tenant::on(url)).await;
        // PostgreSQL of the tests lets everybody in who names the right user.
        fleet.database_url = fleet.database_url.replacen("gatecast@", &format!("gatecast:{canary}@"), 1);
        assert!(fleet.database_url.contains(&canary), "PostgreSQL's URL has no user gatecast");
        let redis = address_in(&fleet.redis_url);
        tell_redis(redis, &format!("ACL SETUSER {user} on >{canary} ~* &* +@all"));
        fleet.redis_url = format!("redis://{user}:{canary}@{redis}/0");
        fleet.bring_bikes();
        let registry_file = fleet.new_log("registry-url");
        std::fs::write(&registry_file, format!("{}\n", fleet.database_url)).expect("writes");
        Self { canary, user, fleet, port: free_port(), redis, registry_file }
    }

    /// A command that logs as much as in production when something is looked for.
    fn gatecast(&self, arguments: &[&str]) -> Command {
        let mut command = self.fleet.gatecast();
        command
            .env_remove("GATECAST__REGISTRY__URL")
            .env("GATECAST__REGISTRY__URL_FILE", &self.registry_file)
            .env("GATECAST__HEALTH__LISTEN", format!("127.0.0.1:{}", self.port))
            .env("GATECAST__LOG__FILTER", "debug")
            .env("GATECAST__LOG__FORMAT", "json")
            .args(arguments);
        command
    }

    fn start(&self, roles: &str, environment: &[(&str, String)]) -> Process {
        let mut command = self.gatecast(&["run", "--role", roles]);
        Process::spawn(&self.fleet, roles, command.envs(environment.iter().cloned()))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.fleet.new_log(name);
        std::fs::write(&file, text).expect("writes");
        file
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        tell_redis(self.redis, &format!("ACL DELUSER {}", self.user));
    }
}

fn tell_redis(address: SocketAddr, command: &str) {
    let mut connection = TcpStream::connect(address).expect("Redis is there");
    connection.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).expect("is sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    assert!(!answer.starts_with('-'), "{command}: {answer}");
}

/// Everything that was said, and by whom.
#[derive(Default)]
struct Said(Vec<(String, String)>);

impl Said {
    fn add(&mut self, who: &str, what: String) {
        self.0.push((who.to_owned(), what));
    }

    /// Runs a command that must end with this exit code, and listens to both its streams.
    fn hear(&mut self, code: i32, who: &str, mut command: impl BorrowMut<Command>) {
        let output = command.borrow_mut().output().expect("starts");
        let streams = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
        let what = streams.concat();
        assert_eq!(output.status.code(), Some(code), "{who}: {what}");
        self.add(who, what);
    }

    /// Who has said the word.
    fn who_told(&self, word: &str) -> BTreeSet<&str> {
        self.0.iter().filter(|(_, what)| what.contains(word)).map(|(who, _)| who.as_str()).collect()
    }
}
