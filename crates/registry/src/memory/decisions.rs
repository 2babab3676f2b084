//! Decisions, and which of them wait.

use database::instant::cut_to_micros;
use forecasting::names::ModelName;
use jiff::Timestamp;

use super::State;
use crate::{
    Decided, Decision, InForce, JobId, MadeBy, NewDecision, RegistryError, Version, VersionState,
    decisions::was_ended,
};

impl State {
    pub(super) fn decide(&mut self, new: &NewDecision, now: Timestamp) -> Result<Decided, RegistryError> {
        let latest = self.decision_of_job(&new.job);
        if let Some(decision) = latest.filter(|decision| !decision.awaits(new.look)) {
            return Ok(Decided::AlreadyDecided(decision.clone()));
        }
        let candidate = self.version_of_job(&new.job).cloned();
        if let Some(decision) = latest.filter(|_| was_ended(candidate.as_ref())) {
            return Ok(Decided::AlreadyDecided(decision.clone()));
        }
        new.check(self.job(&new.job)?, candidate.as_ref(), latest)?;
        let current = self.incumbent(&new.model).cloned();
        let bank = self.edge_cases.get(&new.model).map_or(&[][..], Vec::as_slice);
        if new.lost_race(current.as_ref()) || new.has_missed_one_of(bank) {
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
        if self.knows_of_a_shift(&new.job) {
            self.end_superseded(&new.model, now);
        }
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
        let supersedes = |other: &Version| {
            let is_newer = Some(other.version) > decision.version && other.state != VersionState::Refused;
            is_newer && self.knows_of_a_shift(&other.proposal.job)
        };
        self.knows_of_a_shift(&decision.job)
            && self.versions.get(&decision.model).into_iter().flatten().any(supersedes)
    }

    /// Refuses the judged candidates since a shift that wait and are older than one that was put into use: nobody looks
    /// at them any more.
    fn end_superseded(&mut self, model: &ModelName, now: Timestamp) {
        let since_shift = || {
            let versions = self.versions.get(model).into_iter().flatten();
            versions.filter(|version| self.knows_of_a_shift(&version.proposal.job))
        };
        let won =
            |version: &&Version| matches!(version.state, VersionState::Promoted | VersionState::Retired);
        let winner = since_shift().filter(won).map(|winner| winner.version).max();
        let waits = |older: &&Version| {
            let was_judged = self.decision_of_job(&older.proposal.job).is_some();
            Some(older.version) < winner && older.state == VersionState::Pending && was_judged
        };
        let ended: Vec<u32> = since_shift().filter(waits).map(|older| older.version).collect();
        for version in ended {
            self.set_state(model, version, VersionState::Refused, now);
        }
    }

    fn knows_of_a_shift(&self, job: &JobId) -> bool {
        self.jobs.get(job).is_some_and(|job| job.shift.is_some())
    }
}
