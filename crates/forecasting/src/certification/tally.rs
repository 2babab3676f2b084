//! Shares of draws, with bounds that know how few days they rest on.

use serde::Serialize;

use super::windows::Windows;

/// A share of draws with its 95 % bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// From 0 to 1.
    pub share: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// Two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

impl Share {
    /// The share of draws that were promoted; `of_draws` gives the origins of each.
    ///
    /// Thousands of draws from a few hundred days are no thousands of windows: what the share would have been on
    /// another history varies with the days that were there. The infinitesimal jackknife for averages over
    /// resamples (Efron 2014, "Estimation and accuracy after model selection", JASA) measures it: by how much
    /// would the share change if a cluster of neighbouring days were drawn more often? That variance, less what
    /// mere simulation adds to it, plus the variance of the simulation, says how many independent draws these are
    /// worth, and with so many Wilson's interval is taken. Where all draws agree nothing varies, and the bounds
    /// are those of the simulation alone.
    pub(super) fn of(
        promoted: &[bool],
        windows: Windows,
        of_draws: impl Iterator<Item = Vec<usize>>,
    ) -> Self {
        let draws = promoted.len() as f64;
        let share = promoted.iter().filter(|&&is| is).count() as f64 / draws;
        let clusters = windows.clusters();
        let (mut influence, mut sum, mut squares) = (vec![0.0; clusters], vec![0.0; clusters], 0.0);
        for (&is, origins) in promoted.iter().zip(of_draws) {
            let mut counts = vec![0.0; clusters];
            for origin in origins {
                counts[windows.cluster(origin)] += 1.0 / windows.block as f64;
            }
            let surprise = f64::from(u8::from(is)) - share;
            for (cluster, count) in counts.into_iter().enumerate() {
                influence[cluster] += count * surprise / draws;
                sum[cluster] += count / draws;
                squares += count * count / draws;
            }
        }
        let simulation = share * (1.0 - share) / draws;
        let spread = squares - sum.iter().map(|mean| mean * mean).sum::<f64>();
        let days = influence.iter().map(|one| one * one).sum::<f64>() - spread * simulation;
        let worth = share * (1.0 - share) / (days.max(0.0) + simulation);
        wilson(share, if worth.is_finite() { worth } else { draws })
    }
}

/// Wilson's score interval for a share of `draws` independent draws.
fn wilson(share: f64, draws: f64) -> Share {
    let spread = Z * Z / draws;
    let middle = (share + spread / 2.0) / (1.0 + spread);
    let half = (spread * (share * (1.0 - share) + spread / 4.0)).sqrt() / (1.0 + spread);
    Share { share, low: (middle - half).clamp(0.0, share), high: (middle + half).clamp(share, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::{super::windows::random_of, *};

    #[test]
    fn wilsons_interval_agrees_with_published_numbers() {
        // 81 of 263 (Newcombe 1998, table I).
        let share = wilson(81.0 / 263.0, 263.0);
        assert!((share.low - 0.2553).abs() < 5e-5 && (share.high - 0.3662).abs() < 5e-5, "{share:?}");
        let none = wilson(0.0, 2000.0);
        assert!(none.low == 0.0 && (0.0018..0.002).contains(&none.high));
    }

    const WINDOWS: Windows = Windows { origins: 364, block: 7 };

    fn share(draws: usize, is_promoted: impl Fn(usize, &[usize]) -> bool) -> Share {
        let window = |draw| WINDOWS.draw(28, &mut random_of(1, [draw, 0]));
        let promoted: Vec<bool> = (0..draws).map(|draw| is_promoted(draw, &window(draw))).collect();
        Share::of(&promoted, WINDOWS, (0..draws).map(window))
    }

    #[test]
    fn where_the_days_decide_the_bounds_are_wide_however_often_is_drawn() {
        // Half of the year promotes.
        let by_days = share(4000, |_, origins| origins.iter().filter(|&&day| day < 182).count() >= 14);
        let by_chance = share(4000, |draw, _| random_of(9, [draw, 0]).share() < 0.5);
        let width = |share: Share| share.high - share.low;
        assert!(width(by_chance) < 0.05, "{by_chance:?}");
        assert!(width(by_days) > 4.0 * width(by_chance), "{by_days:?}");
    }
}
