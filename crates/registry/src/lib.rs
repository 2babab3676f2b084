//! What was declared, trained, decided and is in use, behind one trait: specifications with their versions,
//! train jobs, versions of models, decisions, acts of people, incumbents, edge cases.
//!
//! The registry decides nothing. It sees to it that what is decided happens once: the first of two equal
//! jobs, proposals, decisions or acts wins, an incumbent changes only against the generation that was judged,
//! and no decision promotes past an act that is in force.

mod error;
mod specs;

mod jobs;
mod versions;

mod decisions;
mod incumbents;

mod acts;

mod edge_cases;

mod objects;

pub mod contract;
mod memory;
mod postgres;
mod sqlite;

use std::collections::BTreeMap;

use async_trait::async_trait;
use forecasting::{
    artifact::ArtifactName,
    names::{DatasetName, ModelName},
    spec::{DatasetSpec, ModelSpec},
};
use jiff::Timestamp;

pub use acts::{Act, ActKind, ActRefusal, Acted, InForce, NewAct};
pub use decisions::{Decided, Decision, MAX_LOOKS, NewDecision};
pub use edge_cases::{
    EdgeCaseAdded, EdgeCaseRetired, MAX_EDGE_CASES, NewEdgeCase, Retirement, Statement, StoredEdgeCase,
};
pub use error::{RegistryError, StoreError};
pub use incumbents::{Incumbent, MadeBy};
pub use jobs::{InvalidJobId, Job, JobId};
pub use memory::MemoryRegistry;
pub use objects::{CONDEMNED_FOR, DELETE_WITHIN, Expired, StoredObject};
pub use postgres::PostgresRegistry;
pub use specs::{Applied, Stored};
pub use sqlite::SqliteRegistry;
pub use versions::{InvalidState, Proposal, Version, VersionState};

/// Specifications, jobs, versions, decisions, acts and incumbents. `now` is when the caller acts; instants are
/// kept to the microsecond, finer parts are cut.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Makes a specification the dataset's current one; a new version unless it is that already.
    async fn apply_dataset(&self, spec: &DatasetSpec, now: Timestamp) -> Result<Applied, RegistryError>;

    /// The current specification of a dataset.
    async fn dataset(&self, name: &DatasetName) -> Result<Option<Stored<DatasetSpec>>, RegistryError>;

    /// The specification of a dataset that has this hash, current or not.
    async fn dataset_by_hash(
        &self,
        name: &DatasetName,
        spec_hash: &str,
    ) -> Result<Option<Stored<DatasetSpec>>, RegistryError>;

    /// The current specifications of all datasets, by name.
    async fn datasets(&self) -> Result<Vec<Stored<DatasetSpec>>, RegistryError>;

    /// Makes a specification the model's current one; a new version unless it is that already.
    /// [`RegistryError::UnknownDataset`] if its dataset was never applied.
    async fn apply_model(&self, spec: &ModelSpec, now: Timestamp) -> Result<Applied, RegistryError>;

    /// The current specification of a model.
    async fn model(&self, name: &ModelName) -> Result<Option<Stored<ModelSpec>>, RegistryError>;

    /// The specification of a model that has this hash, current or not.
    async fn model_by_hash(
        &self,
        name: &ModelName,
        spec_hash: &str,
    ) -> Result<Option<Stored<ModelSpec>>, RegistryError>;

    /// The current specifications of all models, by name.
    async fn models(&self) -> Result<Vec<Stored<ModelSpec>>, RegistryError>;

    /// Records a job and returns it, or the one recorded first under its id: that one counts.
    async fn record_job(&self, job: &Job, now: Timestamp) -> Result<Job, RegistryError>;

    /// The job of this id.
    async fn job(&self, id: &JobId) -> Result<Option<Job>, RegistryError>;

    /// Makes what a job's training fitted a version, pending, with the next number of its model; returns
    /// the one that was made first if the job has one. Its artifact was stored at `now` or later, or the
    /// proposal may be refused: see [`CONDEMNED_FOR`].
    async fn propose(&self, proposal: &Proposal, now: Timestamp) -> Result<Version, RegistryError>;

    /// The version that a job's training fitted.
    async fn version_of_job(&self, job: &JobId) -> Result<Option<Version>, RegistryError>;

    /// The version of a model with this number.
    async fn version(&self, model: &ModelName, version: u32) -> Result<Option<Version>, RegistryError>;

    /// The versions of a model, in ascending order of their numbers.
    async fn versions(&self, model: &ModelName) -> Result<Vec<Version>, RegistryError>;

    /// Carries a judgement out, as far as the acts that are in force at `now` allow: the decision, the
    /// candidate's new state, a look at each edge case that it replayed and, for a promotion, the new incumbent, all
    /// or none of them. Its scored rows were stored at `now` or later, likewise.
    async fn decide(&self, decision: &NewDecision, now: Timestamp) -> Result<Decided, RegistryError>;

    /// The decision on a job; of several looks at its candidate, the last one.
    async fn decision_of_job(&self, job: &JobId) -> Result<Option<Decision>, RegistryError>;

    /// The decisions on a job, one for each look at its candidate, in their order.
    async fn looks_of_job(&self, job: &JobId) -> Result<Vec<Decision>, RegistryError>;

    /// The last decisions on pending candidates that lack evidence and may be looked at again, oldest first. Of those that
    /// were trained since a declared shift only the newest waits that was not refused.
    async fn waiting(&self) -> Result<Vec<Decision>, RegistryError>;

    /// The decisions on a model, latest first.
    async fn decisions(&self, model: &ModelName, limit: u32) -> Result<Vec<Decision>, RegistryError>;

    /// Records an act of a person and carries it out, unless it says why not: the act, the states of both
    /// versions and the new incumbent, all or none of them.
    async fn act(&self, act: &NewAct, now: Timestamp) -> Result<Acted, RegistryError>;

    /// The act that a message asked for.
    async fn act_of_message(&self, message_id: &str) -> Result<Option<Act>, RegistryError>;

    /// Every act on a model, in the order in which they were recorded: [`InForce`] says what is left of them.
    async fn acts(&self, model: &ModelName) -> Result<Vec<Act>, RegistryError>;

    /// Puts a past failure into the bank of its model, with the next number, unless an active case says the same.
    async fn add_edge_case(&self, new: &NewEdgeCase, now: Timestamp) -> Result<EdgeCaseAdded, RegistryError>;

    /// Ends an edge case: it stays in the bank, and no candidate replays it any more.
    async fn retire_edge_case(
        &self,
        model: &ModelName,
        number: u32,
        wanted: &Statement,
        now: Timestamp,
    ) -> Result<EdgeCaseRetired, RegistryError>;

    /// Every edge case that a model ever had, in ascending order of their numbers.
    async fn edge_cases(&self, model: &ModelName) -> Result<Vec<StoredEdgeCase>, RegistryError>;

    /// The version in use of a model; `None` if none was ever promoted.
    async fn incumbent(&self, model: &ModelName) -> Result<Option<Incumbent>, RegistryError>;

    /// The versions in use of all models that have one, by name.
    async fn incumbents(&self) -> Result<Vec<Incumbent>, RegistryError>;

    /// Every incumbent that a model ever had, in ascending order of generations: the last one whose
    /// `since` is not after an instant was in use then.
    async fn incumbent_history(&self, model: &ModelName) -> Result<Vec<Incumbent>, RegistryError>;

    /// The latest tick of a model's schedule that was recorded.
    async fn last_tick(&self, model: &ModelName) -> Result<Option<Timestamp>, RegistryError>;

    /// Records that a tick of a model's schedule was carried out, or is not made up for. Recording it again
    /// does nothing.
    async fn record_tick(
        &self,
        model: &ModelName,
        tick: Timestamp,
        now: Timestamp,
    ) -> Result<(), RegistryError>;

    /// Condemns objects of the artifact store that nothing needs any more, oldest first, at most `limit`.
    /// Whoever gets their names deletes them within [`DELETE_WITHIN`] of `now`, or not at all.
    async fn condemn_expired(
        &self,
        expired: &Expired,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<ArtifactName>, RegistryError>;

    /// What was ever referred to or condemned, of the names that begin with this byte: `None` has to be in the
    /// artifact store, the rest was condemned at that instant.
    async fn objects(
        &self,
        first_byte: u8,
    ) -> Result<BTreeMap<ArtifactName, Option<Timestamp>>, RegistryError>;

    /// Condemns those of these objects that do not have to be in the store, to be deleted likewise. The
    /// caller saw that they have lain there for longer than any writer takes.
    async fn condemn_unknown(
        &self,
        objects: &[StoredObject],
        now: Timestamp,
    ) -> Result<Vec<ArtifactName>, RegistryError>;
}
