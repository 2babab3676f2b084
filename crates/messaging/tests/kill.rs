//! What was confirmed survives `kill -9`, with real processes.

use std::{collections::BTreeSet, path::Path, process::Stdio, sync::Arc};

use clock::SystemClock;
use messaging::{Access, Broker, Settlement, SqliteBroker, contract::or_hangs};
use protocol::{
    ContentType, Destination, Queue, WireMessage,
    messages::{TrainJob, TrainReason},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Where the child finds the file.
const FILE: &str = "GATECAST_TEST_QUEUE_FILE";
/// The child is killed after this many confirmed messages, plus a few that depend on the moment.
const CONFIRMED: usize = 25;

async fn open(file: &Path) -> SqliteBroker {
    SqliteBroker::open(file, Access::Owner, Arc::new(SystemClock)).await.expect("it opens")
}

fn start_child(name: &str, file: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the child starts")
}

/// What a child has said.
#[derive(Default)]
struct Said {
    /// Ids that it was about to settle.
    settling: BTreeSet<String>,
    /// Ids that the broker has taken, or settled.
    confirmed: BTreeSet<String>,
}

/// Reads what the child says until it has confirmed enough, kills it, and reads the rest.
async fn kill_after(mut child: Child, confirmations: usize) -> Said {
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut said = Said::default();
    while let Some(line) = output.next_line().await.expect("text") {
        if let Some((_, id)) = line.split_once("settling ") {
            said.settling.insert(id.to_owned());
        } else if let Some((_, id)) = line.split_once("confirmed ") {
            said.confirmed.insert(id.to_owned());
            if said.confirmed.len() == confirmations {
                child.start_kill().expect("it can be killed");
            }
        } // else it is the test runner that speaks
    }
    child.wait().await.expect("it has ended");
    said
}

#[tokio::test]
async fn a_confirmed_message_survives_the_kill_of_its_publisher_and_of_its_consumer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("queues.sqlite");
    let published = or_hangs(kill_after(start_child("publish_until_killed", &file), CONFIRMED)).await;
    let settled = or_hangs(kill_after(start_child("settle_until_killed", &file), CONFIRMED / 5)).await;
    assert!(published.confirmed.len() >= CONFIRMED && settled.confirmed.len() >= CONFIRMED / 5);

    let found = or_hangs(take_all(&file)).await;
    let came_back: Vec<&String> = settled.confirmed.intersection(&found).collect();
    assert!(came_back.is_empty(), "settled, and came back: {came_back:?}");
    // The child may have settled one message more and not have lived to say so.
    let accounted_for: BTreeSet<String> = found.union(&settled.settling).cloned().collect();
    let lost: Vec<&String> = published.confirmed.difference(&accounted_for).collect();
    assert!(lost.is_empty(), "confirmed, and lost: {lost:?}");
    let unsure = settled.settling.difference(&settled.confirmed).count();
    assert!(unsure <= 1, "the child settles one by one");
}

/// The ids of all messages that are left.
async fn take_all(file: &Path) -> BTreeSet<String> {
    let broker = open(file).await;
    let left = broker.depth(Queue::TrainJobs).await.expect("a depth");
    assert_eq!((left.leased, left.dead), (0, 0));
    let mut deliveries = broker.consume(Queue::TrainJobs, 1).await.expect("it consumes");
    let mut found = BTreeSet::new();
    for _ in 0..left.ready {
        let delivery = deliveries.next().await.expect("a delivery");
        found.insert(delivery.message.properties.message_id.clone());
        delivery.settle(Settlement::Done).await.expect("it is settled");
    }
    found
}

#[tokio::test]
#[ignore = "the child of the test above"]
async fn publish_until_killed() {
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let broker = open(Path::new(&file)).await;
    for n in 0_u64.. {
        let id = format!("id-{n}");
        let job = TrainJob {
            model: "bikes".into(),
            spec_hash: None,
            as_of: jiff::Timestamp::UNIX_EPOCH,
            cut_off: None,
            learners: vec![],
            reason: TrainReason::Requested,
            shift: None,
        };
        let message = WireMessage::new(&job, ContentType::Json, id.as_str()).expect("a small body");
        let sent = broker.publish(&Destination::Queue(Queue::TrainJobs), message).await;
        sent.expect("it is published");
        println!("confirmed {id}");
    }
}

#[tokio::test]
#[ignore = "the child of the test above"]
async fn settle_until_killed() {
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let broker = open(Path::new(&file)).await;
    let mut deliveries = broker.consume(Queue::TrainJobs, 4).await.expect("it consumes");
    loop {
        let delivery = deliveries.next().await.expect("a delivery");
        let id = delivery.message.properties.message_id.clone();
        println!("settling {id}");
        delivery.settle(Settlement::Done).await.expect("it is settled");
        println!("confirmed {id}");
    }
}
