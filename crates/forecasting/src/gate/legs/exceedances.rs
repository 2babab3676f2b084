//! How often each side exceeds the opponent's 99.9 % quantile: few but huge failures are seen here before they weigh
//! in a mean over the worst hundredth.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::{Objection, Terms};
use crate::{
    evaluation::{PairedLosses, quantile_of},
    gate::statistics::Exceedances,
};

/// Points where both exceed it say nothing about who does so more often. Of the others either side has as many by luck
/// as heads come in as many throws (`McNemar` 1947). Points of one bad day are no independent throws, so what luck does
/// is understated.
pub(in crate::gate) fn measure(losses: &PairedLosses) -> Exceedances {
    let above = quantile_of(losses.incumbent(), 0.999);
    let (mut candidate_alone, mut opponent_alone, mut both) = (0_u32, 0_u32, 0_u32);
    for (candidate, opponent) in losses.candidate().iter().zip(losses.incumbent()) {
        match (*candidate > above, *opponent > above) {
            (true, true) => both += 1,
            (true, false) => candidate_alone += 1,
            (false, true) => opponent_alone += 1,
            (false, false) => {}
        }
    }
    let throws = u64::from(candidate_alone) + u64::from(opponent_alone);
    let p = match (candidate_alone.checked_sub(1), Binomial::new(0.5, throws)) {
        (Some(fewer), Ok(binomial)) => binomial.sf(u64::from(fewer)),
        _ => 1.0,
    };
    Exceedances { above, candidate_alone, opponent_alone, both, p }
}

/// Only where the policy makes it a leg.
pub(in crate::gate) fn object(exceedances: &Exceedances, terms: &Terms<'_>) -> Option<Objection> {
    let &Exceedances { above, candidate_alone, opponent_alone, p, .. } = exceedances;
    let alpha = terms.policy.alpha;
    (terms.policy.exceedances && p <= alpha).then_some(Objection::ExceedsTooOften {
        above,
        candidate_alone,
        opponent_alone,
        p,
        alpha,
        against: terms.opponent,
    })
}
