//! After a declared change of regime: a test that may be looked at every night.
//!
//! A candidate that is held back four weeks has not seen the new regime, and four weeks of mostly old data cannot
//! speak for it. So after a declared drift the holdout is the origins since the shift that the candidate has not
//! seen, and they decide as soon as they can: few where the incumbent is broken, many where it is not.
//!
//! The test bets against the candidate being no better (Waudby-Smith & Ramdas 2024, "Estimating means of bounded
//! random variables by betting", JRSS B 86:1; Choe & Ramdas 2024, "Comparing sequential forecasters", Operations
//! Research 72:4). At each origin the gain `g = 5 (L_incumbent − L_candidate) / (L_incumbent + L_candidate)`, cut off at ±1, lies
//! between −1 and 1, whatever the unit and however heavy the tail of the losses. Whoever stakes the share `λ` of a
//! wealth of 1 has `Π (1 + λ g)` after a while. If no origin is expected to bring a gain, given those before it, no
//! stake is expected to grow, and by Ville's inequality (1939) the wealth ever reaches `1 / p` with probability
//! `p` at most, however often somebody looks. Here `p` is one half of `α`: the other half is for the comparison of losses
//! that follows once there are origins enough ([`look`](super::look)). Nobody knows the best stake, so the wealth is
//! spread over a few.
//!
//! For that, bets on some origins must be the same bets on a later night: which of all origins since the cut-off are bet
//! on does not depend on which of them have come, and one is left alone until it tells. (Values that come late or are
//! corrected, and series that begin later, change bets that were made: as far as that happens, the limit is not exact.)
//!
//! Luck is ruled out for the gain of a typical origin, of which what is beyond half as much again counts no more: not
//! for the mean, and not for the tail. Who wins most days and loses a few by far may well win the bets; so the floor stays
//! as it is, and sees only the days that were there.

use serde::{Deserialize, Serialize};

use crate::evaluation::{OriginLosses, PairedLosses};

/// What the origins since a shift say about a candidate's average error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinceShift {
    /// The most that the bets were ever worth; they began at 1.
    pub wealth: f64,
    /// What they must have been worth: `2 / α`.
    pub needed_wealth: f64,
    /// After how many bets they were; `None` if never.
    pub decided_after: Option<u32>,
    /// Origins that were bet on.
    pub origins: u32,
}

impl SinceShift {
    /// Tests losses by bets on the origins `bet_on`, in the order of time. What origins with overlapping horizons say of
    /// each other's hours is no news, so none of these overlap; the floor counts every point.
    ///
    /// `level`: how often luck may win.
    pub fn test(losses: &PairedLosses, bet_on: &[usize], level: f64) -> Self {
        let gains = gains(losses);
        let gains: Vec<f64> = bet_on.iter().map(|&origin| gains[origin]).collect();
        Self::of(&gains, level)
    }

    /// Where no origin is there yet.
    pub(super) fn on_nothing(level: f64) -> Self {
        Self::of(&[], level)
    }

    /// Whether luck is ruled out.
    pub fn is_decided(&self) -> bool {
        self.decided_after.is_some()
    }

    fn of(gains: &[f64], level: f64) -> Self {
        let needed_wealth = 1.0 / level;
        let wealth: Vec<f64> = wealth(gains).collect();
        let count = |origins: usize| u32::try_from(origins).unwrap_or(u32::MAX);
        Self {
            // A thousand good days are worth more than a number holds, and no infinity can be stored as JSON.
            wealth: wealth.iter().copied().fold(1.0, f64::max).min(f64::MAX),
            needed_wealth,
            decided_after: wealth.iter().position(|&now| now >= needed_wealth).map(|index| count(index + 1)),
            origins: count(gains.len()),
        }
    }
}

/// A loss that is half as much again as the other is as much as an origin can tell. Without a limit the range would be
/// that of two broken models, and the usual few percent would be nothing in it.
const SATURATION: f64 = 5.0;

/// Shares of the wealth to stake: the larger win where one side is broken, the smaller survive an origin that goes
/// wrong.
const STAKES: [f64; 4] = [0.3, 0.5, 0.7, 0.9];

/// The wealth after each gain, with the stakes given equal parts at the start.
fn wealth(gains: &[f64]) -> impl Iterator<Item = f64> {
    gains.iter().scan([1.0; STAKES.len()], |purses, gain| {
        for (purse, stake) in purses.iter_mut().zip(STAKES) {
            *purse *= 1.0 + stake * gain;
        }
        Some(purses.iter().sum::<f64>() / STAKES.len() as f64)
    })
}

/// The gain of each origin, from −1 to 1.
fn gains(losses: &PairedLosses) -> Vec<f64> {
    // Two sides without any error gain nothing on each other.
    let gain = |OriginLosses { candidate, incumbent, .. }| {
        let gain = SATURATION * (incumbent - candidate) / (incumbent + candidate);
        if gain.is_finite() { gain.clamp(-1.0, 1.0) } else { 0.0 }
    };
    losses.per_origin().into_iter().map(gain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// One point per origin.
    fn test(candidate: Vec<f64>, incumbent: Vec<f64>, level: f64) -> SinceShift {
        let origin_of = (0..u32::try_from(candidate.len()).expect("is small")).collect();
        let losses = PairedLosses::new(candidate, incumbent, origin_of).expect("tests pair losses");
        let all: Vec<usize> = (0..losses.origins()).collect();
        SinceShift::test(&losses, &all, level)
    }

    /// A loss with a heavy tail, between 0.1 and 1000.
    fn loss(random: &mut Random) -> f64 {
        (0.1 / (1.0 - random.share()).max(1e-4)).min(1000.0)
    }

    #[test]
    fn looking_every_night_lets_an_equal_candidate_in_less_often_than_alpha() {
        let mut random = Random::new(11);
        for alpha in [0.05, 0.2] {
            let mut let_in = 0;
            for _ in 0..2000 {
                let (ours, theirs) = (0..200).map(|_| (loss(&mut random), loss(&mut random))).unzip();
                let_in += i32::from(test(ours, theirs, alpha).decided_after.is_some());
            }
            // 2000 α are allowed on average; three standard deviations more are luck.
            let allowed = 2000.0 * alpha + 3.0 * (2000.0 * alpha * (1.0 - alpha)).sqrt();
            assert!(f64::from(let_in) <= allowed, "{let_in} of 2000 at alpha {alpha}");
            assert!(let_in > 0, "a test that never decides is no test");
        }
    }

    #[test]
    fn the_larger_the_gain_the_fewer_origins_are_needed() {
        let after = |ratio: f64| {
            let outcome = test(vec![1.0; 400], vec![ratio; 400], 0.05);
            outcome.decided_after.expect("decides")
        };
        let (broken, better, alike) = (after(5.0), after(1.2), after(1.05));
        assert!(broken <= 6, "{broken}");
        assert!((7..20).contains(&better), "{better}");
        assert!(alike > 28, "{alike}");
    }

    #[test]
    fn one_origin_never_decides_however_large_its_gain() {
        let outcome = test(vec![0.0], vec![1e9], 0.05);
        assert_eq!((outcome.decided_after, outcome.wealth), (None, 1.6));
    }

    #[test]
    fn a_tie_and_two_perfect_sides_gain_nothing() {
        for losses in [vec![1.0; 50], vec![0.0; 50]] {
            let outcome = test(losses.clone(), losses, 0.05);
            assert_eq!((outcome.wealth, outcome.is_decided()), (1.0, false));
        }
    }

    #[test]
    fn the_unit_of_the_losses_does_not_matter_and_the_sides_do() {
        let mut random = Random::new(5);
        let ours: Vec<f64> = (0..60).map(|_| loss(&mut random)).collect();
        let theirs: Vec<f64> = ours.iter().map(|loss| 1.7 * loss).collect();
        let outcome = test(ours.clone(), theirs.clone(), 0.05);
        let by = |factor: f64, losses: &[f64]| losses.iter().map(|loss| factor * loss).collect::<Vec<_>>();
        assert!(outcome.is_decided());
        let larger = test(by(1024.0, &ours), by(1024.0, &theirs), 0.05);
        assert_eq!(larger, outcome);
        assert!(!test(theirs, ours, 0.05).is_decided());
    }

    #[test]
    fn what_a_thousand_good_days_are_worth_can_be_stored() {
        let outcome = test(vec![0.0; 2000], vec![1.0; 2000], 0.05);
        let json = serde_json::to_string(&outcome).expect("is JSON");
        assert_eq!(serde_json::from_str::<SinceShift>(&json).expect("was just written"), outcome);
    }

    #[test]
    fn only_what_is_bet_on_counts() {
        let candidate = (0..60).map(|origin| if origin % 7 == 0 { 1.0 } else { 9.0 }).collect();
        let losses = PairedLosses::new(candidate, vec![3.0; 60], (0..60).collect()).expect("are paired");
        let weekly: Vec<usize> = (0..60).step_by(7).collect();
        let outcome = SinceShift::test(&losses, &weekly, 0.05);
        assert_eq!((outcome.origins, outcome.decided_after), (9, Some(6)));
        let all: Vec<usize> = (0..60).collect();
        assert_eq!(SinceShift::test(&losses, &all, 0.05).decided_after, None);
    }
}
