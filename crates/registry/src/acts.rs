//! Acts of people: what binds a model's gate, and what changes an incumbent past it.

use std::fmt;

use forecasting::names::ModelName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Incumbent;

/// What a person wants done, and what is to be said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAct {
    /// Id of the message that asks for it: the same id twice is one act.
    pub message_id: String,
    /// The model that it is about.
    pub model: ModelName,
    /// What is done.
    pub kind: ActKind,
    /// Who wants it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when it binds the gate; `None`: until a later act.
    pub expires: Option<Timestamp>,
    /// Why it is not carried out, which is recorded too; `None`: it is.
    pub refusal: Option<ActRefusal>,
    /// Generation of the incumbent that this was decided on; `None` if there was none.
    pub decided_on: Option<u64>,
}

/// What became of an act.
#[derive(Debug, Clone, PartialEq)]
pub enum Acted {
    /// It was recorded, and carried out unless it says why not.
    Recorded(Act),
    /// It was recorded before; nothing was changed. To be announced again: whoever recorded it may have died
    /// before.
    AlreadyRecorded(Act),
    /// Somebody else changed the incumbent or vetoed the version meanwhile; nothing was changed. To be decided again.
    LostRace,
    /// The artifact of the version that was to be put into use has expired and may be gone; nothing was changed.
    ArtifactExpired,
}

/// An act that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Grows from act to act.
    pub id: u64,
    /// Id of the message that asked for it.
    pub message_id: String,
    /// The model that it is about.
    pub model: ModelName,
    /// What was done.
    pub kind: ActKind,
    /// Who wanted it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when it binds the gate; `None`: until a later act.
    pub expires: Option<Timestamp>,
    /// When it was recorded.
    pub acted_at: Timestamp,
    /// Why it was not carried out; `None`: it was.
    pub refusal: Option<ActRefusal>,
}

/// What a person does about a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActKind {
    /// No candidate goes live, whatever the gate finds.
    Freeze,
    /// Candidates may go live again.
    Unfreeze,
    /// Puts a version into use, whatever the gate found.
    Force {
        /// The version.
        version: u32,
    },
    /// The version never goes live.
    Veto {
        /// The version.
        version: u32,
    },
    /// Puts a version into use again.
    RollBack {
        /// The version; `None` only where none was named and none was found.
        version: Option<u32>,
    },
}

/// Why an act is not carried out; displayed as a sentence about the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ActRefusal {
    /// The model has no such version.
    #[error("version {version} was never proposed")]
    UnknownVersion {
        /// The version named.
        version: u32,
    },
    /// It is what is done already.
    #[error("version {version} is in use already")]
    InUseAlready {
        /// The version named.
        version: u32,
    },
    /// What answers cannot be kept out.
    #[error("version {version} is in use, roll it back before it is vetoed")]
    VetoOfIncumbent {
        /// The version named.
        version: u32,
    },
    /// There is nothing to lift.
    #[error("nothing keeps candidates out, it is not frozen")]
    NotFrozen,
    /// There is nothing to go back to by itself.
    #[error("no earlier version can be rolled back to: each is vetoed, or there is none")]
    NothingEarlier,
    /// A roll back goes back.
    #[error("version {version} was never in use, only a force puts it there")]
    NeverInUse {
        /// The version named.
        version: u32,
    },
    /// Somebody else said never.
    #[error(
        "version {version} is {veto}; a later veto of it takes the place of this one, also one that ends"
    )]
    Vetoed {
        /// The version named.
        version: u32,
        /// By whom, until when, and why.
        veto: String,
    },
    /// Its artifact is gone, damaged or foreign, or its forecasts are no numbers.
    #[error("version {version} cannot be used by anybody: {problem}")]
    Unusable {
        /// The version named.
        version: u32,
        /// What is wrong with it.
        problem: String,
    },
}

impl ActKind {
    /// `freeze`, `unfreeze`, `force`, `veto` or `roll-back`.
    pub fn name(self) -> &'static str {
        match self {
            ActKind::Freeze => "freeze",
            ActKind::Unfreeze => "unfreeze",
            ActKind::Force { .. } => "force",
            ActKind::Veto { .. } => "veto",
            ActKind::RollBack { .. } => "roll-back",
        }
    }

    /// The version that it names.
    pub fn version(self) -> Option<u32> {
        match self {
            ActKind::Freeze | ActKind::Unfreeze => None,
            ActKind::Force { version } | ActKind::Veto { version } => Some(version),
            ActKind::RollBack { version } => version,
        }
    }

    /// What [`name`](Self::name) and [`version`](Self::version) give out.
    pub(crate) fn from_parts(name: &str, version: Option<u32>) -> Result<Self, InvalidAct> {
        match (name, version) {
            ("freeze", None) => Ok(ActKind::Freeze),
            ("unfreeze", None) => Ok(ActKind::Unfreeze),
            ("force", Some(version)) => Ok(ActKind::Force { version }),
            ("veto", Some(version)) => Ok(ActKind::Veto { version }),
            ("roll-back", version) => Ok(ActKind::RollBack { version }),
            _ => Err(InvalidAct { name: name.chars().take(60).collect(), version }),
        }
    }

    /// The version that it makes the incumbent.
    fn puts_into_use(self) -> Option<u32> {
        match self {
            ActKind::Force { version } => Some(version),
            ActKind::RollBack { version } => version,
            ActKind::Freeze | ActKind::Unfreeze | ActKind::Veto { .. } => None,
        }
    }
}

/// A name and a version are no act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} with version {version:?} is not an act of a person")]
pub(crate) struct InvalidAct {
    name: String,
    version: Option<u32>,
}

impl NewAct {
    /// The version that is put into use.
    pub(crate) fn puts_into_use(&self) -> Option<u32> {
        self.kind.puts_into_use().filter(|_| self.refusal.is_none())
    }

    /// Whether somebody changed the incumbent, or vetoed what is to replace it, since this was decided.
    pub(crate) fn lost_race(&self, incumbent: Option<&Incumbent>, in_force: &InForce) -> bool {
        let is_vetoed = self.puts_into_use().is_some_and(|version| in_force.veto(version).is_some());
        is_vetoed || self.decided_on != incumbent.map(|incumbent| incumbent.generation)
    }
}

/// What it did, by whom, until when and why, e.g. "frozen by ann until 2025-06-01T12:00:00Z: audit".
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let did = match self.kind {
            ActKind::Freeze => "frozen",
            ActKind::Unfreeze => "unfrozen",
            ActKind::Force { .. } => "forced",
            ActKind::Veto { .. } => "vetoed",
            ActKind::RollBack { .. } => "rolled back to",
        };
        write!(f, "{did} by {}", self.by)?;
        match (self.expires, self.kind.puts_into_use()) {
            (Some(expires), Some(_)) => write!(f, " and kept until {expires}")?,
            (Some(expires), None) => write!(f, " until {expires}")?,
            (None, _) => {}
        }
        write!(f, ": {}", self.reason)
    }
}

/// What binds the gate of a model at an instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InForce {
    freeze: Option<Act>,
    kept: Option<Act>,
    vetoes: Vec<Act>,
}

impl InForce {
    /// What is left at `now` of all acts on a model, in the order in which they were recorded.
    pub fn at(now: Timestamp, acts: impl IntoIterator<Item = Act>) -> Self {
        let mut in_force = Self::default();
        for act in acts.into_iter().filter(|act| act.refusal.is_none()) {
            in_force.add(act);
        }
        let is_over = |act: &Act| act.expires.is_some_and(|expires| expires <= now);
        in_force.freeze = in_force.freeze.filter(|act| !is_over(act));
        in_force.kept = in_force.kept.filter(|act| !is_over(act));
        in_force.vetoes.retain(|act| !is_over(act));
        in_force
    }

    /// The later act on the same thing counts.
    fn add(&mut self, act: Act) {
        match act.kind {
            ActKind::Freeze => self.freeze = Some(act),
            ActKind::Unfreeze => (self.freeze, self.kept) = (None, None),
            ActKind::Veto { version } => {
                self.vetoes.retain(|veto| veto.kind.version() != Some(version));
                self.vetoes.push(act);
            }
            // Kept is the version in use: the next one is kept only if it was put there with an end, too.
            ActKind::Force { .. } | ActKind::RollBack { .. } => {
                self.kept = Some(act).filter(|act| act.expires.is_some());
            }
        }
    }

    /// What keeps every candidate out: a freeze, or else a version that was put into use by hand for a while.
    pub fn freeze(&self) -> Option<&Act> {
        self.freeze.as_ref().or(self.kept.as_ref())
    }

    /// What keeps this version out.
    pub fn veto(&self, version: u32) -> Option<&Act> {
        self.vetoes.iter().find(|veto| veto.kind.version() == Some(version))
    }

    /// What keeps this version out as a candidate.
    pub fn bar(&self, version: u32) -> Option<&Act> {
        self.freeze().or_else(|| self.veto(version))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn minute(n: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(n)
    }

    fn act(kind: ActKind, expires: Option<i64>) -> Act {
        Act {
            id: 1,
            message_id: "a1".to_owned(),
            model: ModelName::new("bike-demand").expect("a name"),
            kind,
            by: "ann".to_owned(),
            reason: "an audit".to_owned(),
            expires: expires.map(minute),
            acted_at: minute(0),
            refusal: None,
        }
    }

    /// What keeps version 7 out at minute 5, in words.
    fn bar(acts: &[Act]) -> Option<String> {
        InForce::at(minute(5), acts.to_vec()).bar(7).map(ToString::to_string)
    }

    const FORCE: ActKind = ActKind::Force { version: 3 };
    const VETO: ActKind = ActKind::Veto { version: 7 };

    #[test]
    fn an_act_binds_until_it_expires() {
        for kind in [ActKind::Freeze, FORCE, ActKind::RollBack { version: Some(2) }, VETO] {
            assert_eq!(bar(&[act(kind, Some(5))]), None, "{kind:?}");
            assert!(bar(&[act(kind, Some(6))]).is_some(), "{kind:?}");
        }
        assert_eq!(bar(&[act(ActKind::Freeze, None)]).as_deref(), Some("frozen by ann: an audit"));
        let kept = "forced by ann and kept until 1970-01-01T00:06:00Z: an audit";
        assert_eq!(bar(&[act(FORCE, Some(6))]).as_deref(), Some(kept));
        assert_eq!(bar(&[act(FORCE, None)]), None, "whoever beats it may replace it");
    }

    #[test]
    fn the_later_act_on_the_same_thing_counts() {
        let (freeze, unfreeze) = (act(ActKind::Freeze, None), act(ActKind::Unfreeze, None));
        assert_eq!(bar(&[freeze.clone(), act(ActKind::Freeze, Some(3))]), None);
        assert_eq!(bar(&[freeze.clone(), unfreeze.clone()]), None);
        assert_eq!(bar(&[act(FORCE, Some(9)), unfreeze.clone()]), None);
        assert_eq!(bar(&[act(FORCE, Some(9)), act(FORCE, None)]), None);
        assert!(bar(&[unfreeze.clone(), freeze.clone()]).is_some());
        assert!(bar(&[freeze, act(FORCE, None)]).is_some(), "who forces a version does not lift a freeze");
        assert_eq!(bar(&[act(VETO, None), act(VETO, Some(3))]), None);
        assert!(bar(&[act(VETO, None), unfreeze]).is_some());
    }

    #[test]
    fn what_was_not_carried_out_binds_nobody() {
        let refused = Act { refusal: Some(ActRefusal::NotFrozen), ..act(ActKind::Freeze, None) };
        assert_eq!(bar(&[refused]), None);
    }

    #[test]
    fn a_veto_is_about_one_version() {
        let in_force = InForce::at(minute(5), [act(VETO, None)]);
        assert!(in_force.veto(7).is_some());
        assert_eq!((in_force.bar(8), in_force.freeze()), (None, None));
    }

    #[test]
    fn an_act_is_found_by_its_name_and_version() {
        let roll_backs = [Some(2), None].map(|version| ActKind::RollBack { version });
        for kind in [ActKind::Freeze, ActKind::Unfreeze, FORCE, VETO].into_iter().chain(roll_backs) {
            assert_eq!(ActKind::from_parts(kind.name(), kind.version()), Ok(kind));
        }
        for (name, version) in [("force", None), ("freeze", Some(1)), ("unfreeze", Some(1)), ("thaw", None)] {
            assert!(ActKind::from_parts(name, version).is_err(), "{name} {version:?}");
        }
    }
}
