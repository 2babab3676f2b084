//! What operators declare: datasets and models, written in TOML, applied with `gatecast datasets apply`
//! and `gatecast models apply`, versioned in the registry and read from there by every role.
//!
//! Reading refuses unknown keys, `validate` refuses impossible values; both name field and value.

mod contract;
mod covariates;
mod dataset;
mod gate_policy;
mod hash;
mod learner;
mod model;

use crate::series::time_zone;

pub use crate::learners::Algorithm;
pub use contract::{Contract, Direction};
pub use covariates::CovariateSpec;
pub use dataset::{DatasetSpec, Negative};
pub use gate_policy::{GatePolicy, SlicePolicy};
pub use learner::LearnerSpec;
pub use model::{FallbackSpec, ModelSpec, Schedule, TrainSettings};

/// A value in a specification that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} = {value}: {problem}")]
pub struct SpecError {
    /// Path of the field as written in TOML, e.g. `learners[1].trees`.
    pub field: String,
    /// The value as written, cut to 80 characters.
    pub value: String,
    /// What is wrong with it and what would be right.
    pub problem: String,
}

impl SpecError {
    pub(crate) fn new(
        field: impl Into<String>,
        value: &(impl ToString + ?Sized),
        problem: impl Into<String>,
    ) -> Self {
        let value = value.to_string().chars().take(80).collect();
        Self { field: field.into(), value, problem: problem.into() }
    }

    /// The same error, seen from the table that `field` lies in.
    fn within(self, table: &str) -> Self {
        Self { field: format!("{table}.{}", self.field), ..self }
    }
}

/// Refuses a value outside `range`.
pub(crate) fn check_range<T>(
    field: &str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<(), SpecError>
where
    T: PartialOrd + ToString + Copy,
{
    if range.contains(&value) {
        return Ok(());
    }
    let problem = format!("must be from {} to {}", range.start().to_string(), range.end().to_string());
    Err(SpecError::new(field, &value, problem))
}

fn check_time_zone(field: &str, name: &str) -> Result<(), SpecError> {
    time_zone(name)
        .map(|_| ())
        .map_err(|_| SpecError::new(field, name, "must be an IANA name such as Europe/Berlin or UTC"))
}
