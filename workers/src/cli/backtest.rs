//! `gatecast backtest`

use std::path::PathBuf;

use clap::Args;
use forecasting::{holidays::HolidayRegion, names::CovariateName, spec::Algorithm};

use super::Reading;
use crate::{
    commands::ALL_LEARNERS,
    import::{CovariateNames, ImportOptions},
};

/// `gatecast backtest`
#[derive(Debug, Args)]
#[command(after_help = "\
The origins lie a horizon apart and the last horizon ends at the last time stamp of the file. Each learner is \
fitted once on what lies before the first origin and forecasts each origin from what lies before it; scored are \
the rows that exist, of series that begin at least 4 weeks (days: 8 weeks) before the first origin. The \
file is read as `import` reads it, with its most common step as the frequency; without --tz, time stamps without an \
offset are a plain grid.

Covariates are columns beside the value, named by --known, --past and --static. boosted-trees, elastic-net and \
blend use them; the other learners look at values alone. What is known in advance must be there over the horizon of \
every forecast, if need be in rows that leave the value empty; of what is past-only a forecast sees what lies before \
its origin. Such a number may be true or false, or empty where it is missing; a static attribute is a number or a \
text, the same in all rows of a series.

--holidays tells the same three learners which days are holidays: of AU, CA, DE, ES, FR, GB, IT, NL, NZ or US, as far \
as the whole country has them, or of a part (US-NY, DE-BY). Outside the years of its table nothing is known.

WAPE, bias, worst day and worst series are in percent; MASE and CVaR99 are in seasonal naive errors (the value a \
week earlier) before the first origin; fit is CPU time of the one fitting thread.")]
pub struct Backtest {
    /// File, - for stdin, or file://, s3://, gs://, az://
    pub file: String,
    /// Steps of each forecast
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub horizon: u32,
    /// Forecasts of each series
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub origins: u32,
    /// Learners with their default settings [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = learner_names())]
    pub learner: Vec<String>,
    /// How to read it
    #[command(flatten)]
    pub reading: Reading,
    /// Columns of numbers that are known in advance, such as a price
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub known: Vec<CovariateName>,
    /// Columns of numbers that are known as late as the value, such as visits of a page
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub past: Vec<CovariateName>,
    /// Columns that are the same in all rows of a series, such as a region or a size
    #[arg(long = "static", value_name = "COLUMN", value_delimiter = ',')]
    pub attributes: Vec<CovariateName>,
    /// Whose public holidays the series follow, such as US or US-NY
    #[arg(long, value_name = "COUNTRY[-SUBDIVISION]")]
    pub holidays: Option<HolidayRegion>,
    /// Write every scored row with every learner's forecast: .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    pub rows: Option<PathBuf>,
}

impl Backtest {
    /// How to read the file, with the columns of covariates.
    pub fn options(&self) -> ImportOptions {
        let mut options = self.reading.options();
        options.columns.covariates = CovariateNames {
            known: self.known.clone(),
            past: self.past.clone(),
            attributes: self.attributes.clone(),
        };
        options
    }
}

fn learner_names() -> clap::builder::PossibleValuesParser {
    Algorithm::NAMES.iter().copied().chain([ALL_LEARNERS]).into()
}
