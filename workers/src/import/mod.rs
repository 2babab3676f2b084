//! stub
use clap::ValueEnum;
use std::io::Read;
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum OnDaylightSaving {
    #[default]
    Error,
    Drop,
    Shift,
}
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum OnDuplicate {
    #[default]
    Error,
    Sum,
}
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum OnGap {
    #[default]
    Error,
    Allow,
}
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    pub time_zone: Option<String>,
    pub on_daylight_saving: OnDaylightSaving,
    pub on_duplicate: OnDuplicate,
    pub on_gap: OnGap,
}
#[derive(Debug, serde::Serialize)]
pub struct ImportReport {
    pub series: usize,
}
impl std::fmt::Display for ImportReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.series)
    }
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ImportError;
pub struct Imported {
    pub observations: Vec<history::Observation>,
    pub report: ImportReport,
}
pub fn read(
    _: impl Read,
    _: &ImportOptions,
    _: &forecasting::spec::DatasetSpec,
    _: jiff::Timestamp,
) -> Result<Imported, ImportError> {
    Err(ImportError)
}
