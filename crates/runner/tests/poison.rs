//! One message in a hundred is poison (it cannot be decoded, panics, never ends, kills its process), on a quorum
//! queue and on the classic one of a real server, with workers that are real processes. All of it ends in the dead
//! letters after the promised number of attempts; of the others every one is handled, and none ends there.

#[path = "../../messaging/tests/rabbit/mod.rs"]
mod rabbit;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    process::{self, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use clock::SystemClock;
use messaging::{Broker, DeadLetter};
use protocol::{
    ContentType, Destination, EncodeError, Properties, Publication, Queue, Reply, WireMessage,
    messages::{TrainJob, TrainReason},
};
use rabbit::Tenant;
use runner::{HandleError, Handler, JobContext, Limits, Worker};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    task::JoinHandle,
    time,
};
use tokio_util::sync::CancellationToken;

const MESSAGES: usize = 1_000;
const ONE_IN: usize = 100;
const POISON: [&str; 4] = ["undecodable", "panics", "endless", "kills"];
/// Attempts at a message that fails. Between them lie 1, 1, 10 and 60 s.
const ATTEMPTS: usize = 5;
/// For what never ends.
const TIME_LIMIT: Duration = Duration::from_millis(500);
const PROCESSES: usize = 2;
/// Long enough for anything that ends at all.
const PATIENCE: Duration = Duration::from_mins(4);

/// How a child learns what to do.
const URL: &str = "POISON_TEST_URL";
const PREFIX: &str = "POISON_TEST_PREFIX";
const QUEUE: &str = "POISON_TEST_QUEUE";
const PREFETCH: &str = "POISON_TEST_PREFETCH";

#[tokio::test(flavor = "multi_thread")]
async fn poison_on_a_quorum_queue_ends_in_the_dead_letters_and_nothing_else_does() {
    // Nobody computes beside what may crash: the queue counts every delivery, also one that nobody touched.
    survive(Queue::TrainJobs, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_on_the_classic_queue_ends_in_the_dead_letters_and_nothing_else_does() {
    survive(Queue::ForecastRequests, 32).await;
}

async fn survive(queue: Queue, prefetch: u16) {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let workers: Vec<_> =
        (0..PROCESSES).map(|_| keep_alive(&tenant, queue, prefetch, seen.clone())).collect();
    let mut published = BTreeMap::new();
    for number in 0..MESSAGES {
        let kind = if number % ONE_IN == 0 { POISON[number / ONE_IN % POISON.len()] } else { "good" };
        let message = message(kind, number);
        published.insert(message.properties.message_id.clone(), Instant::now());
        broker.publish(&Destination::Queue(queue), message).await.expect("is published");
    }
    let is_good = |id: &&String| id.starts_with("good");
    let good: BTreeSet<String> = published.keys().filter(is_good).cloned().collect();
    let poison: BTreeSet<String> = published.keys().filter(|id| !is_good(id)).cloned().collect();

    let settled = async {
        loop {
            let letters = broker.dead_letters(queue, 1_000).await.expect("dead letters");
            let is_done = good.iter().all(|id| seen.lock().expect("not poisoned").done.contains_key(id));
            if is_done && letters.len() >= poison.len() {
                return letters;
            }
            time::sleep(Duration::from_millis(100)).await; // polls for the event it waits for
        }
    };
    let letters = time::timeout(PATIENCE, settled).await;
    let seen = seen.lock().expect("not poisoned");
    let letters = letters.unwrap_or_else(|_| {
        let never_done: Vec<_> = good.iter().filter(|id| !seen.done.contains_key(*id)).collect();
        panic!("never done: {never_done:?}")
    });
    let dead: BTreeSet<String> = letters.iter().map(|l| l.message.properties.message_id.clone()).collect();
    assert_eq!(dead, poison, "all of the poison, and nothing else");
    for letter in &letters {
        check(letter, queue, &seen);
    }
    let mut waits: Vec<Duration> = good.iter().map(|id| seen.done[id] - published[id]).collect();
    waits.sort();
    println!(
        "{queue}: {} good ones done, {} dead letters, {} processes killed; the good ones waited {:.1?} at p50, {:.1?} at p99",
        good.len(),
        dead.len(),
        seen.killed,
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
    );
    workers.iter().for_each(JoinHandle::abort);
}

/// Fails unless the letter says why it is one, and was tried as often as that takes.
fn check(letter: &DeadLetter, queue: Queue, seen: &Seen) {
    let id = &letter.message.properties.message_id;
    let limit = queue.delivery_limit() as usize;
    let (kind, _) = id.split_once('-').expect("a kind and a number");
    let (reason, tries) = match kind {
        "undecodable" => ("train-job cannot be decoded".to_owned(), 0),
        "panics" => ("failed 5 times, at last: the handler panicked: bad luck".to_owned(), ATTEMPTS),
        "endless" => ("failed 5 times, at last: not finished within".to_owned(), ATTEMPTS),
        _ => (format!("delivered {limit} times without being settled"), limit),
    };
    assert!(letter.reason.starts_with(&reason), "{id}: {:?} instead of {reason:?}", letter.reason);
    let taken = seen.taken.get(id).copied().unwrap_or_default();
    // A process that was killed by one message may have held another, which is tried once more then.
    let others_killed = if kind == "kills" || kind == "undecodable" { 0 } else { seen.killed };
    assert!(
        (tries..=tries + others_killed).contains(&taken),
        "{id} was tried {taken} times instead of {tries}"
    );
}

fn message(kind: &str, number: usize) -> WireMessage {
    let job = TrainJob {
        model: "bikes".into(),
        spec_hash: None,
        as_of: jiff::Timestamp::UNIX_EPOCH,
        cut_off: None,
        learners: vec![],
        reason: TrainReason::Requested,
        shift: None,
    };
    let message = WireMessage::new(&job, ContentType::Json, format!("{kind}-{number}"));
    let mut message = message.expect("a small body");
    if kind == "undecodable" {
        message.body = "{".into();
    }
    message
}

/// What the children said.
#[derive(Default)]
struct Seen {
    /// How often a handler began with each message.
    taken: BTreeMap<String, usize>,
    /// When each was done for the first time.
    done: BTreeMap<String, Instant>,
    killed: usize,
}

/// Runs a worker as a process of its own, and a new one whenever it dies.
fn keep_alive(tenant: &Tenant, queue: Queue, prefetch: u16, seen: Arc<Mutex<Seen>>) -> JoinHandle<()> {
    let mut child = Command::new(env::current_exe().expect("this test"));
    child
        .args(["--exact", "worker", "--ignored", "--nocapture"])
        .env(URL, &tenant.url)
        .env(PREFIX, &tenant.prefix)
        .env(QUEUE, queue.name())
        .env(PREFETCH, prefetch.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    tokio::spawn(async move {
        loop {
            let mut child = child.spawn().expect("the child starts");
            let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
            while let Some(line) = said.next_line().await.expect("text") {
                let mut seen = seen.lock().expect("not poisoned");
                if let Some((_, id)) = line.split_once("takes ") {
                    *seen.taken.entry(id.to_owned()).or_default() += 1;
                } else if let Some((_, id)) = line.split_once("has done ") {
                    seen.done.entry(id.to_owned()).or_insert_with(Instant::now);
                } // else it is the test runner that speaks
            }
            seen.lock().expect("not poisoned").killed += 1;
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child of the tests above"]
async fn worker() {
    let Ok(url) = env::var(URL) else { return };
    let told = |name| env::var(name).expect("the parent says it");
    let tenant = Tenant { url, prefix: told(PREFIX) };
    let queue = Queue::ALL.into_iter().find(|queue| queue.name() == told(QUEUE)).expect("a queue");
    let worker = Worker {
        broker: Arc::new(tenant.broker()),
        clock: Arc::new(SystemClock),
        queue,
        handler: Victim,
        limits: Limits {
            prefetch: told(PREFETCH).parse().expect("a number"),
            time_limit: Some(TIME_LIMIT),
            grace: Duration::ZERO,
        },
        counts: Arc::default(),
    };
    runner::run(worker, CancellationToken::new()).await;
}

/// Suffers what the message's id says.
struct Victim;

impl Handler for Victim {
    type Message = TrainJob;
    type Reply = Nothing;

    async fn handle(&self, _message: TrainJob, job: &JobContext) -> Result<Nothing, HandleError> {
        println!("takes {}", job.message_id);
        match job.message_id.split('-').next() {
            Some("panics") => panic!("bad luck"),
            Some("endless") => std::future::pending().await,
            Some("kills") => {
                let killed = process::Command::new("kill").args(["-9", &process::id().to_string()]).status();
                unreachable!("after kill -9: {killed:?}");
            }
            _ => {
                println!("has done {}", job.message_id);
                Ok(Nothing)
            }
        }
    }
}

struct Nothing;

impl Reply for Nothing {
    fn publications(self, _request: &Properties) -> Result<Vec<Publication>, EncodeError> {
        Ok(Vec::new())
    }
}
