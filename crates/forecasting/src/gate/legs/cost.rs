//! What a forecaster cannot hold, or cannot give in time, is of no use to anybody, however good it is.

use jiff::SignedDuration;

use super::Objection;
use crate::{
    gate::{Measured, Timed},
    spec::GatePolicy,
};

/// What is larger or slower than the policy allows.
pub(in crate::gate) fn object(measured: &Measured, policy: &GatePolicy) -> Vec<Objection> {
    let &Measured { size_bytes, load, answer, series } = measured;
    let allowed_bytes = policy.max_artifact_bytes;
    let too_large =
        (size_bytes > allowed_bytes).then_some(Objection::ArtifactTooLarge { size_bytes, allowed_bytes });
    let too_slow = |timed: Timed, took: SignedDuration, allowed_seconds: f64| {
        let seconds = took.as_secs_f64();
        (seconds > allowed_seconds).then_some(Objection::TooSlow { timed, seconds, allowed_seconds })
    };
    let objections = [
        too_large,
        too_slow(Timed::Loading, load, policy.max_load_seconds),
        too_slow(Timed::Answering { series }, answer, policy.max_answer_seconds),
    ];
    objections.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Measured = Measured {
        size_bytes: 900_000,
        load: SignedDuration::from_millis(40),
        answer: SignedDuration::from_millis(15),
        series: 21,
    };

    #[track_caller]
    fn check(measured: Measured, policy: &str, sentences: &[&str]) {
        let policy = toml::from_str(policy).expect("is a policy");
        let found: Vec<String> = object(&measured, &policy).iter().map(ToString::to_string).collect();
        assert_eq!(found, sentences);
    }

    #[test]
    fn what_is_allowed_is_exactly_that_much() {
        let policy = "max_artifact_bytes = 900000\nmax_load_seconds = 0.04\nmax_answer_seconds = 0.015";
        check(QUICK, policy, &[]);
        check(
            QUICK,
            "max_artifact_bytes = 899999",
            &["the candidate's artifact has 900000 bytes (899999 allowed)"],
        );
        check(
            QUICK,
            "max_load_seconds = 0.039",
            &["the candidate takes 0.040 s to be loaded (0.039 s allowed)"],
        );
        check(
            QUICK,
            "max_answer_seconds = 0.0149",
            &["the candidate takes 0.0150 s to answer a request for 21 series (0.0149 s allowed)"],
        );
    }

    #[test]
    fn whatever_is_too_much_is_told() {
        let burden = Measured {
            size_bytes: 2_000_000,
            load: SignedDuration::from_secs(2),
            answer: SignedDuration::from_secs(3),
            series: 1,
        };
        let policy = "max_artifact_bytes = 1000000\nmax_load_seconds = 1.0\nmax_answer_seconds = 1.0";
        check(
            burden,
            policy,
            &[
                "the candidate's artifact has 2000000 bytes (1000000 allowed)",
                "the candidate takes 2.00 s to be loaded (1 s allowed)",
                "the candidate takes 3.00 s to answer a request for 1 series (1 s allowed)",
            ],
        );
        check(burden, "", &[]);
    }
}
