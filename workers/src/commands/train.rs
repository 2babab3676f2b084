//! `gatecast train`

use anyhow::Context as _;
use forecasting::{names::LearnerName, spec::ModelSpec};
use protocol::{
    ContentType, Destination, Message as _, Queue, WireMessage, decode,
    messages::{CandidateRefused, GateDecision, ModelPromoted, TrainJob, TrainReason},
};
use serde_json::json;
use uuid::Uuid;

use super::{decisions, models, with_roles};
use crate::{
    asker::{AskError, answer},
    cli,
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    holdout,
    roles::Role,
    terminal::{print, print_json, spinner},
};

/// Publishes a train job; with `--wait` waits for the decision.
pub(super) async fn train(environment: &Environment, arguments: &cli::Train, json: bool) -> CommandResult {
    let Some(model) = &arguments.model else { return all(environment, json).await };
    let model = models::find(environment, model).await?.spec;
    check_learners(&model, &arguments.learner)?;
    let job = TrainJob { shift: arguments.drift_since, ..job(environment, &model, &arguments.learner) };
    check_shift(environment, &model, &job).await?;
    if !arguments.wait {
        let id = publish(environment, &job).await?;
        if json {
            print_json(&json!({ "job": id, "model": model.name }))?;
        } else {
            print(format_args!("published train job {id} for {}; `gatecast run` carries it out", model.name));
        }
        return Ok(());
    }
    let progress = spinner(format!("training and judging {}", model.name));
    let deciding = decide_on(environment, &job);
    let decision = with_roles(environment, &[Role::Trainer, Role::Gatekeeper], deciding).await?;
    progress.finish_and_clear();
    if json {
        print_json(&decisions::document(&decision))?;
    } else {
        decisions::lines(&decision).iter().for_each(print);
    }
    match decision {
        GateDecision::Promoted(_) => Ok(()),
        GateDecision::Refused(_) => Err(Failure::silent(ExitCode::CandidateRefused)),
    }
}

/// Publishes a train job onto the queue and waits for the gatekeeper's decision.
pub(super) async fn decide(
    environment: &Environment,
    model: &ModelSpec,
    learners: &[LearnerName],
) -> Result<GateDecision, Failure> {
    decide_on(environment, &job(environment, model, learners)).await
}

async fn decide_on(environment: &Environment, job: &TrainJob) -> Result<GateDecision, Failure> {
    let config = &environment.config;
    let patience = config.trainer.time_limit + config.gatekeeper.time_limit;
    let reply = answer(&*environment.broker, Queue::TrainJobs, job, patience * 2, None).await;
    let reply = reply.or_exit(ExitCode::Unreachable)?;
    let kind = reply.properties.kind.as_str();
    if kind.starts_with(ModelPromoted::KIND) {
        return Ok(GateDecision::Promoted(decode(&reply)?));
    }
    Ok(GateDecision::Refused(decode::<CandidateRefused>(&reply)?))
}

/// Publishes a train job for every model; each may still be refused by its own trainer.
async fn all(environment: &Environment, json: bool) -> CommandResult {
    let mut published = Vec::new();
    for stored in environment.registry.models().await.or_exit(ExitCode::Unreachable)? {
        let id = publish(environment, &job(environment, &stored.spec, &[])).await?;
        published.push(json!({ "job": id, "model": stored.spec.name }));
        if !json {
            print(format_args!("published train job {id} for {}", stored.spec.name));
        }
    }
    if json {
        print_json(&published)?;
    } else if published.is_empty() {
        print("there are no models: `gatecast models apply FILE`");
    }
    Ok(())
}

/// Publishes a train job; returns its id.
async fn publish(environment: &Environment, job: &TrainJob) -> Result<String, Failure> {
    let id = Uuid::now_v7().to_string();
    let message = WireMessage::new(job, ContentType::MessagePack, id.clone())?;
    let published = environment.broker.publish(&Destination::Queue(Queue::TrainJobs), message).await;
    published.map_err(|e| AskError::NotPublished(e.into())).or_exit(ExitCode::Unreachable)?;
    Ok(id)
}

fn job(environment: &Environment, model: &ModelSpec, learners: &[LearnerName]) -> TrainJob {
    TrainJob {
        model: model.name.to_string(),
        spec_hash: Some(model.hash()),
        as_of: environment.clock.now(),
        cut_off: None,
        learners: learners.iter().map(ToString::to_string).collect(),
        reason: TrainReason::Requested,
        shift: None,
    }
}

/// What the trainer would say about a declared shift, before anything is published.
async fn check_shift(environment: &Environment, model: &ModelSpec, job: &TrainJob) -> CommandResult {
    let Some(shift) = job.shift else { return Ok(()) };
    let invalid =
        |problem: &str| Err(Failure::say(ExitCode::Invalid, format!("drift-since {shift}: {problem}")));
    if shift > job.as_of {
        return invalid(&format!("lies after now ({})", job.as_of));
    }
    let dataset = environment.registry.dataset(&model.dataset).await.or_exit(ExitCode::Unreachable)?;
    let dataset = dataset.context("the dataset of a model")?.spec;
    let plan = holdout::plan(&*environment.history, &dataset, model, job.as_of, job.shift).await;
    match plan.or_exit(ExitCode::Unreachable)? {
        Ok(_holdout) => Ok(()),
        Err(reason) => invalid(&reason),
    }
}

fn check_learners(model: &ModelSpec, learners: &[LearnerName]) -> CommandResult {
    let Some(unknown) = learners.iter().find(|name| model.learner(name).is_none()) else {
        return Ok(());
    };
    let known: Vec<&str> = model.learners.iter().map(|learner| learner.name.as_str()).collect();
    let message = format!("learner {:?}: model {} has {}", unknown.as_str(), model.name, known.join(", "));
    Err(Failure::say(ExitCode::NotFound, message))
}
