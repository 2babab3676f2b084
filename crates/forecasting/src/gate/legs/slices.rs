//! No slice may be much worse: an average hides a part that got worse behind one that got better.
//!
//! What has to be proven? That *every* slice is at most `1 + slice_margin` times as bad would be safer, and would
//! hold back nearly everybody: noise of many small slices adds up. So the burden lies on the slice: it is held against a
//! candidate if it is worse by more than the margin *with confidence*. Measured on 28 days of hourly series (each
//! series, weekends and three peak hours are slices; tails of Student's distribution with 5 degrees of freedom;
//! correlation of errors 0.9 / 0.6; 400 draws a cell, ± .025):
//!
//! | refused unless | errors of the candidate | 1 series | 5 series | 21 series |
//! | --- | --- | --- | --- | --- |
//! | every slice is proven within 1.1 | 0.9 everywhere | .32 / .80 | .00 / .48 | .01 / .87 |
//! | | 1.0 everywhere | .87 / .98 | .71 / .99 | .98 / 1.0 |
//! | no slice is proven beyond 1.1 | 0.9 everywhere | .00 / .00 | .00 / .00 | .00 / .00 |
//! | | 1.0 everywhere | .01 / .03 | .00 / .00 | .00 / .03 |
//! | | 0.9, on one slice 1.3 | .81 / .43 | 1.0 / .81 | 1.0 / .85 |
//! | | 0.9, on one slice 1.5 | .99 / .82 | 1.0 / 1.0 | 1.0 / 1.0 |
//! | no slice is proven beyond 1.2 | 0.9, on one slice 1.3 | .38 / .20 | .69 / .34 | .73 / .36 |
//!
//! The first rule would hold back most of those who are better everywhere; the last finds half as many bad slices, so
//! the default margin is 0.1. (The one slice is a series; of one series, its weekend.)

use std::collections::BTreeSet;

use super::{Objection, Terms};
use crate::{
    evaluation::{PairedLosses, average},
    gate::{
        Slice, SliceName,
        resampling::{Resampling, log_ratio},
        statistics::{SearchedTest, SliceTest},
    },
};

/// A slice of fewer points, or of fewer origins, says more about luck than about the model. Four weekends have
/// eight days.
const LEAST_POINTS: usize = 24;
const LEAST_ORIGINS: usize = 8;

/// A slice on which the candidate's mean loss is less than this part of the opponent's on all points is no harm, however
/// many times the opponent's there it is.
const NEGLIGIBLE: f64 = 0.01;

/// Each declared slice on its own.
pub(in crate::gate) fn declared(
    losses: &PairedLosses,
    terms: &Terms<'_>,
    resampling: &Resampling,
) -> Vec<SliceTest> {
    let whole = Whole::new(losses, terms);
    let slices = merge_small(losses, terms.declared.iter());
    let test = |slice: &Slice| {
        let part = Part::of(losses, slice);
        let measured = part.measured();
        let mut drawn = resampling.log_ratios(&part.candidate, &part.opponent);
        let lower = resampling.lower(measured, &mut drawn);
        let upper = resampling.upper(measured, &mut drawn);
        part.tell(slice, &whole, [lower, upper])
    };
    slices.iter().map(test).collect()
}

/// The worst of the searched slices, judged as the worst of all (max-t; Romano and Wolf 2005): however many are
/// searched, luck finds one with probability `alpha`.
pub(in crate::gate) fn searched(
    losses: &PairedLosses,
    terms: &Terms<'_>,
    resampling: &Resampling,
) -> Option<SearchedTest> {
    let whole = Whole::new(losses, terms);
    // What is declared is judged on its own, and need not be found.
    let is_declared = |slice: &Slice| terms.declared.iter().any(|declared| declared.name == slice.name);
    let slices = merge_small(losses, terms.searched.iter().filter(|slice| !is_declared(slice)));
    let allowed = whole.allowed.ln();
    let mut searched = 0;
    let mut largest = vec![f64::NEG_INFINITY; resampling.resamples().len()];
    let mut worst: Option<(f64, f64, &Slice, Part)> = None;
    for slice in &slices {
        let part = Part::of(losses, slice);
        // Small even together: it could not be held against anybody, and would hide who can.
        if part.is_small() {
            continue;
        }
        let measured = part.measured();
        let drawn = resampling.log_ratios(&part.candidate, &part.opponent);
        let error = standard_deviation(&drawn).max(LEAST_ERROR);
        for (largest, ratio) in largest.iter_mut().zip(&drawn) {
            *largest = largest.max((ratio - measured) / error);
        }
        // It harms nobody however many times as large it is, and would hide who does. What the largest is by luck keeps
        // it: that it is negligible was not known before.
        if part.is_negligible(&whole) {
            continue;
        }
        searched += 1;
        let statistic = (measured - allowed) / error;
        if worst.as_ref().is_none_or(|(most, ..)| statistic > *most) {
            worst = Some((statistic, error, slice, part));
        }
    }
    let (statistic, error, slice, part) = worst?;
    let critical = resampling.critical(&mut largest);
    let (measured, reach) = (part.measured(), critical * error);
    let worst = part.tell(slice, &whole, [measured - reach, measured + reach]);
    Some(SearchedTest { slices: searched, worst, statistic, critical })
}

/// The slices without a point.
pub(in crate::gate) fn absent(slices: &[Slice]) -> Vec<SliceName> {
    slices.iter().filter(|slice| slice.points.is_empty()).map(|slice| slice.name.clone()).collect()
}

/// What a slice holds against the candidate. `searched`: the worst of how many it is, if it was searched for.
pub(in crate::gate) fn object(
    test: &SliceTest,
    terms: &Terms<'_>,
    searched: Option<u32>,
) -> Option<Objection> {
    let lower = test.lower?;
    (lower > test.allowed && test.is_judged()).then(|| Objection::WorseOnSlice {
        slice: test.slice.clone(),
        ratio: test.ratio,
        lower,
        allowed: test.allowed,
        alpha: terms.policy.alpha,
        against: terms.opponent,
        searched,
    })
}

/// What never varies is known exactly, but for rounding.
const LEAST_ERROR: f64 = 1e-9;

/// What a slice is measured by.
struct Whole {
    /// The opponent's average error on all points.
    average: f64,
    /// How many times as large the error on a slice may be.
    allowed: f64,
}

impl Whole {
    fn new(losses: &PairedLosses, terms: &Terms<'_>) -> Self {
        let average = average(losses.incumbent()).unwrap_or(f64::INFINITY);
        Self { average, allowed: 1.0 + terms.policy.slice_margin }
    }
}

/// The losses of both sides on a slice, added up per origin.
struct Part {
    candidate: Vec<f64>,
    opponent: Vec<f64>,
    points: usize,
    origins: usize,
}

impl Part {
    fn of(losses: &PairedLosses, slice: &Slice) -> Self {
        let mut candidate = vec![0.0; losses.origins()];
        let mut opponent = candidate.clone();
        let mut has_points = vec![false; losses.origins()];
        for &point in &slice.points {
            let point = point as usize;
            let origin = losses.origin_of()[point] as usize;
            candidate[origin] += losses.candidate()[point];
            opponent[origin] += losses.incumbent()[point];
            has_points[origin] = true;
        }
        Self {
            candidate,
            opponent,
            points: slice.points.len(),
            origins: has_points.into_iter().filter(|has_points| *has_points).count(),
        }
    }

    fn measured(&self) -> f64 {
        log_ratio(self.candidate.iter().sum(), self.opponent.iter().sum())
    }

    fn is_small(&self) -> bool {
        self.points < LEAST_POINTS || self.origins < LEAST_ORIGINS
    }

    fn is_negligible(&self, whole: &Whole) -> bool {
        let mean = self.candidate.iter().sum::<f64>() / self.points as f64;
        mean < NEGLIGIBLE * whole.average
    }

    fn tell(&self, slice: &Slice, whole: &Whole, [lower, upper]: [f64; 2]) -> SliceTest {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let bound = |bound: f64| (!self.is_small()).then(|| bound.exp());
        SliceTest {
            slice: slice.name.clone(),
            points: count(self.points),
            origins: count(self.origins),
            ratio: self.measured().exp(),
            lower: bound(lower),
            upper: bound(upper),
            allowed: whole.allowed,
            is_negligible: self.is_negligible(whole),
        }
    }
}

/// Puts the points of all slices that are too small into one, so that none is dropped.
fn merge_small<'s>(losses: &PairedLosses, slices: impl Iterator<Item = &'s Slice>) -> Vec<Slice> {
    let there = slices.filter(|slice| !slice.points.is_empty()).cloned();
    let (small, mut slices): (Vec<Slice>, Vec<Slice>) =
        there.partition(|slice| Part::of(losses, slice).is_small());
    if !small.is_empty() {
        let name = SliceName::Small(u32::try_from(small.len()).unwrap_or(u32::MAX));
        let points: BTreeSet<u32> = small.into_iter().flat_map(|slice| slice.points).collect();
        slices.push(Slice { name, points: points.into_iter().collect() });
    }
    slices
}

fn standard_deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}
