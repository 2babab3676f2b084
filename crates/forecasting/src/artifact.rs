//! What a trainer hands to the gate and to forecasters: a [`Bundle`], stored as bytes that are named by
//! their SHA-256.
//!
//! The bytes: `GATECAST`, format version (u16), payload length (u64), SHA-256 of the payload, payload
//! (postcard); integers little-endian. They hold numbers and names only, no code. Reading refuses
//! whatever is cut, changed in a single bit, foreign, or unsafe to forecast with, and never panics.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    models::{Model, WeeklyMean},
    names::{DatasetName, LearnerName, ModelName, SeriesId},
    series::Grid,
};

/// A fitted model with everything needed to judge it, to answer with it, and to say where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bundle {
    /// The model (the task) that this is a version of.
    pub model: ModelName,
    /// The dataset it was trained on.
    pub dataset: DatasetName,
    /// Hash of the model specification that the trainer read.
    pub spec_hash: String,
    /// SHA-256, in hex, of the values that training was given.
    pub data_hash: String,
    /// What every random choice started from.
    pub seed: u64,
    /// Version of the code that trained it.
    pub code_version: String,
    /// Who fitted it.
    pub learner: LearnerName,
    /// The grid of the series.
    pub grid: Grid,
    /// How many steps it was trained to forecast.
    pub horizon_steps: u32,
    /// Start of the last step whose value training saw.
    pub cut_off: Timestamp,
    /// Training saw what was recorded by then.
    pub as_of: Timestamp,
    /// Answers where it can.
    pub primary: Model,
    /// Answers elsewhere, and is what a first candidate must beat.
    pub fallback: WeeklyMean,
    /// What losses of a series are divided by: the mean absolute error of the seasonal naive forecast on
    /// the training data. Above 0; a series without one has no entry.
    pub loss_scales: BTreeMap<SeriesId, f64>,
}

/// Why bytes are not a bundle that this build can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// Fewer bytes than a header, or than the header announces.
    #[error("artifact is cut off: {has_bytes} bytes, {needed_bytes} expected")]
    Truncated {
        /// How many bytes there are.
        has_bytes: usize,
        /// How many there should be.
        needed_bytes: u64,
    },
    /// The bytes do not begin like an artifact.
    #[error("not a Gatecast artifact")]
    Foreign,
    /// Written by another version of the format.
    #[error("artifact format {version} is not supported, this build reads format {FORMAT_VERSION}")]
    UnsupportedFormat {
        /// The version found.
        version: u16,
    },
    /// Larger than any bundle may be, or longer than announced.
    #[error("artifact of {size_bytes} bytes, at most {most_bytes} are allowed")]
    TooLarge {
        /// The size found.
        size_bytes: u64,
        /// The largest size allowed.
        most_bytes: u64,
    },
    /// The payload is not what was written.
    #[error("artifact is damaged: its SHA-256 does not match")]
    Damaged,
    /// The payload is what was written, but not something to forecast with.
    #[error("artifact is malformed: {problem}")]
    Malformed {
        /// What is wrong with it.
        problem: String,
    },
}

const MAGIC: &[u8; 8] = b"GATECAST";
const FORMAT_VERSION: u16 = 1;
const HEADER_BYTES: usize = 8 + 2 + 8 + 32;
/// Larger than any bundle of sane settings: 5,000 trees of 1,024 leaves are about 70 MB.
const MOST_PAYLOAD_BYTES: u64 = 128 << 20;

impl Bundle {
    /// The largest artifact that [`Bundle::decode`] looks at, in bytes.
    pub const MOST_BYTES: u64 = MOST_PAYLOAD_BYTES + HEADER_BYTES as u64;

    /// The bytes to store; the same bundle gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        let payload = postcard::to_stdvec(self).expect("a bundle holds nothing that postcard cannot write");
        let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&Sha256::digest(&payload));
        bytes.extend_from_slice(&payload);
        bytes
    }

    /// Reads what [`Bundle::encode`] wrote, and checks all that forecasting relies on.
    pub fn decode(bytes: &[u8]) -> Result<Bundle, ArtifactError> {
        let payload = checked_payload(bytes)?;
        let malformed = |problem: String| ArtifactError::Malformed { problem };
        let (bundle, rest) =
            postcard::take_from_bytes::<Bundle>(payload).map_err(|error| malformed(error.to_string()))?;
        if !rest.is_empty() {
            return Err(malformed(format!("{} bytes too many", rest.len())));
        }
        bundle.validate().map_err(malformed)?;
        Ok(bundle)
    }

    fn validate(&self) -> Result<(), String> {
        self.primary.validate().map_err(|invalid| invalid.to_string())?;
        self.fallback.validate().map_err(|invalid| invalid.to_string())?;
        if self.horizon_steps == 0 {
            return Err("a horizon of 0 steps".to_owned());
        }
        let bad_scale = self
            .loss_scales
            .iter()
            .find(|(_, scale)| !(scale.is_finite() && **scale > 0.0));
        match bad_scale {
            Some((series, scale)) => Err(format!("a loss scale of {scale} for series {series}")),
            None => Ok(()),
        }
    }
}

/// The payload, once everything that the header says about it holds.
fn checked_payload(bytes: &[u8]) -> Result<&[u8], ArtifactError> {
    if !bytes.starts_with(MAGIC) && !MAGIC.starts_with(bytes) {
        return Err(ArtifactError::Foreign);
    }
    let truncated = |needed_bytes| ArtifactError::Truncated {
        has_bytes: bytes.len(),
        needed_bytes,
    };
    let (header, payload) = bytes
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(truncated(HEADER_BYTES as u64))?;
    let version = u16::from_le_bytes([header[8], header[9]]);
    if version != FORMAT_VERSION {
        return Err(ArtifactError::UnsupportedFormat { version });
    }
    let announced = header[10..18]
        .iter()
        .rev()
        .fold(0, |length, &byte| length << 8 | u64::from(byte));
    if announced > MOST_PAYLOAD_BYTES {
        return Err(ArtifactError::TooLarge {
            size_bytes: announced,
            most_bytes: MOST_PAYLOAD_BYTES,
        });
    }
    let has_bytes = payload.len() as u64;
    if has_bytes < announced {
        return Err(truncated(announced + HEADER_BYTES as u64));
    }
    if has_bytes > announced {
        return Err(ArtifactError::TooLarge {
            size_bytes: has_bytes,
            most_bytes: announced,
        });
    }
    if Sha256::digest(payload)[..] != header[18..] {
        return Err(ArtifactError::Damaged);
    }
    Ok(payload)
}

/// The name of an artifact: the SHA-256 of all its bytes, written as 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactName([u8; 32]);

/// A text is not the name of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("artifact name {value:?} must be 64 lower-case hex digits")]
pub struct InvalidArtifactName {
    /// The text, cut to 80 characters.
    pub value: String,
}

impl ArtifactName {
    /// The name of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for ArtifactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for ArtifactName {
    type Err = InvalidArtifactName;
    fn from_str(value: &str) -> Result<Self, InvalidArtifactName> {
        let refused = || InvalidArtifactName {
            value: value.chars().take(80).collect(),
        };
        // Names become keys in stores that tell upper from lower case: one spelling only.
        if value.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refused());
        }
        let mut sha256 = [0; 32];
        hex::decode_to_slice(value, &mut sha256).map_err(|_| refused())?;
        Ok(Self(sha256))
    }
}

impl TryFrom<String> for ArtifactName {
    type Error = InvalidArtifactName;
    fn try_from(value: String) -> Result<Self, InvalidArtifactName> {
        value.parse()
    }
}

impl From<ArtifactName> for String {
    fn from(name: ArtifactName) -> String {
        name.to_string()
    }
}
