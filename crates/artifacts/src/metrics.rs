//! Where artifacts came from, and which were refused.

use metrics::{Unit, counter, describe_counter};

const CACHE: &str = "gatecast_cache_requests_total";
const REFUSED: &str = "gatecast_artifact_refused_total";

/// Says what the metrics of this crate mean; once, after a recorder was installed.
pub fn describe_metrics() {
    describe_counter!(
        CACHE,
        Unit::Count,
        "Artifacts asked for, by tier (memory, disk, redis, storage) and result"
    );
    describe_counter!(
        REFUSED,
        Unit::Count,
        "Artifacts that were not used although they were there, by reason"
    );
}

/// A tier was asked for an artifact.
pub(crate) fn asked(tier: &'static str, hit: bool) {
    counter!(CACHE, "tier" => tier, "result" => if hit { "hit" } else { "miss" }).increment(1);
}

pub(crate) fn refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}
