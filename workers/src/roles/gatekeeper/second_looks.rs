//! Asks for another look at candidates that lacked evidence, once what they waited for was observed.

use std::{collections::HashMap, time::Duration};

use forecasting::gate::{Shortage, Verdict};
use protocol::{
    ContentType, Destination, Queue, WireMessage,
    messages::{JudgeAgain, TrainOutcome, TrainResult},
};
use registry::{Decision, JobId};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::environment::Environment;

/// How often it is looked for candidates that wait.
const EVERY: Duration = Duration::from_mins(10);
/// A look that was asked for so often and is not decided ends in the dead letters each time; it is asked for again
/// after a restart.
const MOST_ASKED: u32 = 3;

/// How often this process asked for which look.
pub type Asked = HashMap<(JobId, u32), u32>;

/// Asks at the start and then every ten minutes, until `stop`. Any number of processes may do so: each look
/// is decided once.
pub(super) async fn keep(environment: &Environment, stop: CancellationToken) {
    let mut asked = Asked::new();
    loop {
        if stop.run_until_cancelled(ask(environment, &mut asked)).await.is_none() {
            return;
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

/// Asks for every look that is due now, and was not asked for too often. What cannot be asked is logged, and tried
/// again the next time.
pub async fn ask(environment: &Environment, asked: &mut Asked) {
    match ask_where_due(environment, asked).await {
        Ok(0) => {}
        Ok(looks) => info!(looks, "asked for another look at {looks} candidates that lacked evidence"),
        Err(fault) => warn!("candidates that lacked evidence could not be looked at again: {fault:#}"),
    }
}

async fn ask_where_due(environment: &Environment, asked: &mut Asked) -> anyhow::Result<usize> {
    let mut looks = 0;
    for decision in environment.registry.waiting().await? {
        let Some(version) = decision.version else { continue };
        let times = asked.entry((decision.job.clone(), decision.look + 1)).or_default();
        if *times < MOST_ASKED && is_due(environment, &decision).await? {
            publish(environment, &decision, version).await?;
            *times += 1;
            looks += 1;
        }
    }
    Ok(looks)
}

/// Whether there is a value of about the time by which enough origins were expected, or another one to bet on; of any,
/// where there was none.
async fn is_due(environment: &Environment, decision: &Decision) -> anyhow::Result<bool> {
    let Verdict::NotEnoughEvidence(Shortage { expected, .. }) = decision.judgement.verdict else {
        return Ok(false);
    };
    let registry = &environment.registry;
    let Some(job) = registry.job(&decision.job).await? else { return Ok(false) };
    let Some(model) = registry.model_by_hash(&job.model, &job.spec_hash).await? else { return Ok(false) };
    let newest = environment.history.newest(&model.spec.dataset).await?;
    Ok(newest.is_some_and(|newest| expected.is_none_or(|expected| newest >= expected)))
}

/// Under the same id for the same look, so that one that is asked for twice is one message more and no more.
async fn publish(environment: &Environment, decision: &Decision, version: u32) -> anyhow::Result<()> {
    let look = decision.look + 1;
    let fitted = environment.registry.version(&decision.model, version).await?;
    let learner = fitted.map(|fitted| fitted.proposal.learner.to_string()).unwrap_or_default();
    let result = TrainResult {
        model: decision.model.to_string(),
        outcome: TrainOutcome::Candidate {
            version,
            learner,
            competed: Vec::new(),
            left_out: Vec::new(),
            uncontested: None,
        },
        again: Some(JudgeAgain { job: decision.job.to_string(), look }),
    };
    let name = format!("gatecast look {look} at {}", decision.job);
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string();
    let message = WireMessage::new(&result, ContentType::MessagePack, id)?;
    environment.broker.publish(&Destination::Queue(Queue::TrainResults), message).await?;
    Ok(())
}
