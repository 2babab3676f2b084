//! The average error must be strictly lower, and not by luck.

use super::{Objection, Terms, veto};
use crate::{
    evaluation::{OriginLosses, PairedLosses, average},
    gate::{
        Prospect,
        fixed_b::{Reference, bandwidth, long_run_variance},
        statistics::AverageTest,
    },
};

/// The floor; cannot be configured away.
pub(in crate::gate) fn floor(losses: &PairedLosses, terms: &Terms<'_>) -> Option<Objection> {
    let (Some(candidate), Some(opponent)) = (average(losses.candidate()), average(losses.incumbent())) else {
        return Some(veto::not_comparable(&"the average error is too large for a number"));
    };
    let against = terms.opponent;
    (candidate >= opponent).then_some(Objection::AverageNotBetter { candidate, opponent, against })
}

/// Diebold and Mariano's test on the mean differences of the origins. Each origin counts the same, however many
/// points it has, and within it each point; see [`fixed_b`](crate::gate::fixed_b) for what it is compared with.
/// `None` if losses are so large that the test has no numbers.
pub(in crate::gate) fn test(losses: &PairedLosses, terms: &Terms<'_>) -> Option<AverageTest> {
    let gains = gains(losses);
    let origins = gains.len();
    let bandwidth = bandwidth(origins, terms.overlap as usize);
    let reference = Reference::new(origins, bandwidth, terms.overlap as usize);
    let mean_gain = gains.iter().sum::<f64>() / origins as f64;
    let standard_error = reference.standard_error(long_run_variance(&gains, bandwidth), origins);
    if !(mean_gain.is_finite() && standard_error.is_finite()) {
        return None;
    }
    // Differences that are the same at every origin leave nothing to chance.
    let statistic = (standard_error > 0.0).then(|| mean_gain / standard_error);
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Some(AverageTest {
        origins: count(origins),
        mean_gain,
        standard_error,
        overlap: terms.overlap,
        bandwidth: count(bandwidth),
        statistic,
        degrees_of_freedom: reference.degrees_of_freedom,
        critical: reference.critical(terms.level()),
        p: statistic.map(|statistic| reference.luck(statistic)),
        alpha: terms.level(),
    })
}

/// What the test holds against the candidate, whose average error is lower as measured.
pub(in crate::gate) fn object(
    test: Option<&AverageTest>,
    losses: &PairedLosses,
    terms: &Terms<'_>,
) -> Option<Objection> {
    let Some(test) = test else {
        return Some(veto::not_comparable(&"the losses are too large for a test"));
    };
    let passes = test.statistic.map_or(test.mean_gain > 0.0, |statistic| statistic > test.critical);
    if passes {
        return None;
    }
    Some(Objection::AverageMayBeLuck {
        candidate: average(losses.candidate())?,
        opponent: average(losses.incumbent())?,
        against: terms.opponent,
        p: test.p.unwrap_or(1.0),
        alpha: test.alpha,
        prospect: prospect(test, terms),
    })
}

/// When the next look would tell the gain from luck, whether or not this one does.
pub(in crate::gate) fn prospect(test: &AverageTest, terms: &Terms<'_>) -> Option<Prospect> {
    let is_certain = test.statistic.is_none() && test.mean_gain > 0.0;
    let distance = if is_certain { f64::INFINITY } else { test.statistic? };
    let bandwidth = |origins| bandwidth(origins, terms.overlap as usize);
    Prospect::of(distance, test.origins as usize, terms, bandwidth)
}

/// So few origins that no test is made of them.
pub(in crate::gate) fn too_few(losses: &PairedLosses, terms: &Terms<'_>) -> Option<Objection> {
    let needed = terms.policy.needed_origins_for(terms.overlap);
    let origins = u32::try_from(losses.origins()).unwrap_or(u32::MAX);
    (origins < needed).then_some(Objection::TooFewOrigins { origins, needed })
}

/// Of each origin, the opponent's mean loss less the candidate's: positive where the candidate is better.
fn gains(losses: &PairedLosses) -> Vec<f64> {
    let gain = |of: OriginLosses| (of.incumbent - of.candidate) / f64::from(of.points);
    losses.per_origin().into_iter().map(gain).collect()
}
