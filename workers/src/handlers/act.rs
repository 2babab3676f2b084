//! `GateRequest → ActReply`.

use std::{collections::BTreeSet, sync::Arc};

use artifacts::{ArtifactStore, DecodedModels};
use forecasting::{
    artifact::{ArtifactName, Bundle},
    names::ModelName,
    routing::{AtHand, Serving, flaw},
    spec::ModelSpec,
};
use history::History;
use jiff::Timestamp;
use protocol::messages::{ActReply, GateRequest};
use registry::{Act, ActKind, ActRefusal, Acted, InForce, Incumbent, NewAct, Registry, Version};
use runner::{CpuPool, HandleError, Handler, JobContext};
use tracing::info;

use super::{compute, convert, read_error, registry_error, rejected, untried, unusable};
use crate::{metrics, roles::forecaster};

/// Carries out what a person wants done about a model.
pub struct ActHandler {
    /// Versions and incumbents; where the act is recorded.
    pub registry: Arc<dyn Registry>,
    /// What a version is tried on before a person puts it into use.
    pub history: Arc<dyn History>,
    /// Where its artifact must be.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// The same, decoded.
    pub models: Arc<DecodedModels>,
    /// The threads that try it.
    pub cpu: CpuPool,
}

impl Handler for ActHandler {
    type Message = GateRequest;
    type Reply = ActReply;

    async fn handle(&self, request: GateRequest, context: &JobContext) -> Result<ActReply, HandleError> {
        if let Some(act) = self.registry.act_of_message(&context.message_id).await.map_err(registry_error)? {
            return self.announcement(&act).await;
        }
        let wanted = match convert::wanted_act(&request, &context.message_id, context.now) {
            Ok(wanted) => wanted,
            Err(refused) => return Ok(refused.into()),
        };
        let Some(model) = self.registry.model(&wanted.model).await.map_err(registry_error)? else {
            return Ok(convert::unknown_model(&wanted.model));
        };
        let mut expired = BTreeSet::new();
        // Who loses the race for the incumbent decides again, on the new one.
        loop {
            // Load.
            let scene = self.scene(&wanted.model, context.now).await?;
            // Decide: who is preferred is pure (`Scene::choices`); whether it can serve is tried on what the stores have.
            let new = self.decide(&wanted, &scene, &model.spec, &expired).await?;
            // Save.
            match self.registry.act(&new, context.now).await.map_err(registry_error)? {
                Acted::Recorded(act) => {
                    note(&act);
                    return self.announcement(&act).await;
                }
                Acted::AlreadyRecorded(act) => return self.announcement(&act).await,
                Acted::LostRace => {}
                Acted::ArtifactExpired => expired.extend(new.kind.version()),
            }
        }
    }
}

fn note(act: &Act) {
    let (model, by, kind) = (&act.model, &act.by, act.kind.name());
    metrics::acted(model, kind, act.refusal.is_none());
    match &act.refusal {
        None => info!(%model, version = act.kind.version(), %by, act = kind, "{kind} of {model}: {act}"),
        Some(refusal) => {
            info!(%model, version = act.kind.version(), %by, act = kind, "{kind} of {model} refused: {refusal}");
        }
    }
}

/// What an act is decided on.
struct Scene {
    versions: Vec<Version>,
    /// Every incumbent so far; the last one is in use.
    incumbents: Vec<Incumbent>,
    in_force: InForce,
}

impl ActHandler {
    async fn scene(&self, model: &ModelName, now: Timestamp) -> Result<Scene, HandleError> {
        let acts = self.registry.acts(model).await.map_err(registry_error)?;
        Ok(Scene {
            versions: self.registry.versions(model).await.map_err(registry_error)?,
            incumbents: self.registry.incumbent_history(model).await.map_err(registry_error)?,
            in_force: InForce::at(now, acts),
        })
    }

    /// The act with all that is to be recorded: which version, or why not. The artifact of `expired` is known to be
    /// gone, or about to go.
    async fn decide(
        &self,
        wanted: &NewAct,
        scene: &Scene,
        model: &ModelSpec,
        expired: &BTreeSet<u32>,
    ) -> Result<NewAct, HandleError> {
        let decided_on = scene.incumbents.last().map(|incumbent| incumbent.generation);
        let mut new = NewAct { decided_on, ..wanted.clone() };
        let choices = match scene.choices(wanted.kind) {
            Ok(choices) => choices,
            Err(refusal) => return Ok(NewAct { refusal: Some(refusal), ..new }),
        };
        for choice in choices {
            let version = choice.version;
            let problem = if expired.contains(&version) {
                Some("its artifact has expired".to_owned())
            } else {
                self.problem(choice, model).await?
            };
            let Some(problem) = problem else {
                return Ok(NewAct { kind: chosen(wanted.kind, version), refusal: None, ..new });
            };
            new.refusal.get_or_insert(ActRefusal::Unusable { version, problem }); // of the one that is preferred
        }
        Ok(new)
    }

    /// What keeps a version from serving, whoever wants it to; `None` if nothing does.
    async fn problem(&self, version: &Version, model: &ModelSpec) -> Result<Option<String>, HandleError> {
        let artifact = version.proposal.artifact;
        let bundle = match self.bundle(&artifact).await? {
            Ok(bundle) => bundle,
            Err(problem) => return Ok(Some(problem)),
        };
        let dataset = self.registry.dataset(&model.dataset).await.map_err(registry_error)?;
        let dataset =
            dataset.ok_or_else(|| rejected(format!("dataset {} was not applied", model.dataset)))?;
        let live = untried(version, bundle);
        let serving = Serving { model: model.clone(), dataset: dataset.spec, incumbent: Some(live) };
        let dataset = &serving.dataset;
        let revision = self.history.revision(&dataset.name).await.map_err(read_error)?;
        let window = forecaster::window(&*self.history, dataset, revision, serving.liked_steps());
        let recent = window.await.map_err(read_error)?;
        let looked = compute(&self.cpu, move |stop| {
            let recent = AtHand { history: &recent.frame, covariates: Some(&recent.covariates) };
            flaw(&serving, recent, stop)
        });
        let looked = looked.await?;
        let flaw = looked.map_err(HandleError::transient)?;
        Ok(flaw.map(|flaw| flaw.to_string()))
    }

    /// The version of an artifact, or why it cannot be loaded. The store is asked itself, whatever this process
    /// remembers: every forecaster is about to load it from there.
    async fn bundle(&self, artifact: &ArtifactName) -> Result<Result<Arc<Bundle>, String>, HandleError> {
        let loaded = async {
            self.artifacts.warm(artifact).await?;
            self.artifacts.get(artifact).await?;
            self.models.get(artifact).await
        };
        match loaded.await {
            Ok(bundle) => Ok(Ok(bundle)),
            Err(error) => unusable(error).map(Err),
        }
    }

    /// The recorded act as a reply; the same every time it is asked for.
    async fn announcement(&self, act: &Act) -> Result<ActReply, HandleError> {
        let incumbents = self.registry.incumbent_history(&act.model).await.map_err(registry_error)?;
        Ok(convert::act_reply(act, &incumbents))
    }
}

/// The act, where it is one that the gatekeeper chose the version of.
fn chosen(kind: ActKind, version: u32) -> ActKind {
    match kind {
        ActKind::RollBack { .. } => ActKind::RollBack { version: Some(version) },
        ActKind::Freeze | ActKind::Unfreeze | ActKind::Force { .. } | ActKind::Veto { .. } => kind,
    }
}

impl Scene {
    /// The versions that an act may put into use, the preferred one first; empty for one that puts none there.
    fn choices(&self, kind: ActKind) -> Result<Vec<&Version>, ActRefusal> {
        match kind {
            ActKind::Unfreeze if self.in_force.freeze().is_none() => Err(ActRefusal::NotFrozen),
            ActKind::Freeze | ActKind::Unfreeze => Ok(Vec::new()),
            ActKind::Veto { version } => {
                self.version(version)?;
                if self.in_use() == Some(version) {
                    return Err(ActRefusal::VetoOfIncumbent { version });
                }
                Ok(Vec::new())
            }
            ActKind::Force { version } => self.free(version).map(|version| vec![version]),
            ActKind::RollBack { version: Some(version) } => {
                let free = self.free(version)?;
                if !self.incumbents.iter().any(|incumbent| incumbent.version == version) {
                    return Err(ActRefusal::NeverInUse { version });
                }
                Ok(vec![free])
            }
            ActKind::RollBack { version: None } => {
                let earlier = earlier(&self.incumbents).into_iter();
                let free: Vec<&Version> = earlier.filter_map(|version| self.free(version).ok()).collect();
                if free.is_empty() { Err(ActRefusal::NothingEarlier) } else { Ok(free) }
            }
        }
    }

    fn in_use(&self) -> Option<u32> {
        self.incumbents.last().map(|incumbent| incumbent.version)
    }

    fn version(&self, version: u32) -> Result<&Version, ActRefusal> {
        let known = self.versions.iter().find(|known| known.version == version);
        known.ok_or(ActRefusal::UnknownVersion { version })
    }

    /// A version that is not in use and that nobody vetoed.
    fn free(&self, version: u32) -> Result<&Version, ActRefusal> {
        let known = self.version(version)?;
        if self.in_use() == Some(version) {
            return Err(ActRefusal::InUseAlready { version });
        }
        match self.in_force.veto(version) {
            Some(veto) => Err(ActRefusal::Vetoed { version, veto: veto.to_string() }),
            None => Ok(known),
        }
    }
}

/// The versions that were in use before the present one, the last one first.
fn earlier(incumbents: &[Incumbent]) -> Vec<u32> {
    let mut earlier = Vec::new();
    let Some(present) = incumbents.last() else { return earlier };
    let mut at = incumbents.len() - 1;
    loop {
        // Who rolled back undid what came in between: before that version is what was before it the first time.
        while let Some(resumed) = resumed(incumbents, at) {
            at = resumed;
        }
        if at == 0 {
            return earlier;
        }
        at -= 1;
        let version = incumbents[at].version;
        if version != present.version && !earlier.contains(&version) {
            earlier.push(version);
        }
    }
}

/// Where the version of a roll back was in use before.
fn resumed(incumbents: &[Incumbent], at: usize) -> Option<usize> {
    let act = incumbents[at].act()?;
    if !matches!(act.kind, ActKind::RollBack { .. }) {
        return None;
    }
    incumbents[..at].iter().rposition(|past| past.version == incumbents[at].version)
}

#[cfg(test)]
mod tests {
    use forecasting::names::LearnerName;
    use registry::{JobId, MadeBy, Proposal, VersionState};

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn model() -> ModelName {
        ModelName::new("bike-demand").expect("a name")
    }

    fn act(kind: ActKind) -> Act {
        Act {
            id: 1,
            message_id: "a1".to_owned(),
            model: model(),
            kind,
            by: "ann".to_owned(),
            reason: "an audit".to_owned(),
            expires: None,
            acted_at: NOW,
            refusal: None,
        }
    }

    fn version(number: u32) -> Version {
        let proposal = Proposal {
            job: JobId::new(format!("j{number}")).expect("an id"),
            model: model(),
            learner: LearnerName::new("weekly-mean").expect("a name"),
            artifact: ArtifactName::of(b"a model"),
            size_bytes: 7,
            cut_off: NOW,
            as_of: NOW,
            spec_hash: String::new(),
            data_hash: String::new(),
            seed: 7,
            code_version: String::new(),
            competed: serde_json::Value::Null,
        };
        let state = VersionState::Retired;
        Version { version: number, proposal, proposed_at: NOW, state, state_since: NOW }
    }

    /// Incumbents one after the other: a version, and the act of a person that put it there, if one did.
    fn history(steps: &[(u32, Option<ActKind>)]) -> Vec<Incumbent> {
        let incumbent = |(at, (version, kind)): (usize, &(u32, Option<ActKind>))| Incumbent {
            model: model(),
            version: *version,
            generation: at as u64 + 1,
            artifact: ArtifactName::of(b"a model"),
            size_bytes: 7,
            since: NOW,
            previous_version: None,
            made_by: kind.map_or(MadeBy::Decision(1), |kind| MadeBy::Act(Box::new(act(kind)))),
        };
        steps.iter().enumerate().map(incumbent).collect()
    }

    /// Five versions, of which 1, 2 and 3 were promoted one after the other.
    fn scene(acts: &[ActKind]) -> Scene {
        Scene {
            versions: (1..=5).map(version).collect(),
            incumbents: history(&[(1, None), (2, None), (3, None)]),
            in_force: InForce::at(NOW, acts.iter().copied().map(act)),
        }
    }

    #[track_caller]
    fn check(scene: &Scene, kind: ActKind, expected: Result<&[u32], &str>) {
        let found =
            scene.choices(kind).map(|chosen| chosen.iter().map(|one| one.version).collect::<Vec<_>>());
        let found = found.map_err(|refusal| refusal.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{kind:?}");
    }

    const BACK: ActKind = ActKind::RollBack { version: None };

    fn back_to(version: u32) -> ActKind {
        ActKind::RollBack { version: Some(version) }
    }

    #[test]
    fn an_act_says_which_version_it_may_put_into_use_or_why_none() {
        let scene = scene(&[]);
        check(&scene, ActKind::Freeze, Ok(&[]));
        check(&scene, ActKind::Unfreeze, Err("nothing keeps candidates out, it is not frozen"));
        check(&scene, ActKind::Force { version: 5 }, Ok(&[5]));
        check(&scene, ActKind::Force { version: 3 }, Err("version 3 is in use already"));
        check(&scene, ActKind::Force { version: 9 }, Err("version 9 was never proposed"));
        check(&scene, ActKind::Veto { version: 5 }, Ok(&[]));
        check(&scene, ActKind::Veto { version: 9 }, Err("version 9 was never proposed"));
        let in_use = "version 3 is in use, roll it back before it is vetoed";
        check(&scene, ActKind::Veto { version: 3 }, Err(in_use));
        check(&scene, back_to(1), Ok(&[1]));
        check(&scene, back_to(3), Err("version 3 is in use already"));
        check(&scene, back_to(5), Err("version 5 was never in use, only a force puts it there"));
        check(&scene, back_to(9), Err("version 9 was never proposed"));
        check(&scene, BACK, Ok(&[2, 1]));
    }

    #[test]
    fn a_vetoed_version_is_put_into_use_by_nobody() {
        let scene = scene(&[ActKind::Veto { version: 2 }, ActKind::Veto { version: 5 }]);
        let vetoed = |version: u32| {
            let takes = "a later veto of it takes the place of this one, also one that ends";
            format!("version {version} is vetoed by ann: an audit; {takes}")
        };
        check(&scene, ActKind::Force { version: 5 }, Err(&vetoed(5)));
        check(&scene, back_to(2), Err(&vetoed(2)));
        check(&scene, BACK, Ok(&[1]));
    }

    #[test]
    fn a_freeze_is_lifted_and_stops_no_person() {
        let scene = scene(&[ActKind::Freeze]);
        check(&scene, ActKind::Unfreeze, Ok(&[]));
        check(&scene, ActKind::Freeze, Ok(&[]));
        check(&scene, ActKind::Force { version: 4 }, Ok(&[4]));
        check(&scene, BACK, Ok(&[2, 1]));
    }

    #[test]
    fn the_first_version_cannot_be_rolled_back() {
        let nothing = "no earlier version can be rolled back to: each is vetoed, or there is none";
        for incumbents in [history(&[(1, None)]), Vec::new()] {
            check(&Scene { incumbents, ..scene(&[]) }, BACK, Err(nothing));
        }
    }

    #[test]
    fn a_second_roll_back_goes_on_backwards() {
        let promoted = [(1, None), (2, None), (3, None)];
        assert_eq!(earlier(&history(&promoted)), [2, 1]);
        let once = [&promoted[..], &[(2, Some(back_to(2)))]].concat();
        assert_eq!(earlier(&history(&once)), [1], "not to the one that it came from");
        let twice = [&once[..], &[(1, Some(back_to(1)))]].concat();
        assert_eq!(earlier(&history(&twice)), Vec::<u32>::new());
        let then_promoted = [&once[..], &[(4, None)]].concat();
        assert_eq!(earlier(&history(&then_promoted)), [2, 1]);
    }

    #[test]
    fn a_force_is_rolled_back_to_what_it_replaced() {
        let forced = [(1, None), (2, None), (3, None), (1, Some(ActKind::Force { version: 1 }))];
        assert_eq!(earlier(&history(&forced)), [3, 2]);
    }
}
