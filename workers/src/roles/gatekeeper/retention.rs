//! Deletes from the artifact store what nothing needs any more: artifacts of versions that were refused or
//! retired long ago, scored rows of old decisions, and what a crash left. `registry::objects` says why no
//! object goes that somebody is about to refer to.

use std::time::Duration;

use artifacts::Listed;
use forecasting::artifact::ArtifactName;
use jiff::{SignedDuration, Timestamp};
use registry::{DELETE_WITHIN, Expired, StoredObject};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{config::Retention, environment::Environment};

/// How often it is looked for what may go.
const EVERY: Duration = Duration::from_hours(1);
/// Objects condemned at once: few enough to be deleted well within [`DELETE_WITHIN`].
const AT_ONCE: u32 = 50;
/// What nothing refers to is left alone for so long after it was stored: its writer may still be about to.
const YOUNG: SignedDuration = SignedDuration::from_hours(24);
/// A store in which more objects than this, and more than half of all, are unknown to the registry is
/// somebody else's, or the registry is.
const STRANGERS: usize = 100;

/// Deletes at the start and then every hour, until `stop`. Any number of processes may do so.
pub(super) async fn keep(environment: &Environment, stop: CancellationToken) {
    loop {
        if stop.run_until_cancelled(delete(environment)).await.is_none() {
            return;
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

/// Deletes everything that may go now. What cannot be deleted is logged, and tried again the next time.
pub async fn delete(environment: &Environment) {
    match delete_expired(environment).await {
        Ok(0) => {}
        Ok(objects) => info!(objects, "deleted {objects} artifacts and scored rows after their period"),
        Err(fault) => warn!("artifacts could not be deleted after their period: {fault:#}"),
    }
    match delete_left_behind(environment).await {
        Ok(0) => {}
        Ok(objects) => info!(objects, "deleted {objects} artifacts that nothing refers to"),
        Err(fault) => warn!("artifacts that nothing refers to could not be deleted: {fault:#}"),
    }
}

async fn delete_expired(environment: &Environment) -> anyhow::Result<usize> {
    let Some(expired) = expired(environment.clock.now(), &environment.config.retention) else { return Ok(0) };
    let mut deleted = 0;
    loop {
        let began = Instant::now();
        let now = environment.clock.now();
        let condemned = environment.registry.condemn_expired(&expired, AT_ONCE, now).await?;
        deleted += delete_condemned(environment, &condemned, began).await?;
        if condemned.len() < AT_ONCE as usize {
            return Ok(deleted);
        }
    }
}

/// None where that lies before all time: everything is kept then.
fn expired(now: Timestamp, retention: &Retention) -> Option<Expired> {
    let before = |days: u32| now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).ok();
    Some(Expired {
        versions_before: before(retention.artifacts_days)?,
        decisions_before: before(retention.scored_rows_days)?,
    })
}

async fn delete_left_behind(environment: &Environment) -> anyhow::Result<usize> {
    let (mut left_behind, mut known, mut strangers) = (Vec::new(), 0, 0);
    let before = environment.clock.now() - YOUNG;
    for first_byte in 0..=u8::MAX {
        // Listed first: what is stored and referred to meanwhile is then among the needed ones.
        let found = environment.artifacts.list(first_byte).await?;
        if found.is_empty() {
            continue;
        }
        let objects = environment.registry.objects(first_byte).await?;
        for Listed { name, size_bytes, stored_at } in found {
            let line = objects.get(&name); // whether it was condemned
            known += usize::from(line.is_some());
            if line == Some(&None) || stored_at >= before {
                continue;
            }
            strangers += usize::from(line.is_none());
            left_behind.push(StoredObject { name, size_bytes });
        }
    }
    if strangers > known.max(STRANGERS) {
        error!(
            strangers,
            known,
            "{strangers} objects of the artifact store are unknown to the registry and {known} are known: a \
             store belongs to one registry, is this the right one? None of them is deleted"
        );
        return Ok(0);
    }
    let mut deleted = 0;
    for some in left_behind.chunks(AT_ONCE as usize) {
        let began = Instant::now();
        let condemned = environment.registry.condemn_unknown(some, environment.clock.now()).await?;
        deleted += delete_condemned(environment, &condemned, began).await?;
    }
    Ok(deleted)
}

/// Deletes what was condemned after `began`, as far as there is time. The rest lies there until it is found
/// to be left behind.
async fn delete_condemned(
    environment: &Environment,
    condemned: &[ArtifactName],
    began: Instant,
) -> anyhow::Result<usize> {
    for (deleted, name) in condemned.iter().enumerate() {
        let left = DELETE_WITHIN.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Ok(deleted);
        }
        match tokio::time::timeout(left, environment.artifacts.delete(name)).await {
            Ok(outcome) => outcome?,
            Err(_late) => return Ok(deleted),
        }
    }
    Ok(condemned.len())
}
