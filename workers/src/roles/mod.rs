//! What a process can do: each role consumes its queues until it is told to stop.

pub mod forecaster;
pub mod gatekeeper;
pub mod recorder;
pub mod scheduler;
mod trainer;

mod consumer_timeout;

use std::{fmt, sync::Arc, time::Duration};

use protocol::Queue;
use runner::{Counts, Handler, Limits, Worker};
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::info;

use crate::{
    environment::Environment,
    health::{self, Health},
};

/// A role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Publishes train jobs when their time has come.
    Scheduler,
    /// Fits candidates.
    Trainer,
    /// Judges candidates, carries out acts of people, and changes incumbents; nobody else does.
    Gatekeeper,
    /// Answers forecast requests.
    Forecaster,
    /// Writes observations and forecasts issued into the history.
    Recorder,
}

impl Role {
    /// Every role, in the order of the pipeline.
    pub const ALL: [Self; 5] =
        [Self::Scheduler, Self::Trainer, Self::Gatekeeper, Self::Forecaster, Self::Recorder];

    /// The name on the command line and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Trainer => "trainer",
            Self::Gatekeeper => "gatekeeper",
            Self::Forecaster => "forecaster",
            Self::Recorder => "recorder",
        }
    }

    /// The queues that it consumes.
    pub fn queues(self) -> &'static [Queue] {
        match self {
            Self::Scheduler => &[],
            Self::Trainer => &[Queue::TrainJobs],
            Self::Gatekeeper => &[Queue::TrainResults, Queue::GateRequests],
            Self::Forecaster => &[Queue::ForecastRequests, Queue::ForecastBatches],
            Self::Recorder => &[Queue::Observations, Queue::ForecastsIssued],
        }
    }

    /// What it will report; until then nothing of it is well.
    pub fn expect(self, health: &Health) {
        for &queue in self.queues() {
            health.expect(health::consumes(queue));
        }
        match self {
            Self::Scheduler => health.expect(health::SCHEDULES),
            Self::Forecaster => health.expect(health::KNOWS_ANSWERS),
            Self::Trainer | Self::Gatekeeper | Self::Recorder => {}
        }
    }

    /// One line of help.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Scheduler => "publishes train jobs from the models' schedules",
            Self::Trainer => "fits candidates",
            Self::Gatekeeper => "judges candidates, carries out acts of people, changes incumbents",
            Self::Forecaster => "answers forecast requests from memory",
            Self::Recorder => "writes observations and forecasts issued into the history",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a process with these roles is called, e.g. `trainer-gatekeeper`.
pub fn names(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join("-")
}

/// Runs the roles until `stop`, and then until each has finished what it holds.
///
/// # Errors
/// What a role could not start with, or died of; the others are stopped then.
pub async fn run(
    environment: &Arc<Environment>,
    roles: &[Role],
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let stop = stop.child_token();
    let mut running = JoinSet::new();
    for &role in roles {
        info!(role = role.name(), "{role} starts");
        running.spawn(run_one(role, environment.clone(), stop.clone()));
    }
    let mut outcome = Ok(());
    while let Some(ended) = running.join_next().await {
        let ended = ended.unwrap_or_else(|panic| Err(panic.into()));
        if ended.is_err() && outcome.is_ok() {
            outcome = ended;
            stop.cancel();
        }
    }
    outcome
}

async fn run_one(role: Role, environment: Arc<Environment>, stop: CancellationToken) -> anyhow::Result<()> {
    match role {
        Role::Scheduler => scheduler::run(&environment, stop).await,
        Role::Trainer => trainer::run(&environment, stop).await,
        Role::Gatekeeper => gatekeeper::run(&environment, stop).await,
        Role::Forecaster => forecaster::run(&environment, stop).await,
        Role::Recorder => recorder::run(&environment, stop).await,
    }
}

/// Runs a part of a role in a task of its own, which goes with the role. If it panics, that is the role's error.
async fn spawned(part: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    Ok(AbortOnDropHandle::new(tokio::spawn(part)).await?)
}

/// What a worker takes from where.
struct Work {
    queue: Queue,
    /// Deliveries in hand at once.
    prefetch: u16,
    /// A message that takes longer has failed.
    time_limit: Option<Duration>,
}

/// Consumes a queue with a handler until `stop`, and then until it has finished what it holds.
async fn work<H: Handler>(environment: &Environment, what: Work, handler: H, stop: CancellationToken) {
    let Work { queue, prefetch, time_limit } = what;
    let counts = Arc::new(Counts::default());
    let consumed = counts.clone();
    environment.health.report(health::consumes(queue), move || consumed.is_consuming());
    let worker = Worker {
        broker: environment.broker.clone(),
        clock: environment.clock.clone(),
        queue,
        handler,
        limits: Limits { prefetch, time_limit, grace: environment.config.runner.grace },
        counts,
    };
    runner::run(worker, stop).await;
}
