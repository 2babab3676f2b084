//! Decisions, and which of them wait.

use database::instant::cut_to_micros;
use jiff::Timestamp;

use super::State;
use crate::{Decided, Decision, InForce, JobId, MadeBy, NewDecision, RegistryError, Version, VersionState};

impl State {
    pub(super) fn decide(&mut self, new: &NewDecision, now: Timestamp) -> Result<Decided, RegistryError> {
        let latest = self.decision_of_job(&new.job);
        if let Some(decision) = latest.filter(|decision| !decision.awaits(new.look)) {
            return Ok(Decided::AlreadyDecided(decision.clone()));
        }
        let candidate = self.version_of_job(&new.job).cloned();
        new.check(self.job(&new.job)?, candidate.as_ref(), latest)?;
        let current = self.incumbent(&new.model).cloned();
        if new.lost_race(current.as_ref()) {
            return Ok(Decided::LostRace { incumbent: current });
        }
        if let Some(rows) = &new.scored_rows {
            self.refer_to(rows, now)?;
        }
        let id = self.decisions.len() as u64 + 1;
        let deed = new.deed(candidate.as_ref(), &InForce::at(now, self.acts_on(&new.model).cloned()));
        let candidate = candidate.filter(|candidate| Some(candidate.version) == new.version);
        if let (Some(candidate), Some(state)) = (&candidate, deed.state) {
            self.set_state(&new.model, candidate.version, state, now);
        }
        let promoted = candidate
            .filter(|_| deed.promotes)
            .map(|candidate| self.put_into_use(&candidate, current.as_ref(), MadeBy::Decision(id), now));
        let decision = Decision {
            id,
            job: new.job.clone(),
            model: new.model.clone(),
            version: new.version,
            judged_against: new.judged_against,
            look: new.look,
            as_of: cut_to_micros(new.as_of),
            judgement: new.judgement.clone(),
            scored_rows: new.scored_rows,
            decided_at: now,
            promoted,
            barred_by: deed.barred_by,
        };
        self.decisions.push(decision.clone());
        self.count_looks(&new.model, &new.replayed_edge_cases());
        Ok(Decided::Recorded(decision))
    }

    pub(super) fn decision_of_job(&self, job: &JobId) -> Option<&Decision> {
        self.decisions.iter().rev().find(|decision| decision.job == *job)
    }

    pub(super) fn is_waiting(&self, decision: &Decision) -> bool {
        let is_latest = self.decision_of_job(&decision.job).is_some_and(|latest| latest.id == decision.id);
        let candidate = self.version_of_job(&decision.job);
        let is_pending = candidate.is_some_and(|candidate| candidate.state == VersionState::Pending);
        is_latest && is_pending && !self.is_superseded(decision) && decision.awaits(decision.look + 1)
    }

    /// Whether a newer candidate that knows more of the days since a shift has taken the place of this one.
    fn is_superseded(&self, decision: &Decision) -> bool {
        let knows_of_a_shift = |job: &JobId| self.jobs.get(job).is_some_and(|job| job.shift.is_some());
        let supersedes = |other: &Version| {
            let is_newer = Some(other.version) > decision.version && other.state != VersionState::Refused;
            is_newer && knows_of_a_shift(&other.proposal.job)
        };
        knows_of_a_shift(&decision.job)
            && self.versions.get(&decision.model).into_iter().flatten().any(supersedes)
    }
}
