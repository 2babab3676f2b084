use super::*;
use crate::{gate::SliceName, names::SeriesId, random::Random};

mod any_losses;
mod average;
mod floor;
mod slices;
mod vetoes;
mod worst_case;

const ORIGINS: u32 = 28;
const POINTS: u32 = 24;

/// What is compared, by default 28 origins of 24 points, the default policy and the first look.
struct Case {
    policy: GatePolicy,
    overlap: u32,
    origins: u32,
    declared: Vec<Slice>,
    searched: Vec<Slice>,
    look: Look,
}

impl Default for Case {
    fn default() -> Self {
        let policy = GatePolicy::default();
        let (declared, searched) = (Vec::new(), Vec::new());
        Self { policy, overlap: 1, origins: ORIGINS, declared, searched, look: Look::FIRST }
    }
}

impl Case {
    fn compare(&self, candidate: &[f64], incumbent: &[f64]) -> Findings {
        let points = u32::try_from(candidate.len()).expect("tests are small");
        let per_origin = points.div_ceil(self.origins).max(1);
        let origin_of = (0..points).map(|point| point / per_origin).collect();
        let losses = PairedLosses::new(candidate.to_vec(), incumbent.to_vec(), origin_of);
        compare(&losses.expect("tests pair losses"), &self.terms())
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            policy: &self.policy,
            overlap: self.overlap,
            block_origins: self.overlap.max(7),
            declared: &self.declared,
            searched: &self.searched,
            seed: 1,
            opponent: Side::Incumbent,
            look: self.look,
        }
    }

    fn sentences(&self, candidate: &[f64], incumbent: &[f64]) -> Vec<String> {
        self.compare(candidate, incumbent).objections.iter().map(ToString::to_string).collect()
    }

    fn promotes(&self, candidate: &[f64], incumbent: &[f64]) -> bool {
        self.compare(candidate, incumbent).objections.is_empty()
    }
}

fn promotes(candidate: &[f64], incumbent: &[f64]) -> bool {
    Case::default().promotes(candidate, incumbent)
}

/// Losses of a side whose errors have much in common with those of another number.
fn noisy(number: u64, level: f64) -> Vec<f64> {
    let (mut shared, mut own) = (Random::new(99), Random::new(number));
    let errors = (0..ORIGINS * POINTS).map(|_| 0.95 * shared.normal() + 0.31 * own.normal());
    errors.map(|error| level * error.abs()).collect()
}

fn slice(name: SliceName, points: impl Iterator<Item = u32>) -> Slice {
    Slice { name, points: points.collect() }
}

fn series(name: &str) -> SliceName {
    SliceName::Series(SeriesId::new(name).expect("is an id"))
}

/// Losses of `ORIGINS` days whose last two hours are the tail.
fn losses(bulk: f64, worst: f64) -> Vec<f64> {
    (0..ORIGINS * POINTS).map(|point| if point % POINTS < POINTS - 2 { bulk } else { worst }).collect()
}

/// The same with the losses of the points in `of` multiplied.
fn multiplied(losses: &[f64], by: f64, of: impl Fn(u32) -> bool) -> Vec<f64> {
    (0_u32..).zip(losses).map(|(point, loss)| if of(point) { loss * by } else { *loss }).collect()
}
