//! How many origins would tell a gain from luck, if it stays as large as it was measured.
//!
//! What was measured on `n` origins is off by `sd / √n`, where `sd²` is the long-run variance that the test itself goes
//! by. A gain is told from luck four times out of five where it exceeds what must be exceeded, `c sd / √n`, by `z` = 0.84
//! (the normal quantile of 0.8) such errors more. So it takes
//!
//! `n = (c + z)² sd² / gain²`
//!
//! origins. `c` is the critical value for the *next* look, which has a tenth of `alpha` ([`look`](super::look)), and for
//! as many origins: it falls with `n`, so the formula is applied a few times over. With the tail it is the same: the
//! distance between the measured ratio and its bound shrinks with `1 / √n` too, and the gain is the distance between the
//! ratio and what is allowed, both as logarithms.
//!
//! The next look asks both again, with less of `alpha`: what passes now may not pass then. So a candidate waits for the
//! later of the two, also where only one of them is unsure.
//!
//! With 28 origins that do not overlap, a gain waits that luck explains with a probability of 0.040 to 0.048 (`alpha`
//! 0.05) or of 0.008 to 0.026 (`alpha` 0.01). What is less certain would take longer than a candidate is worth waiting
//! for: the next one has learned from the days meanwhile. A brave gate (`alpha` 0.2) never waits: what it does not let in
//! at once is too far from a tenth of its `alpha`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::{Objection, Shortage, Terms, Verdict, fixed_b::Reference};

/// How often a gain as measured is to be told from luck.
const POWER: f64 = 0.8;
/// Times the origins there are that are waited for.
const MOST_TIMES: u32 = 4;
/// Ten years of days: what takes longer is not told at all.
const MOST_ORIGINS: f64 = 3660.0;
/// From the third on the number changes by a few in a hundred.
const ROUNDS: usize = 3;

/// When a gain would be told from luck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prospect {
    /// Paired origins that are there.
    pub origins: u32,
    /// Paired origins that tell it four times out of five, if it stays as large as it was measured.
    pub needed_origins: u32,
    /// About when there will be so many, if data keeps coming; `None` where nobody knows the calendar.
    pub expected: Option<Timestamp>,
}

impl Prospect {
    /// Of what was measured on `origins` origins `distance` standard errors beyond what must be ruled out. `None` after
    /// the last look, and where no number of origins tells it within years. `bandwidth` is that of so many origins.
    pub(super) fn of(
        distance: f64,
        origins: usize,
        terms: &Terms<'_>,
        bandwidth: impl Fn(usize) -> usize,
    ) -> Option<Self> {
        let level = terms.look.following()?.level(terms.policy.alpha);
        let critical = |origins: usize| {
            Reference::new(origins, bandwidth(origins), terms.overlap as usize).critical(level)
        };
        let needed = needed_origins(distance, origins, critical)?;
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Some(Self { origins: count(origins), needed_origins: count(needed), expected: None })
    }

    /// When two things are told; `None` if one of them never is.
    pub(super) fn later(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.zip(other).map(|(one, other)| if one.needed_origins < other.needed_origins { other } else { one })
    }

    /// Origins that are missing.
    pub fn more_origins(&self) -> u32 {
        self.needed_origins.saturating_sub(self.origins)
    }

    fn is_near(&self) -> bool {
        self.needed_origins <= MOST_TIMES.saturating_mul(self.origins)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is positive and at most a few thousand"
)]
fn needed_origins(distance: f64, origins: usize, critical: impl Fn(usize) -> f64) -> Option<usize> {
    if distance.is_nan() || distance <= 0.0 {
        return None;
    }
    let beyond = Normal::standard().inverse_cdf(POWER);
    let mut needed = origins;
    for _ in 0..ROUNDS {
        let times = ((critical(needed) + beyond) / distance).powi(2);
        let exact = (origins as f64 * times).ceil();
        if exact.is_nan() || exact > MOST_ORIGINS {
            return None;
        }
        needed = (exact as usize).max(origins + 1);
    }
    Some(needed)
}

impl Objection {
    /// When more origins would settle it; no place for that where what speaks is not luck.
    pub(super) fn prospect_mut(&mut self) -> Option<&mut Option<Prospect>> {
        match self {
            Objection::AverageMayBeLuck { prospect, .. } | Objection::WorstCaseUnsure { prospect, .. } => {
                Some(prospect)
            }
            _ => None,
        }
    }

    /// The same, if it is near enough to be waited for.
    pub(super) fn waits_for(&self) -> Option<Prospect> {
        match self {
            Objection::AverageMayBeLuck { prospect, .. } | Objection::WorstCaseUnsure { prospect, .. } => {
                prospect.filter(Prospect::is_near)
            }
            _ => None,
        }
    }
}

impl Verdict {
    /// What all that speaks against a candidate comes to. It waits if that is luck only, and origins that tell are near.
    ///
    /// The one place where that is decided: for the gate as for its certification.
    pub fn of(objections: Vec<Objection>) -> Self {
        if objections.is_empty() {
            return Verdict::Promote;
        }
        let prospects: Option<Vec<Prospect>> = objections.iter().map(Objection::waits_for).collect();
        let farthest = prospects.into_iter().flatten().max_by_key(|prospect| prospect.needed_origins);
        match farthest {
            Some(Prospect { origins, needed_origins, expected }) => {
                Verdict::NotEnoughEvidence(Shortage { origins, needed_origins, expected, unsure: objections })
            }
            None => Verdict::KeepIncumbent(objections),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        examples::first_look,
        gate::{Look, Side, fixed_b::long_run_variance},
        random::Random,
        spec::GatePolicy,
    };

    fn terms(policy: &GatePolicy, look: Look) -> Terms<'_> {
        Terms { look, ..first_look(policy) }
    }

    fn luck(prospect: Option<Prospect>) -> Objection {
        let against = Side::Incumbent;
        Objection::AverageMayBeLuck {
            candidate: 0.9,
            opponent: 1.0,
            against,
            p: 0.045,
            alpha: 0.04,
            prospect,
        }
    }

    fn tail(prospect: Option<Prospect>) -> Objection {
        let against = Side::Incumbent;
        Objection::WorstCaseUnsure { ratio: 0.9, upper: 1.2, allowed: 1.1, alpha: 0.04, against, prospect }
    }

    fn with(needed_origins: u32) -> Prospect {
        Prospect { origins: 28, needed_origins, expected: None }
    }

    #[test]
    fn twice_as_far_from_luck_a_quarter_of_the_origins_tells() {
        // So far from anything that is small about a sample that the critical value is the normal one: 2.5758.
        let needed = |distance| needed_origins(distance, 100, |_| 2.5758).expect("is within years");
        // (2.5758 + 0.8416)² · 100 = 1167.9
        assert_eq!((needed(1.0), needed(2.0)), (1168, 292));
        assert_eq!(needed(9.0), 101, "as many as there are did not tell");
        for never in [0.1, 0.0, -1.0, f64::NAN] {
            assert_eq!(needed_origins(never, 100, |_| 2.5758), None, "{never}");
        }
        let falls = |origins: usize| 2.5758 + 10.0 / origins as f64;
        let once = needed_origins(2.0, 28, falls).expect("is within years");
        let times = f64::midpoint(falls(once), 0.8416).powi(2);
        assert!((28.0 * times / once as f64 - 1.0).abs() < 0.03, "{once}: it fits itself");
    }

    /// The promise of the formula, kept by the test that it is about.
    #[test]
    fn with_as_many_origins_as_it_says_a_gain_is_told_four_times_out_of_five() {
        let policy = GatePolicy::default();
        let first = terms(&policy, Look::FIRST);
        let prospect = Prospect::of(1.95, 28, &first, usize::isqrt).expect("is within years");
        let needed = prospect.needed_origins as usize;
        assert!((95..=110).contains(&needed), "{needed}");
        let level = Look { number: 2, compared_before: 1, bets_before: 0 }.level(policy.alpha);
        let reference = Reference::new(needed, needed.isqrt(), 1);
        // Of 28 origins such a gain has 1.95 standard errors.
        let gain = 1.95 / 28.0_f64.sqrt();
        let mut random = Random::new(5);
        let told = (0..4_000).filter(|_| {
            let gains: Vec<f64> = (0..needed).map(|_| gain + random.normal()).collect();
            let error = reference.standard_error(long_run_variance(&gains, needed.isqrt()), needed);
            gains.iter().sum::<f64>() / needed as f64 > reference.critical(level) * error
        });
        let share = told.count() as f64 / 4_000.0;
        assert!((0.74..0.86).contains(&share), "{share}");
    }

    #[test]
    fn after_the_last_look_nothing_is_waited_for() {
        let policy = GatePolicy::default();
        let of = |look| Prospect::of(1.95, 28, &terms(&policy, look), usize::isqrt);
        assert!(of(Look { number: 2, compared_before: 1, bets_before: 0 }).is_some());
        assert_eq!(of(Look { number: 3, compared_before: 2, bets_before: 0 }), None);
        assert_eq!(of(Look { number: 3, compared_before: 0, bets_before: 0 }), None);
    }

    #[test]
    fn a_candidate_waits_if_nothing_but_luck_speaks_against_it_and_not_too_long() {
        assert_eq!(Verdict::of(Vec::new()), Verdict::Promote);
        let name = |objections: Vec<Objection>| Verdict::of(objections).name();
        assert_eq!(name(vec![luck(Some(with(112)))]), "not-enough-evidence");
        assert_eq!(name(vec![luck(Some(with(113)))]), "keep-incumbent", "more than four times as many");
        assert_eq!(name(vec![luck(None)]), "keep-incumbent");
        assert_eq!(
            name(vec![luck(Some(with(47))), tail(Some(with(113)))]),
            "keep-incumbent",
            "one is too far away"
        );
        let proven = Objection::NotComparable { problem: "no".to_owned() };
        assert_eq!(name(vec![luck(Some(with(47))), proven]), "keep-incumbent");
    }

    #[test]
    fn what_waits_for_two_things_waits_for_the_later_one() {
        let objections = vec![luck(Some(with(47))), tail(Some(with(90)))];
        let shortage =
            Shortage { origins: 28, needed_origins: 90, expected: None, unsure: objections.clone() };
        assert_eq!(Verdict::of(objections), Verdict::NotEnoughEvidence(shortage));
        let later = |one: Option<u32>, other: Option<u32>| Prospect::later(one.map(with), other.map(with));
        for (one, other, expected) in [(47, 90, 90), (90, 47, 90), (47, 47, 47)] {
            assert_eq!(later(Some(one), Some(other)), Some(with(expected)));
        }
        for (one, other) in [(Some(47), None), (None, Some(47)), (None, None)] {
            assert_eq!(later(one, other), None, "one is never told");
        }
    }
}
