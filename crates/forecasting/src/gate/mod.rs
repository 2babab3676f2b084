//! Whether a candidate goes live.
//!
//! The floor cannot be configured away: a candidate is promoted only if its average error *and* its
//! worst-case error are both strictly lower than those of the version in use, on the same rows, from at
//! least 28 origins that neither side's training has seen. A tie, a missing number or too little evidence
//! keeps the incumbent. The gate computes every number itself, from the artifacts and the actuals.
//!
//! Noise passes a bare comparison, so on top of the floor the average must be lower by more than luck, the worst
//! case may with confidence not be much higher, no slice may with confidence be much worse ([`compare()`]), and no hard
//! fact may speak against a candidate. All must hold, so none needs a correction for the others, and each can only make
//! the gate stricter. Another leg is a file in `legs/` and a line in [`compare()`]. After a declared change of regime bets
//! take the place of the 28 origins and of the test of luck ([`compare_since_shift()`]); the floor and the facts stay.
//! What is known about the candidate alone, because its model declares it, is in `contracts/`.

mod asking;
mod budget;
mod compare;
mod contracts;
mod edge_case;
mod edge_replay;
mod fixed_b;
mod given;
mod grounds;
mod legs;
mod look;
mod measured;
mod objection;
mod promise;
mod prospect;
mod resampling;
mod scored;
mod sentence;
mod sequential;
mod since_shift;
mod slice;
pub(crate) mod slicing;
mod statistics;
mod verdict;

use jiff::Timestamp;

use crate::{
    artifact::Bundle,
    evaluation::{Forecasts, LossScales, RowSet, Tail, holdout_origins},
    learning::{StopFlag, Stopped},
    routing::{Route, Task, as_candidate, fall_back, forecast},
    series::{Covariates, Frame, Series},
    spec::{DatasetSpec, ModelSpec},
};
use asking::Asking;
use legs::{cost, coverage, edge_cases, limits, veto};
use scored::Scored;

pub use budget::{Looks, PastLook};
pub use compare::{Findings, Terms, compare};
pub use edge_case::{EdgeCase, EdgeCaseTest, ErrorBound, InvalidBound};
pub use edge_replay::{EdgeReplay, Miss, Replayed};
pub use given::Given;
pub use grounds::{Grounds, VERSION};
pub use look::{Look, MAX_LOOKS};
pub use measured::{Measured, Timed};
pub use objection::{Course, Objection, Side};
pub use promise::{Promised, PromisedGain};
pub use prospect::Prospect;
pub use scored::{Judged, ScoredRow};
pub use sentence::{beside, confidence};
pub use sequential::SinceShift;
pub use since_shift::compare_since_shift;
pub use slice::{Slice, SliceName};
pub use statistics::{
    AverageTest, Bootstrap, ContractTest, CoverageTest, Exceedances, Largest, SearchedTest, SliceTest,
    Statistics, WorstCaseTest,
};
pub use verdict::{Evidence, Judgement, Shortage, Verdict};

/// Judges a candidate.
///
/// # Errors
/// [`Stopped`] if the stop flag was set meanwhile.
pub fn judge<'a>(contest: &Contest<'a>) -> Result<Judged<'a>, Stopped> {
    let without_evidence = |verdict| {
        let looks = Looks::before(contest.given.look);
        Judged::on_nothing(Judgement { looks, ..Judgement::without_evidence(verdict) })
    };
    let misfits = veto::misfits(contest);
    if !misfits.is_empty() {
        return Ok(without_evidence(Verdict::KeepIncumbent(misfits)));
    }
    let Some(last_target) = contest.frame.last_target() else {
        let needed_origins = contest.needed_origins();
        let nothing = Shortage { origins: 0, needed_origins, expected: None, unsure: Vec::new() };
        return Ok(without_evidence(Verdict::NotEnoughEvidence(nothing)));
    };
    let rows = contest.rows(last_target);
    let scales = LossScales::in_sample(contest.frame, contest.earlier_cut_off());
    let candidate = contest.forecast_bundle(&rows, contest.candidate, Side::Candidate)?;
    let opponent = match contest.incumbent {
        Some(incumbent) => contest.forecast_bundle(&rows, incumbent, Side::Incumbent)?,
        None => contest.forecast_fallback(&rows)?,
    };
    let examined = contracts::examine(contest, &rows)?;
    let replays = edge_cases::replay(contest)?;
    let mut judgement = contest.weigh(&rows, &scales, &candidate, &opponent);
    examined.add_to(&mut judgement);
    replays.add_to(&mut judgement);
    judgement.looks = Looks::after(&judgement, contest);
    judgement.promised = Promised::by(&judgement);
    let (candidate, incumbent) = (candidate.forecasts, opponent.forecasts);
    Ok(Judged::on(Scored { rows, scales, candidate, incumbent }, judgement))
}

/// The intervals whose coverage is part of the evidence, in percent.
const LEVELS: [u8; 2] = [80, 95];

/// What a judgement is found from.
#[derive(Debug, Clone, Copy)]
pub struct Contest<'a> {
    /// The model that the candidate wants to serve.
    pub model: &'a ModelSpec,
    /// The dataset of the model.
    pub dataset: &'a DatasetSpec,
    /// Who wants to go live.
    pub candidate: &'a Bundle,
    /// What the registry recorded about the candidate's job; a candidate that says otherwise is refused.
    pub job: RecordedJob<'a>,
    /// Who is live; `None`: the first candidate competes with the fallback of the specification.
    pub incumbent: Option<&'a Bundle>,
    /// The history, as of the look.
    pub frame: &'a Frame,
    /// What is known of its series besides, as of the look: an origin sees past-only numbers from before it, and what
    /// is known in advance as it was corrected to since.
    pub covariates: &'a Covariates,
    /// What cannot be found out by computing.
    pub given: &'a Given,
    /// Ends the work early.
    pub stop: &'a StopFlag,
}

/// A train job as it was recorded before its training began.
#[derive(Debug, Clone, Copy)]
pub struct RecordedJob<'a> {
    /// Hash of the model specification to train by.
    pub spec_hash: &'a str,
    /// Training saw what was recorded by then.
    pub as_of: Timestamp,
    /// Start of the last step whose value training may see; the holdout begins after it.
    pub cut_off: Timestamp,
    /// From when on demand is another one, where that was declared: only origins from then on count, and a few of them
    /// may decide ([`compare_since_shift`]).
    pub shift: Option<Timestamp>,
}

/// What a side forecast, and how often its fallback spoke for it.
struct SideForecasts {
    forecasts: Forecasts,
    fallback_forecasts: u64,
}

impl<'a> Contest<'a> {
    /// No target of the rows was a target of either side's training.
    fn later_cut_off(&self) -> Timestamp {
        self.incumbent.map_or(self.job.cut_off, |incumbent| incumbent.cut_off.max(self.job.cut_off))
    }

    /// Losses are scaled by what both sides had before them. While an incumbent stays in use its cut-off
    /// is the earlier one, so the errors of all candidates that are judged against it have one unit.
    fn earlier_cut_off(&self) -> Timestamp {
        self.incumbent.map_or(self.job.cut_off, |incumbent| incumbent.cut_off.min(self.job.cut_off))
    }

    fn needed_origins(&self) -> u32 {
        self.model.gate.needed_origins(&self.frame.grid, self.model.horizon_steps)
    }

    fn opponent(&self) -> Side {
        if self.incumbent.is_some() { Side::Incumbent } else { Side::Fallback }
    }

    fn rows(&self, last_target: Timestamp) -> RowSet<'a> {
        let (horizon_steps, delay) = (self.model.horizon_steps, self.dataset.availability_delay);
        let cut_off = self.later_cut_off();
        let mut origins = holdout_origins(&self.frame.grid, cut_off, delay, last_target, horizon_steps);
        if let Some(shift) = self.job.shift {
            origins.retain(|origin| *origin >= shift);
        }
        RowSet::new(self.frame, origins, horizon_steps, delay)
    }

    /// The candidate must not hide a number that is none behind its fallback; the incumbent is scored as it
    /// serves, or nobody could ever replace one that gives such numbers.
    fn forecast_bundle(
        &self,
        rows: &RowSet<'_>,
        bundle: &Bundle,
        side: Side,
    ) -> Result<SideForecasts, Stopped> {
        let mut fallback_forecasts = 0;
        let forecasts = rows.forecast(|history, origin| {
            self.stop.check()?;
            let served = forecast(bundle, &self.task(history, origin));
            let answer = if side == Side::Candidate { as_candidate(served) } else { served };
            Ok(answer.map(|(values, route)| {
                fallback_forecasts += u64::from(route != Route::Primary);
                values
            }))
        })?;
        Ok(SideForecasts { forecasts, fallback_forecasts })
    }

    fn forecast_fallback(&self, rows: &RowSet<'_>) -> Result<SideForecasts, Stopped> {
        // What serves before the first promotion, whatever the candidate's own fallback is.
        let fallback = self.asking().fallback();
        let mut fallback_forecasts = 0;
        let forecasts = rows.forecast(|history, origin| {
            self.stop.check()?;
            fallback_forecasts += 1;
            Ok(fall_back(fallback, &self.task(history, origin)))
        })?;
        Ok(SideForecasts { forecasts, fallback_forecasts })
    }

    fn task<'t>(&'t self, history: &'t Series, origin: Timestamp) -> Task<'t> {
        self.asking().task(history, origin)
    }

    fn asking(&self) -> Asking<'_> {
        let Self { model, dataset, covariates, .. } = *self;
        Asking { model, dataset, grid: &self.frame.grid, covariates }
    }

    fn weigh(
        &self,
        rows: &RowSet<'_>,
        scales: &LossScales,
        candidate: &SideForecasts,
        opponent: &SideForecasts,
    ) -> Judgement {
        let intervals = self.candidate.intervals.as_ref();
        let coverage = intervals.map(|intervals| intervals.coverage(rows, &candidate.forecasts, &LEVELS));
        let evidence = Evidence {
            candidate_coverage: coverage.unwrap_or_default(),
            measured: self.given.measured,
            shift: self.job.shift,
            ..gather(rows, scales, candidate, opponent)
        };
        let (verdict, statistics) =
            self.find(rows, scales, &evidence, [&candidate.forecasts, &opponent.forecasts]);
        Judgement {
            verdict,
            candidate: rows.errors(&candidate.forecasts, scales),
            incumbent: rows.errors(&opponent.forecasts, scales),
            evidence,
            statistics,
            grounds: None,
            looks: Looks::default(),
            promised: None,
        }
    }

    fn find(
        &self,
        rows: &RowSet<'_>,
        scales: &LossScales,
        evidence: &Evidence,
        [candidate, opponent]: [&Forecasts; 2],
    ) -> (Verdict, Statistics) {
        let on_nothing = |verdict| (verdict, Statistics::default());
        // A hard fact counts however little else is known.
        let mut facts = veto::faults([(Side::Candidate, candidate), (self.opponent(), opponent)]);
        facts.extend(limits::object(rows, candidate, &self.model.gate));
        facts
            .extend(self.given.measured.iter().flat_map(|measured| cost::object(measured, &self.model.gate)));
        facts.extend(coverage::missing(self.candidate, self.incumbent));
        if !facts.is_empty() {
            return on_nothing(Verdict::KeepIncumbent(facts));
        }
        let (origins, needed_origins) = (evidence.origins, self.needed_origins());
        if origins < needed_origins && !self.may_bet() {
            return on_nothing(Verdict::NotEnoughEvidence(self.shortage(origins, needed_origins)));
        }
        if origins == 0 {
            return self.before_any_bet();
        }
        let losses = match rows.pair(candidate, opponent, scales) {
            Ok(losses) => losses,
            Err(unpaired) => {
                return on_nothing(Verdict::KeepIncumbent(vec![veto::not_comparable(&unpaired)]));
            }
        };
        if origins < needed_origins {
            return self.bet(rows, &losses, evidence);
        }
        let policy = &self.model.gate;
        let known = slicing::Known { dataset: self.dataset, covariates: self.covariates };
        let declared = slicing::declared(rows, &policy.slices, &known);
        let searched = if policy.search_slices { slicing::searched(rows) } else { Vec::new() };
        let terms = self.terms(evidence, &declared, &searched);
        let Findings { mut objections, mut statistics } = compare(&losses, &terms);
        let (coverage, off) = self.coverage(rows, [candidate, opponent], &terms);
        objections.extend(off);
        statistics.coverage = coverage;
        for prospect in objections.iter_mut().filter_map(Objection::prospect_mut).flatten() {
            prospect.expected = self.expected(prospect.more_origins());
        }
        (Verdict::of(objections), statistics)
    }

    fn terms<'t>(&'t self, evidence: &Evidence, declared: &'t [Slice], searched: &'t [Slice]) -> Terms<'t> {
        let grid = &self.frame.grid;
        let horizon_steps = self.model.horizon_steps;
        Terms {
            policy: &self.model.gate,
            overlap: grid.strides_of(horizon_steps),
            block_origins: grid.strides_drawn_together(horizon_steps),
            declared,
            searched,
            // The same rows are resampled alike, whenever and wherever.
            seed: seed(&evidence.rows_hash),
            opponent: self.opponent(),
            look: self.given.look,
        }
    }

    /// What the candidate's intervals held at each level, and what speaks against them.
    fn coverage(
        &self,
        rows: &RowSet<'_>,
        [candidate, opponent]: [&Forecasts; 2],
        terms: &Terms<'_>,
    ) -> (Vec<CoverageTest>, Vec<Objection>) {
        let Some(intervals) = &self.candidate.intervals else { return Default::default() };
        let in_use = self.incumbent.and_then(|incumbent| incumbent.intervals.as_ref());
        let (mut tests, mut objections) = (Vec::new(), Vec::new());
        for level in LEVELS {
            let Some(test) = coverage::test(intervals, rows, candidate, level, terms) else { continue };
            let held = in_use
                .and_then(|intervals| coverage::test(intervals, rows, opponent, level, terms))
                .map(|test| test.held);
            objections.extend(coverage::object(&test, held, terms));
            tests.push(test);
        }
        (tests, objections)
    }

    fn shortage(&self, origins: u32, needed_origins: u32) -> Shortage {
        let expected = self.expected(needed_origins - origins);
        Shortage { origins, needed_origins, expected, unsure: Vec::new() }
    }

    /// About when there are so many origins more.
    fn expected(&self, more_origins: u32) -> Option<Timestamp> {
        let grid = &self.frame.grid;
        let steps = u64::from(more_origins) * grid.steps_per_stride() as u64;
        let steps = i64::try_from(steps).unwrap_or(i64::MAX);
        self.frame.last_target().map(|last| grid.advance(last, steps))
    }
}

fn seed(rows_hash: &str) -> u64 {
    let digits = rows_hash.get(..16).unwrap_or_default();
    u64::from_str_radix(digits, 16).expect("a SHA-256 in hex has 64 digits")
}

fn gather(
    rows: &RowSet<'_>,
    scales: &LossScales,
    candidate: &SideForecasts,
    opponent: &SideForecasts,
) -> Evidence {
    let tail = Tail::of(rows.rows().len());
    let count = |series: usize| u32::try_from(series).unwrap_or(u32::MAX);
    Evidence {
        origins: count(rows.telling_origins()),
        rows: rows.rows().len() as u64,
        series: count(rows.scored_series().count()),
        shift: None,
        first_origin: rows.scored_origins().first().copied(),
        last_target: rows.rows().iter().map(|row| row.target).max(),
        tail_points: tail.map_or(0, |tail| count(tail.points)),
        tail_share: tail.map_or(0.0, Tail::share),
        pooled_scale_series: count(rows.scored_series().filter(|series| !scales.is_own(series)).count()),
        candidate_coverage: Vec::new(),
        measured: None,
        candidate_fallback_forecasts: candidate.fallback_forecasts,
        incumbent_fallback_forecasts: opponent.fallback_forecasts,
        rows_hash: rows.hash(),
    }
}

#[cfg(test)]
mod tests;
