//! What a dataset is.

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{CovariateSpec, SpecError, check_time_zone, hash::canonical_hash};
use crate::{
    holidays::HolidayRegion,
    names::DatasetName,
    series::{Frequency, Grid},
};

/// Series of one frequency, time zone and availability delay.
///
/// ```toml
/// name = "washington-bikes"
/// frequency = "PT1H"
/// time_zone = "America/New_York"
/// availability_delay = "PT0S"        # optional
/// negative = "refuse"                # optional: no value may be below zero
/// holidays = "US-DC"                 # optional: learners with features know them
/// description = "Bikes hired in the hour"
/// source = "UCI Bike Sharing (275)"
/// licence = "CC BY 4.0"
///
/// [covariates]                       # optional, see CovariateSpec
/// known = ["temperature"]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSpec {
    /// Names the dataset.
    pub name: DatasetName,
    /// The distance of two steps.
    pub frequency: Frequency,
    /// IANA name of the zone whose days the series follow; checked when read.
    #[serde(deserialize_with = "read_time_zone")]
    pub time_zone: String,
    /// How long after the end of a step its value is known at the latest: 0 to 366 days, in hours and
    /// smaller units (`PT48H`). Default none.
    #[serde(default)]
    pub availability_delay: SignedDuration,
    /// Whether observations may be below zero. Default `allow`.
    #[serde(default, skip_serializing_if = "Negative::is_default")]
    pub negative: Negative,
    /// Whose holidays the series follow; learners of values alone do not look at them. Checked when read.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read_holidays")]
    pub holidays: Option<HolidayRegion>,
    /// What the values count, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the data comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Under which licence it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The columns beside the value. Default none.
    #[serde(default, skip_serializing_if = "CovariateSpec::is_empty")]
    pub covariates: CovariateSpec,
}

/// Whether observations may be below zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Negative {
    /// They may.
    #[default]
    Allow,
    /// One that is makes its file or message an error.
    Refuse,
}

impl Negative {
    /// Whether the value may be.
    pub fn allows(self, y: f64) -> bool {
        self == Self::Allow || y.is_nan() || y >= 0.0
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

const LONGEST_DELAY: SignedDuration = SignedDuration::from_hours(24 * 366);

const LONGEST_HORIZON: SignedDuration = SignedDuration::from_hours(24 * (5 * 365 + 2));
/// No model forecasts more steps than this.
pub(super) const MOST_HORIZON_STEPS: u32 = 10_000;

impl DatasetSpec {
    /// Refuses values that cannot be; what passes always has a grid.
    pub fn validate(&self) -> Result<(), SpecError> {
        check_time_zone("time_zone", &self.time_zone)?;
        if !(SignedDuration::ZERO..=LONGEST_DELAY).contains(&self.availability_delay) {
            let problem = "must be from PT0S to 366 days";
            return Err(SpecError::new("availability_delay", &self.availability_delay, problem));
        }
        Ok(())
    }

    /// The grid of every series.
    ///
    /// # Panics
    /// If the time zone is unknown, which neither reading nor [`DatasetSpec::validate`] lets pass.
    pub fn grid(&self) -> Grid {
        Grid::new(self.frequency, &self.time_zone).expect("the time zone was checked when it was read")
    }

    /// How many of the newest steps before an origin are not known then: the availability delay in steps.
    pub fn delay_steps(&self) -> u32 {
        let step = self.frequency.nominal().as_secs();
        let steps = (self.availability_delay.as_secs() + step - 1) / step;
        u32::try_from(steps).expect("a delay is at most 366 days")
    }

    /// The longest horizon that any model of the dataset may have: 10,000 steps or 5 years.
    pub fn most_horizon_steps(&self) -> u32 {
        let most = LONGEST_HORIZON.as_secs() / self.frequency.nominal().as_secs();
        u32::try_from(most).map_or(MOST_HORIZON_STEPS, |most| most.min(MOST_HORIZON_STEPS))
    }

    /// SHA-256 in hex; equal for equal specifications, however they are written.
    pub fn hash(&self) -> String {
        canonical_hash(self)
    }
}

fn read_time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    check_time_zone("time_zone", &name).map_err(de::Error::custom)?;
    Ok(name)
}

fn read_holidays<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HolidayRegion>, D::Error> {
    let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let unknown = |unknown| de::Error::custom(format!("holidays = {unknown}"));
    HolidayRegion::new(&name).map(Some).map_err(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIKES: &str = r#"
        name = "washington-bikes"
        frequency = "PT1H"
        time_zone = "America/New_York"
    "#;

    fn read(toml: &str) -> DatasetSpec {
        toml::from_str(toml).expect("is a dataset")
    }

    #[test]
    fn negative_values_are_allowed_unless_they_are_refused() {
        let refusing = read(&format!("{BIKES}\nnegative = 'refuse'"));
        for (y, refused) in [(-0.1, true), (0.0, false), (-0.0, false), (1.0, false), (f64::NAN, false)] {
            assert!(read(BIKES).negative.allows(y), "{y}");
            assert_eq!(!refusing.negative.allows(y), refused, "{y}");
        }
        // What was applied before there was a choice is still the same specification.
        assert_eq!(read(BIKES).hash(), read(&format!("{BIKES}\nnegative = 'allow'")).hash());
        assert_ne!(read(BIKES).hash(), refusing.hash());
    }

    #[test]
    fn covariates_change_the_hash_of_a_dataset_that_declares_some() {
        let with = |names: &str| read(&format!("{BIKES}\n[covariates]\n{names}"));
        assert_eq!(with("known = []").hash(), read(BIKES).hash(), "there are none");
        assert_ne!(with("known = ['rain']").hash(), read(BIKES).hash());
        assert_ne!(with("known = ['rain']").hash(), with("past = ['rain']").hash());
        assert_eq!(with("known = ['rain', 'ice']").hash(), with("known = ['ice', 'rain']").hash());
        let json = serde_json::to_string(&with("known = ['rain']")).expect("is JSON");
        assert_eq!(
            serde_json::from_str::<DatasetSpec>(&json).expect("was written"),
            with("known = ['rain']")
        );
    }

    #[test]
    fn holidays_are_those_of_a_known_place() {
        let new_york = read(&format!("{BIKES}\nholidays = 'US-NY'"));
        assert_eq!(new_york.holidays.as_ref().map(ToString::to_string).as_deref(), Some("US-NY"));
        assert_ne!(new_york.hash(), read(BIKES).hash());
        let json = serde_json::to_string(&new_york).expect("is JSON");
        assert_eq!(serde_json::from_str::<DatasetSpec>(&json).expect("was just written"), new_york);
        for (place, says) in [
            ("Mars", "holidays = \"Mars\": is not one of the countries AU, CA, DE"),
            ("GB-LND", "holidays = \"GB-LND\": GB has the parts ENG, NIR, SCT, WLS"),
        ] {
            let error = toml::from_str::<DatasetSpec>(&format!("{BIKES}\nholidays = '{place}'"));
            let error = error.expect_err(place).to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_dataset_needs_three_lines() {
        let bikes = read(BIKES);
        assert_eq!(bikes.validate(), Ok(()));
        assert_eq!(bikes.availability_delay, SignedDuration::ZERO);
        assert_eq!(bikes.grid().time_zone_name(), "America/New_York");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = toml::from_str::<DatasetSpec>(&format!("{BIKES}\ntimezone = 'UTC'")).expect_err("a typo");
        assert!(error.to_string().contains("unknown field `timezone`"), "{error}");
    }

    #[test]
    fn impossible_values_are_named_with_their_field() {
        let mut mars = read(BIKES);
        mars.time_zone = "Mars/Olympus".to_owned();
        let text = "time_zone = Mars/Olympus: must be an IANA name such as Europe/Berlin or UTC";
        let read_from_mars =
            toml::from_str::<DatasetSpec>(&BIKES.replace("America/New_York", "Mars/Olympus"));
        assert!(read_from_mars.expect_err("is on Mars").to_string().contains(text));
        assert_eq!(mars.validate().expect_err("is on Mars").to_string(), text);
        let delayed = read(&format!("{BIKES}\navailability_delay = '-PT1H'"));
        let text = "availability_delay = -PT1H: must be from PT0S to 366 days";
        assert_eq!(delayed.validate().expect_err("is negative").to_string(), text);
    }

    #[test]
    fn the_hash_follows_the_meaning_and_not_the_writing() {
        let spelled_out = read(&format!("availability_delay = 'PT0S'\n{BIKES}"));
        assert_eq!(spelled_out.hash(), read(BIKES).hash());
        assert_ne!(read(&BIKES.replace("PT1H", "PT30M")).hash(), read(BIKES).hash());
        let json = serde_json::to_string(&spelled_out).expect("is JSON");
        assert_eq!(serde_json::from_str::<DatasetSpec>(&json).expect("was just written"), spelled_out);
    }
}
