//! Clients that are not ours, in Python (pika) and from the command line (amqp-tools): the ones of
//! `examples/clients`, as they are.

use std::process::Command;

use serde_json::Value;

use crate::{
    books::{bikes, wait_until_empty},
    fleet::Fleet,
    process::Process,
    stack::{in_time, root},
};

const PYTHON: &str = "GATECAST_TEST_PYTHON";

#[tokio::test(flavor = "multi_thread")]
async fn foreign_clients_train_and_hear_the_decision() {
    let fleet = Fleet::with_bikes().await;
    let environment = fleet.environment_now().await;
    let _workers = Process::start(&fleet, "trainer,gatekeeper");
    let (url, prefix) = fleet.broker();
    let train = |arguments: &[&str]| {
        let mut client = python("train.py", &url);
        run(client.args(["bike-demand", "--prefix", &prefix]).args(arguments))
    };
    let first: Value = serde_json::from_str(&train(&[])).expect("JSON");
    assert_eq!(first["decision"], "model-promoted.v1", "{first}: JSON, direct reply-to");
    assert_eq!(first["generation"], 1, "{first}");
    let second: Value = serde_json::from_str(&train(&["--named", "--msgpack"])).expect("JSON");
    assert_eq!(second["decision"], "candidate-refused.v1", "{second}: MessagePack, a reply queue of its own");
    let mut shell = Command::new(root().join("examples/clients/train.sh"));
    let third: Value = serde_json::from_str(&run(shell.args([&url, "bike-demand", &prefix]))).expect("JSON");
    assert_eq!(third["verdict"], "keep_incumbent", "{third}: amqp-tools");
    assert_eq!(third["incumbent_version"], first["version"]);
    let decisions = environment.registry.decisions(&bikes().0, 10).await.expect("reads");
    assert_eq!(decisions.len(), 3, "each job ended in one decision");
    in_time(wait_until_empty(&environment)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_clients_hear_forecasts() {
    let fleet = Fleet::with_bikes().await;
    let _workers = Process::start(&fleet, "trainer,gatekeeper,forecaster,recorder");
    let (url, prefix) = fleet.broker();
    fleet.promote_first();
    let ask = |arguments: &[&str]| {
        let mut client = python("forecast.py", &url);
        client.args(["bike-demand", "--prefix", &prefix]).args(arguments);
        forecast(&run(&mut client))
    };
    let first = in_time(until_primary(|| ask(&[]))).await;
    assert_eq!(ask(&["--msgpack"]), first, "MessagePack, direct reply-to");
    assert_eq!(ask(&["--named"]), first, "JSON, a reply queue of its own");
    assert_eq!(ask(&["--named", "--msgpack"]), first, "MessagePack, a reply queue of its own");
    let mut shell = Command::new(root().join("examples/clients/forecast.sh"));
    assert_eq!(forecast(&run(shell.args([&url, "bike-demand", &prefix]))), first, "amqp-tools");
}

/// Asks until the forecaster has heard of the promotion.
async fn until_primary(ask: impl Fn() -> Value) -> Value {
    loop {
        let reply = ask();
        if reply[0]["route"] == "primary" {
            return reply;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await; // polls for the event it waits for
    }
}

/// The forecasts of a reply.
fn forecast(reply: &str) -> Value {
    let reply: Value = serde_json::from_str(reply).unwrap_or_else(|e| panic!("{e}: {reply}"));
    assert_eq!(reply["outcome"], "answered", "{reply}");
    assert_eq!(reply["forecasts"][0]["values"].as_array().expect("values").len(), 24);
    reply["forecasts"].clone()
}

fn python(client: &str, url: &str) -> Command {
    let python = std::env::var(PYTHON).unwrap_or_else(|_| {
        panic!("{PYTHON} is not set: run eval \"$(scripts/servers start)\" in this shell first")
    });
    let mut command = Command::new(python);
    command.arg(root().join("examples/clients").join(client)).arg(url);
    command
}

/// What a client that must succeed printed.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
