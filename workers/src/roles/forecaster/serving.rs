//! Which version answers for which model.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use artifacts::DecodedModels;
use forecasting::{
    artifact::{ArtifactName, Bundle},
    names::ModelName,
    routing::{Live, Serving},
    spec::{DatasetSpec, ModelSpec},
};
use jiff::Timestamp;
use protocol::messages::ModelPromoted;
use registry::{Incumbent, Registry, RegistryError};
use tracing::{error, info};

use super::local_copy::{PointedAt, Pointer, Pointers};
use crate::metrics;

/// The models that a forecaster can answer for, each with its incumbent.
#[derive(Default)]
pub struct ServingModels {
    by_name: RwLock<HashMap<ModelName, Arc<Serving>>>,
}

/// What became of an announced incumbent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It answers from now on.
    Switched,
    /// A newer one, or the same, answers already.
    Old,
    /// The model's specification is not known here, or the artifact cannot be loaded: what answered
    /// goes on answering, until the next look into the registry.
    NotServable,
}

impl ServingModels {
    /// What answers for `model`; none if no such specification is known.
    pub fn current(&self, model: &ModelName) -> Option<Arc<Serving>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(model).cloned()
    }

    /// Everything that answers.
    pub fn all(&self) -> Vec<Arc<Serving>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Takes over specifications and incumbents from the registry, which is the truth.
    ///
    /// # Errors
    /// If the registry cannot be read; everything stays as it was then.
    pub async fn look(
        &self,
        registry: &dyn Registry,
        models: &DecodedModels,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        let datasets: HashMap<_, _> = registry
            .datasets()
            .await?
            .into_iter()
            .map(|stored| (stored.spec.name.clone(), stored.spec))
            .collect();
        let specs = registry.models().await?;
        let incumbents = registry.incumbents().await?;
        for model in specs {
            if let Some(dataset) = datasets.get(&model.spec.dataset) {
                self.know(&model.spec, dataset);
            }
        }
        for incumbent in &incumbents {
            metrics::in_use(&incumbent.model, incumbent.since, now);
            self.switch(&Announced::from(incumbent), models).await;
        }
        Ok(())
    }

    /// Takes over what the local copy points at, as far as it is newer than what answers.
    pub async fn restore(&self, pointers: &Pointers, models: &DecodedModels) {
        for pointer in &pointers.models {
            self.know(&pointer.model, &pointer.dataset);
            if let Some(at) = &pointer.incumbent {
                let announced = Announced {
                    model: pointer.model.name.clone(),
                    version: at.version,
                    generation: at.generation,
                    artifact: at.artifact,
                };
                self.switch(&announced, models).await;
            }
        }
    }

    /// What a local copy has to know.
    pub fn pointers(&self, looked_at: Timestamp) -> Pointers {
        let pointer = |serving: &Arc<Serving>| Pointer {
            model: serving.model.clone(),
            dataset: serving.dataset.clone(),
            incumbent: serving.incumbent.as_ref().map(|live| PointedAt {
                version: live.version,
                generation: live.generation,
                artifact: live.artifact,
            }),
        };
        let mut models: Vec<Pointer> = self.all().iter().map(pointer).collect();
        models.sort_by(|one, other| one.model.name.cmp(&other.model.name));
        Pointers { looked_at, models }
    }

    /// Hears that a version was promoted. An event is a hint and may come late, twice or out of order.
    pub async fn hear(&self, event: &ModelPromoted, models: &DecodedModels) -> Heard {
        let (Ok(model), Ok(artifact)) = (ModelName::new(event.model.as_str()), event.artifact.sha256.parse())
        else {
            error!(model = %event.model, "a model-promoted event names no model or no artifact");
            return Heard::NotServable;
        };
        let announced = Announced { model, version: event.version, generation: event.generation, artifact };
        self.switch(&announced, models).await
    }

    /// The model with this specification can be asked for.
    fn know(&self, model: &ModelSpec, dataset: &DatasetSpec) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let known = by_name.get(&model.name);
        if known.is_some_and(|serving| serving.model == *model && serving.dataset == *dataset) {
            return;
        }
        let incumbent = known.and_then(|serving| serving.incumbent.clone());
        let serving = Serving { model: model.clone(), dataset: dataset.clone(), incumbent };
        by_name.insert(model.name.clone(), Arc::new(serving));
    }

    /// Loads the announced incumbent into memory, then switches to it, unless a newer one answers.
    async fn switch(&self, announced: &Announced, models: &DecodedModels) -> Heard {
        let Announced { model, version, generation, artifact } = announced;
        match self.current(model) {
            None => return Heard::NotServable,
            Some(serving) if serving.generation() >= *generation => return Heard::Old,
            Some(_) => {}
        }
        let bundle = match models.get(artifact).await {
            Ok(bundle) if bundle.model == *model => bundle,
            Ok(other) => {
                error!(%model, version, "artifact {artifact} of {model} is one of model {}: not served", other.model);
                return Heard::NotServable;
            }
            Err(fault) => {
                let fault = anyhow::Error::from(fault);
                error!(%model, version, "version {version} of {model} cannot be loaded, what answered goes on: {fault:#}");
                return Heard::NotServable;
            }
        };
        let heard = self.replace(announced, bundle);
        if heard == Heard::Switched {
            info!(%model, version, generation, "version {version} of {model} answers from now on");
        }
        heard
    }

    fn replace(&self, announced: &Announced, bundle: Arc<Bundle>) -> Heard {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = by_name.get(&announced.model) else {
            return Heard::NotServable;
        };
        // Another event may have switched while this one was loading.
        if known.generation() >= announced.generation {
            return Heard::Old;
        }
        let live = Live {
            version: announced.version,
            generation: announced.generation,
            artifact: announced.artifact,
            bundle,
        };
        let serving = Serving { incumbent: Some(live), ..Serving::clone(known) };
        by_name.insert(announced.model.clone(), Arc::new(serving));
        Heard::Switched
    }
}

/// An incumbent by name, from an event or from the registry.
struct Announced {
    model: ModelName,
    version: u32,
    generation: u64,
    artifact: ArtifactName,
}

impl From<&Incumbent> for Announced {
    fn from(incumbent: &Incumbent) -> Self {
        Self {
            model: incumbent.model.clone(),
            version: incumbent.version,
            generation: incumbent.generation,
            artifact: incumbent.artifact,
        }
    }
}
