//! Publishes train jobs when the models' schedules say so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use forecasting::{names::ModelName, spec::ModelSpec};
use jiff::Timestamp;
use protocol::{
    ContentType, Destination, Queue, WireMessage,
    messages::{TrainJob, TrainReason},
};
use registry::Stored;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    environment::Environment,
    health::SCHEDULES,
    holdout, metrics,
    schedule::{CheckedSchedule, Due, job_id},
};

/// How often new and changed schedules are looked for.
const LOOK: Duration = Duration::from_secs(30);
/// Of several schedulers each wakes at another instant after a tick, so that mostly one of them publishes its jobs and
/// the others find it recorded. (Two that publish the same job cost a second fit, and no second decision.)
const HEAD_START: Duration = Duration::from_secs(1);

/// Runs until `stop`.
pub(super) async fn run(environment: &Arc<Environment>, stop: CancellationToken) -> anyhow::Result<()> {
    let is_well = Arc::new(AtomicBool::new(false));
    let reported = is_well.clone();
    environment.health.report(SCHEDULES, move || reported.load(Ordering::Relaxed));
    loop {
        // A stop may come between a publication and its record: the same job comes again then, under the same id.
        let Some(due) = stop.run_until_cancelled(publish_due(environment)).await else { return Ok(()) };
        is_well.store(due.is_ok(), Ordering::Relaxed);
        let pause = match due {
            Ok(next) => pause_until(next, environment.clock.now()) + HEAD_START.mul_f64(fastrand::f64()),
            Err(fault) => {
                error!("train jobs could not be scheduled, next look in {LOOK:?}: {fault:#}");
                LOOK
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn pause_until(next: Option<Timestamp>, now: Timestamp) -> Duration {
    let until = next.map(|next| now.duration_until(next)).and_then(|left| left.try_into().ok());
    until.map_or(LOOK, |left: Duration| left.min(LOOK))
}

/// Publishes the train job of every model whose tick has come; returns the next tick of any model. A model
/// whose job cannot be published is logged and tried again at the next look; the others go on.
///
/// # Errors
/// If the registry cannot be asked for the models.
pub async fn publish_due(environment: &Environment) -> anyhow::Result<Option<Timestamp>> {
    let now = environment.clock.now();
    let mut next: Option<Timestamp> = None;
    let mut models = environment.registry.models().await?;
    fastrand::shuffle(&mut models); // so that two schedulers at once are not at the same model all the time
    for stored in models {
        match publish_if_due(environment, &stored, now).await {
            Ok(next_tick) => next = [next, next_tick].into_iter().flatten().min(),
            Err(fault) => {
                let model: &ModelName = &stored.spec.name;
                error!(%model, "no train job of {model} could be scheduled, next try in {LOOK:?}: {fault:#}");
                next = [next, now.checked_add(LOOK).ok()].into_iter().flatten().min();
            }
        }
    }
    Ok(next)
}

/// Publishes the train job of one model if its tick has come; returns its next tick.
async fn publish_if_due(
    environment: &Environment,
    stored: &Stored<ModelSpec>,
    now: Timestamp,
) -> anyhow::Result<Option<Timestamp>> {
    let model = &stored.spec;
    let Some(schedule) = &model.schedule else { return Ok(None) };
    let schedule = CheckedSchedule::new(schedule)?;
    // From the moment that a specification was applied, no tick of its schedule is missed, and none from
    // before is made up for.
    let last = environment.registry.last_tick(&model.name).await?;
    let after = last.map_or(stored.applied_at, |last| last.max(stored.applied_at));
    match schedule.due(after, now) {
        Some(Due::Now(tick)) => {
            // Published before it is recorded: a crash in between publishes the same job again, and the same
            // id is the same job.
            publish(environment, model, tick).await?;
            environment.registry.record_tick(&model.name, tick, now).await?;
        }
        Some(Due::TooLate(tick)) => {
            let name: &ModelName = &model.name;
            warn!(model = %name, %tick, "{name} is not trained for {tick}: that was missed for too long");
            environment.registry.record_tick(name, tick, now).await?;
        }
        None => {}
    }
    Ok(schedule.next(now))
}

async fn publish(environment: &Environment, model: &ModelSpec, tick: Timestamp) -> anyhow::Result<()> {
    let job = scheduled_job(environment, model, tick).await?;
    let message = WireMessage::new(&job, ContentType::MessagePack, job_id(&model.name, tick))?;
    environment.broker.publish(&Destination::Queue(Queue::TrainJobs), message).await?;
    let name: &ModelName = &model.name;
    metrics::scheduled(tick, environment.clock.now());
    info!(model = %name, tick = %tick, "published the train job of {name} for {tick}");
    Ok(())
}

async fn scheduled_job(
    environment: &Environment,
    model: &ModelSpec,
    tick: Timestamp,
) -> anyhow::Result<TrainJob> {
    let dataset = environment.registry.dataset(&model.dataset).await?.context("the dataset of a model")?.spec;
    let plan = holdout::plan(&*environment.history, &dataset, model, tick, None).await?;
    Ok(TrainJob {
        model: model.name.to_string(),
        spec_hash: Some(model.hash()),
        as_of: tick,
        cut_off: plan.ok().map(|plan| plan.cut_off),
        learners: Vec::new(),
        reason: TrainReason::Scheduled,
        shift: None,
    })
}
