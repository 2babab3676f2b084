//! With which forecasts of the holdout a candidate is examined.

use crate::{evaluation::RowSet, random::Random};

/// A contract asks for some ten times as many forecasts: a second at most.
const MOST_PROBES: usize = 64;
/// However long the horizon is.
const LEAST_PROBES: usize = 8;
/// Horizons of a week of hours: of longer ones there are fewer forecasts.
const MOST_STEPS: usize = MOST_PROBES * 168;

/// The places of some of the forecasts that answer the rows.
pub(super) fn spread(rows: &RowSet<'_>) -> Vec<usize> {
    places(rows.forecasts(), (MOST_STEPS / rows.horizon_steps().max(1)).clamp(LEAST_PROBES, MOST_PROBES))
}

/// At most `most` of `all` places, in ascending order: one out of each of as many equal parts, wherever in it.
/// Forecasts are in the order of series and origins, and every twenty-eighth would always be of the same weekday.
fn places(all: usize, most: usize) -> Vec<usize> {
    if all <= most {
        return (0..all).collect();
    }
    let within = |part: usize| {
        let (first, end) = (part * all / most, (part + 1) * all / most);
        let places = u32::try_from(end - first).expect("a part is smaller than 2^32");
        first + Random::at(0, part as u64).below(places) as usize
    };
    (0..most).map(within).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn of_few_forecasts_all_are_probed() {
        assert_eq!(places(0, 64), [0; 0]);
        assert_eq!(places(5, 64), [0, 1, 2, 3, 4]);
        assert_eq!(places(64, 64).len(), 64);
    }

    #[test]
    fn many_forecasts_are_probed_evenly_and_on_every_weekday() {
        for (series, origins) in [(21, 28), (64, 28), (1, 126), (1000, 28), (3, 112)] {
            let all = series * origins;
            let places = places(all, 64);
            assert_eq!(places.len(), 64);
            assert!(places.is_sorted_by(|one, next| one < next) && places[63] < all, "{places:?}");
            assert!(places.windows(2).all(|pair| pair[1] - pair[0] <= 2 * all / 64 + 1), "{places:?}");
            let weekdays: BTreeSet<usize> = places.iter().map(|place| place % origins % 7).collect();
            assert_eq!(weekdays.len(), 7, "{series} x {origins}");
        }
    }
}
