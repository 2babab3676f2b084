//! How often a gate is wrong: measured, not believed.
//!
//! [`certify`] draws windows from the real errors of real fits, plants effects in them whose size is known,
//! and counts what Gatecast's gate and the rules of others make of each. [`replay`] plays nights of retraining
//! over a history, once per rule, and counts what that did to the forecasts that were served. Both are pure
//! and start from a seed: the same on every machine and with any number of threads.

mod rules;
mod trial;

mod points;

mod fits;

mod twins;
mod windows;

mod cells;
mod horror;
mod tally;

mod bench;
mod certificate;

mod spread;

mod nights;

pub use cells::Wish;
pub use certificate::{
    Certificate, CertifyError, CertifySettings, Longer, MOST_NIGHTS, NightsToPromote, Outcome, Pairs, Row,
    certify,
};
pub use nights::{LevelShift, NightsError, NightsSettings, Replay, RuleReplay, replay};
pub use rules::{JudgesOn, RULES, Rule};
pub use spread::{Stage, Work};
pub use tally::Share;

#[cfg(test)]
mod tests;
