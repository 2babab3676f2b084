//! What a trainer hands to the gate and to forecasters: a [`Bundle`], stored as bytes that are named by
//! their SHA-256.
//!
//! The bytes: `GATECAST`, format version (u16), payload length (u64), SHA-256 of the payload, payload
//! (postcard); integers little-endian. They hold numbers and names only, no code. Reading refuses
//! whatever is cut, changed in a single bit, foreign, or unsafe to forecast with, and never panics.
//!
//! Format 1 had no intervals; both are read, format 2 is written.

use std::{borrow::Cow, fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    intervals::Intervals,
    models::{Model, Stored as _, WeeklyMean},
    names::{DatasetName, LearnerName, ModelName},
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
    /// Answers elsewhere.
    pub fallback: WeeklyMean,
    /// How far both may be off; `None` if too little was known to say.
    pub intervals: Option<Intervals>,
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
    #[error("artifact format {version} is not supported, this build reads formats 1 to {FORMAT_VERSION}")]
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
const FORMAT_VERSION: u16 = 2;
/// Format 1 is format 2 without the last field, which postcard writes as this where there is none.
const NO_INTERVALS: u8 = 0;
const HEADER_BYTES: usize = 8 + 2 + 8 + 32;
/// Larger than any bundle of allowed settings: a million leaves are about 15 MB, and 250,000 series
/// with the longest names 50 MB.
const MOST_PAYLOAD_BYTES: u64 = 64 << 20;

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
        let (version, payload) = checked_payload(bytes)?;
        let malformed = |problem: String| ArtifactError::Malformed { problem };
        let payload = match version {
            1 => Cow::from([payload, &[NO_INTERVALS]].concat()),
            _ => Cow::from(payload),
        };
        let (bundle, rest) =
            postcard::take_from_bytes::<Bundle>(&payload).map_err(|error| malformed(error.to_string()))?;
        if !rest.is_empty() {
            return Err(malformed(format!("{} bytes too many", rest.len())));
        }
        bundle.validate().map_err(malformed)?;
        Ok(bundle)
    }

    fn validate(&self) -> Result<(), String> {
        self.primary.validate().map_err(|invalid| invalid.to_string())?;
        self.fallback.validate().map_err(|invalid| invalid.to_string())?;
        self.intervals.as_ref().map_or(Ok(()), Intervals::validate)?;
        if self.horizon_steps == 0 {
            return Err("a horizon of 0 steps".to_owned());
        }
        Ok(())
    }
}

/// The format and the payload, once everything that the header says about it holds.
fn checked_payload(bytes: &[u8]) -> Result<(u16, &[u8]), ArtifactError> {
    if !bytes.starts_with(MAGIC) && !MAGIC.starts_with(bytes) {
        return Err(ArtifactError::Foreign);
    }
    let truncated = |needed_bytes| ArtifactError::Truncated { has_bytes: bytes.len(), needed_bytes };
    let (header, payload) =
        bytes.split_first_chunk::<HEADER_BYTES>().ok_or(truncated(HEADER_BYTES as u64))?;
    let version = u16::from_le_bytes([header[8], header[9]]);
    if !(1..=FORMAT_VERSION).contains(&version) {
        return Err(ArtifactError::UnsupportedFormat { version });
    }
    let announced = header[10..18].iter().rev().fold(0, |length, &byte| length << 8 | u64::from(byte));
    if announced > MOST_PAYLOAD_BYTES {
        return Err(ArtifactError::TooLarge { size_bytes: announced, most_bytes: MOST_PAYLOAD_BYTES });
    }
    let has_bytes = payload.len() as u64;
    if has_bytes < announced {
        return Err(truncated(announced + HEADER_BYTES as u64));
    }
    if has_bytes > announced {
        return Err(ArtifactError::TooLarge { size_bytes: has_bytes, most_bytes: announced });
    }
    if Sha256::digest(payload)[..] != header[18..] {
        return Err(ArtifactError::Damaged);
    }
    Ok((version, payload))
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
        let refused = || InvalidArtifactName { value: value.chars().take(80).collect() };
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

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        examples::{history, id, level_times, long_mean, seasonal_naive, version},
        holidays::HolidayCalendar,
        models::{Forest, Node},
        names::HolidayName,
    };

    fn small() -> Bundle {
        version(seasonal_naive(), 30)
    }

    /// A forest that asks for the holidays of someone's own calendar.
    fn with_holidays() -> Bundle {
        let mut bundle = version(level_times(1.5), 30);
        let Model::BoostedTrees(model) = &mut bundle.primary else { unreachable!("level_times is a forest") };
        let own = [(date(2025, 1, 6), HolidayName::new("Founder's Day").expect("is a name"))];
        let own = HolidayCalendar::new(date(2025, 1, 1), date(2025, 12, 31), own).expect("is a calendar");
        model.features = model.features.clone().with_holidays(&own, true);
        model.forests[0] = Forest::new(1.0, &[], model.features.width()).expect("has no trees");
        bundle
    }

    #[test]
    fn a_bundle_survives_its_bytes() {
        for bundle in [small(), version(level_times(1.5), 30), with_holidays()] {
            let bytes = bundle.encode();
            assert_eq!(Bundle::decode(&bytes), Ok(bundle.clone()));
            assert_eq!(bundle.encode(), bytes, "the same bytes every time");
        }
    }

    #[test]
    fn artifacts_of_earlier_formats_are_read_for_ever() {
        let mut trees = version(level_times(1.5), 30);
        let Model::BoostedTrees(model) = &mut trees.primary else { unreachable!("level_times is a forest") };
        let split = Node::Split { feature: 3, threshold: 1.0, right: 2, missing_goes_left: true };
        let tree = vec![split, Node::Leaf { value: -0.25 }, Node::Leaf { value: 0.5 }];
        model.forests[0] = Forest::new(1.0, &[tree], model.features.width()).expect("is a tree");
        let kept: [(&[u8], Bundle); 3] = [
            (include_bytes!("../tests/artifacts/seasonal-naive.v1"), small()),
            (include_bytes!("../tests/artifacts/weekly-mean.v1"), version(long_mean(), 30)),
            (include_bytes!("../tests/artifacts/boosted-trees.v1"), trees),
        ];
        for (bytes, bundle) in kept {
            assert_eq!(Bundle::decode(bytes), Ok(bundle));
        }
    }

    #[test]
    fn a_change_of_any_single_bit_is_refused() {
        let bytes = small().encode();
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Bundle::decode(&changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_and_every_addition_is_refused() {
        let bytes = small().encode();
        for len in 0..bytes.len() {
            let truncated = matches!(Bundle::decode(&bytes[..len]), Err(ArtifactError::Truncated { .. }));
            assert!(truncated, "{len} bytes");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(Bundle::decode(&longer), Err(ArtifactError::TooLarge { .. })));
    }

    #[test]
    fn foreign_bytes_and_other_formats_are_told_apart() {
        assert_eq!(Bundle::decode(b"PK\x03\x04"), Err(ArtifactError::Foreign));
        assert_eq!(Bundle::decode(&[0; 100]), Err(ArtifactError::Foreign));
        let mut next_format = small().encode();
        next_format[8] = 3;
        assert_eq!(Bundle::decode(&next_format), Err(ArtifactError::UnsupportedFormat { version: 3 }));
        let mut endless = small().encode();
        endless[10..18].fill(0xFF);
        assert!(matches!(
            Bundle::decode(&endless),
            Err(ArtifactError::TooLarge { size_bytes: u64::MAX, .. })
        ));
    }

    /// What a hostile or broken writer with a correct header could send.
    fn wrap(payload: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        bytes.extend((payload.len() as u64).to_le_bytes());
        bytes.extend(Sha256::digest(payload));
        bytes.extend(payload);
        bytes
    }

    fn problem(bundle: &Bundle) -> String {
        match Bundle::decode(&bundle.encode()) {
            Err(ArtifactError::Malformed { problem }) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_forecasting_relies_on_is_checked() {
        let mut no_horizon = small();
        no_horizon.horizon_steps = 0;
        assert_eq!(problem(&no_horizon), "a horizon of 0 steps");
        let mut trees = version(level_times(1.0), 30);
        let Model::BoostedTrees(model) = &mut trees.primary else { unreachable!("level_times is a forest") };
        // Valid for a thousand features, but the model has fewer.
        let split = Node::Split { feature: 999, threshold: 0.0, right: 2, missing_goes_left: true };
        let tree = vec![split, Node::Leaf { value: 1.0 }, Node::Leaf { value: 2.0 }];
        model.forests[0] = Forest::new(0.0, &[tree], 1000).expect("is a tree");
        assert_eq!(problem(&trees), "model: node 0 asks for feature 999 of 40");
        let Model::BoostedTrees(model) = &mut trees.primary else { unreachable!("level_times is a forest") };
        model.forests.clear();
        assert_eq!(problem(&trees), "model: 0 forests, 1 to 16 are allowed");
    }

    #[test]
    fn a_list_that_would_fill_the_memory_is_refused() {
        let bundle = |series: u32| {
            let mut bundle = version(level_times(1.0), 30);
            let Model::BoostedTrees(model) = &mut bundle.primary else {
                unreachable!("level_times is a forest")
            };
            model.features.series = (0..series).map(|number| id(&format!("{number:06}"))).collect();
            bundle
        };
        assert!(Bundle::decode(&bundle(250_000).encode()).is_ok());
        let too_long = Bundle::decode(&bundle(250_001).encode());
        assert!(matches!(too_long, Err(ArtifactError::Malformed { .. })), "{:?}", too_long.err());
    }

    #[test]
    fn features_of_holidays_need_the_days_in_their_artifact() {
        let mut bundle = with_holidays();
        let Model::BoostedTrees(model) = &mut bundle.primary else { unreachable!("level_times is a forest") };
        model.features.holidays = None;
        assert!(Bundle::decode(&bundle.encode()).is_err());
    }

    #[test]
    fn bytes_after_the_bundle_are_refused() {
        let mut payload = postcard::to_stdvec(&small()).expect("is a bundle");
        payload.push(0);
        let malformed = ArtifactError::Malformed { problem: "1 bytes too many".to_owned() };
        assert_eq!(Bundle::decode(&wrap(&payload)), Err(malformed));
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Bundle::decode(&bytes).is_err());
            prop_assert!(Bundle::decode(&wrap(&bytes)).is_err());
        }

        #[test]
        fn a_payload_of_hostile_bytes_never_panics(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..8)) {
            let mut payload = postcard::to_stdvec(&with_holidays()).expect("is a bundle");
            for (place, byte) in changes {
                let place = place % payload.len();
                payload[place] = byte;
            }
            // What passes every check must also forecast without a panic.
            if let Ok(bundle) = Bundle::decode(&wrap(&payload)) {
                use crate::models::{Covered, Predict};
                let frame = history(40);
                let origin = frame.series[0].end(&frame.grid);
                let _ = bundle.primary.predict(Covered::alone(&frame.series[0]), &frame.grid, origin, 24);
                let _ = bundle.fallback.predict(Covered::alone(&frame.series[0]), &frame.grid, origin, 24);
            }
        }
    }

    #[test]
    fn an_artifact_is_named_by_its_bytes_in_one_spelling() {
        let name = ArtifactName::of(b"");
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(name.to_string(), text);
        assert_eq!(text.parse(), Ok(name));
        for bad in ["", "e3b0", &text.to_uppercase(), &format!("{text}00"), &text.replace('e', "g")] {
            assert!(bad.parse::<ArtifactName>().is_err(), "{bad}");
        }
        let json = serde_json::to_string(&name).expect("is a text");
        assert_eq!(json, format!("\"{text}\""));
    }
}
