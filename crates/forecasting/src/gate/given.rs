//! What the gate cannot find out by computing, and so is given.

use super::{EdgeCase, Judgement, Look, Measured, PastLook, Statistics};

/// What a judgement is given besides artifacts, actuals and specifications. The gatekeeper finds it out; whoever judges
/// again takes it from the record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    /// What the candidate costs a forecaster; `None`: nobody measured it, and nothing is held against it.
    pub measured: Option<Measured>,
    /// Past failures that the candidate must not repeat.
    pub edge_cases: Vec<EdgeCase>,
    /// Where among the looks at the candidate this one stands.
    pub look: Look,
    /// What was decided about the model before, further looks at this candidate included: how often its rows were looked
    /// at is counted from it, and nothing else depends on it.
    pub earlier: Vec<PastLook>,
}

impl Given {
    /// No more than the artifacts, the actuals and the specifications, at a first look.
    pub fn nothing() -> &'static Self {
        static NOTHING: Given =
            Given { measured: None, edge_cases: Vec::new(), look: Look::FIRST, earlier: Vec::new() };
        &NOTHING
    }

    /// What the judgement of this look at a candidate was given, by its record. What had been decided before is
    /// not in there: how it was counted is.
    pub fn to(judgement: &Judgement, look: u32) -> Self {
        let Statistics { average, since_shift, .. } = &judgement.statistics;
        let (compared, bet) = (u32::from(average.is_some()), u32::from(since_shift.is_some()));
        Self {
            measured: judgement.evidence.measured,
            edge_cases: judgement.statistics.edge_cases.iter().map(|test| test.case.clone()).collect(),
            look: Look {
                number: look,
                compared_before: judgement.looks.at_candidate.saturating_sub(compared),
                bets_before: judgement.looks.bets_at_candidate.saturating_sub(bet),
            },
            earlier: Vec::new(),
        }
    }
}
