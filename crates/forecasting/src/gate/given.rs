//! What the gate cannot find out by computing, and so is given.

use super::{EdgeCase, Judgement, Measured};

/// What a judgement is given besides artifacts, actuals and specifications. The gatekeeper finds it out; whoever judges
/// again takes it from the record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    /// What the candidate costs a forecaster; `None`: nobody measured it, and nothing is held against it.
    pub measured: Option<Measured>,
    /// Past failures that the candidate must not repeat.
    pub edge_cases: Vec<EdgeCase>,
}

impl Given {
    /// No more than the artifacts, the actuals and the specifications.
    pub fn nothing() -> &'static Self {
        const NOTHING: Given = Given { measured: None, edge_cases: Vec::new() };
        &NOTHING
    }

    /// What a judgement was given, by its record.
    pub fn to(judgement: &Judgement) -> Self {
        let edge_cases = judgement.statistics.edge_cases.iter().map(|test| test.case.clone()).collect();
        Self { measured: judgement.evidence.measured, edge_cases }
    }
}
