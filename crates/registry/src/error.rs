//! Why a registry did not do what it was asked.

use forecasting::{
    artifact::ArtifactName,
    names::{DatasetName, ModelName},
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::JobId;

/// Why the store itself failed.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// Why nothing was read or changed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No dataset of this name was ever applied.
    #[error("dataset {0} is not known")]
    UnknownDataset(DatasetName),
    /// No model of this name was ever applied.
    #[error("model {0} is not known")]
    UnknownModel(ModelName),
    /// The model has no version of this number.
    #[error("version {version} of {model} is not known")]
    UnknownVersion {
        /// The model.
        model: ModelName,
        /// The number.
        version: u32,
    },
    /// No job of this id was ever recorded.
    #[error("job {0} is not known")]
    UnknownJob(JobId),
    /// What is said about a job does not agree with what was recorded about it.
    #[error("job {job} {problem}")]
    Contradiction {
        /// The job.
        job: JobId,
        /// Where the two differ.
        problem: String,
    },
    /// An object in the artifact store that was just being deleted. To be stored again, at `until` or later.
    #[error("object {name} of the artifact store may be deleted until {until}: store it again then")]
    Condemned {
        /// The object.
        name: ArtifactName,
        /// When it is gone, if it goes.
        until: Timestamp,
    },
    /// A value that could not be read back, e.g. one with a number that is infinite or no number.
    #[error("{what} would not come back as it was given: {json}")]
    NotStorable {
        /// What holds the value.
        what: &'static str,
        /// What would have been stored, cut to 300 characters.
        json: String,
    },
    /// The registry is away, not set up, busy beyond patience, or full. Once that is over, trying again helps.
    #[error("the registry is not available")]
    Unavailable(#[source] StoreError),
    /// The registry is there, and what was asked failed. Trying again may help, or not.
    #[error("the registry failed")]
    Failed(#[source] StoreError),
    /// The registry holds what this build cannot read. Trying again does not help.
    #[error("the registry holds something unreadable")]
    Unreadable(#[source] StoreError),
}

/// The JSON of a value, once it is sure to come back: a row that cannot be read again would stop everyone
/// who lists it.
pub(crate) fn storable_json<T>(what: &'static str, value: &T) -> Result<String, RegistryError>
where
    T: Serialize + DeserializeOwned + PartialEq,
{
    let json = serde_json::to_string(value).map_err(|error| RegistryError::Unreadable(error.into()))?;
    match serde_json::from_str::<T>(&json) {
        Ok(read) if read == *value => Ok(json),
        _ => Err(RegistryError::NotStorable { what, json: json.chars().take(300).collect() }),
    }
}

impl From<sqlx::Error> for RegistryError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                RegistryError::Unreadable(error.into())
            }
            away if database::is_away(&away) => RegistryError::Unavailable(away.into()),
            other => RegistryError::Failed(other.into()),
        }
    }
}
