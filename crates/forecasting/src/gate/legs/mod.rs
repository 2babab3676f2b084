//! The tests that a candidate must pass, one file each.
//!
//! Hard facts ([`veto`], [`limits`], [`cost`], [`coverage`], [`edge_cases`]) are looked at whatever else is known. The others compare losses
//! and are called by [`compare`](super::compare()); all must pass, so each can only make the gate stricter.

pub(super) mod average;
pub(super) mod cost;
pub(super) mod coverage;
pub(super) mod edge_cases;
pub(super) mod exceedances;
pub(super) mod largest;
pub(super) mod limits;
pub(super) mod slices;
pub(super) mod veto;
pub(super) mod worst_case;

use super::{Objection, Side, Terms};
