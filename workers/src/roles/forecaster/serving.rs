//! Which version answers for which model.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::anyhow;
use artifacts::DecodedModels;
use forecasting::{
    artifact::{ArtifactName, Bundle},
    names::ModelName,
    routing::{Live, Serving},
    spec::{DatasetSpec, ModelSpec},
};
use jiff::Timestamp;
use protocol::messages::{ActRecorded, ArtifactReference, ModelPromoted};
use registry::{Incumbent, Registry, RegistryError};
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::local_copy::{PointedAt, Pointer, Pointers};
use crate::metrics;

/// An artifact that takes longer to load cannot be had for now.
const LOAD_LIMIT: Duration = Duration::from_secs(30);

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
        self.by_name().into_values().collect()
    }

    /// Everything that answers, by model.
    pub fn by_name(&self) -> HashMap<ModelName, Arc<Serving>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does as the registry says, which is the truth: of what answered `before` the registry was read, nothing
    /// stays that the registry does not know. It may be another one than before, or have been restored from a
    /// backup. Returns what could not be brought up to date.
    pub async fn follow(
        &self,
        found: &InRegistry,
        before: &HashMap<ModelName, Arc<Serving>>,
        models: &DecodedModels,
    ) -> Vec<String> {
        for (model, dataset) in &found.models {
            self.know(model, dataset);
        }
        self.forget_unknown(found, before);
        let mut behind = Vec::new();
        for incumbent in &found.incumbents {
            let before = before.get(&incumbent.model).map(Arc::as_ref);
            if self.switch(&Announced::from(incumbent), before, models).await == Heard::NotServable {
                behind.push(format!("version {} of {}", incumbent.version, incumbent.model));
            }
        }
        behind
    }

    /// Forgets models and incumbents that the registry does not have, if they answered `before` it was read.
    fn forget_unknown(&self, found: &InRegistry, before: &HashMap<ModelName, Arc<Serving>>) {
        let models: HashSet<&ModelName> = found.models.iter().map(|(model, _)| &model.name).collect();
        let incumbents: HashSet<&ModelName> =
            found.incumbents.iter().map(|incumbent| &incumbent.model).collect();
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.retain(|model, _serving| {
            let stays = models.contains(model) || !before.contains_key(model);
            if !stays {
                warn!(%model, "the registry knows no model {model} any more: it is forgotten");
            }
            stays
        });
        for (model, serving) in by_name.iter_mut() {
            let was_before = before.get(model).is_some_and(|before| has_same_incumbent(before, serving));
            if was_before && serving.incumbent.is_some() && !incumbents.contains(model) {
                warn!(%model, "the registry knows no incumbent of {model} any more: it is forgotten");
                *serving = Arc::new(Serving { incumbent: None, ..Serving::clone(serving) });
            }
        }
    }

    /// Measures since when each incumbent is in use.
    pub fn measure_ages(&self, now: Timestamp) {
        for serving in self.all() {
            if let Some(live) = &serving.incumbent {
                metrics::in_use(&serving.model.name, live.since, now);
            }
        }
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
                    since: at.since,
                };
                self.switch(&announced, None, models).await;
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
                since: live.since,
            }),
        };
        let mut models: Vec<Pointer> = self.all().iter().map(pointer).collect();
        models.sort_by(|one, other| one.model.name.cmp(&other.model.name));
        Pointers { looked_at, models }
    }

    /// Hears that a version was promoted. An event is a hint and may come late, twice or out of order.
    pub async fn hear(&self, event: &ModelPromoted, models: &DecodedModels) -> Heard {
        let Some((model, artifact)) = names(&event.model, &event.artifact) else {
            return Heard::NotServable;
        };
        let (version, generation) = (event.version, event.generation);
        let announced = Announced { model, version, generation, artifact, since: event.decided_at };
        self.switch(&announced, None, models).await
    }

    /// Hears what a person did, likewise: one who puts no version into use changes nothing here.
    pub async fn hear_act(&self, event: &ActRecorded, models: &DecodedModels) -> Heard {
        let Some(new) = &event.incumbent else { return Heard::Old };
        let Some((model, artifact)) = names(&event.model, &new.artifact) else {
            return Heard::NotServable;
        };
        let (version, generation) = (new.version, new.generation);
        let announced = Announced { model, version, generation, artifact, since: event.acted_at };
        self.switch(&announced, None, models).await
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

    /// Loads the announced incumbent into memory, then switches to it, unless what answers then is as new. What
    /// answered `before` the registry was read gives way to anything else that the registry says.
    async fn switch(&self, to: &Announced, before: Option<&Serving>, models: &DecodedModels) -> Heard {
        match self.current(&to.model) {
            None => return Heard::NotServable,
            Some(serving) if !to.replaces(&serving, before) => return Heard::Old,
            Some(_) => {}
        }
        let Some(bundle) = load(to, models).await else { return Heard::NotServable };
        let heard = self.replace(to, before, bundle);
        if heard == Heard::Switched {
            let Announced { model, version, generation, .. } = to;
            info!(%model, version, generation, "version {version} of {model} answers from now on");
        }
        heard
    }

    fn replace(&self, to: &Announced, before: Option<&Serving>, bundle: Arc<Bundle>) -> Heard {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = by_name.get(&to.model) else {
            return Heard::NotServable;
        };
        // Another event may have switched while this one was loading.
        if !to.replaces(known, before) {
            return Heard::Old;
        }
        let live = Live {
            version: to.version,
            generation: to.generation,
            artifact: to.artifact,
            since: to.since,
            bundle,
        };
        let serving = Serving { incumbent: Some(live), ..Serving::clone(known) };
        by_name.insert(to.model.clone(), Arc::new(serving));
        Heard::Switched
    }
}

/// What an event names; none, and a line in the log, if that is no model or no artifact.
fn names(model: &str, artifact: &ArtifactReference) -> Option<(ModelName, ArtifactName)> {
    let named: Option<(ModelName, ArtifactName)> =
        ModelName::new(model).ok().zip(artifact.sha256.parse().ok());
    if named.is_none() {
        error!(model, "an event of a new incumbent names no model or no artifact");
    }
    named
}

/// The artifact of an incumbent; none, and a reason in the log, if it cannot be had.
async fn load(announced: &Announced, models: &DecodedModels) -> Option<Arc<Bundle>> {
    let Announced { model, version, artifact, .. } = announced;
    let fault = match timeout(LOAD_LIMIT, models.get(artifact)).await {
        Ok(Ok(bundle)) if bundle.model == *model => return Some(bundle),
        Ok(Ok(other)) => anyhow!("artifact {artifact} is one of model {}", other.model),
        Ok(Err(fault)) => fault.into(),
        Err(_silence) => anyhow!("the artifact store does not answer"),
    };
    error!(%model, version, "version {version} of {model} cannot be loaded, what answered goes on: {fault:#}");
    None
}

/// What the registry says about what is served.
pub struct InRegistry {
    /// Each model with its dataset.
    models: Vec<(ModelSpec, DatasetSpec)>,
    incumbents: Vec<Incumbent>,
}

impl InRegistry {
    /// Reads it.
    ///
    /// # Errors
    /// If the registry cannot be read.
    pub async fn read(registry: &dyn Registry) -> Result<Self, RegistryError> {
        let datasets = registry.datasets().await?.into_iter();
        let datasets: HashMap<_, _> =
            datasets.map(|stored| (stored.spec.name.clone(), stored.spec)).collect();
        let models = registry.models().await?.into_iter();
        let models = models.filter_map(|model| {
            let dataset = datasets.get(&model.spec.dataset)?.clone();
            Some((model.spec, dataset))
        });
        Ok(Self { models: models.collect(), incumbents: registry.incumbents().await? })
    }
}

/// An incumbent by name, from an event, the local copy, or the registry.
struct Announced {
    model: ModelName,
    version: u32,
    generation: u64,
    artifact: ArtifactName,
    since: Timestamp,
}

impl Announced {
    /// A newer one replaces an older one. What answered `before` the registry was read and still does is
    /// replaced by whatever else the registry says.
    fn replaces(&self, current: &Serving, before: Option<&Serving>) -> bool {
        if self.generation > current.generation() {
            return true;
        }
        let is_other = current
            .incumbent
            .as_ref()
            .is_some_and(|live| (live.generation, live.artifact) != (self.generation, self.artifact));
        is_other && before.is_some_and(|before| has_same_incumbent(before, current))
    }
}

fn has_same_incumbent(one: &Serving, other: &Serving) -> bool {
    let which = |serving: &Serving| serving.incumbent.as_ref().map(|live| (live.generation, live.artifact));
    which(one) == which(other)
}

impl From<&Incumbent> for Announced {
    fn from(incumbent: &Incumbent) -> Self {
        Self {
            model: incumbent.model.clone(),
            version: incumbent.version,
            generation: incumbent.generation,
            artifact: incumbent.artifact,
            since: incumbent.since,
        }
    }
}
