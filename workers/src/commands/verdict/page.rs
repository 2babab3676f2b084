//! A verdict as a page: the first lines for everybody, the last for those who want to check it.

use anstyle::Style;
use forecasting::{
    evaluation::Errors,
    gate::{Evidence, Grounds, Judgement, Verdict},
};
use protocol::messages::GateDecision;

use super::{
    Told,
    charts::Charts,
    legs::{self, Leg},
};
use crate::{
    commands::decisions,
    handlers::convert::gate_decision,
    terminal::{BAD, GOOD, Table, WIDTH, painted, wrap},
};

/// The page. `charts`: none where no rows are there.
pub(super) fn lines(told: &Told, charts: Option<&Charts>) -> Vec<String> {
    let judgement = &told.decision.judgement;
    let decided = gate_decision(&told.decision, &told.incumbents);
    let mut lines = vec![headline(told, &decided)];
    lines.extend(wrap(&circumstances(told), WIDTH));
    // Both errors and the reasons, as every other command says them.
    lines.extend(decisions::lines(&decided).into_iter().skip(1));
    let mut section = |more: Vec<String>| {
        if !more.is_empty() {
            lines.push(String::new());
            lines.extend(more);
        }
    };
    section(errors(judgement, told.opponent()));
    section(legs_table(judgement));
    section(charts.map(|charts| charts.lines(told.opponent())).unwrap_or_default());
    section(rests_on(told));
    section(hints(told));
    lines
}

fn headline(told: &Told, decided: &GateDecision) -> String {
    let decision = match decided {
        GateDecision::Promoted(event) => painted(&format!("PROMOTED, generation {}", event.generation), GOOD),
        GateDecision::Refused(_) => match &told.decision.judgement.verdict {
            Verdict::Promote if told.decision.barred_by.is_some() => painted("OVERRULED by a person", BAD),
            Verdict::Promote => painted("IN USE before, by an act of a person", GOOD),
            Verdict::NotEnoughEvidence(_) => painted("UNDECIDED", BAD),
            Verdict::KeepIncumbent(_) | Verdict::NoCandidate(_) => painted("REFUSED", BAD),
        },
    };
    format!("{}, version {}: {decision}", told.decision.model, told.version.version)
}

fn circumstances(told: &Told) -> String {
    let decision = &told.decision;
    let opponent = told.incumbents.iter().find(|one| Some(one.generation) == decision.judged_against);
    let against = opponent.map_or_else(
        || "the fallback".to_owned(),
        |opponent| {
            format!("version {}, in use since {}", opponent.version, opponent.since.strftime("%Y-%m-%d"))
        },
    );
    let verdict = verdict_words(&decision.judgement.verdict);
    let (look, looks, at) = (decision.look, told.looks, decision.decided_at.strftime("%Y-%m-%d %H:%MZ"));
    format!("verdict: {verdict} (look {look} of {looks}, {at}); against {against}")
}

/// As `keep incumbent`.
pub(super) fn verdict_words(verdict: &Verdict) -> String {
    verdict.name().replace('-', " ")
}

pub(super) fn colour(verdict: &Verdict) -> Style {
    if *verdict == Verdict::Promote { GOOD } else { BAD }
}

fn errors(judgement: &Judgement, opponent: &'static str) -> Vec<String> {
    let (Some(candidate), Some(other)) = (&judgement.candidate, &judgement.incumbent) else {
        return Vec::new();
    };
    let percent = |share: Option<f64>| share.map_or(f64::NAN, |share| 100.0 * share);
    let numbers = |errors: &Errors| {
        let Errors { average, worst_case, mae, wape, rmse, mase, bias, p999, max } = *errors;
        [average, worst_case, mae, percent(wape), rmse, mase, percent(bias), p999, max]
    };
    let names = [
        "average (scaled)",
        "worst case (scaled)",
        "MAE",
        "WAPE in %",
        "RMSE",
        "MASE",
        "bias in %",
        "99.9 % quantile",
        "largest",
    ];
    let number = |number: f64| if number.is_finite() { format!("{number:.4}") } else { "-".to_owned() };
    let mut table = Table::new(["error", "candidate", opponent, "change"]);
    for ((name, ours), theirs) in names.into_iter().zip(numbers(candidate)).zip(numbers(other)) {
        let change = 100.0 * (ours / theirs - 1.0);
        // A bias has a sign, so a change of it says nothing.
        let change = if change.is_finite() && !name.starts_with("bias") {
            format!("{change:+.1} %")
        } else {
            String::new()
        };
        table.row([name.to_owned(), number(ours), number(theirs), change]);
    }
    table.lines()
}

fn legs_table(judgement: &Judgement) -> Vec<String> {
    let legs = legs::of(judgement);
    if legs.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(["leg", "", "what it computed, and what is allowed"]);
    for Leg { name, outcome, told } in legs {
        table.row([name, outcome.word().to_owned(), told]);
    }
    table.lines()
}

fn rests_on(told: &Told) -> Vec<String> {
    let decision = &told.decision;
    let Evidence { origins, rows, series, first_origin, last_target, rows_hash, .. } =
        &decision.judgement.evidence;
    let mut table = Table::new(["rests on", ""]);
    let mut row = |what: &str, value: String| table.row([what.to_owned(), value]);
    row("train job", decision.job.to_string());
    row("known as of", decision.as_of.to_string());
    if let (Some(first), Some(last)) = (first_origin, last_target) {
        row("rows", format!("{rows} of {series} series, {origins} origins, {first} to {last}"));
        row("hash of rows", rows_hash.clone());
    }
    if let Some(kept) = decision.scored_rows {
        row("scored rows", kept.name.to_string());
    }
    if let Some(grounds) = &decision.judgement.grounds {
        let Grounds { gate_version, spec_hash, dataset_hash, candidate, incumbent } = grounds;
        row("candidate", candidate.to_string());
        row("incumbent", incumbent.map_or_else(|| "none: the fallback".to_owned(), |name| name.to_string()));
        row("model spec", spec_hash.clone());
        row("dataset spec", dataset_hash.clone());
        row("gate", format!("version {gate_version}"));
    }
    if let Some(bootstrap) = &decision.judgement.statistics.bootstrap {
        row("bootstrap", format!("{} resamples from seed {}", bootstrap.resamples, bootstrap.seed));
    }
    table.lines()
}

fn hints(told: &Told) -> Vec<String> {
    let (model, version, look) = (&told.decision.model, told.version.version, told.decision.look);
    let Judgement { verdict, statistics, grounds, .. } = &told.decision.judgement;
    let mut lines = Vec::new();
    if *verdict == Verdict::Promote && statistics.since_shift.is_some() {
        lines.push("Bets decided it, on so few origins that no gain is promised.".to_owned());
    }
    if told.looks > 1 {
        lines.push(format!("It was looked at {} times; --look says which look is shown.", told.looks));
    }
    if grounds.is_some() {
        let of_look = if told.looks > 1 { format!(" --look {look}") } else { String::new() };
        lines.push(format!(
            "`gatecast verdict {model} {version}{of_look} --replay` finds it again from these and compares every bit; \
             `--what-if alpha=0.1` in its place asks what another policy would find."
        ));
    }
    lines.iter().flat_map(|line| wrap(line, WIDTH)).collect()
}
