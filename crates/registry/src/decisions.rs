//! Decisions: verdicts that were carried out, each once.

use forecasting::{
    gate::{Judgement, Verdict},
    names::ModelName,
};
use jiff::Timestamp;

use crate::{Act, InForce, Incumbent, Job, JobId, RegistryError, StoredObject, Version, VersionState};

/// Looks at a candidate: the first, and two more if it lacks evidence. The gate spends its `alpha` on as many. Where bets
/// are made on one there may be a look at each besides ([`Judgement::awaits_bets`]).
pub const MAX_LOOKS: u32 = forecasting::gate::MAX_LOOKS;

/// A judgement to carry out.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDecision {
    /// The job whose candidate was judged.
    pub job: JobId,
    /// The model of the job.
    pub model: ModelName,
    /// The candidate; `None` if there was none.
    pub version: Option<u32>,
    /// Generation of the incumbent that it was judged against; `None` if there was none.
    pub judged_against: Option<u64>,
    /// Which look at the candidate it is, from 1.
    pub look: u32,
    /// What was recorded by then was looked at.
    pub as_of: Timestamp,
    /// What the gate found.
    pub judgement: Judgement,
    /// The rows that it was found on, already in the artifact store; `None` if none are kept.
    pub scored_rows: Option<StoredObject>,
}

/// What became of a judgement.
#[derive(Debug, Clone, PartialEq)]
pub enum Decided {
    /// It was carried out.
    Recorded(Decision),
    /// The job was decided before, and another look is not due; nothing was changed. To be announced again:
    /// whoever decided it may have died before.
    AlreadyDecided(Decision),
    /// The incumbent is not the one that was judged against, or the winner has not replayed an edge case that is in the
    /// bank; nothing was changed. To be judged again.
    LostRace {
        /// The incumbent there is.
        incumbent: Option<Incumbent>,
    },
}

/// A judgement that was carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Grows from decision to decision.
    pub id: u64,
    /// The job that ended with it.
    pub job: JobId,
    /// The model of the job.
    pub model: ModelName,
    /// The candidate; `None` if there was none.
    pub version: Option<u32>,
    /// Generation of the incumbent that it was judged against; `None` if there was none.
    pub judged_against: Option<u64>,
    /// Which look at the candidate it was: only one that lacked evidence is looked at again, at most to
    /// [`MAX_LOOKS`] besides those by bets.
    pub look: u32,
    /// What was recorded by then was looked at.
    pub as_of: Timestamp,
    /// What the gate found, whole.
    pub judgement: Judgement,
    /// The rows that it was found on, in the artifact store until they have expired; `None` if none were kept.
    pub scored_rows: Option<StoredObject>,
    /// When it was carried out.
    pub decided_at: Timestamp,
    /// The incumbent that it made, if it promoted.
    pub promoted: Option<Incumbent>,
    /// The act of a person that kept the candidate out although the gate would have let it in.
    pub barred_by: Option<Act>,
}

/// What is done about a verdict.
#[derive(Debug, Default)]
pub(crate) struct Deed {
    /// What becomes of the candidate; `None`: it stays what it is.
    pub(crate) state: Option<VersionState>,
    /// Whether it becomes the incumbent.
    pub(crate) promotes: bool,
    /// What keeps it from that.
    pub(crate) barred_by: Option<Act>,
}

impl Decision {
    /// Whether this look is the next one that the candidate waits for.
    pub fn awaits(&self, look: u32) -> bool {
        let lacks_evidence = matches!(self.judgement.verdict, Verdict::NotEnoughEvidence(_));
        let besides_bets = look.saturating_sub(self.judgement.looks.bets_at_candidate);
        let is_allowed = besides_bets <= MAX_LOOKS || self.judgement.awaits_bets();
        lacks_evidence && look == self.look + 1 && is_allowed
    }
}

/// Whether a candidate that waited was refused without a look of its own: a newer winner took its place.
pub(crate) fn was_ended(candidate: Option<&Version>) -> bool {
    candidate.is_some_and(|candidate| candidate.state == VersionState::Refused)
}

impl NewDecision {
    pub(crate) fn is_to_promote(&self) -> bool {
        matches!(self.judgement.verdict, Verdict::Promote)
    }

    /// The verdict is what was found; what a person ordered has its say about what is done.
    pub(crate) fn deed(&self, made: Option<&Version>, in_force: &InForce) -> Deed {
        let Some(version) = self.version else { return Deed::default() };
        if made.is_some_and(|made| made.state != VersionState::Pending) {
            // A person put it into use before its verdict came, and perhaps rolled it back: that stays as it is.
            return Deed::default();
        }
        let barred_by = in_force.bar(version).filter(|_| self.is_to_promote()).cloned();
        let state = match &barred_by {
            Some(_) => VersionState::Refused,
            None => VersionState::after(&self.judgement.verdict),
        };
        Deed { state: Some(state), promotes: self.is_to_promote() && barred_by.is_none(), barred_by }
    }

    /// What is decided must be what the job made: a mixed-up message changes nothing.
    pub(crate) fn check(
        &self,
        job: &Job,
        made: Option<&Version>,
        latest: Option<&Decision>,
    ) -> Result<(), RegistryError> {
        let problem = match self.version {
            _ if latest.is_none() && self.look != 1 => {
                format!("was never decided, this is look {}", self.look)
            }
            _ if self.model != job.model => {
                format!("trains {}, its decision is about {}", job.model, self.model)
            }
            None if self.is_to_promote() => "is to promote, but names no version".to_owned(),
            Some(version) if made.is_none_or(|made| made.version != version) => {
                format!("did not make version {version} of {}", self.model)
            }
            _ => return Ok(()),
        };
        Err(RegistryError::Contradiction { job: job.id.clone(), problem })
    }

    /// Whether somebody changed the incumbent since it was judged against.
    pub(crate) fn lost_race(&self, incumbent: Option<&Incumbent>) -> bool {
        self.judged_against != incumbent.map(|incumbent| incumbent.generation)
    }
}
