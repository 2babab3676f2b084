//! Judging again, as the gatekeeper did.

use artifacts::{ArtifactStoreError, LoadError};
use forecasting::{
    gate::{self, Given, Grounds},
    learning::StopFlag,
};
use history::ReadError;
use registry::{Decision, RegistryError};
use runner::CpuPool;

use crate::{
    case::{Case, CaseError, Found, Sources},
    commands::backtest::StopOnDrop,
    earlier,
    environment::Environment,
    failure::{ExitCode, Failure},
};

/// What the decision was found from, for the gate of this build.
pub(super) fn grounds(decision: &Decision) -> Result<Grounds, Failure> {
    let recorded = decision.judgement.grounds.clone().ok_or_else(|| {
        let missing = "the specification of the dataset and the version of the gate that it was found with";
        let problem = format!(
            "the decision on train job {} cannot be found again: it was recorded before decisions named {missing}",
            decision.job
        );
        Failure::say(ExitCode::NotFound, problem)
    })?;
    Ok(Grounds { gate_version: gate::VERSION, ..recorded })
}

/// The case of a decision, as of then. The inner error is about what is loaded.
pub(super) async fn case(
    environment: &Environment,
    decision: &Decision,
    grounds: &Grounds,
) -> Result<Result<Case, CaseError>, Failure> {
    let job = environment.registry.job(&decision.job).await?;
    let unknown = || Failure::say(ExitCode::NotFound, format!("train job {} is not recorded", decision.job));
    let job = job.ok_or_else(unknown)?;
    let sources = Sources {
        registry: &*environment.registry,
        history: &*environment.history,
        models: &environment.models,
    };
    Ok(sources.case(&job, grounds, decision.as_of).await)
}

/// Judges, away from the threads that serve, with what the decision was given besides.
pub(super) async fn judge(
    environment: &Environment,
    case: Case,
    decision: &Decision,
) -> Result<Found, Failure> {
    let given = given(environment, decision).await?;
    let stop = StopOnDrop(StopFlag::default());
    let flag = stop.0.clone();
    Ok(CpuPool::new(1).run(move || case.judge(&given, &flag)).await??)
}

/// What the candidate cost and the edge cases of then are in the record. Looks are counted from the decisions before this
/// one, of which the gatekeeper cannot have known any that were made while it judged.
async fn given(environment: &Environment, decision: &Decision) -> Result<Given, Failure> {
    let decisions = environment.registry.decisions(&decision.model, u32::MAX).await?;
    let before = earlier::before(&decisions, decision);
    let latest = before.iter().find(|other| other.job == decision.job);
    Ok(Given {
        look: earlier::look(decision.look, latest),
        earlier: earlier::past_looks(before, &decision.job),
        ..Given::to(&decision.judgement, decision.look)
    })
}

/// What cannot be loaded, with its exit code.
pub(super) fn not_loaded(error: CaseError) -> Failure {
    let code = match &error {
        CaseError::Registry(RegistryError::Unavailable(_))
        | CaseError::History { source: ReadError::Unavailable(_), .. }
        | CaseError::Side { source: LoadError::Store(ArtifactStoreError::Unavailable(_)), .. } => {
            ExitCode::Unreachable
        }
        CaseError::UnknownModelSpec { .. }
        | CaseError::UnknownDatasetSpec { .. }
        | CaseError::Side { .. } => ExitCode::NotFound,
        CaseError::Registry(_) | CaseError::History { .. } => ExitCode::Failure,
    };
    Failure::new(code, error)
}
