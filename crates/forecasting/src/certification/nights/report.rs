//! What nights of retraining did to the forecasts, rule by rule.

use jiff::civil::Date;
use serde::Serialize;

use super::{
    LevelShift, NightsSettings,
    replaying::{Played, Served},
    timeline::Timeline,
};
use crate::evaluation::worst_case;

/// What came of the nights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replay {
    /// The first night.
    pub first: Date,
    /// The last.
    pub last: Date,
    /// How many nights were played.
    pub nights: usize,
    /// Origins that rules judge on.
    pub holdout_origins: usize,
    /// Nights with a harmful candidate.
    pub harmful_candidates: usize,
    /// The shift that was planted and declared.
    pub shift: Option<LevelShift>,
    /// In the order of the settings.
    pub rules: Vec<RuleReplay>,
}

/// What came of one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleReplay {
    /// Which.
    pub rule: &'static str,
    /// How often the incumbent changed.
    pub promotions: usize,
    /// How many of these had larger errors on the next 28 days than what they replaced.
    pub turned_out_worse: usize,
    /// Sum of the absolute errors served, in percent of the sum of the absolute actuals.
    pub live_wape: f64,
    /// Mean of the worst hundredth of the scaled errors served.
    pub live_cvar99: f64,
    /// Days after the shift until the WAPE of seven days was at most a quarter above what the best rule had before
    /// it; `None` if it never was, or nothing was shifted.
    pub days_to_recover: Option<usize>,
    /// Harmful candidates that were promoted.
    pub harmful_promotions: usize,
    /// Nights that one of them was in use.
    pub harmful_nights: usize,
}

const WEEK: usize = 7;
const RECOVERED: f64 = 1.25;

pub(super) fn sum_up(timeline: &Timeline, settings: &NightsSettings<'_>, played: Vec<Played>) -> Replay {
    let last = timeline.first_night + timeline.nights - 1;
    let shift = timeline.shift.map(|origin| origin - timeline.first_night);
    let before = shift.and_then(|shift| {
        let wapes = played.iter().filter_map(|played| wape(&played.served[..shift]));
        wapes.min_by(f64::total_cmp)
    });
    let of_rule = |(rule, played): (&super::Rule, Played)| {
        let harmful = played.promotions.iter().filter(|promotion| promotion.is_harmful);
        let worse = played.promotions.iter().filter(|promotion| promotion.turned_out_worse);
        let losses: Vec<f64> = played.served.iter().flat_map(|night| night.losses.iter().copied()).collect();
        let recovered = |(shift, before): (usize, f64)| days_to_recover(&played.served[shift..], before);
        RuleReplay {
            rule: rule.name,
            promotions: played.promotions.len(),
            turned_out_worse: worse.count(),
            live_wape: wape(&played.served).unwrap_or(f64::NAN),
            live_cvar99: worst_case(&losses).unwrap_or(f64::NAN),
            days_to_recover: shift.zip(before).and_then(recovered),
            harmful_promotions: harmful.count(),
            harmful_nights: played.harmful_nights,
        }
    };
    Replay {
        first: timeline.dates[timeline.first_night],
        last: timeline.dates[last],
        nights: timeline.nights,
        holdout_origins: timeline.holdout,
        harmful_candidates: timeline.nights.checked_div(settings.harmful_every).unwrap_or(0),
        shift: settings.shift,
        rules: settings.rules.iter().zip(played).map(of_rule).collect(),
    }
}

/// In percent; `None` without demand.
fn wape(served: &[Served]) -> Option<f64> {
    let actual: f64 = served.iter().map(|night| night.actual).sum();
    let off_by: f64 = served.iter().map(|night| night.off_by).sum();
    (actual > 0.0).then(|| 100.0 * off_by / actual)
}

/// Days until a week of nights was good, counted to its end.
fn days_to_recover(since: &[Served], before: f64) -> Option<usize> {
    let is_good = |week: &[Served]| wape(week).is_some_and(|now| now <= RECOVERED * before);
    since.windows(WEEK).position(is_good).map(|start| start + WEEK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nights(off_by: &[f64]) -> Vec<Served> {
        off_by.iter().map(|&off_by| Served { off_by, actual: 10.0, losses: Vec::new() }).collect()
    }

    #[test]
    fn recovered_is_who_has_a_week_that_is_nearly_as_good_as_before() {
        let since = |bad: usize| nights(&[vec![9.0; bad], vec![1.2; 10]].concat());
        assert_eq!(days_to_recover(&since(0), 10.0), Some(7));
        assert_eq!(days_to_recover(&since(4), 10.0), Some(11));
        assert_eq!(days_to_recover(&nights(&[1.3; 30]), 10.0), None);
        assert_eq!(days_to_recover(&nights(&[1.0; 5]), 10.0), None, "no whole week");
    }

    #[test]
    fn a_ratio_needs_something_to_divide_by() {
        assert_eq!(wape(&nights(&[1.0, 3.0])), Some(20.0));
        assert_eq!(wape(&[]), None);
    }
}
