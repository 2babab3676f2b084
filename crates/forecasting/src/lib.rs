//! Everything that Gatecast knows about forecasting, and nothing else: no I/O, no async, no clock.
//!
//! The parts of an ML application stay apart and can be changed alone: what a dataset and a model are
//! ([`spec`]), series on their grids ([`series`]), which days are [`holidays`], what a learner sees
//! ([`preprocessing`]), which learners there are ([`learners`]), how they fit ([`learning`]), what they produce
//! ([`models`], stored as an [`artifact`]), how good that is ([`evaluation`]) and how far off it may be
//! ([`intervals`]), whether it goes live ([`gate`]) and how often that is a mistake ([`certification`]), and how a
//! request is answered ([`routing`]).

pub mod holidays;
pub mod names;
pub mod series;
pub mod spec;

pub mod preprocessing;

pub mod learners;
pub mod learning;
pub mod models;

pub mod artifact;
mod bounded;
mod random;

pub mod evaluation;
pub mod intervals;

pub mod gate;

pub mod certification;

pub mod routing;

#[cfg(test)]
mod examples;
