//! `gatecast import`, and how any command reads a file of observations

use clap::Args;
use forecasting::names::{DatasetName, SeriesId};

use crate::{
    file_format::FileFormat,
    import::{ColumnNames, CovariateNames, ImportOptions, OnDaylightSaving, OnDuplicate, OnGap, OnUnsorted},
};

/// `gatecast import`
#[derive(Debug, Args)]
#[command(after_help = "\
One row per value: columns are found by name, `unique_id,ds,y` or `series,timestamp,value`, or as --id, --time and \
--value say. Columns that the dataset declares as covariates must be there; where only they are known, as of steps to \
come, a row leaves the value empty. CSV and JSON lines may be compressed (.gz, .zst). Objects in stores are reached \
with the variables that the stores' own tools read (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, GOOGLE_SERVICE_ACCOUNT, \
AZURE_STORAGE_ACCOUNT_NAME, …). Nothing is stored when any row is wrong, and nothing is repaired unless asked for by \
name.")]
pub struct Import {
    /// The dataset
    pub dataset: DatasetName,
    /// File, - for stdin, or file://, s3://, gs://, az://
    pub file: String,
    /// How to read it
    #[command(flatten)]
    pub reading: Reading,
}

/// How to read a file of observations.
#[derive(Debug, Args)]
pub struct Reading {
    /// What the file must be [default: what its first bytes say]
    #[arg(long, value_enum)]
    pub format: Option<FileFormat>,
    /// Column of series ids
    #[arg(long, value_name = "COLUMN", conflicts_with = "series")]
    pub id: Option<String>,
    /// Column of time stamps
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// Column of values
    #[arg(long, value_name = "COLUMN")]
    pub value: Option<String>,
    /// The whole file is one series with this id
    #[arg(long, value_name = "ID")]
    pub series: Option<SeriesId>,
    /// Time zone of time stamps without an offset: an IANA name, or none for a plain grid
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// What to do with a local time that does not exist or exists twice
    #[arg(long, value_enum, default_value_t = OnDaylightSaving::Error)]
    pub dst: OnDaylightSaving,
    /// What to do with a series' second value for the same time
    #[arg(long, value_enum, default_value_t = OnDuplicate::Error)]
    pub on_duplicate: OnDuplicate,
    /// What to do with a series that lacks more than 20 % of its steps
    #[arg(long, value_enum, default_value_t = OnGap::Error)]
    pub on_gap: OnGap,
    /// What to do with a row that is earlier than the one before it of its series
    #[arg(long, value_enum, default_value_t = OnUnsorted::Error)]
    pub on_unsorted: OnUnsorted,
}

impl Reading {
    /// The same, for the reader.
    pub fn options(&self) -> ImportOptions {
        ImportOptions {
            format: self.format,
            columns: ColumnNames {
                id: self.id.clone(),
                time: self.time.clone(),
                value: self.value.clone(),
                series: self.series.clone(),
                covariates: CovariateNames::default(),
            },
            time_zone: self.tz.clone(),
            on_daylight_saving: self.dst,
            on_duplicate: self.on_duplicate,
            on_gap: self.on_gap,
            on_unsorted: self.on_unsorted,
        }
    }
}
