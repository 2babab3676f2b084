//! A server that is killed, cut off or configured by somebody else: consuming again afterwards, and no
//! confirmed message of a durable queue lost. Each test has a server of its own.

mod rabbit;
mod traffic;

use std::{
    collections::BTreeSet,
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use clock::SystemClock;
use messaging::{Broker, RabbitBroker, RabbitSettings};
use protocol::{Destination, Queue, messages::TrainJob};
use runner::{HandleError, Handler, JobContext, Limits, Worker};
use tokio::{task::JoinHandle, time};
use tokio_util::sync::CancellationToken;

use rabbit::server::Server;
use traffic::message;

/// Promised after the end of any fault.
const HEALED: Duration = Duration::from_secs(5);
const QUEUE: Queue = Queue::TrainJobs;

fn broker(server: &Server) -> Arc<RabbitBroker> {
    let settings = RabbitSettings::new(&server.url, "test");
    let started = RabbitBroker::start(settings, Arc::new(SystemClock));
    Arc::new(started.expect("the settings are right"))
}

/// Publishes and handles without end, each as our roles do, and keeps the books.
struct Load {
    confirmed: Arc<Mutex<BTreeSet<String>>>,
    handled: Arc<Mutex<BTreeSet<String>>>,
    last_delivery: Arc<Mutex<Instant>>,
    publishing: JoinHandle<()>,
    consuming: JoinHandle<()>,
}

impl Load {
    fn start(broker: &Arc<RabbitBroker>) -> Self {
        let confirmed = Arc::new(Mutex::new(BTreeSet::new()));
        let handled = Arc::new(Mutex::new(BTreeSet::new()));
        let last_delivery = Arc::new(Mutex::new(Instant::now()));
        let publishing = tokio::spawn(publish_for_ever(Arc::clone(broker), Arc::clone(&confirmed)));
        let worker = Worker {
            broker: Arc::clone(broker) as Arc<dyn Broker>,
            clock: Arc::new(SystemClock),
            queue: QUEUE,
            handler: FifthFails { handled: Arc::clone(&handled), last_delivery: Arc::clone(&last_delivery) },
            limits: Limits { prefetch: 4, time_limit: None, grace: Duration::ZERO },
            counts: Arc::default(),
        };
        let consuming = tokio::spawn(runner::run(worker, CancellationToken::new()));
        Self { confirmed, handled, last_delivery, publishing, consuming }
    }

    /// Waits for the next delivery; returns how long that took.
    async fn until_delivered(&self) -> Duration {
        let start = Instant::now();
        while *self.last_delivery.lock().expect("not poisoned") < start {
            assert!(start.elapsed() < Duration::from_mins(1), "nothing is delivered");
            time::sleep(Duration::from_millis(10)).await;
        }
        start.elapsed()
    }

    /// Stops publishing, waits until everything confirmed is handled, and says how much that was.
    async fn finish(self) -> usize {
        self.publishing.abort();
        let _ = self.publishing.await;
        let start = Instant::now();
        loop {
            let lost: Vec<String> = {
                let (confirmed, handled) = (self.confirmed.lock(), self.handled.lock());
                let handled = handled.expect("not poisoned");
                let confirmed = confirmed.expect("not poisoned");
                confirmed.difference(&handled).cloned().collect()
            };
            if lost.is_empty() {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "lost: {lost:?}");
            time::sleep(Duration::from_millis(50)).await;
        }
        self.consuming.abort();
        self.confirmed.lock().expect("not poisoned").len()
    }
}

async fn publish_for_ever(broker: Arc<RabbitBroker>, confirmed: Arc<Mutex<BTreeSet<String>>>) {
    for n in 0_u64.. {
        let id = format!("id-{n}");
        if broker.publish(&Destination::Queue(QUEUE), message(&id)).await.is_ok() {
            confirmed.lock().expect("not poisoned").insert(id);
        }
    }
}

/// Every fifth message fails at first and takes the ladder.
struct FifthFails {
    handled: Arc<Mutex<BTreeSet<String>>>,
    last_delivery: Arc<Mutex<Instant>>,
}

impl Handler for FifthFails {
    type Message = TrainJob;
    type Reply = ();

    async fn handle(&self, _: TrainJob, job: &JobContext) -> Result<(), HandleError> {
        *self.last_delivery.lock().expect("not poisoned") = Instant::now();
        if job.message_id.ends_with('5') && job.attempt == 1 {
            return Err(HandleError::transient("not yet"));
        }
        self.handled.lock().expect("not poisoned").insert(job.message_id.clone());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_when_the_server_is_killed_under_load() {
    let server = Server::start(10);
    let load = Load::start(&broker(&server));
    load.until_delivered().await;
    for _ in 0..2 {
        time::sleep(Duration::from_secs(1)).await;
        server.kill();
        time::sleep(Duration::from_secs(2)).await;
        server.start_again();
        let healed = load.until_delivered().await;
        println!("after the restart: delivering again in {healed:?}");
        assert!(healed <= HEALED, "{healed:?}");
    }
    let confirmed = load.finish().await;
    println!("{confirmed} confirmed and handled, none lost");
    assert!(confirmed > 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_closes_are_made_again() {
    let server = Server::start(14);
    let load = Load::start(&broker(&server));
    load.until_delivered().await;
    for _ in 0..3 {
        server.ctl(&["close_all_connections", "--vhost", "/", "maintenance"]);
        let healed = load.until_delivered().await;
        println!("after the cut: delivering again in {healed:?}");
        assert!(healed <= HEALED, "{healed:?}");
    }
    // A server short of memory stops who publishes, and nobody else; and takes messages again later.
    server.ctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]);
    time::sleep(Duration::from_secs(3)).await;
    server.ctl(&["set_vm_memory_high_watermark", "0.4"]);
    let healed = load.until_delivered().await;
    println!("after the alarm: delivering again in {healed:?}");
    assert!(healed <= HEALED, "{healed:?}");
    let confirmed = load.finish().await;
    println!("{confirmed} confirmed and handled, none lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_definitions_are_accepted_and_agree_with_what_we_declare() {
    let shipped = |file| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rabbitmq").join(file);
    let configuration = std::fs::read_to_string(shipped("rabbitmq.conf")).expect("the file is there");
    let server = Server::start_with(18, &configuration);
    let timeout = server.ctl(&["eval", "application:get_env(rabbit, consumer_timeout)."]);
    assert_eq!(timeout.trim(), "{ok,90000000}");
    let definitions = File::open(shipped("definitions.json")).expect("the file is there");
    server.import_definitions(definitions);
    let listed = |what: &str, columns: &[&str]| {
        let listing = [&["--quiet", what, "--no-table-headers"], columns].concat();
        let mut lines: Vec<String> = server.ctl(&listing).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let everything = || {
        [
            listed("list_queues", &["name", "type", "arguments", "policy"]),
            listed("list_exchanges", &["name", "type", "arguments"]),
            listed("list_bindings", &["source_name", "destination_name", "routing_key"]),
        ]
    };
    let imported = everything();
    let fresh = broker(&server);
    fresh.until_connected().await.expect("it connects");
    assert_eq!(everything(), imported, "declaring changed what was imported");
    for queue in Queue::ALL {
        let sent = fresh.publish(&Destination::Queue(queue), message("a")).await;
        sent.expect("it is published");
    }
    server.ctl(&["delete_vhost", "/"]);
    server.ctl(&["add_vhost", "/"]);
    server.ctl(&["set_permissions", "--vhost", "/", "guest", ".*", ".*", ".*"]);
    let declared = broker(&server);
    declared.until_connected().await.expect("it connects");
    let names = |lines: &[String]| -> Vec<String> {
        let name = |line: &String| line.split('\t').next().unwrap_or_default().to_owned();
        lines.iter().map(name).collect()
    };
    let now = everything();
    for (now, imported) in now.iter().zip(&imported) {
        assert_eq!(names(now), names(imported), "a fresh server gets the same");
    }
}
