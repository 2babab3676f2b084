//! `gatecast verdict --what-if`: what the gate would find under another policy.

use forecasting::{
    gate::VERSION,
    spec::{DatasetSpec, GatePolicy, ModelSpec},
};
use serde_json::json;
use toml::{Table as Keys, Value};

use super::{
    Told,
    again::{case, grounds, judge, not_loaded},
    legs::{self, Leg},
    page,
};
use crate::{
    case::Found,
    commands::decisions,
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    terminal::{Table, painted, print, print_json, remark, spinner},
};

/// Judges under the changed policy and shows it beside what was recorded. Decides and writes nothing.
pub(super) async fn tell(
    environment: &Environment,
    told: &Told,
    changes: &[String],
    json: bool,
) -> CommandResult {
    let grounds = grounds(&told.decision)?;
    let progress = spinner("judging under another policy");
    let case = case(environment, &told.decision, &grounds).await?.map_err(not_loaded)?;
    let policy = changed(case.model(), case.dataset(), changes)?;
    let found = judge(environment, case.under(policy.clone()), &told.decision).await?;
    progress.finish_and_clear();
    if let Some(recorded) = told.decision.judgement.grounds.as_ref().map(|grounds| grounds.gate_version)
        && recorded != VERSION
    {
        remark(format_args!("the verdict was found by version {recorded} of the gate, this is {VERSION}"));
    }
    if !json {
        lines(told, changes, &found).iter().for_each(print);
        return Ok(());
    }
    let recorded = &told.decision.judgement;
    Ok(print_json(&json!({
        "model": told.decision.model, "version": told.version.version, "look": told.decision.look,
        "what_if": changes, "policy": policy,
        "recorded": { "verdict": recorded.verdict.name(), "reasons": recorded.reasons() },
        "found": { "verdict": found.judgement.verdict.name(), "reasons": found.judgement.reasons() },
        "judgement": found.judgement,
    }))?)
}

/// Keys that a training goes by. When its candidate is judged the holdout is what it is.
const OF_TRAINING: [&str; 2] = ["holdout_origins", "max_holdout_share"];

/// The policy of the model with these keys laid over it.
fn changed(model: &ModelSpec, dataset: &DatasetSpec, changes: &[String]) -> Result<GatePolicy, Failure> {
    let mut policy = Keys::try_from(&model.gate)?;
    for change in changes {
        let parsed = change.parse::<Keys>().map_err(|_| {
            let how = "is not KEY=VALUE in TOML, such as alpha=0.1 or slices.series=true";
            Failure::say(ExitCode::Invalid, format!("--what-if {change:?} {how}"))
        })?;
        if let Some(key) = OF_TRAINING.into_iter().find(|&key| parsed.contains_key(key)) {
            let why = "is what a training goes by; the holdout of this verdict is what it is";
            return Err(Failure::say(ExitCode::Invalid, format!("--what-if {key}: {why}")));
        }
        lay_over(&mut policy, parsed);
    }
    let refused = |error: toml::de::Error| {
        Failure::say(ExitCode::Invalid, format!("--what-if: {}", error.message().trim_end()))
    };
    let gate: GatePolicy = policy.try_into().map_err(refused)?;
    let model = ModelSpec { gate, ..model.clone() };
    model.validate_with(dataset).or_exit(ExitCode::Invalid)?;
    Ok(model.gate)
}

/// Tables key by key, everything else whole.
fn lay_over(policy: &mut Keys, changes: Keys) {
    for (key, change) in changes {
        let laid = match (policy.remove(&key), change) {
            (Some(Value::Table(mut below)), Value::Table(above)) => {
                lay_over(&mut below, above);
                Value::Table(below)
            }
            (_, change) => change,
        };
        policy.insert(key, laid);
    }
}

fn lines(told: &Told, changes: &[String], found: &Found) -> Vec<String> {
    let recorded = &told.decision.judgement;
    let verdict = page::verdict_words(&found.judgement.verdict);
    let mut lines = vec![
        told.name(),
        format!(
            "under {}: {}",
            changes.join(", "),
            painted(&verdict, page::colour(&found.judgement.verdict))
        ),
        format!("recorded: {}", page::verdict_words(&recorded.verdict)),
    ];
    lines.extend(decisions::sentences(&found.judgement.reasons()));
    lines.push(String::new());
    let then = legs::of(recorded);
    let mut table = Table::new(["leg", "recorded", "so", "what it computed"]);
    for Leg { name, outcome, told } in legs::of(&found.judgement) {
        let before = then.iter().find(|leg| leg.name == name);
        let before = before.map_or("-", |leg| leg.outcome.word()).to_owned();
        table.row([name, before, outcome.word().to_owned(), told]);
    }
    lines.extend(table.lines());
    lines.push(String::new());
    lines.push("Nothing was decided.".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> ModelSpec {
        let toml = "name = 'm'\ndataset = 'd'\nhorizon = 24\n[[learners]]\nlearner = 'seasonal-naive'\n\
                    [gate]\nalpha = 0.01\n[gate.slices]\nweekend = true\n";
        toml::from_str(toml).expect("is a model")
    }

    fn under(changes: &[&str]) -> Result<GatePolicy, String> {
        let dataset =
            toml::from_str("name = 'd'\nfrequency = 'PT1H'\ntime_zone = 'UTC'").expect("is a dataset");
        let changes: Vec<String> = changes.iter().map(|&change| change.to_owned()).collect();
        changed(&model(), &dataset, &changes).map_err(|failure| failure.error.expect("says why").to_string())
    }

    #[test]
    fn keys_are_laid_over_the_policy_and_the_others_stay() {
        let policy = under(&["slices.series=true", "range=[0, 100]"]).expect("is a policy");
        assert_eq!((policy.alpha, policy.range), (0.01, Some([0.0, 100.0])));
        assert!(policy.slices.series && policy.slices.weekend);
        assert_eq!(
            under(&["alpha=0.2", "alpha=0.1"]).expect("is a policy").alpha,
            0.1,
            "the last one counts"
        );
    }

    #[test]
    fn what_would_change_nothing_is_refused() {
        let refused = |change| under(&[change]).expect_err("is refused");
        let city = refused("slices.attributes=['ctiy']");
        assert!(city.starts_with("gate.slices.attributes = ctiy: "), "{city}");
        let region = refused("slices.holidays=true");
        assert!(region.starts_with("gate.slices.holidays = true: "), "{region}");
        for (change, key) in
            [("holdout_origins=100", OF_TRAINING[0]), ("max_holdout_share=0.5", OF_TRAINING[1])]
        {
            let expected = "is what a training goes by; the holdout of this verdict is what it is";
            assert_eq!(refused(change), format!("--what-if {key}: {expected}"));
        }
    }

    #[test]
    fn a_policy_that_cannot_be_is_refused_by_its_own_words() {
        let refused = |change| under(&[change]).expect_err("is refused");
        assert_eq!(refused("alpha=0.5"), "gate.alpha = 0.5: must be from 0.001 to 0.2");
        assert!(refused("alhpa=0.1").contains("unknown field `alhpa`"));
        let how = "is not KEY=VALUE in TOML, such as alpha=0.1 or slices.series=true";
        assert_eq!(refused("alpha"), format!("--what-if \"alpha\" {how}"));
        assert!(refused("alpha='much'").starts_with("--what-if: invalid type"));
    }
}
