//! `gatecast gate certify`, `replay-nights`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use forecasting::{
    certification::{LevelShift, RULES},
    spec::Algorithm,
};
use jiff::civil::Date;

use super::Reading;
use crate::commands::ALL_RULES;

/// Commands that measure the gate.
#[derive(Debug, Subcommand)]
pub enum GateCommand {
    /// Count how often the gate is wrong, with candidates of known kinds on real errors
    Certify(Certify),
    /// Play nights of retraining over a file, with Gatecast's gate and with the rules of others
    ReplayNights(ReplayNights),
}

/// `gatecast gate certify`
#[derive(Debug, Args)]
#[command(after_help = "\
Fits several learners on the older half of the history and lets them forecast the newer half (at most 364 days). \
Pairs of different fits are made equally good on average and in the worst case, effects of known size are planted in \
one of them, and windows of 28 days, drawn in blocks of a week, are judged by the gate and by the rules of others. \
The file is read as `backtest` reads it, all files with one --tz: certify those of other zones one by one. docs/gate.md \
explains the table.")]
pub struct Certify {
    /// Files, - for stdin, or file://, s3://, gs://, az://
    #[arg(value_name = "FILE", required_unless_present = "data")]
    pub files: Vec<String>,
    /// All files of a folder whose names say that they hold data
    #[arg(long, value_name = "DIR", conflicts_with = "files")]
    pub data: Option<PathBuf>,
    /// Steps of each forecast [default: a day, or one step if that is longer]
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub horizon: Option<u32>,
    /// A tenth of the windows and smaller fits: a look, not a certificate
    #[arg(long)]
    pub quick: bool,
    /// Starts every random choice
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// How to read it
    #[command(flatten)]
    pub reading: Reading,
}

/// `gatecast gate replay-nights`
#[derive(Debug, Args)]
#[command(after_help = "\
The nights end 28 days before the end of the history, so that it can be seen what came of each promotion. Every night \
a model is trained, the rule judges it, and whoever is in use forecasts the next day. A rule that judges on a holdout \
keeps it from the training; newest-wins needs none. A shift is planted from a local day on and counts as a declared \
drift: from the third day after it the gate decides on the days since then. The file is read as `backtest` reads it.

WAPE is in percent, CVaR99 the mean of the worst hundredth of the errors in seasonal naive errors, worse the \
promotions whose errors of the next 28 days were larger than those of what they replaced, recover the days after the \
shift until a week was at most a quarter worse than before.")]
pub struct ReplayNights {
    /// File, - for stdin, or file://, s3://, gs://, az://
    pub file: String,
    /// How many nights
    #[arg(long, value_name = "COUNT", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub nights: u32,
    /// Rules to play with [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = rule_names())]
    pub rule: Vec<String>,
    /// Multiply all values from a local day on, e.g. 2025-10-01:0.3
    #[arg(long, value_name = "DATE:FACTOR", value_parser = shift)]
    pub shift: Option<LevelShift>,
    /// Make the candidate of every so many nights a harmful one
    #[arg(long, value_name = "NIGHTS", default_value_t = 0)]
    pub harmful: u32,
    /// Steps of each forecast [default: a day, or one step if that is longer]
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub horizon: Option<u32>,
    /// What is trained every night, with its default settings [default: small boosted trees]
    #[arg(long, value_name = "NAME", value_parser = algorithm_names())]
    pub learner: Option<String>,
    /// Starts every random choice
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// How to read it
    #[command(flatten)]
    pub reading: Reading,
}

fn rule_names() -> clap::builder::PossibleValuesParser {
    RULES.iter().map(|rule| rule.name).chain([ALL_RULES]).into()
}

fn algorithm_names() -> clap::builder::PossibleValuesParser {
    Algorithm::NAMES.iter().copied().into()
}

fn shift(text: &str) -> Result<LevelShift, String> {
    let (date, factor) = text.split_once(':').ok_or("write DATE:FACTOR, such as 2025-10-01:0.3")?;
    let date = date.parse::<Date>().map_err(|error| format!("{date}: {error}"))?;
    let factor = factor.parse::<f64>().map_err(|error| format!("{factor}: {error}"))?;
    Ok(LevelShift { date, factor })
}
