//! The worst-case error must be strictly lower, and with confidence not much higher: a candidate that is better on
//! average and fails horribly now and then costs its users' trust.

use super::{Objection, Terms, veto};
use crate::{
    evaluation::{PairedLosses, Tail, worst_case},
    gate::{
        Prospect,
        resampling::{Resampling, block, log_ratio},
        statistics::WorstCaseTest,
    },
};

/// The floor; cannot be configured away.
pub(in crate::gate) fn floor(losses: &PairedLosses, terms: &Terms<'_>) -> Option<Objection> {
    let both = (worst_case(losses.candidate()), worst_case(losses.incumbent()));
    let (Some(candidate), Some(opponent)) = both else {
        return Some(veto::not_comparable(&"the worst-case error is too large for a number"));
    };
    let tail = Tail::of(losses.candidate().len())?;
    (candidate >= opponent).then_some(Objection::WorstCaseNotBetter {
        candidate,
        opponent,
        against: terms.opponent,
        tail_points: tail.points as u64,
        points: tail.of as u64,
    })
}

/// How much larger the worst-case error may truly be.
pub(in crate::gate) fn test(
    losses: &PairedLosses,
    terms: &Terms<'_>,
    resampling: &Resampling,
) -> Option<WorstCaseTest> {
    let tail = Tail::of(losses.candidate().len())?;
    let measured = log_ratio(worst_case(losses.candidate())?, worst_case(losses.incumbent())?);
    let upper = resampling.upper_of_look(measured, &mut drawn(losses, resampling));
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Some(WorstCaseTest {
        tail_points: count(tail.points),
        points: count(tail.of),
        ratio: measured.exp(),
        upper: upper.exp(),
        allowed: 1.0 + terms.policy.tail_margin,
        alpha: terms.level(),
        standard_error: resampling.standard_error(upper - measured),
    })
}

/// What the test holds against the candidate, whose worst-case error is lower as measured.
pub(in crate::gate) fn object(test: &WorstCaseTest, terms: &Terms<'_>) -> Option<Objection> {
    let &WorstCaseTest { ratio, upper, allowed, .. } = test;
    if upper < allowed {
        return None;
    }
    Some(Objection::WorstCaseUnsure {
        ratio,
        upper,
        allowed,
        alpha: terms.level(),
        against: terms.opponent,
        prospect: None, // of both legs, once both are known
    })
}

/// When the next look would tell that it is not much higher, whether or not this one does.
pub(in crate::gate) fn prospect(
    test: &WorstCaseTest,
    terms: &Terms<'_>,
    resampling: &Resampling,
) -> Option<Prospect> {
    let distance = (test.allowed / test.ratio).ln() / test.standard_error;
    Prospect::of(distance, resampling.origins(), terms, |origins| block(origins, terms.block_origins))
}

/// The logarithm of the ratio in each resample.
///
/// Each side's points are sorted once. A resample walks down from the largest, taking each as often as its origin was
/// drawn, until its tail is full: a hundredth of the points, not all of them.
fn drawn(losses: &PairedLosses, resampling: &Resampling) -> Vec<f64> {
    let (candidate, opponent) =
        (Descending::new(losses, losses.candidate()), Descending::new(losses, losses.incumbent()));
    let mut points_of = vec![0_usize; losses.origins()];
    losses.origin_of().iter().for_each(|&origin| points_of[origin as usize] += 1);
    let mut counts = Vec::new();
    let ratio = |resample| {
        resampling.counts(resample, &mut counts);
        let points = counts.iter().zip(&points_of).map(|(&count, points)| count as usize * points).sum();
        let tail = Tail::of(points).map_or(0, |tail| tail.points);
        log_ratio(candidate.largest(tail, &counts), opponent.largest(tail, &counts))
    };
    resampling.resamples().map(ratio).collect()
}

/// One side's losses with their origins, the largest first.
struct Descending(Vec<(f64, u32)>);

impl Descending {
    fn new(losses: &PairedLosses, side: &[f64]) -> Self {
        let mut points: Vec<(f64, u32)> =
            side.iter().copied().zip(losses.origin_of().iter().copied()).collect();
        points.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        Self(points)
    }

    /// The sum of the largest `tail` points where each is there as often as its origin.
    fn largest(&self, tail: usize, counts: &[u32]) -> f64 {
        let (mut left, mut sum) = (tail, 0.0);
        for &(loss, origin) in &self.0 {
            let taken = left.min(counts[origin as usize] as usize);
            sum += loss * taken as f64;
            left -= taken;
            if left == 0 {
                break;
            }
        }
        sum
    }
}
