//! The bank of edge cases: past failures that every candidate of a model replays until somebody retires them.

use database::instant::cut_to_micros;
use forecasting::{
    gate::{EdgeCase, ErrorBound},
    names::ModelName,
};
use jiff::Timestamp;

use crate::NewDecision;

/// The most edge cases of one model that are replayed.
pub const MAX_EDGE_CASES: usize = 500;

/// Who says something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A past failure to be put into the bank of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEdgeCase {
    /// The model.
    pub model: ModelName,
    /// What its candidates have to keep. The caller saw that it can be tested.
    pub bound: ErrorBound,
    /// Who wants that, and why.
    pub wanted: Statement,
}

/// An edge case in the bank.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEdgeCase {
    /// The model.
    pub model: ModelName,
    /// The case.
    pub case: EdgeCase,
    /// Who put it there, and why.
    pub added: Statement,
    /// When that was.
    pub added_at: Timestamp,
    /// Decisions on candidates that had replayed it: the more there are, the more the model's recipes may have been
    /// chosen to pass it.
    pub looks: u64,
    /// Why no candidate replays it any more; `None`: each does.
    pub retired: Option<Retirement>,
}

/// The end of an edge case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirement {
    /// Who retired it, and why.
    pub wanted: Statement,
    /// When.
    pub at: Timestamp,
}

/// What became of a new edge case.
#[derive(Debug, Clone, PartialEq)]
pub enum EdgeCaseAdded {
    /// It is in the bank.
    Recorded(StoredEdgeCase),
    /// An active case says the same; nothing was changed.
    ThereAlready(StoredEdgeCase),
    /// The model has [`MAX_EDGE_CASES`] that are active; nothing was changed.
    BankFull,
}

/// What became of the wish to retire an edge case.
#[derive(Debug, Clone, PartialEq)]
pub enum EdgeCaseRetired {
    /// No candidate replays it any more.
    Recorded(StoredEdgeCase),
    /// It was retired before; nothing was changed.
    RetiredBefore(StoredEdgeCase),
    /// The model has no case of this number.
    Unknown,
}

impl StoredEdgeCase {
    /// Whether candidates replay it.
    pub fn is_active(&self) -> bool {
        self.retired.is_none()
    }
}

/// Where a new edge case goes.
pub(crate) enum Place<'a> {
    /// Under this number.
    Number(u32),
    /// Where it is already.
    Same(&'a StoredEdgeCase),
    /// Nowhere.
    Full,
}

impl NewEdgeCase {
    /// The bound as the registry gives it back.
    pub(crate) fn storable_bound(&self) -> ErrorBound {
        let (from, to) = (cut_to_micros(self.bound.from), cut_to_micros(self.bound.to));
        ErrorBound { from, to, ..self.bound.clone() }
    }

    /// Its place among all cases of its model, retired ones too: a number is never used twice.
    pub(crate) fn place<'a>(&self, cases: &'a [StoredEdgeCase]) -> Place<'a> {
        let bound = self.storable_bound();
        let mut active = cases.iter().filter(|stored| stored.is_active());
        if let Some(same) = active.clone().find(|stored| stored.case.bound == bound) {
            return Place::Same(same);
        }
        if active.nth(MAX_EDGE_CASES - 1).is_some() {
            return Place::Full;
        }
        let last = cases.iter().map(|stored| stored.case.number).max();
        Place::Number(last.unwrap_or(0) + 1)
    }
}

impl NewDecision {
    /// Numbers of the edge cases that the candidate replayed.
    pub(crate) fn replayed_edge_cases(&self) -> Vec<u32> {
        self.judgement.statistics.edge_cases.iter().map(|test| test.case.number).collect()
    }

    /// Whether it would let in a candidate that has not replayed all of its model's bank: somebody added a case while it
    /// was judged.
    pub(crate) fn has_missed_one_of(&self, bank: &[StoredEdgeCase]) -> bool {
        let replayed = self.replayed_edge_cases();
        let is_missed =
            |stored: &StoredEdgeCase| stored.is_active() && !replayed.contains(&stored.case.number);
        self.is_to_promote() && bank.iter().any(is_missed)
    }
}

#[cfg(test)]
mod tests {
    use forecasting::names::SeriesId;

    use super::*;

    fn new(limit: f64) -> NewEdgeCase {
        let bound = ErrorBound {
            series: vec![SeriesId::new("dc").expect("an id")],
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::MAX,
            limit,
        };
        let wanted = Statement { by: "ann".to_owned(), reason: "a storm".to_owned() };
        NewEdgeCase { model: ModelName::new("bike-demand").expect("a name"), bound, wanted }
    }

    fn stored(number: u32, limit: f64, is_retired: bool) -> StoredEdgeCase {
        let NewEdgeCase { model, wanted, .. } = new(limit);
        let at = Timestamp::UNIX_EPOCH;
        StoredEdgeCase {
            model,
            case: EdgeCase { number, bound: new(limit).storable_bound() },
            added: wanted.clone(),
            added_at: at,
            looks: 0,
            retired: is_retired.then_some(Retirement { wanted, at }),
        }
    }

    fn number(place: &Place<'_>) -> Option<u32> {
        match place {
            Place::Number(number) => Some(*number),
            Place::Same(_) | Place::Full => None,
        }
    }

    #[test]
    fn a_number_is_never_used_twice() {
        assert_eq!(number(&new(1.0).place(&[])), Some(1));
        let retired = [stored(1, 1.0, false), stored(4, 2.0, true)];
        assert_eq!(number(&new(2.0).place(&retired)), Some(5));
    }

    #[test]
    fn what_an_active_case_says_is_not_said_twice() {
        let both = [stored(1, 1.0, true), stored(2, 1.0, false)];
        assert!(matches!(new(1.0).place(&both), Place::Same(case) if case.case.number == 2));
        assert_eq!(number(&new(1.0).place(&both[..1])), Some(2));
    }

    #[test]
    fn a_bank_is_full_of_active_cases_only() {
        let last = u32::try_from(MAX_EDGE_CASES).expect("is small");
        let mut all: Vec<_> = (1..=last).map(|number| stored(number, f64::from(number), false)).collect();
        assert!(matches!(new(0.5).place(&all), Place::Full));
        assert!(matches!(new(1.0).place(&all), Place::Same(_)), "one that is there needs no room");
        all[0] = stored(1, 1.0, true);
        assert_eq!(number(&new(0.5).place(&all)), Some(last + 1));
    }
}
