//! Rules by which a candidate goes live: Gatecast's, and those that others use.
//!
//! A rule is a function and its line in [`RULES`].

use super::trial::{Finding, GateTerms, Trial};

/// A rule by which a candidate goes live or does not.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name in tables and on the command line.
    pub name: &'static str,
    /// Promotes if this is so; continues "promotes if …".
    pub promotes_if: &'static str,
    /// What it judges a candidate on.
    pub judges_on: JudgesOn,
    /// Whether the origins since a declared shift decide after it.
    pub after_drift: bool,
    pub(super) decide: fn(&Trial<'_>, &GateTerms<'_>) -> Finding,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JudgesOn {
    /// Origins that neither side was trained on; what was judged ships.
    Holdout,
    /// Origins that the candidate was trained on.
    Training,
    /// Nothing; the candidate was trained on everything.
    Nothing,
}

/// All rules, Gatecast's first.
pub const RULES: [Rule; 6] = [
    Rule {
        name: "gatecast",
        promotes_if: "its average and worst-case error are lower, and not by luck",
        judges_on: JudgesOn::Holdout,
        after_drift: true,
        decide: gatecast,
    },
    Rule {
        name: "newest-wins",
        promotes_if: "it was trained",
        judges_on: JudgesOn::Nothing,
        after_drift: false,
        decide: |_, _| Finding::Promote,
    },
    Rule {
        name: "mean-only",
        promotes_if: "its mean error is lower",
        judges_on: JudgesOn::Holdout,
        after_drift: false,
        decide: |trial, _| promote_if(trial.means().is_some_and(|(ours, theirs)| ours < theirs)),
    },
    Rule {
        name: "mean-and-max",
        promotes_if: "its mean and its largest error are lower",
        judges_on: JudgesOn::Holdout,
        after_drift: false,
        decide: mean_and_max,
    },
    Rule {
        name: "one-percent",
        promotes_if: "its mean error is lower by at least 1 %",
        judges_on: JudgesOn::Holdout,
        after_drift: false,
        decide: |trial, _| promote_if(trial.means().is_some_and(|(ours, theirs)| ours <= 0.99 * theirs)),
    },
    Rule {
        name: "r2-slack",
        promotes_if: "its R² is at least the incumbent's divided by 1.2, or cannot be computed",
        judges_on: JudgesOn::Training,
        after_drift: false,
        decide: r2_with_slack,
    },
];

impl Rule {
    /// The rule with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.name == name)
    }
}

fn promote_if(promotes: bool) -> Finding {
    if promotes { Finding::Promote } else { Finding::Keep }
}

/// The gate itself.
fn gatecast(trial: &Trial<'_>, terms: &GateTerms<'_>) -> Finding {
    trial.ask_the_gate(terms)
}

fn mean_and_max(trial: &Trial<'_>, _: &GateTerms<'_>) -> Finding {
    let largest = |errors: &[f64]| errors.iter().map(|error| error.abs()).fold(0.0, f64::max);
    let lower_mean = trial.means().is_some_and(|(ours, theirs)| ours < theirs);
    promote_if(lower_mean && largest(&trial.candidate) < largest(&trial.incumbent))
}

/// As `OpenSTEF` accepts a new model: with slack that turns over where R² is negative, and whenever a metric is
/// missing.
fn r2_with_slack(trial: &Trial<'_>, _: &GateTerms<'_>) -> Finding {
    let [ours, theirs] = [&trial.candidate, &trial.incumbent].map(|errors| r2(errors, &trial.actual));
    promote_if(!(ours < theirs / 1.2))
}

fn r2(errors: &[f64], actual: &[f64]) -> f64 {
    let mean = actual.iter().sum::<f64>() / actual.len() as f64;
    let unexplained: f64 = errors.iter().map(|error| error * error).sum();
    1.0 - unexplained / actual.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
}
