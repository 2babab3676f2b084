//! How far apart two steps of a series lie.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The distance of two steps: a whole number of minutes that divides a day evenly, or whole days.
///
/// Written as an ISO 8601 duration: `PT15M`, `PT1H`, `P1D`, `P7D` (or `P1W`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Frequency {
    /// Steps of this many minutes of elapsed time: 1 to 720, dividing 1440.
    Minutes(u16),
    /// Steps of this many calendar days from local midnight to local midnight: 1 to 7.
    Days(u16),
}
