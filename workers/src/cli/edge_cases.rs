//! `gatecast edge-cases`

use std::str::FromStr;

use clap::{Args, Subcommand};
use forecasting::names::{ModelName, SeriesId};
use jiff::{Timestamp, civil::DateTime};

use super::Signed;

/// Commands on the bank of edge cases.
#[derive(Debug, Subcommand)]
pub enum EdgeCasesCommand {
    /// Put a past failure into the bank of a model: from now on every candidate replays it
    Add(AddEdgeCase),
    /// End an edge case: it stays listed, and no candidate replays it any more
    Retire {
        /// The model
        model: ModelName,
        /// The case, as `edge-cases list` numbers it
        number: u32,
        /// Who and why
        #[command(flatten)]
        signed: Signed,
    },
    /// List them, retired ones too, with who and why and how many decisions looked at each
    List {
        /// The model
        model: ModelName,
    },
}

/// `gatecast edge-cases add`
#[derive(Debug, Args)]
#[command(after_help = "\
A candidate that is off by more than the limit at any target is refused, whatever else it is better at, and the reason \
names the case. Each target is forecast from the latest origin that is not after it (the start of its day, or its own \
step where steps are days; where a horizon ends before the day does, another origin follows there), with what was \
known then. A case that lies in what a candidate was trained on tests for a relapse and is no evidence: verdicts say \
so. A case has at most 1,000 values, and a model 500 cases that are not retired.")]
pub struct AddEdgeCase {
    /// The model
    pub model: ModelName,
    /// A series that it is about; may be repeated
    #[arg(long, value_name = "ID", required = true)]
    pub series: Vec<SeriesId>,
    /// Targets begin then or later: RFC 3339, or a date or time on the dataset's clock
    #[arg(long, value_name = "TIME")]
    pub from: Moment,
    /// Targets begin before then, likewise
    #[arg(long, value_name = "TIME")]
    pub to: Moment,
    /// How far off the forecast of a target may be, in the unit of the values
    #[arg(long, value_name = "ERROR", allow_negative_numbers = true)]
    pub limit: f64,
    /// Who and why
    #[command(flatten)]
    pub signed: Signed,
}

/// An instant, or what the clock in a dataset's time zone shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// With an offset.
    Instant(Timestamp),
    /// Without one; a date is its midnight.
    Local(DateTime),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(instant) = text.parse() {
            return Ok(Self::Instant(instant));
        }
        let no_time = |_| "a date, a time such as 2025-03-01T06:00, or RFC 3339 is needed".to_owned();
        text.parse().map(Self::Local).map_err(no_time)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_moment_is_an_instant_or_a_local_time() {
        let check = |text: &str, moment| assert_eq!(text.parse::<Moment>(), Ok(moment), "{text}");
        check("2012-10-29", Moment::Local(date(2012, 10, 29).at(0, 0, 0, 0)));
        check("2012-10-29T06:00", Moment::Local(date(2012, 10, 29).at(6, 0, 0, 0)));
        let instant = "2012-10-29T04:00:00Z".parse().expect("is a time");
        check("2012-10-29T00:00:00-04:00", Moment::Instant(instant));
        for text in ["", "tomorrow", "2012-13-01", "06:00"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
