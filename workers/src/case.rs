//! What a candidate is judged on, loaded from what names it. Gatekeepers and whoever judges again for a look take this
//! one way, so that the same grounds are the same judgement, bit for bit.

use std::sync::Arc;

use artifacts::{ArtifactStoreError, DecodedModels, LoadError};
use forecasting::{
    artifact::{ArtifactName, Bundle},
    gate::{Contest, Given, Grounds, Judged, Judgement, RecordedJob, Side, judge},
    learning::{StopFlag, Stopped},
    names::{DatasetName, ModelName},
    routing::AtHand,
    series::{Covariates, Frame},
    spec::{DatasetSpec, GatePolicy, ModelSpec},
};
use history::{History, Range, ReadError};
use jiff::Timestamp;
use registry::{Job, Registry, RegistryError};
use tracing::warn;

use crate::scored_rows;

/// Where a case is loaded from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The specifications.
    pub registry: &'a dyn Registry,
    /// What both sides are scored on.
    pub history: &'a dyn History,
    /// Both sides, loaded the way a forecaster does.
    pub models: &'a DecodedModels,
}

/// Everything that a judgement is found from, in memory.
pub struct Case {
    grounds: Grounds,
    job: Job,
    model: ModelSpec,
    dataset: DatasetSpec,
    candidate: Arc<Bundle>,
    incumbent: Option<Arc<Bundle>>,
    frame: Frame,
    covariates: Covariates,
}

/// What the gate found, and the rows that it was found on as bytes to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What was found.
    pub judgement: Judgement,
    /// The scored rows; `None` if there are none, or more than one artifact holds.
    pub rows: Option<Vec<u8>>,
}

/// Why a case cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The registry was not read.
    #[error("the specifications cannot be read")]
    Registry(#[from] RegistryError),
    /// The history was not read.
    #[error("the history of dataset {dataset} cannot be read")]
    History {
        /// Whose history.
        dataset: DatasetName,
        /// Why not.
        source: ReadError,
    },
    /// No specification of the model has this hash.
    #[error("model {model}: no specification with hash {hash:?} was applied")]
    UnknownModelSpec {
        /// The model.
        model: ModelName,
        /// The hash.
        hash: String,
    },
    /// No specification of the dataset has this hash.
    #[error("dataset {dataset}: no specification with hash {hash:?} was applied")]
    UnknownDatasetSpec {
        /// The dataset.
        dataset: DatasetName,
        /// The hash.
        hash: String,
    },
    /// One of those that compete was not given out, or cannot be used.
    #[error("the {side} cannot be loaded")]
    Side {
        /// Which one.
        side: Side,
        /// Why not.
        source: LoadError,
    },
}

impl Sources<'_> {
    /// What the grounds name, with what was known as of the look.
    pub async fn case(&self, job: &Job, grounds: &Grounds, as_of: Timestamp) -> Result<Case, CaseError> {
        let model = self.model(&job.model, &grounds.spec_hash).await?;
        let dataset = self.dataset(&model.dataset, &grounds.dataset_hash).await?;
        let candidate = self.bundle(Side::Candidate, &grounds.candidate).await?;
        let incumbent = match &grounds.incumbent {
            Some(artifact) => Some(self.bundle(Side::Incumbent, artifact).await?),
            None => None,
        };
        let (name, grid) = (&dataset.name, dataset.grid());
        let range = Range { as_of: Some(as_of), ..Range::default() };
        let unread = |source| CaseError::History { dataset: name.clone(), source };
        let frame = self.history.read(name, &grid, &range).await.map_err(unread)?;
        let covariates =
            self.history.covariates(name, &grid, &dataset.covariates, &range).await.map_err(unread)?;
        let (grounds, job) = (grounds.clone(), job.clone());
        Ok(Case { grounds, job, model, dataset, candidate, incumbent, frame, covariates })
    }

    async fn model(&self, model: &ModelName, hash: &str) -> Result<ModelSpec, CaseError> {
        let stored = self.registry.model_by_hash(model, hash).await?;
        let unknown = || CaseError::UnknownModelSpec { model: model.clone(), hash: hash.to_owned() };
        stored.map(|stored| stored.spec).ok_or_else(unknown)
    }

    async fn dataset(&self, dataset: &DatasetName, hash: &str) -> Result<DatasetSpec, CaseError> {
        let stored = self.registry.dataset_by_hash(dataset, hash).await?;
        let unknown = || CaseError::UnknownDatasetSpec { dataset: dataset.clone(), hash: hash.to_owned() };
        stored.map(|stored| stored.spec).ok_or_else(unknown)
    }

    async fn bundle(&self, side: Side, artifact: &ArtifactName) -> Result<Arc<Bundle>, CaseError> {
        self.models.get(artifact).await.map_err(|source| CaseError::Side { side, source })
    }
}

impl Case {
    /// The model's specification, with the policy that the candidate is judged by.
    pub fn model(&self) -> &ModelSpec {
        &self.model
    }

    /// The same case under another policy, which is for a look only: its grounds name the policy in force.
    #[must_use]
    pub fn under(self, policy: GatePolicy) -> Self {
        Self { model: ModelSpec { gate: policy, ..self.model }, ..self }
    }

    /// The specification of the model's dataset.
    pub(crate) fn dataset(&self) -> &DatasetSpec {
        &self.dataset
    }

    /// What is known, as of the look.
    pub(crate) fn at_hand(&self) -> AtHand<'_> {
        AtHand { history: &self.frame, covariates: Some(&self.covariates) }
    }

    /// Judges: seconds of computation.
    ///
    /// # Errors
    /// [`Stopped`] if the stop flag was set meanwhile.
    pub fn judge(&self, given: &Given, stop: &StopFlag) -> Result<Found, Stopped> {
        let Job { spec_hash, as_of, cut_off, shift, .. } = &self.job;
        let judged = judge(&Contest {
            model: &self.model,
            dataset: &self.dataset,
            candidate: &self.candidate,
            job: RecordedJob { spec_hash, as_of: *as_of, cut_off: *cut_off, shift: *shift },
            incumbent: self.incumbent.as_deref(),
            frame: &self.frame,
            covariates: &self.covariates,
            given,
            stop,
        })?;
        Ok(Found::of(judged.judgement.clone(), &self.grounds).on_rows(&judged))
    }
}

impl Found {
    /// What is found where a training ended without a candidate.
    pub fn nobody(reason: &str) -> Self {
        Self { judgement: Judgement::no_candidate(reason), rows: None }
    }

    /// A judgement that rests on no rows.
    fn of(judgement: Judgement, grounds: &Grounds) -> Self {
        Self { judgement: Judgement { grounds: Some(grounds.clone()), ..judgement }, rows: None }
    }

    fn on_rows(self, judged: &Judged<'_>) -> Self {
        let count = self.judgement.evidence.rows;
        if count == 0 {
            return self;
        }
        let rows = scored_rows::encode(judged.rows());
        if rows.is_none() {
            warn!(
                rows = count,
                "the {count} rows of a verdict are more than one artifact holds: they are not kept"
            );
        }
        Self { rows, ..self }
    }
}

impl CaseError {
    /// What is found where a side cannot be loaded, now or later: what is in use stays. `None` where another attempt
    /// may find it, or where something else is the matter.
    pub fn found(&self, grounds: &Grounds) -> Option<Found> {
        let Self::Side { side, source } = self else { return None };
        match source {
            LoadError::Store(ArtifactStoreError::Unavailable { .. }) => None,
            LoadError::Store(
                ArtifactStoreError::Missing { .. }
                | ArtifactStoreError::Damaged { .. }
                | ArtifactStoreError::TooLarge { .. },
            )
            | LoadError::Unusable { .. } => {
                let problem = anyhow::Error::from(source.clone());
                let judgement =
                    Judgement::not_comparable(format!("the {side} cannot be loaded: {problem:#}"));
                Some(Found::of(judgement, grounds))
            }
        }
    }
}
