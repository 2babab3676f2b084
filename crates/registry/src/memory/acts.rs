//! Acts of people.

use database::instant::cut_to_micros;
use forecasting::names::ModelName;
use jiff::Timestamp;

use super::State;
use crate::{Act, Acted, InForce, MadeBy, NewAct, RegistryError, VersionState};

impl State {
    pub(super) fn act(&mut self, new: &NewAct, now: Timestamp) -> Result<Acted, RegistryError> {
        if let Some(act) = self.act_of_message(&new.message_id) {
            return Ok(Acted::AlreadyRecorded(act.clone()));
        }
        self.check_model(&new.model)?;
        let current = self.incumbent(&new.model).cloned();
        let in_force = InForce::at(now, self.acts_on(&new.model).cloned());
        if new.lost_race(current.as_ref(), &in_force) {
            return Ok(Acted::LostRace);
        }
        let successor = match new.puts_into_use() {
            Some(version) => Some(self.known_version(&new.model, version)?.clone()),
            None => None,
        };
        if successor.as_ref().is_some_and(|version| !self.is_needed(&version.proposal.artifact)) {
            return Ok(Acted::ArtifactExpired);
        }
        let act = Act {
            id: self.acts.len() as u64 + 1,
            message_id: new.message_id.clone(),
            model: new.model.clone(),
            kind: new.kind,
            by: new.by.clone(),
            reason: new.reason.clone(),
            expires: new.expires.map(cut_to_micros),
            acted_at: now,
            refusal: new.refusal.clone(),
        };
        if let Some(version) = successor {
            self.set_state(&new.model, version.version, VersionState::Promoted, now);
            self.put_into_use(&version, current.as_ref(), MadeBy::Act(Box::new(act.clone())), now);
        }
        self.acts.push(act.clone());
        Ok(Acted::Recorded(act))
    }

    pub(super) fn act_of_message(&self, message_id: &str) -> Option<&Act> {
        self.acts.iter().find(|act| act.message_id == message_id)
    }

    pub(super) fn acts_on(&self, model: &ModelName) -> impl Iterator<Item = &Act> {
        self.acts.iter().filter(move |act| act.model == *model)
    }
}
