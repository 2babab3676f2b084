//! Probes and metrics of a running process: alive without any server, ready while it does its work, and counted
//! in a form that Prometheus reads.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use crate::{
    fleet::Fleet,
    load::Load,
    process::Process,
    proxy::{Mode, Proxy, address_in},
    rabbit::{self, Tenant},
    stack::in_time,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_ready_while_its_queues_are_consumed_and_alive_all_the_time() {
    let proxy = Proxy::to(address_in(&rabbit::url())).await;
    let fleet = Fleet::on(Tenant::on(Proxy::in_front_of(&rabbit::url(), &proxy))).await;
    let port = free_port();
    let mut process = Process::start_probed(&fleet, "forecaster,recorder", port);
    in_time(answers(port, "/readyz", 200)).await;
    let ready = get(port, "/readyz").expect("an answer");
    for check in ["ok     consumes forecast-requests", "ok     consumes observations", "ok     knows what"] {
        assert!(ready.contains(check), "{ready}");
    }
    // The command that containers use asks the same.
    assert!(is_healthy(&fleet, port));

    proxy.set(Mode::Refused);
    in_time(answers(port, "/readyz", 503)).await;
    assert!(get(port, "/readyz").expect("an answer").contains("failed consumes forecast-requests"));
    assert_eq!(status(&get(port, "/livez").expect("an answer")), 200);
    assert!(!is_healthy(&fleet, port));
    proxy.set(Mode::Open);
    in_time(answers(port, "/readyz", 200)).await;
    process.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_not_ready_before_each_of_its_roles_is_at_work() {
    let proxy = Proxy::to(address_in(&rabbit::url())).await;
    let fleet = Fleet::on(Tenant::on(Proxy::in_front_of(&rabbit::url(), &proxy))).await;
    proxy.set(Mode::Refused);
    let port = free_port();
    let mut process = Process::start_probed(&fleet, "forecaster,recorder,trainer,gatekeeper,scheduler", port);
    in_time(answers(port, "/livez", 200)).await;
    let first = get(port, "/readyz").expect("an answer");
    assert_eq!(status(&first), 503, "{first}");
    for queue in [
        "forecast-requests",
        "forecast-batches",
        "observations",
        "train-jobs",
        "train-results",
        "gate-requests",
    ] {
        assert!(first.contains(&format!("failed consumes {queue}\n")), "{first}");
    }
    proxy.set(Mode::Open);
    in_time(answers(port, "/readyz", 200)).await;
    let ready = get(port, "/readyz").expect("an answer");
    assert!(ready.contains("ok     publishes train jobs"), "{ready}");
    process.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_does_is_counted_in_a_form_that_prometheus_reads() {
    let fleet = Fleet::with_bikes().await;
    let environment = Arc::new(fleet.environment_now().await);
    let port = free_port();
    let mut process = Process::start_probed(&fleet, "trainer,gatekeeper,forecaster,recorder", port);
    fleet.promote_first();
    // Ages are measured after each look, and the promotion asked for one: then the forecaster has what was promoted.
    let looked = async {
        while !get(port, "/metrics").expect("an answer").contains("gatecast_model_age_seconds{") {
            tokio::time::sleep(Duration::from_millis(50)).await; // polls for the event it waits for
        }
    };
    in_time(looked).await;
    let load = Load::start(environment, Fleet::request(), 50);
    in_time(load.answered(10)).await;
    load.finish().await.assert_all_primary();

    let metrics = get(port, "/metrics").expect("an answer");
    let (_, text) = metrics.split_once("\r\n\r\n").expect("a body");
    for line in [
        "gatecast_deliveries_total{queue=\"forecast-requests\",outcome=\"done\"}",
        "gatecast_deliveries_total{queue=\"train-jobs\",outcome=\"done\"} 1",
        "gatecast_gate_decisions_total{model=\"bike-demand\",verdict=\"promote\"} 1",
        "gatecast_route_total{model=\"bike-demand\",route=\"primary\",reason=\"none\"}",
        "gatecast_model_age_seconds{model=\"bike-demand\"}",
        "gatecast_consumer_up{queue=\"forecast-requests\"} 1",
        "gatecast_handle_seconds_bucket{queue=\"forecast-requests\",le=",
        "gatecast_queue_wait_seconds_count{queue=\"train-jobs\"} 1",
        "gatecast_cache_requests_total{tier=\"redis\",result=",
        "gatecast_cache_requests_total{tier=\"disk\",result=",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("washington-dc"), "a series is no label");
    promtool(text);
    process.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_told_at_the_start() {
    let fleet = Fleet::new().await;
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let mut run = fleet.gatecast();
    let ended = run.env("GATECAST__HEALTH__LISTEN", &address).args(["run", "--role", "recorder"]).output();
    let ended = ended.expect("starts");
    assert_eq!(ended.status.code(), Some(5));
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(told.contains(&format!("health.listen = {address}")), "{told}");
}

/// Fails unless Prometheus' own tool has nothing to say about the text.
fn promtool(text: &str) {
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is not installed: run scripts/servers start tools first");
    tool.stdin.take().expect("piped").write_all(text.as_bytes()).expect("reads it all");
    let said = tool.wait_with_output().expect("ends");
    let told = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success() && told.trim().is_empty(), "promtool: {told}");
}

fn is_healthy(fleet: &Fleet, port: u16) -> bool {
    let mut asked = fleet.gatecast();
    asked.env("GATECAST__HEALTH__LISTEN", format!("127.0.0.1:{port}")).arg("healthcheck");
    asked.output().expect("starts").status.success()
}

/// Waits until the process answers with this status.
pub(crate) async fn answers(port: u16, path: &str, expected: u16) {
    while get(port, path).is_none_or(|answer| status(&answer) != expected) {
        tokio::time::sleep(Duration::from_millis(20)).await; // polls for the event it waits for
    }
}

fn status(answer: &str) -> u16 {
    answer.split_whitespace().nth(1).and_then(|code| code.parse().ok()).expect("a status line")
}

/// The answer as a whole; none while nobody listens.
pub(crate) fn get(port: u16, path: &str) -> Option<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}
