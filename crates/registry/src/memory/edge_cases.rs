//! The bank of edge cases.

use forecasting::{gate::EdgeCase, names::ModelName};
use jiff::Timestamp;

use super::State;
use crate::{
    EdgeCaseAdded, EdgeCaseRetired, NewEdgeCase, RegistryError, Retirement, Statement, StoredEdgeCase,
    edge_cases::Place,
};

impl State {
    pub(super) fn add_edge_case(
        &mut self,
        new: &NewEdgeCase,
        now: Timestamp,
    ) -> Result<EdgeCaseAdded, RegistryError> {
        self.check_model(&new.model)?;
        let cases = self.edge_cases.entry(new.model.clone()).or_default();
        let number = match new.place(cases) {
            Place::Number(number) => number,
            Place::Same(case) => return Ok(EdgeCaseAdded::ThereAlready(case.clone())),
            Place::Full => return Ok(EdgeCaseAdded::BankFull),
        };
        let added = StoredEdgeCase {
            model: new.model.clone(),
            case: EdgeCase { number, bound: new.storable_bound() },
            added: new.wanted.clone(),
            added_at: now,
            looks: 0,
            retired: None,
        };
        cases.push(added.clone());
        Ok(EdgeCaseAdded::Recorded(added))
    }

    pub(super) fn retire_edge_case(
        &mut self,
        model: &ModelName,
        number: u32,
        wanted: &Statement,
        now: Timestamp,
    ) -> Result<EdgeCaseRetired, RegistryError> {
        self.check_model(model)?;
        let mut cases = self.edge_cases.get_mut(model).into_iter().flatten();
        let Some(stored) = cases.find(|stored| stored.case.number == number) else {
            return Ok(EdgeCaseRetired::Unknown);
        };
        if !stored.is_active() {
            return Ok(EdgeCaseRetired::RetiredBefore(stored.clone()));
        }
        stored.retired = Some(Retirement { wanted: wanted.clone(), at: now });
        Ok(EdgeCaseRetired::Recorded(stored.clone()))
    }

    pub(super) fn count_looks(&mut self, model: &ModelName, numbers: &[u32]) {
        let cases = self.edge_cases.get_mut(model).into_iter().flatten();
        for stored in cases.filter(|stored| numbers.contains(&stored.case.number)) {
            stored.looks += 1;
        }
    }
}
