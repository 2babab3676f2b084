//! What a judgement was found on, row by row, so that it can be kept beside the judgement and looked at.

use jiff::Timestamp;

use super::Judgement;
use crate::{
    evaluation::{Forecasts, LossScales, RowSet},
    names::SeriesId,
};

/// A judgement, and the rows that it was found on.
#[derive(Debug)]
pub struct Judged<'a> {
    /// What was found.
    pub judgement: Judgement,
    scored: Option<Scored<'a>>,
}

/// One scored point with what both sides forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredRow<'a> {
    /// The series.
    pub series: &'a SeriesId,
    /// From when it was forecast.
    pub origin: Timestamp,
    /// When the step begins that was forecast.
    pub target: Timestamp,
    /// What was.
    pub actual: f64,
    /// What the candidate forecast; `None` where that cannot be scored.
    pub candidate: Option<f64>,
    /// What the version in use (for a first candidate: the fallback) forecast; `None` likewise.
    pub incumbent: Option<f64>,
    /// What an absolute error of this series is divided by.
    pub scale: f64,
}

/// What the rows of a judgement are made of.
#[derive(Debug)]
pub(super) struct Scored<'a> {
    pub(super) rows: RowSet<'a>,
    pub(super) scales: LossScales,
    pub(super) candidate: Forecasts,
    pub(super) incumbent: Forecasts,
}

impl<'a> Judged<'a> {
    pub(super) fn on(scored: Scored<'a>, judgement: Judgement) -> Self {
        Self { judgement, scored: Some(scored) }
    }

    pub(super) fn on_nothing(judgement: Judgement) -> Self {
        Self { judgement, scored: None }
    }

    /// The scored rows, by series, origin and step; none where nothing was scored.
    pub fn rows(&self) -> impl Iterator<Item = ScoredRow<'_>> {
        self.scored.iter().flat_map(Scored::rows)
    }
}

impl Scored<'_> {
    fn rows(&self) -> impl Iterator<Item = ScoredRow<'_>> {
        let sides = self.candidate.values.iter().zip(&self.incumbent.values);
        let usable = |forecast: &f64| forecast.is_finite().then_some(*forecast);
        self.rows.rows().iter().zip(sides).map(move |(row, (candidate, incumbent))| {
            let series = self.rows.series_of(row);
            ScoredRow {
                series,
                origin: self.rows.origin_of(row),
                target: row.target,
                actual: row.actual,
                candidate: usable(candidate),
                incumbent: usable(incumbent),
                scale: self.scales.of(series),
            }
        })
    }
}
