//! Parts of the rows that are looked at on their own.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{AttributeText, CovariateName, SeriesId};

/// Some of the points of a comparison, under a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// What they have in common.
    pub name: SliceName,
    /// Indices of the points.
    pub points: Vec<u32>,
}

/// What the points of a slice have in common; displayed as it is said after "on".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SliceName {
    /// They are of one series.
    Series(SeriesId),
    /// They lie on a Saturday or Sunday.
    Weekend,
    /// They lie in the declared hours.
    PeakHours,
    /// They lie in the local hours from the first to the second, both included.
    Hours(u8, u8),
    /// They lie on holidays.
    Holidays,
    /// They are of series that a static covariate says the same of.
    Attribute {
        /// Which covariate.
        name: CovariateName,
        /// What it says; `None`: nothing.
        value: Option<AttributeText>,
    },
    /// They are of slices that are too small to be looked at one by one: so many.
    Small(u32),
}

impl fmt::Display for SliceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SliceName::Series(id) => write!(f, "series {id}"),
            SliceName::Weekend => f.write_str("weekends"),
            SliceName::PeakHours => f.write_str("peak hours"),
            SliceName::Hours(first, last) => write!(f, "hours {first} to {last}"),
            SliceName::Holidays => f.write_str("holidays"),
            SliceName::Attribute { name, value: Some(value) } => write!(f, "{name}={value}"),
            SliceName::Attribute { name, value: None } => write!(f, "series without {name}"),
            SliceName::Small(1) => f.write_str("1 small slice"),
            SliceName::Small(count) => write!(f, "{count} small slices together"),
        }
    }
}
