//! Objects that versions and decisions refer to, and what was condemned.

use database::instant::cut_to_micros;
use forecasting::artifact::ArtifactName;
use jiff::Timestamp;

use super::State;
use crate::{Expired, RegistryError, StoredObject, VersionState, objects::check_not_condemned};

impl State {
    pub(super) fn refer_to(&mut self, object: &StoredObject, began: Timestamp) -> Result<(), RegistryError> {
        check_not_condemned(object, self.objects.get(&object.name).copied().flatten(), began)?;
        self.objects.insert(object.name, None);
        Ok(())
    }

    pub(super) fn is_kept(&self, name: &ArtifactName, expired: &Expired) -> bool {
        let mut versions =
            self.versions.values().flatten().filter(|version| version.proposal.artifact == *name);
        let mut decisions = self
            .decisions
            .iter()
            .filter(|decision| decision.scored_rows.is_some_and(|rows| rows.name == *name));
        versions.any(|version| {
            !matches!(version.state, VersionState::Refused | VersionState::Retired)
                || version.state_since >= expired.versions_before
        }) || decisions.any(|decision| decision.decided_at >= expired.decisions_before)
    }

    pub(super) fn is_needed(&self, name: &ArtifactName) -> bool {
        matches!(self.objects.get(name), Some(None))
    }

    pub(super) fn condemn(&mut self, names: &[ArtifactName], now: Timestamp) {
        self.objects.extend(names.iter().map(|name| (*name, Some(cut_to_micros(now)))));
    }
}
