//! Versions and their states.

use forecasting::names::ModelName;
use jiff::Timestamp;

use super::State;
use crate::{JobId, RegistryError, Version, VersionState};

impl State {
    pub(super) fn version_of_job(&self, job: &JobId) -> Option<&Version> {
        self.versions.values().flatten().find(|version| version.proposal.job == *job)
    }

    pub(super) fn known_version(&self, model: &ModelName, version: u32) -> Result<&Version, RegistryError> {
        let mut versions = self.versions.get(model).into_iter().flatten();
        let known = versions.find(|known| known.version == version);
        known.ok_or_else(|| RegistryError::UnknownVersion { model: model.clone(), version })
    }

    pub(super) fn set_state(&mut self, model: &ModelName, version: u32, state: VersionState, now: Timestamp) {
        let versions = self.versions.get_mut(model).into_iter().flatten();
        for version in versions.filter(|candidate| candidate.version == version) {
            if version.state != state {
                (version.state, version.state_since) = (state, now);
            }
        }
    }
}
