//! Rules by which a candidate goes live: Gatecast's, and those that others use.
//!
//! A rule is a function and its line in [`RULES`].

use super::trial::{GateTerms, Ruling, Trial};

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
    pub(super) decide: fn(&Trial<'_>, &GateTerms<'_>) -> Ruling,
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
        decide: |_, _| Ruling::Promote,
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

fn promote_if(promotes: bool) -> Ruling {
    if promotes { Ruling::Promote } else { Ruling::Keep }
}

/// The gate itself.
fn gatecast(trial: &Trial<'_>, terms: &GateTerms<'_>) -> Ruling {
    trial.ask_the_gate(terms)
}

fn mean_and_max(trial: &Trial<'_>, _: &GateTerms<'_>) -> Ruling {
    let largest = |errors: &[f64]| errors.iter().map(|error| error.abs()).fold(0.0, f64::max);
    let lower_mean = trial.means().is_some_and(|(ours, theirs)| ours < theirs);
    promote_if(lower_mean && largest(&trial.candidate) < largest(&trial.incumbent))
}

/// As `OpenSTEF` accepts a new model: with slack that turns over where R² is negative, and whenever a metric is
/// missing.
fn r2_with_slack(trial: &Trial<'_>, _: &GateTerms<'_>) -> Ruling {
    let [ours, theirs] = [&trial.candidate, &trial.incumbent].map(|errors| r2(errors, &trial.actual));
    let is_refused = ours < theirs / 1.2;
    promote_if(!is_refused)
}

fn r2(errors: &[f64], actual: &[f64]) -> f64 {
    let mean = actual.iter().sum::<f64>() / actual.len() as f64;
    let unexplained: f64 = errors.iter().map(|error| error * error).sum();
    1.0 - unexplained / actual.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certification::trial::tests::on_28_days;

    /// What the rules say, in their order, of errors on 28 days of 24 points.
    fn found(candidate: impl Fn(usize) -> f64, incumbent: impl Fn(usize) -> f64) -> [bool; RULES.len()] {
        on_28_days(candidate, incumbent, |trial, terms| {
            RULES.map(|rule| (rule.decide)(trial, terms) == Ruling::Promote)
        })
    }

    /// Errors of both signs between 0.5 and 1.5 that differ from day to day.
    fn usual(point: usize) -> f64 {
        let size = 0.5 + (point * 7919 % 1000) as f64 / 1000.0;
        if point.is_multiple_of(2) { size } else { -size }
    }

    #[test]
    fn every_rule_decides_as_it_says() {
        let half = |point| 0.5 * usual(point);
        let a_little = |point| 0.995 * usual(point);
        let horrible = |point| if point == 100 { 40.0 } else { 0.8 * usual(point) };
        let missing = |point| if point == 100 { f64::NAN } else { 0.5 * usual(point) };
        let worse = |point| 1.05 * usual(point);
        // gatecast, newest-wins, mean-only, mean-and-max, one-percent, r2-slack
        assert_eq!(found(half, usual), [true; 6]);
        assert_eq!(found(usual, usual), [false, true, false, false, false, true], "a tie");
        assert!(!found(a_little, usual)[4] && found(a_little, usual)[2]);
        let [gatecast, _, mean_only, mean_and_max, ..] = found(horrible, usual);
        assert_eq!((gatecast, mean_only, mean_and_max), (false, true, false));
        assert_eq!(found(missing, usual), [false, true, false, false, false, true]);
        assert_eq!(found(worse, usual), [false, true, false, false, false, true], "slack");
    }

    #[test]
    fn rules_are_found_by_name() {
        for rule in RULES {
            assert_eq!(Rule::named(rule.name).map(|found| found.promotes_if), Some(rule.promotes_if));
        }
        assert!(Rule::named("luck").is_none());
    }
}
