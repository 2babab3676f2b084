//! Names of things, checked once where they enter: [`DatasetName`], [`ModelName`], [`LearnerName`],
//! [`SeriesId`], [`CovariateName`], [`AttributeText`], [`HolidayName`].

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} {problem}")]
pub struct InvalidName {
    /// What the text should have named: `dataset`, `model`, `learner`, `series`, `covariate`, `attribute`,
    /// `holiday`.
    pub what: &'static str,
    /// The text, cut to 60 characters.
    pub value: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl InvalidName {
    fn new(what: &'static str, value: &str, problem: &'static str) -> Self {
        Self { what, value: value.chars().take(60).collect(), problem }
    }
}

/// Names that operators choose become routing keys and folder names: `[a-z][a-z0-9-]{0,62}`.
fn check_name(what: &'static str, value: &str) -> Result<(), InvalidName> {
    let starts_with_letter = value.starts_with(|first: char| first.is_ascii_lowercase());
    let plain = value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if starts_with_letter && plain && value.len() <= 63 {
        return Ok(());
    }
    Err(InvalidName::new(what, value, "must match [a-z][a-z0-9-]{0,62}"))
}

// Shared, because a million observations name the same few series.
macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name.
            pub fn new(value: impl Into<String>) -> Result<Self, InvalidName> {
                let value = value.into();
                $check($what, &value)?;
                Ok(Self(value.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(value: &str) -> Result<Self, InvalidName> {
                Self::new(value)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(value: String) -> Result<Self, InvalidName> {
                Self::new(value)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }
    };
}

checked_name!(
    /// Names a dataset, e.g. `auckland-pedestrians`: `[a-z][a-z0-9-]{0,62}`.
    DatasetName, "dataset", check_name
);
checked_name!(
    /// Names a model (a forecasting task), e.g. `bike-demand`: `[a-z][a-z0-9-]{0,62}`.
    ModelName, "model", check_name
);
checked_name!(
    /// Names a learner of a model, e.g. `trees-mean`: `[a-z][a-z0-9-]{0,62}`.
    LearnerName, "learner", check_name
);
checked_name!(
    /// Names a series of a dataset: 1 to 200 bytes of NFC-normalised UTF-8 without control or
    /// bidirectional formatting characters. Never a routing key and never a metric label.
    SeriesId, "series", check_text
);
checked_name!(
    /// Names a covariate, as the column of a file does, e.g. `temperature`; as long and as harmless as a
    /// [`SeriesId`].
    CovariateName, "covariate", check_text
);
checked_name!(
    /// What a static attribute of a series may say, e.g. `north`; as long and as harmless as a [`SeriesId`].
    AttributeText, "attribute", check_text
);

checked_name!(
    /// Names a holiday, e.g. `Labor Day`; as long and as harmless as a [`SeriesId`].
    HolidayName, "holiday", check_text
);

/// Texts that come with data and are only ever compared and shown.
fn check_text(what: &'static str, value: &str) -> Result<(), InvalidName> {
    let problem = if value.is_empty() {
        "must not be empty"
    } else if value.len() > 200 {
        "must be at most 200 bytes long"
    } else if value.chars().any(|c| c.is_control() || is_bidi_control(c)) {
        "must not contain control or bidirectional formatting characters"
    } else if !unicode_normalization::is_nfc(value) {
        "must be NFC-normalised Unicode"
    } else {
        return Ok(());
    };
    Err(InvalidName::new(what, value, problem))
}

/// Whether a character changes the order in which those beside it are shown.
pub fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_routing_keys_and_are_checked() {
        for good in ["a", "bike-demand", "m2", &"a".repeat(63)] {
            assert!(ModelName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "2m", "Bike", "a b", "a.b", "a#", "-a", &"a".repeat(64)] {
            assert!(ModelName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hostile_series_ids_are_refused() {
        for good in ["akl-1", "Straße 7", "../x", "=cmd()", "<script>", &"x".repeat(200)] {
            assert!(SeriesId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a\0b", "a\nb", "\u{202E}abc", "e\u{0301}", &"x".repeat(201)] {
            assert!(SeriesId::new(bad).is_err(), "{bad:?}");
        }
    }
}
