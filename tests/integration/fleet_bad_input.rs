//! What anybody may put onto a queue, and what may have become of an artifact: each piece of bad input gets a clear
//! error or ends in the dead letters with its reason, and every good request beside it is answered.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use jiff::SignedDuration;
use lapin::{
    BasicProperties,
    options::BasicPublishOptions,
    types::{AMQPValue, FieldTable},
};
use protocol::{
    MAX_BODY_BYTES, Queue, decode,
    messages::{ForecastReply, Route, RouteReason},
};
use tokio::time::sleep;
use workers::{asker::ask, environment::Environment};

use crate::{
    books::{bikes, wait_for_dead_letters},
    fleet::Fleet,
    fleet_probed::{free_port, get},
    process::Process,
    stack::{PATIENCE, in_time},
};

/// What must become of a message.
enum Fate {
    /// The dead letters, with a reason that says this.
    Dead(&'static str),
    /// A reply that refuses, and says this.
    Refused(&'static str),
    /// A reply like any other.
    Answered,
    /// Nothing but a count.
    Counted,
}

/// A message as a foreign client may send it, its name being its ids.
struct Sent {
    name: &'static str,
    properties: BasicProperties,
    body: Vec<u8>,
    fate: Fate,
}

fn json(request: &serde_json::Value) -> Vec<u8> {
    request.to_string().into_bytes()
}

/// A good request of exactly so many bytes.
fn padded(size: usize) -> Vec<u8> {
    let mut body = json(&serde_json::json!({"model": "bike-demand"}));
    body.resize(size, b' ');
    body
}

/// Everything about one request is good but what `change` does to it.
fn sent(
    name: &'static str,
    fate: Fate,
    change: impl FnOnce(BasicProperties, &mut Vec<u8>) -> BasicProperties,
) -> Sent {
    let mut body = padded(32);
    let properties = BasicProperties::default()
        .with_type("forecast-request.v1".into())
        .with_content_type("application/json".into())
        .with_message_id(name.into());
    Sent { name, properties: change(properties, &mut body), body, fate }
}

fn header(name: &str, value: AMQPValue) -> FieldTable {
    let mut headers = FieldTable::default();
    headers.insert(name.into(), value);
    headers
}

fn long(bytes: usize) -> AMQPValue {
    AMQPValue::LongString("x".repeat(bytes).into())
}

/// Bodies: their size, their kind, their type.
fn bodies() -> Vec<Sent> {
    let body = |name, fate, bytes: Vec<u8>| {
        sent(name, fate, |properties, body| {
            *body = bytes;
            properties
        })
    };
    let kind = |name, kind: &str, fate| sent(name, fate, |properties, _| properties.with_type(kind.into()));
    let content = |name, content: &str, fate| {
        sent(name, fate, |properties, _| properties.with_content_type(content.into()))
    };
    vec![
        body("empty", Fate::Dead("forecast-request cannot be decoded"), Vec::new()),
        body("one byte below", Fate::Answered, padded(MAX_BODY_BYTES - 1)),
        body("at the limit", Fate::Answered, padded(MAX_BODY_BYTES)),
        body("one byte above", Fate::Dead("too_large: a body of 1048577 bytes"), padded(MAX_BODY_BYTES + 1)),
        body("16 MiB", Fate::Dead("too_large: a body of 16777215 bytes"), padded((16 << 20) - 1)),
        kind("unknown kind", "tea.v1", Fate::Dead("type \"tea.v1\" is unknown here")),
        kind(
            "unknown version",
            "forecast-request.v99",
            Fate::Dead("type \"forecast-request.v99\" is unknown here"),
        ),
        content("a lie", "application/msgpack", Fate::Dead("forecast-request cannot be decoded")),
        content("no type of ours", "text/plain", Fate::Dead("content_type \"text/plain\" is unknown")),
    ]
}

/// Headers, ids, addresses, deadlines.
fn properties(prefix: &str, past: jiff::Timestamp) -> Vec<Sent> {
    let headers =
        |name, headers: FieldTable, fate| sent(name, fate, |properties, _| properties.with_headers(headers));
    let id = |name, id: &str, fate| sent(name, fate, |properties, _| properties.with_message_id(id.into()));
    let to = |name, to: String, fate| {
        sent(name, fate, |properties, _| properties.with_reply_to(to.as_str().into()))
    };
    vec![
        headers("10 KiB of a header that nobody reads", header("x-whatever", long(10 << 10)), Fate::Answered),
        headers(
            "10 KiB of a trace",
            header("traceparent", long(10 << 10)),
            Fate::Dead("header traceparent of 10240 bytes"),
        ),
        id("a long id", &"x".repeat(255), Fate::Dead("message_id of 255 bytes")),
        id("NUL", "a\0b", Fate::Dead("message_id holds the control character U+0000")),
        id("right to left", "a\u{202e}b", Fate::Dead("message_id holds the control character U+202E")),
        id("a path", "../../etc/passwd", Fate::Answered),
        to("onto a work queue", format!("{prefix}train-jobs"), Fate::Dead("train-jobs")),
        to("to nobody", format!("{prefix}replies.gone"), Fate::Counted),
        headers(
            "expired",
            header("x-deadline", AMQPValue::LongLongInt(past.as_millisecond())),
            Fate::Counted,
        ),
    ]
}

/// Names within the body.
fn names() -> Vec<Sent> {
    let with = |name, field: &str, value: serde_json::Value, fate| {
        let mut request = serde_json::json!({"model": "bike-demand"});
        request[field] = value;
        sent(name, fate, move |properties, body| {
            *body = json(&request);
            properties
        })
    };
    vec![
        with("a path for a model", "model", "../../etc/passwd".into(), Fate::Refused("no such model")),
        with("a series of 256 bytes", "series", vec!["x".repeat(256)].into(), Fate::Refused("series[0]")),
        with("a series with NUL", "series", vec!["a\0"].into(), Fate::Refused("series[0]")),
        with("a series from right to left", "series", vec!["\u{202e}a"].into(), Fate::Refused("series[0]")),
        with("horizon 0", "horizon", 0.into(), Fate::Refused("horizon: 0 is not in 1 to 10000")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_or_dead_lettered_each_with_its_reason_and_the_good_ones_answered() {
    let fleet = Fleet::with_bikes().await;
    let environment = fleet.environment_now().await;
    let port = free_port();
    let mut forecaster = Process::start_probed(&fleet, "forecaster", port);
    let (_url, prefix) = fleet.broker();
    let past = environment.clock.now() - SignedDuration::from_secs(1);
    let table: Vec<Sent> = bodies().into_iter().chain(properties(&prefix, past)).chain(names()).collect();

    let mut replies = environment.broker.replies().await.expect("a reply queue");
    let address = format!("{prefix}{}", replies.address().as_str());
    let mut expected = 0;
    for (number, bad) in table.iter().enumerate() {
        let good = sent("good", Fate::Answered, |properties, _| properties);
        let id = format!("good-{number}");
        publish(&fleet, good.properties.with_message_id(id.as_str().into()), &id, &good.body, &address).await;
        publish(&fleet, bad.properties.clone(), bad.name, &bad.body, &address).await;
        expected += 1 + usize::from(matches!(bad.fate, Fate::Answered | Fate::Refused(_)));
    }
    let mut told = BTreeMap::new();
    while told.len() < expected {
        let reply = in_time(replies.next()).await.expect("a reply");
        let id = reply.properties.correlation_id.clone().expect("the asker's id");
        told.insert(id, decode::<ForecastReply>(&reply).expect("a forecast reply"));
    }
    let to_die = table.iter().filter(|bad| matches!(bad.fate, Fate::Dead(_))).count() as u64;
    in_time(wait_for_dead_letters(&environment, Queue::ForecastRequests, to_die)).await;
    let letters = environment.broker.dead_letters(Queue::ForecastRequests, 100).await.expect("dead letters");
    let dead: BTreeMap<String, String> = letters
        .into_iter()
        .map(|letter| (letter.message.properties.correlation_id.unwrap_or_default(), letter.reason))
        .collect();
    for (number, bad) in table.iter().enumerate() {
        let good = told.get(&format!("good-{number}"));
        assert!(matches!(good, Some(ForecastReply::Answered { .. })), "beside {:?}: {good:?}", bad.name);
        let (reply, letter) = (told.get(bad.name), dead.get(bad.name));
        match (&bad.fate, reply, letter) {
            (Fate::Dead(reason), None, Some(letter)) if letter.contains(reason) => {}
            (Fate::Refused(reason), Some(ForecastReply::Refused { message, .. }), None)
                if message.contains(reason) => {}
            (Fate::Answered, Some(ForecastReply::Answered { .. }), None) | (Fate::Counted, None, None) => {}
            _ => panic!("{:?}: reply {reply:?}, dead letter {letter:?}", bad.name),
        }
    }
    let counted = [
        "gatecast_deliveries_total{queue=\"forecast-requests\",outcome=\"expired\"} 1",
        "gatecast_askers_gone_total{queue=\"forecast-requests\"} 1",
    ];
    in_time(async {
        while !get(port, "/metrics").is_some_and(|metrics| counted.iter().all(|line| metrics.contains(line)))
        {
            sleep(Duration::from_millis(50)).await; // polls for the event it waits for
        }
    })
    .await;
    let jobs = environment.broker.depth(Queue::TrainJobs).await.expect("a depth");
    assert_eq!(jobs.ready, 0, "nobody makes a forecaster publish train jobs");
    println!("{} kinds of bad input: {} dead letters, {} replies", table.len(), dead.len(), told.len());
    forecaster.terminate();
}

/// Publishes past our own publisher, with the name as the asker's id; `reply_to` as far as there is none yet.
async fn publish(fleet: &Fleet, properties: BasicProperties, name: &str, body: &[u8], reply_to: &str) {
    let reply_to = properties.reply_to().clone().unwrap_or_else(|| reply_to.into());
    let properties = properties.with_correlation_id(name.into()).with_reply_to(reply_to);
    let (connection, channel) = fleet.channel().await;
    let (_url, prefix) = fleet.broker();
    let (exchange, key) = (format!("{prefix}gatecast.jobs"), format!("{prefix}{}", Queue::ForecastRequests));
    let options = BasicPublishOptions::default();
    let published =
        channel.basic_publish(exchange.as_str().into(), key.as_str().into(), options, body, properties);
    published.await.expect("is sent").await.expect("is sent");
    connection.close(200, "done".into()).await.expect("closes after everything was taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_is_damaged_or_missing_somewhere_is_read_elsewhere_or_named() {
    let fleet = Fleet::with_bikes().await;
    let environment = fleet.environment_now().await;
    {
        let _training = Process::start(&fleet, "trainer,gatekeeper");
        fleet.promote_first();
    }
    let incumbent = environment.registry.incumbent(&bikes().0).await.expect("reads").expect("was promoted");
    let artifact = incumbent.artifact.to_string();
    let path = format!("{}/{}/{artifact}", &artifact[..2], &artifact[2..4]);
    let stored = fleet.config().data_folder.join("artifacts").join(&path);
    let local = fleet.config().forecaster_folder().join("artifacts").join(&path);
    let good = fs::read(&stored).expect("the store has it");
    let in_redis = |value: &str| redis(&fleet, &["SET", &format!("gatecast:artifact:{artifact}"), value]);

    route(&fleet, &environment, Some(Route::Primary)).await; // and now the local disk has it
    assert_eq!(fs::read(&local).expect("a local copy"), good);
    damage(&local);
    in_redis("garbage");
    route(&fleet, &environment, Some(Route::Primary)).await; // from the store
    fs::remove_file(&stored).expect("is there");
    route(&fleet, &environment, Some(Route::Primary)).await; // from the local disk or Redis, which were mended
    damage(&local);
    in_redis("garbage");
    let said = route(&fleet, &environment, None).await;
    assert!(said.contains(&format!("artifact {artifact} is missing")), "{said}");
    fs::write(&stored, &good).expect("writes");
    damage(&stored);
    let said = route(&fleet, &environment, None).await;
    assert!(said.contains(&format!("artifact {artifact} is damaged")), "{said}");
    fs::write(&stored, &good).expect("writes");
    route(&fleet, &environment, Some(Route::Primary)).await;
}

/// Starts a forecaster and asks it until it answers with the expected route, at first perhaps from its local copy.
/// `None`: by the fallback, for want of an incumbent. Returns what it logged.
async fn route(fleet: &Fleet, environment: &Environment, expected: Option<Route>) -> String {
    let mut forecaster = Process::start(fleet, "forecaster");
    let answered_so = async {
        loop {
            let asked = ask(&*environment.broker, Queue::ForecastRequests, &Fleet::request()).await;
            let reply = asked.expect("asks").reply(PATIENCE).await.expect("a reply");
            let ForecastReply::Answered { forecasts, .. } = decode(&reply).expect("a forecast reply") else {
                panic!("{reply:?}");
            };
            let found = &forecasts[0];
            if expected == Some(found.route)
                || expected.is_none() && found.reason == Some(RouteReason::NoIncumbent)
            {
                break;
            }
            sleep(Duration::from_millis(100)).await; // polls for the event it waits for
        }
    };
    in_time(answered_so).await;
    forecaster.terminate();
    forecaster.said()
}

/// Flips a bit in the middle of a file.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", PathBuf::from(path).display()));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("writes");
}

fn redis(fleet: &Fleet, command: &[&str]) {
    let done = Command::new("redis-cli").args(["-u", &fleet.redis_url]).args(command).output();
    let done = done.expect("redis-cli is not installed: run scripts/servers start redis first");
    assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "OK");
}
