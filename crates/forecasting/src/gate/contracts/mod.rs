//! Whether a candidate keeps the contracts of its model: hard facts, found with inputs of the holdout and held against
//! it however small its errors are.
//!
//! Features and holidays are changed where the learned model looks at them, histories and covariates before the whole
//! version answers as it would serve. Another kind of contract is a variant of [`Contract`] and a file here that
//! answers with [`Tested`].

mod coefficient;
mod covariate_effect;
mod curve;
mod feature_effect;
mod holiday_effect;
mod probes;
mod scaling;

use jiff::Timestamp;

use super::{Contest, ContractTest, Course, Judgement, Objection, Side};
use crate::{
    evaluation::RowSet,
    learning::Stopped,
    models::{PredictError, Regression},
    names::SeriesId,
    routing::{Task, as_candidate, forecast},
    series::Series,
    spec::{Contract, Direction},
};

/// Tests every contract of the model on the candidate, with some of the forecasts that answer the rows.
pub(super) fn examine(contest: &Contest<'_>, rows: &RowSet<'_>) -> Result<Examined, Stopped> {
    let mut examined = Examined::default();
    if contest.model.contracts.is_empty() {
        return Ok(examined);
    }
    let places = probes::spread(rows);
    let examination = Examination { contest, rows, places: &places };
    for contract in &contest.model.contracts {
        examined.note(contract, examination.test(contract)?);
    }
    Ok(examined)
}

/// What was found about the contracts of a model.
#[derive(Debug, Default)]
pub(super) struct Examined {
    tests: Vec<ContractTest>,
    objections: Vec<Objection>,
}

/// The candidate, and the forecasts that are made again with other inputs.
struct Examination<'a> {
    contest: &'a Contest<'a>,
    rows: &'a RowSet<'a>,
    /// Which of those that answer the rows.
    places: &'a [usize],
}

/// One of these forecasts: what was known of its series, and when.
struct Probe {
    history: Series,
    origin: Timestamp,
}

/// What came of testing a contract.
enum Tested {
    /// It says nothing about this candidate, or the holdout says nothing about it: why, as what is said after "the
    /// candidate".
    Untested(String),
    /// It is about a feature that the candidate should have and has not.
    NoSuchFeature(String),
    /// A coefficient, and the bound that it is beyond.
    Coefficient { coefficient: f64, beyond: Option<f64> },
    /// Forecasts were made again.
    Probed(Probed),
}

/// What forecasts that were made again say.
struct Probed {
    /// Which way they may not move,
    course: Course,
    /// and by which part of their size they may all the same.
    tolerance: f64,
    responses: Vec<Response>,
}

/// What another input does to a forecast.
struct Response {
    series: SeriesId,
    origin: Timestamp,
    /// What is other: continues "with …".
    change: String,
    /// By which part of its size the forecast moves the wrong way; `None` if it is no number.
    part: Option<f64>,
}

impl<'a> Examination<'a> {
    fn test(&self, contract: &Contract) -> Result<Tested, Stopped> {
        match contract {
            Contract::Coefficient { feature, least, most } => {
                Ok(coefficient::test(self, feature, [*least, *most]))
            }
            Contract::FeatureEffect { feature, direction, tolerance } => {
                feature_effect::test(self, feature, *direction, *tolerance)
            }
            Contract::CovariateEffect { covariate, direction, tolerance } => {
                covariate_effect::test(self, covariate, *direction, *tolerance)
            }
            Contract::HolidayEffect { direction, tolerance } => {
                holiday_effect::test(self, *direction, *tolerance)
            }
            Contract::Scaling { factor, tolerance } => scaling::test(self, *factor, *tolerance),
        }
    }

    /// One after the other, until somebody asks to stop.
    fn probes(&self) -> impl Iterator<Item = Result<Probe, Stopped>> {
        self.places.iter().map(|&place| {
            self.contest.stop.check()?;
            let (history, origin) = self.rows.known_for(place);
            Ok(Probe { history, origin })
        })
    }

    /// The learned model as a function of features, if it is one.
    fn regression(&self) -> Option<&'a dyn Regression> {
        self.contest.candidate.primary.stored().regression()
    }

    fn task<'t>(&'t self, probe: &'t Probe) -> Task<'t> {
        self.contest.task(&probe.history, probe.origin)
    }

    /// What the whole version answers.
    fn answer(&self, task: &Task<'_>) -> Result<Vec<f64>, PredictError> {
        as_candidate(forecast(self.contest.candidate, task)).map(|(values, _)| values)
    }
}

impl Tested {
    fn untested(why: impl Into<String>) -> Self {
        Self::Untested(why.into())
    }
}

impl Probed {
    fn new(course: Course, tolerance: f64) -> Self {
        Self { course, tolerance, responses: Vec::new() }
    }

    /// Notes what was changed and by which part the forecast then moves the wrong way. Where there is none, its fallback
    /// answers or nobody, and that is for others to judge; one that is no number is one of `change`.
    fn note(
        &mut self,
        series: &SeriesId,
        origin: Timestamp,
        found: Result<(String, f64), PredictError>,
        change: &str,
    ) {
        let (change, part) = match found {
            Ok((change, part)) => (change, Some(part)),
            Err(PredictError::NotFinite { .. }) => (change.to_owned(), None),
            Err(
                PredictError::HistoryTooShort { .. }
                | PredictError::NothingKnown
                | PredictError::OffGrid(_)
                | PredictError::MissingCovariate(_),
            ) => return,
        };
        self.responses.push(Response { series: series.clone(), origin, change, part });
    }

    /// By which part the worst of them moves, and which one that is.
    fn worst(&self) -> Option<(f64, &Response)> {
        let moved = self.responses.iter().filter_map(|response| Some((response.part?, response)));
        // The first of several.
        moved.min_by(|(one, _), (other, _)| other.total_cmp(one))
    }

    /// What they hold against the candidate.
    fn objections(&self, contract: &str) -> impl Iterator<Item = Objection> {
        let &Self { course, tolerance, ref responses } = self;
        let others = |counts: &dyn Fn(&Response) -> bool| {
            (responses.iter().filter(|response| counts(response)).count() as u64).saturating_sub(1)
        };
        let no_number = responses.iter().find(|response| response.part.is_none());
        let unusable = no_number.map(|Response { series, origin, change, .. }| Objection::ForecastUnusable {
            side: Side::Candidate,
            series: series.clone(),
            origin: *origin,
            problem: format!("is no number with {change}"),
            others: others(&|response| response.part.is_none()),
        });
        let is_broken = |part: f64| part > tolerance;
        let worst = self.worst().filter(|(part, _)| is_broken(*part));
        let broken = worst.map(|(part, Response { series, origin, change, .. })| Objection::ContractBroken {
            contract: contract.to_owned(),
            series: series.clone(),
            origin: *origin,
            change: change.clone(),
            course,
            part,
            tolerance,
            others: others(&|response| response.part.is_some_and(is_broken)),
        });
        unusable.into_iter().chain(broken)
    }
}

impl Examined {
    fn note(&mut self, contract: &Contract, tested: Tested) {
        let contract = contract.to_string();
        let objections_before = self.objections.len();
        let (probes, worst, untested) = match tested {
            Tested::Untested(why) => (0, None, Some(why)),
            Tested::NoSuchFeature(feature) => {
                let why = format!("has no feature {feature}");
                self.objections.push(Objection::NoSuchFeature { contract: contract.clone(), feature });
                (0, None, Some(why))
            }
            Tested::Coefficient { coefficient, beyond } => {
                let off =
                    |bound| Objection::CoefficientOff { contract: contract.clone(), coefficient, bound };
                self.objections.extend(beyond.map(off));
                (0, Some(beyond.map_or(0.0, |bound| (coefficient - bound).abs().min(f64::MAX))), None)
            }
            Tested::Probed(probed) if probed.responses.is_empty() => {
                (0, None, Some("makes no forecast that it could be tested with".to_owned()))
            }
            Tested::Probed(probed) => {
                self.objections.extend(probed.objections(&contract));
                let count = u32::try_from(probed.responses.len()).unwrap_or(u32::MAX);
                (count, probed.worst().map(|(part, _)| part), None)
            }
        };
        let holds = self.objections.len() == objections_before;
        self.tests.push(ContractTest { contract, probes, worst, holds, untested });
    }

    /// A broken contract is a hard fact.
    pub(super) fn add_to(self, judgement: &mut Judgement) {
        judgement.statistics.contracts = self.tests;
        judgement.verdict.hold_against(self.objections);
    }
}

/// Which way a forecast may not move.
fn against(direction: Direction) -> Course {
    match direction {
        Direction::Increasing => Course::Falls,
        Direction::Decreasing => Course::Rises,
    }
}

#[cfg(test)]
mod tests;
