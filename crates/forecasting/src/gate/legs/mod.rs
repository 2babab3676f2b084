//! The tests that a candidate must pass, one file each.
//!
//! Hard facts ([`veto`], [`limits`], [`cost`], [`edge_cases`], that intervals are [missing](coverage::missing)) are looked
//! at whatever else is known. What intervals held ([`coverage`]) is asked for beside the losses, with as many origins as
//! these need. The others compare losses and are called by [`compare`](super::compare()); all must pass, so each can only
//! make the gate stricter.

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
