//! The places whose holidays are known here.

use std::{fmt, str::FromStr, sync::Arc};

use serde::Serialize;

use super::{HolidayCalendar, table::Table};

/// A country, or a part of it, whose holidays are known: `US`, `US-NY`.
#[derive(Clone, PartialEq, Serialize)]
#[serde(into = "String")]
pub struct HolidayRegion {
    name: String,
    /// Shared: specifications are copied often.
    calendar: Arc<HolidayCalendar>,
}

/// Nothing is known about the holidays of a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownRegion {
    /// Of the country.
    #[error("{region:?}: is not one of the countries {} or a part of one, such as US-NY", countries())]
    Country {
        /// What was asked for, cut to 80 characters.
        region: String,
    },
    /// Of the part.
    #[error("{region:?}: {country} has {}", parts(country))]
    Part {
        /// What was asked for, cut to 80 characters.
        region: String,
        /// The country that it would be a part of.
        country: &'static str,
    },
}

macro_rules! tables {
    ($($country:literal)+) => {
        [$(Table {
            country: $country,
            text: include_str!(concat!("../../data/holidays/", $country, ".txt")),
        }),+]
    };
}

/// One more country is a name here, and one in `scripts/make-holidays`.
const TABLES: [Table; 10] = tables!["AU" "CA" "DE" "ES" "FR" "GB" "IT" "NL" "NZ" "US"];

impl HolidayRegion {
    /// The holidays of a country (`US`), as far as all of it has them, or of one of its parts (`US-NY`).
    pub fn new(region: &str) -> Result<Self, UnknownRegion> {
        let (country, part) = region.split_once('-').unwrap_or((region, region));
        let asked = || region.chars().take(80).collect();
        let table = TABLES.iter().find(|table| table.country == country);
        let table = table.ok_or_else(|| UnknownRegion::Country { region: asked() })?;
        let is_part = part != country || part == region;
        if !(is_part && table.regions().any(|known| known == part)) {
            return Err(UnknownRegion::Part { region: asked(), country: table.country });
        }
        Ok(Self { name: region.to_owned(), calendar: Arc::new(table.calendar(part)) })
    }

    /// Its holidays, as this build knows them.
    pub fn calendar(&self) -> &HolidayCalendar {
        &self.calendar
    }
}

fn countries() -> String {
    TABLES.map(|table| table.country).join(", ")
}

fn parts(country: &str) -> String {
    let table = TABLES.iter().find(|table| table.country == country);
    let parts = table.into_iter().flat_map(|table| table.regions().filter(|region| *region != table.country));
    match parts.collect::<Vec<_>>().as_slice() {
        [] => "no parts".to_owned(),
        parts => format!("the parts {}", parts.join(", ")),
    }
}

impl fmt::Debug for HolidayRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HolidayRegion").field(&self.name).finish()
    }
}

impl fmt::Display for HolidayRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for HolidayRegion {
    type Err = UnknownRegion;
    fn from_str(region: &str) -> Result<Self, UnknownRegion> {
        Self::new(region)
    }
}

impl From<HolidayRegion> for String {
    fn from(region: HolidayRegion) -> String {
        region.name
    }
}

/// The names of all regions, for tests.
#[cfg(test)]
pub(super) fn every_region() -> impl Iterator<Item = String> {
    TABLES.iter().flat_map(|table| {
        let is_country = |region: &str| region == table.country;
        table.regions().map(move |region| {
            if is_country(region) { region.to_owned() } else { format!("{}-{region}", table.country) }
        })
    })
}
