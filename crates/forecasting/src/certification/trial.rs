//! A window with a candidate and an incumbent, for a rule to decide on.

use super::points::Points;
use crate::{
    evaluation::PairedLosses,
    gate::{
        Findings, Look, Side, Slice, SliceName, Terms, Verdict, compare, compare_since_shift,
        slicing::{Clock, declared_by_clock, searched_besides},
    },
    spec::GatePolicy,
};

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    /// The candidate goes live.
    Promote,
    /// It does not.
    Keep,
    /// It does not, for want of evidence: nothing but luck speaks against it, and a few more weeks would tell.
    NotEnough,
}

/// What the gate must know about a trial.
pub(super) struct GateTerms<'a> {
    pub(super) policy: &'a GatePolicy,
    /// What slices are made of.
    pub(super) points: &'a Points,
    /// How many origins a horizon reaches over.
    pub(super) overlap: u32,
    /// Origins that are drawn as a whole.
    pub(super) block_origins: u32,
    pub(super) seed: u64,
}

/// The errors of two sides on the points of some origins.
pub(super) struct Trial<'a> {
    /// Forecast − actual, divided by the scale; `NaN` where there is no forecast.
    pub(super) candidate: Vec<f64>,
    pub(super) incumbent: Vec<f64>,
    /// What was, divided by the scale.
    pub(super) actual: Vec<f64>,
    /// The origins, in the order of the window; one may occur twice.
    pub(super) origins: &'a [usize],
    /// The place of each point's origin in the window.
    pub(super) origin_of: Vec<u32>,
    /// The place of each point among all points.
    pub(super) places: Vec<usize>,
}

impl<'a> Trial<'a> {
    /// The points of these origins, without errors.
    pub(super) fn on(points: &Points, origins: &'a [usize]) -> Self {
        let mut trial = Self {
            candidate: Vec::new(),
            incumbent: Vec::new(),
            actual: Vec::new(),
            origins,
            origin_of: Vec::new(),
            places: Vec::new(),
        };
        for (place, &origin) in (0_u32..).zip(origins) {
            let range = points.of_origin[origin].clone();
            trial.actual.extend_from_slice(&points.actual[range.clone()]);
            trial.origin_of.extend(range.clone().map(|_| place));
            trial.places.extend(range);
        }
        trial
    }

    /// What Gatecast's gate says; errors that cannot be paired keep the incumbent.
    pub(super) fn ask_the_gate(&self, terms: &GateTerms<'_>) -> Ruling {
        let Some(found) = self.found(compare, terms) else { return Ruling::Keep };
        match Verdict::of(found.objections) {
            Verdict::Promote => Ruling::Promote,
            Verdict::NotEnoughEvidence(_) => Ruling::NotEnough,
            Verdict::KeepIncumbent(_) | Verdict::NoCandidate(_) => Ruling::Keep,
        }
    }

    /// What it says of the origins since a declared shift.
    pub(super) fn promotes_since_shift(&self, terms: &GateTerms<'_>) -> bool {
        let needed = terms.policy.needed_origins_for(terms.overlap) as usize;
        let are_few = self.origins.len() < needed;
        let found = self.found(if are_few { bet } else { compare }, terms);
        found.is_some_and(|found| found.objections.is_empty() && !found.are_undecided())
    }

    fn found(
        &self,
        compare: fn(&PairedLosses, &Terms<'_>) -> Findings,
        terms: &GateTerms<'_>,
    ) -> Option<Findings> {
        let (declared, searched) = self.slices(terms);
        let terms = Terms {
            policy: terms.policy,
            overlap: terms.overlap,
            block_origins: terms.block_origins,
            declared: &declared,
            searched: &searched,
            seed: terms.seed,
            opponent: Side::Incumbent,
            // Whoever waits is counted as such, not looked at again.
            look: Look::FIRST,
        };
        Some(compare(&self.losses()?, &terms))
    }

    fn losses(&self) -> Option<PairedLosses> {
        let losses = |errors: &[f64]| errors.iter().map(|error| error.abs()).collect();
        PairedLosses::new(losses(&self.candidate), losses(&self.incumbent), self.origin_of.clone()).ok()
    }

    /// The slices that the policy declares and those that it searches. Holidays and attributes are not known here.
    fn slices(&self, terms: &GateTerms<'_>) -> (Vec<Slice>, Vec<Slice>) {
        let (policy, points) = (terms.policy, terms.points);
        let clocks: Vec<Clock> = self.places.iter().map(|&place| points.clock[place]).collect();
        let of_series = self.of_series(points);
        let mut declared = if policy.slices.series { of_series.clone() } else { Vec::new() };
        declared.extend(declared_by_clock(&clocks, &policy.slices));
        let searched = if policy.search_slices {
            searched_besides(of_series, &clocks, points.has_hours)
        } else {
            Vec::new()
        };
        (declared, searched)
    }

    /// Of each series that has points.
    fn of_series(&self, points: &Points) -> Vec<Slice> {
        let series = points.ids.iter().map(|id| SliceName::Series(id.clone()));
        let mut of_series: Vec<Slice> = series.map(|name| Slice { name, points: Vec::new() }).collect();
        for (point, &place) in (0..).zip(&self.places) {
            of_series[points.series[place] as usize].points.push(point);
        }
        of_series.retain(|slice| !slice.points.is_empty());
        of_series
    }

    /// The mean errors of candidate and incumbent; `None` if one cannot be computed.
    pub(super) fn means(&self) -> Option<(f64, f64)> {
        let mean = |errors: &[f64]| {
            let sum: f64 = errors.iter().map(|error| error.abs()).sum();
            Some(sum / errors.len() as f64).filter(|mean| mean.is_finite())
        };
        Some((mean(&self.candidate)?, mean(&self.incumbent)?))
    }
}

/// On every origin whose horizon does not overlap that of the last: all of a trial tell.
fn bet(losses: &PairedLosses, terms: &Terms<'_>) -> Findings {
    let bet_on: Vec<usize> = (0..losses.origins()).step_by(terms.overlap as usize).collect();
    compare_since_shift(losses, terms, &bet_on)
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::{ToSpan as _, civil::date};

    use super::{super::rules::RULES, *};
    use crate::names::SeriesId;

    /// Days from a Monday in January on, each with 24 points of so many series, whose actuals are the hour.
    pub(in crate::certification) fn points(days: usize, series: u32) -> Points {
        let a_day = 24 * series as usize;
        let all = || 0..days * a_day;
        let small = |number: usize| u8::try_from(number).expect("is small");
        let monday = date(2024, 1, 1);
        let clock = |point: usize| Clock {
            date: monday.saturating_add(i64::try_from(point / a_day).expect("is small").days()),
            hour: small(point % 24),
            weekday: small(point / a_day % 7),
        };
        Points {
            actual: all().map(|point| (point % 24) as f64).collect(),
            scale: vec![1.0; days * a_day],
            series: all().map(|point| u32::try_from(point % a_day / 24).expect("is small")).collect(),
            ids: (0..series).map(|place| SeriesId::new(format!("s-{place}")).expect("is an id")).collect(),
            clock: all().map(clock).collect(),
            has_hours: true,
            of_origin: (0..days).map(|day| day * a_day..(day + 1) * a_day).collect(),
            month: vec![1; days],
        }
    }

    /// Shows a trial on 28 days of one series, with the errors that are given for each point.
    pub(in crate::certification) fn on_28_days<T>(
        candidate: impl Fn(usize) -> f64,
        incumbent: impl Fn(usize) -> f64,
        look: impl Fn(&Trial<'_>, &GateTerms<'_>) -> T,
    ) -> T {
        on_days(28, &GatePolicy::default(), [&candidate, &incumbent], look)
    }

    /// The same on so many days, by a policy, with the errors of candidate and incumbent.
    fn on_days<T>(
        days: usize,
        policy: &GatePolicy,
        [candidate, incumbent]: [&dyn Fn(usize) -> f64; 2],
        look: impl Fn(&Trial<'_>, &GateTerms<'_>) -> T,
    ) -> T {
        let points = points(days, 1);
        let origins: Vec<usize> = (0..days).collect();
        let mut trial = Trial::on(&points, &origins);
        trial.candidate = trial.places.iter().map(|&point| candidate(point)).collect();
        trial.incumbent = trial.places.iter().map(|&point| incumbent(point)).collect();
        let terms = GateTerms { policy, points: &points, overlap: 1, block_origins: 7, seed: 1 };
        look(&trial, &terms)
    }

    #[test]
    fn gatecasts_rule_says_who_would_wait() {
        // Three good weeks and a bad one; the bad one decides how much luck explains.
        let found = |bad: f64| {
            let size = |point: usize| if point % 24 < 22 { 1.0 } else { 10.0 };
            let gain = |point: usize| match (point / 24 / 7, point % 24 < 22) {
                (_, false) => 0.5,
                (3, true) => -bad,
                (_, true) => 0.2,
            };
            on_28_days(|point| size(point) - gain(point), size, RULES[0].decide)
        };
        let [promoted, waits, kept] = [0.12, 0.22, 0.35].map(found);
        assert_eq!((promoted, waits, kept), (Ruling::Promote, Ruling::NotEnough, Ruling::Keep));
    }

    #[test]
    fn the_slices_of_the_policy_are_judged_and_no_others() {
        // Far better from Monday to Friday, half as bad again at weekends; two hours of each day are the tail.
        let size = |point: usize| if point % 24 < 22 { 1.0 } else { 10.0 };
        let candidate = |point: usize| match (point / 24 % 7 < 5, point % 24 < 22) {
            (_, false) => 9.5,
            (true, true) => 0.1,
            (false, true) => 1.5,
        };
        let found = |policy: &str| {
            let policy: GatePolicy = toml::from_str(policy).expect("is a policy");
            on_days(28, &policy, [&candidate, &size], RULES[0].decide)
        };
        assert_eq!(found(""), Ruling::Keep, "weekends are searched");
        assert_eq!(found("search_slices = false"), Ruling::Promote);
        assert_eq!(found("search_slices = false\n[slices]\nweekend = true"), Ruling::Keep);
        assert_eq!(found("search_slices = false\n[slices]\nseries = true"), Ruling::Promote);
    }

    #[test]
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is of one lifetime, the closure of any"
    )]
    fn since_a_shift_few_days_are_bet_on_and_many_are_compared() {
        let usual = |point: usize| 1.0 + (point % 7) as f64 / 10.0;
        let promotes = |days: usize, ratio: f64| {
            let candidate = |point: usize| ratio * usual(point);
            let policy = GatePolicy::default();
            on_days(days, &policy, [&candidate, &usual], |trial, terms| trial.promotes_since_shift(terms))
        };
        assert!(!promotes(3, 0.3), "undecided bets promote nobody");
        assert!(promotes(10, 0.3));
        assert!(!promotes(10, 1.3), "the floor");
        // A gain that is small and the same every day is told by the comparison alone.
        assert!(!promotes(27, 0.97) && promotes(28, 0.97));
    }

    #[test]
    fn a_window_may_hold_an_origin_twice() {
        let points = points(3, 1);
        let trial = Trial::on(&points, &[2, 0, 2]);
        assert_eq!(trial.origin_of[..], [[0; 24], [1; 24], [2; 24]].concat());
        assert_eq!(trial.places[..24], trial.places[48..]);
    }
}
