//! Specifications as they were applied.

use jiff::Timestamp;

/// What applying a specification did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The version that is current now; 1 for a first one.
    pub version: u32,
    /// Whether it was another one before.
    pub changed: bool,
}

/// A specification in the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<Spec> {
    /// 1 for the first of its name, then 2, …
    pub version: u32,
    /// SHA-256 in hex: the same for specifications that say the same.
    pub hash: String,
    /// When it was applied.
    pub applied_at: Timestamp,
    /// The specification.
    pub spec: Spec,
}
