//! What lies in the artifact store on the registry's word, and when it may go.
//!
//! **The invariant**: what a version or a decision refers to is in the store, until it has expired. Three
//! rules keep it, however many trainers, gatekeepers and cleaners work at once, and whichever of them is
//! killed or held up at any point:
//!
//! 1. A writer stores an object before it refers to it, and says at which instant it began (`now` of
//!    [`propose`](crate::Registry::propose) and [`decide`](crate::Registry::decide)).
//! 2. A cleaner condemns an object here, in one transaction with the look whether anything needs it, before
//!    it deletes it, and deletes it within [`DELETE_WITHIN`] of that, or not at all.
//! 3. To refer to a condemned object takes it out of condemnation, but is refused
//!    ([`Condemned`](crate::RegistryError::Condemned)) to a writer that began less than
//!    [`CONDEMNED_FOR`] after: the object that it stored may be the one that goes. It stores it again later.
//!
//! An object that was stored but is not referred to yet has no line here. It is young, and cleaners leave
//! young ones alone; one whose writer was held up for longer than that meets the third rule.

use std::time::Duration;

use forecasting::artifact::ArtifactName;
use jiff::Timestamp;

use crate::RegistryError;

/// How long after an object was condemned it may be deleted.
pub const DELETE_WITHIN: Duration = Duration::from_secs(30);
/// How long after an object was condemned nobody's word counts that it is in the store. Much longer than
/// [`DELETE_WITHIN`]: the two are measured by clocks of different machines.
pub const CONDEMNED_FOR: Duration = Duration::from_mins(10);

/// An object in the artifact store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredObject {
    /// The SHA-256 of its bytes.
    pub name: ArtifactName,
    /// How many there are.
    pub size_bytes: u64,
}

/// What has been kept long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// Artifacts of versions that were refused or retired before this instant; those of pending ones and of
    /// incumbents never.
    pub versions_before: Timestamp,
    /// Scored rows of decisions from before this instant.
    pub decisions_before: Timestamp,
}

/// Refuses a writer's word for an object that was condemned after it began, or shortly before.
pub(crate) fn check_not_condemned(
    object: &StoredObject,
    deleted_at: Option<Timestamp>,
    began: Timestamp,
) -> Result<(), RegistryError> {
    let Some(until) = deleted_at.and_then(|at| at.checked_add(CONDEMNED_FOR).ok()) else { return Ok(()) };
    if began < until {
        return Err(RegistryError::Condemned { name: object.name, until });
    }
    Ok(())
}
