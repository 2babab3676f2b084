//! Faults of RabbitMQ under a fleet at work: it is killed, closes connections and channels, runs short of memory or
//! of patience, loses queues and exchanges, falls silent. After each one every role works again, without a restart;
//! at the end nothing confirmed is lost, nothing was done twice, and every request was answered after at most one
//! repeat by its asker.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use history::Range;
use jiff::SignedDuration;
use lapin::{
    Connection, ConnectionProperties,
    options::{ExchangeDeleteOptions, QueueDeleteOptions},
};
use protocol::{Exchange, Queue};
use tokio::{
    task::{JoinHandle, block_in_place},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use workers::environment::Environment;

use crate::{
    books::{
        NEW_YEAR, bikes, check_decisions, confirmed, hour, train_job, wait_for_decisions, wait_for_hours,
        wait_until_empty,
    },
    fleet::Fleet,
    fleet_probed::{answers, free_port, get},
    load::Load,
    process::Process,
    proxy::{Mode, Proxy, address_in},
    rabbit::{Tenant, server::Server},
    stack::{at, in_time},
};

/// Promised after the end of each fault …
const HEALED: Duration = Duration::from_secs(5);
/// … and what a machine that works on other tests too may add to what is measured from end to end.
const NOISE: Duration = Duration::from_secs(5);

const REQUESTS_PER_SECOND: u32 = 50;
const BETWEEN_HOURS: Duration = Duration::from_millis(200);
/// How often the roles are asked whether they consume.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
const ROLES: [&str; 4] = ["forecaster", "recorder", "trainer", "gatekeeper"];
/// Above the port of the shared server.
const PORTS: u16 = 40;

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// `kill -9`, and a restart after a while.
    Killed,
    /// `rabbitmqctl close_all_connections`.
    ConnectionsClosed,
    /// Queues are deleted under their consumers.
    QueuesDeleted,
    /// Exchanges are deleted: whoever publishes to one loses his channel.
    ExchangesDeleted,
    /// The memory alarm, on and off.
    ShortOfMemory,
    /// Workers are frozen until the server takes their messages back: it closes the channel, or from 4.3 on
    /// ends the consumer.
    OutOfPatience,
    /// A server that accepts connections and never answers.
    Frozen,
    /// Every packet is lost for half a minute.
    BlackHole,
}

impl Fault {
    const ALL: [Self; 8] = [
        Self::Killed,
        Self::ConnectionsClosed,
        Self::QueuesDeleted,
        Self::ExchangesDeleted,
        Self::ShortOfMemory,
        Self::OutOfPatience,
        Self::Frozen,
        Self::BlackHole,
    ];

    /// How long it lasts, as far as that is for us to say.
    fn lasts(self) -> Duration {
        match self {
            Self::Killed | Self::ShortOfMemory => Duration::from_secs(3),
            Self::OutOfPatience => Duration::from_secs(5),
            Self::Frozen => Duration::from_secs(8),
            Self::BlackHole => Duration::from_secs(30),
            Self::ConnectionsClosed | Self::QueuesDeleted | Self::ExchangesDeleted => Duration::ZERO,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_survives_every_fault_of_its_broker() {
    let stage = Stage::set().await;
    for fault in Fault::ALL {
        for _fit in 0..2 {
            stage.publish_fit().await; // on its way while the fault happens
        }
        stage.inject(fault).await;
        let healed = in_time(stage.healed()).await;
        println!("{fault:?}: {healed}");
        assert!(healed.longest() <= HEALED + NOISE, "{fault:?}: {healed}");
        in_time(stage.load.caught_up()).await;
    }
    stage.finish().await;
}

/// How long after the end of a fault something that was published after it had its effect.
struct Healed {
    answered: Duration,
    recorded: Duration,
    /// Fitted and judged, too, which takes a time of its own.
    decided: Duration,
    /// Until all that was there, when a role was last seen without one of its consumers.
    consuming: Duration,
}

impl Healed {
    fn longest(&self) -> Duration {
        self.answered.max(self.recorded).max(self.consuming)
    }
}

impl fmt::Display for Healed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, recorded, decided, consuming } = self;
        write!(
            f,
            "every queue consumed after {consuming:.1?}, a request answered after {answered:.1?}, \
             an hour recorded after {recorded:.1?}, a fit decided after {decided:.1?}"
        )
    }
}

/// A fleet of real processes at work on a server of its own, behind a proxy.
struct Stage {
    workers: Vec<Process>,
    /// Where each of them tells its metrics.
    ports: Vec<u16>,
    load: Load,
    hours: Hours,
    jobs: Mutex<BTreeSet<String>>,
    environment: Arc<Environment>,
    fleet: Fleet,
    proxy: Proxy,
    server: Server,
}

impl Stage {
    async fn set() -> Self {
        let server = Server::start(PORTS);
        let proxy = Proxy::to(address_in(&server.url)).await;
        let fleet = Fleet::on(Tenant::on(Proxy::in_front_of(&server.url, &proxy))).await;
        fleet.bring_bikes();
        let environment = Arc::new(fleet.environment_now().await);
        let ports: Vec<u16> = ROLES.iter().map(|_| free_port()).collect();
        let started = ROLES.iter().zip(&ports).map(|(role, port)| Process::start_probed(&fleet, role, *port));
        let workers = started.collect();
        fleet.promote_first();
        for port in &ports {
            in_time(answers(*port, "/readyz", 200)).await;
        }
        let first = environment.registry.decisions(&bikes().0, 1).await.expect("reads");
        let jobs = Mutex::new(first.into_iter().map(|decision| decision.job.to_string()).collect());
        let load = Load::start(environment.clone(), Fleet::request(), REQUESTS_PER_SECOND);
        in_time(load.answered_anew()).await;
        let hours = Hours::start(environment.clone());
        Self { workers, ports, load, hours, jobs, environment, fleet, proxy, server }
    }

    async fn inject(&self, fault: Fault) {
        let lasts = sleep(fault.lasts());
        match fault {
            Fault::Killed => {
                self.server.kill();
                lasts.await;
                block_in_place(|| self.server.start_again());
            }
            Fault::ConnectionsClosed => self.close_connections(),
            Fault::QueuesDeleted => self.delete_queues().await,
            Fault::ExchangesDeleted => self.delete_exchanges().await,
            Fault::ShortOfMemory => {
                self.ctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]);
                lasts.await;
                self.ctl(&["set_vm_memory_high_watermark", "0.4"]);
            }
            Fault::OutOfPatience => {
                // The server looks once a second instead of once a minute.
                self.ctl(&["eval", "application:set_env(rabbit, channel_tick_interval, 1000)."]);
                self.ctl(&["eval", "application:set_env(rabbit, consumer_timeout, 2000)."]);
                self.close_connections(); // a channel keeps the patience that it began with
                in_time(self.healed()).await;
                self.workers.iter().for_each(|worker| worker.signal("STOP"));
                self.publish_fit().await;
                sleep(fault.lasts()).await;
                self.ctl(&["eval", "application:set_env(rabbit, consumer_timeout, 86400000)."]);
                self.workers.iter().for_each(|worker| worker.signal("CONT"));
            }
            Fault::Frozen | Fault::BlackHole => {
                self.proxy.set(if let Fault::Frozen = fault { Mode::Frozen } else { Mode::BlackHole });
                lasts.await;
                self.proxy.set(Mode::Open);
            }
        }
    }

    fn ctl(&self, arguments: &[&str]) {
        block_in_place(|| self.server.ctl(arguments));
    }

    fn close_connections(&self) {
        self.ctl(&["close_all_connections", "--vhost", "/", "maintenance"]);
    }

    /// Those of durable work are done with when they go: what lies on a deleted queue is deleted. Requests do not
    /// wait for that.
    async fn delete_queues(&self) {
        let nothing_new = self.hours.next.lock().await;
        let jobs = self.jobs.lock().expect("not poisoned").clone();
        in_time(wait_for_decisions(&self.environment, &jobs)).await;
        in_time(wait_for_hours(&self.environment, *nothing_new)).await;
        let (_url, prefix) = self.fleet.broker();
        let connection = self.past_the_proxy().await;
        let channel = connection.create_channel().await.expect("a channel");
        for queue in [Queue::TrainJobs, Queue::TrainResults, Queue::Observations, Queue::ForecastRequests] {
            let name = format!("{prefix}{queue}").into();
            let deleted = channel.queue_delete(name, QueueDeleteOptions::default()).await;
            deleted.expect("it is deleted");
        }
    }

    async fn delete_exchanges(&self) {
        let (_url, prefix) = self.fleet.broker();
        let connection = self.past_the_proxy().await;
        let channel = connection.create_channel().await.expect("a channel");
        for exchange in [Exchange::Jobs, Exchange::Events, Exchange::Dead] {
            let name = format!("{prefix}{}", exchange.name()).into();
            let deleted = channel.exchange_delete(name, ExchangeDeleteOptions::default()).await;
            deleted.expect("it is deleted");
        }
    }

    async fn past_the_proxy(&self) -> Connection {
        let connecting = Connection::connect(&self.server.url, ConnectionProperties::default());
        connecting.await.expect("a connection")
    }

    /// Publishes a train job; returns its id.
    async fn publish_fit(&self) -> String {
        let number = u32::try_from(self.jobs.lock().expect("not poisoned").len()).expect("a small number");
        let (queue, message) = train_job(&self.environment, number);
        let id = message.properties.message_id.clone();
        self.jobs.lock().expect("not poisoned").insert(id.clone());
        confirmed(&self.environment, queue, &message).await;
        id
    }

    async fn healed(&self) -> Healed {
        let deciding = async {
            let job = self.publish_fit().await;
            wait_for_decisions(&self.environment, &BTreeSet::from([job])).await;
        };
        let recording = self.hours.recorded_anew(&self.environment);
        let over = CancellationToken::new();
        let working = async {
            let _over = over.clone().drop_guard();
            tokio::join!(timed(self.load.answered_anew()), timed(recording), timed(deciding))
        };
        let ((answered, recorded, decided), consuming) = tokio::join!(working, self.consuming(&over));
        Healed { answered, recorded, decided, consuming }
    }

    /// When a role was last seen without one of its consumers, until all work is `over`: one that has not noticed
    /// yet that it has none cannot have worked by then.
    async fn consuming(&self, over: &CancellationToken) -> Duration {
        let began = Instant::now();
        let mut without = Duration::ZERO;
        loop {
            if !block_in_place(|| self.ports.iter().all(|port| consumes_everything(*port))) {
                without = began.elapsed();
            }
            if over.run_until_cancelled(sleep(BETWEEN_LOOKS)).await.is_none() {
                return without;
            }
        }
    }

    async fn finish(self) {
        let Self { workers, ports: _, load, hours, jobs, environment, fleet, proxy, server } = self;
        let hours = hours.finish().await;
        let jobs = jobs.into_inner().expect("not poisoned");
        in_time(wait_for_hours(&environment, hours)).await;
        in_time(wait_for_decisions(&environment, &jobs)).await;
        let outcome = load.finish().await;
        println!("{} fits, {hours} hours, 0 lost, 0 twice: {outcome}", jobs.len());
        outcome.assert_all_primary();
        in_time(wait_until_empty(&environment)).await;
        check_decisions(&environment, &jobs).await;
        let version = server.ctl(&["--quiet", "eval", "rabbit_misc:version()."]);
        let mut lost_patience = false;
        for (mut worker, role) in workers.into_iter().zip(ROLES) {
            worker.terminate();
            let said = worker.said();
            let knows = format!("the broker is RabbitMQ {}", version.trim().trim_matches('"'));
            assert!(said.contains(&knows), "{role} does not say {knows:?}:\n{said}");
            lost_patience |= said.contains("delivery acknowledgement on channel")
                || said.contains("has ended the consumer");
        }
        assert!(lost_patience, "the server took no message back from a frozen worker");
        drop((fleet, proxy, server));
    }
}

/// Whether a process consumes every queue of its role.
fn consumes_everything(port: u16) -> bool {
    let metrics = get(port, "/metrics").unwrap_or_default();
    let mut consumers = metrics.lines().filter(|line| line.starts_with("gatecast_consumer_up{")).peekable();
    consumers.peek().is_some() && consumers.all(|line| line.ends_with(" 1"))
}

async fn timed(event: impl Future<Output = ()>) -> Duration {
    let began = Instant::now();
    event.await;
    began.elapsed()
}

/// Observations hour by hour, without end.
struct Hours {
    /// The next one; held while one is being published.
    next: Arc<tokio::sync::Mutex<u32>>,
    publishing: JoinHandle<()>,
}

impl Hours {
    fn start(environment: Arc<Environment>) -> Self {
        let next = Arc::new(tokio::sync::Mutex::new(0));
        let counting = next.clone();
        let publishing = tokio::spawn(async move {
            loop {
                {
                    let mut next = counting.lock().await;
                    let (queue, message) = hour(*next);
                    confirmed(&environment, queue, &message).await;
                    *next += 1;
                }
                sleep(BETWEEN_HOURS).await;
            }
        });
        Self { next, publishing }
    }

    /// Waits until an hour is recorded that is published from now on.
    async fn recorded_anew(&self, environment: &Environment) {
        let next = *self.next.lock().await;
        let (_, dataset, grid) = bikes();
        let from = at(NEW_YEAR) + SignedDuration::from_hours(next.into());
        let range = Range { from: Some(from), ..Range::default() };
        while environment.history.read(&dataset, &grid, &range).await.expect("reads").series.is_empty() {
            sleep(Duration::from_millis(20)).await; // polls for the event it waits for
        }
    }

    /// Publishes no more; returns how many there are.
    async fn finish(self) -> u32 {
        let next = self.next.lock().await;
        self.publishing.abort();
        *next
    }
}
