//! Who is in use.

use forecasting::names::ModelName;
use jiff::Timestamp;

use super::State;
use crate::{Incumbent, MadeBy, Version, VersionState, incumbents::succession};

impl State {
    pub(super) fn incumbent(&self, model: &ModelName) -> Option<&Incumbent> {
        self.incumbents.get(model).and_then(|history| history.last())
    }

    pub(super) fn put_into_use(
        &mut self,
        version: &Version,
        current: Option<&Incumbent>,
        made_by: MadeBy,
        now: Timestamp,
    ) -> Incumbent {
        let model = &version.proposal.model;
        if let Some(current) = current {
            self.set_state(model, current.version, VersionState::Retired, now);
        }
        let (generation, since) = succession(current, now);
        let incumbent = Incumbent {
            model: model.clone(),
            version: version.version,
            generation,
            artifact: version.proposal.artifact,
            size_bytes: version.proposal.size_bytes,
            since,
            previous_version: current.map(|current| current.version),
            made_by,
        };
        self.incumbents.entry(model.clone()).or_default().push(incumbent.clone());
        incumbent
    }
}
