//! The command line.

mod acts;
mod backtest;
mod dead_letters;
mod edge_cases;
mod gate;
mod import;
mod verdict;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use forecasting::names::{DatasetName, LearnerName, ModelName};
use jiff::Timestamp;

use crate::{config::Flags, file_format::FileFormat, roles::Role};

pub use acts::{ActCommand, Signed};
pub use backtest::Backtest;
pub use dead_letters::{DeadLettersCommand, Letters};
pub use edge_cases::{AddEdgeCase, EdgeCasesCommand, Moment};
pub use gate::{Certify, GateCommand, ReplayNights};
pub use import::{Import, Reading};
pub use verdict::Verdict;

/// Puts demand forecasts into production and keeps bad models out.
#[derive(Debug, Parser)]
#[command(name = "gatecast", version, about, long_about = LONG_ABOUT, propagate_version = true)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const LONG_ABOUT: &str = "\
Puts demand forecasts into production and keeps bad models out.

Trainers fit candidates, a gatekeeper lets a candidate in only if it beats the incumbent on both average \
and worst-case error, and forecasters answer requests on a queue with the model that won.

Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 invalid input, 5 a part cannot be reached or did not \
reply in time, 6 done but the candidate was refused, 130 interrupted.";

/// What applies to every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration file [default: gatecast.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the embedded queue, registry, history and artifacts
    #[arg(long, global = true, value_name = "DIR")]
    pub data_folder: Option<PathBuf>,
    /// Print exactly one JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,
}

impl Global {
    /// What the flags say about the configuration.
    pub fn flags(&self) -> Flags {
        Flags { file: self.config.clone(), data_folder: self.data_folder.clone() }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole idea on real demand data, in a fresh folder `gatecast-demo`
    Demo {
        /// End after the story instead of going on to answer requests
        #[arg(long)]
        once: bool,
    },
    /// Look at a file and write the dataset and model specifications that it suggests
    Init(Init),
    /// From a file to a judged model and its forecast: init, apply, import, train, forecast
    Up(Init),
    /// Run workers until told to stop (SIGTERM or ctrl-c)
    Run {
        /// Roles of this process
        #[arg(long, value_delimiter = ',', value_enum, default_values_t = Role::ALL)]
        role: Vec<Role>,
        /// Bring the tables in PostgreSQL up to date first
        #[arg(long)]
        migrate: bool,
    },
    /// Bring the tables in PostgreSQL up to date
    Migrate,
    /// Datasets: named series with one frequency and time zone
    #[command(subcommand)]
    Datasets(SpecCommand),
    /// Models: forecasting tasks with their learners and gate policy, and what people do about them
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Bring observations into a dataset's history
    Import(Import),
    /// Compare learners on a file: no broker, no store, nothing kept
    Backtest(Backtest),
    /// Measure what the gate lets in: no broker, no store, nothing kept
    #[command(subcommand)]
    Gate(GateCommand),
    /// Publish a train job
    Train(Train),
    /// Publish a forecast request and print the reply
    Forecast(Forecast),
    /// List a model's decisions and the acts of people with the reasons
    Decisions {
        /// The model
        model: ModelName,
        /// At most this many, newest first
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Explain a verdict, find it again bit for bit, or ask what another policy would find
    Verdict(Verdict),
    /// Past failures that no candidate of a model may repeat
    #[command(subcommand)]
    EdgeCases(EdgeCasesCommand),
    /// Messages that could not be handled
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Look at every part that this configuration names: is it there, is it as it should be
    Doctor,
    /// Ask the process that runs with this configuration whether it is ready (health.listen)
    Healthcheck,
    /// Look at the configuration in force
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of gatecast, or of one of its commands
    Man {
        /// The command
        command: Option<String>,
    },
}

/// Commands on specifications.
#[derive(Debug, Subcommand)]
pub enum SpecCommand {
    /// Apply a specification; a changed one becomes a new version
    Apply {
        /// TOML file
        file: PathBuf,
    },
    /// List what was applied
    List,
}

/// Commands on models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Apply a specification; a changed one becomes a new version
    Apply {
        /// TOML file
        file: PathBuf,
    },
    /// List what was applied, with what is in use
    List,
    /// Show what is in use, who put it there, what binds the gate, and every version
    Show {
        /// The model
        model: ModelName,
    },
    /// What a person decides, past the gate
    #[command(flatten)]
    Act(ActCommand),
}

/// `gatecast init` and `gatecast up`
#[derive(Debug, Args)]
#[command(after_help = "\
Writes NAME.dataset.toml and NAME.model.toml, commented, and never over a file that is there: `init` then refuses, \
`up` goes on with what it says.")]
pub struct Init {
    /// File, or file://, s3://, gs://, az://
    pub file: String,
    /// Name of the dataset and of the model [default: the file's]
    #[arg(long, value_name = "NAME")]
    pub name: Option<DatasetName>,
    /// Where the specifications are written
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// How to read it
    #[command(flatten)]
    pub reading: Reading,
}

impl Init {
    /// The name that was given, or that of the file.
    pub fn name(&self) -> DatasetName {
        self.name.clone().unwrap_or_else(|| crate::draft::name(&self.file))
    }
}

/// `gatecast train`
#[derive(Debug, Args)]
#[command(after_help = "\
--drift-since declares that demand has changed for good: a closure, a new tariff, a lost customer. The usual holdout of \
four weeks and more would keep all of the new days from the training. So it shrinks to the newer half of the days since \
then (there must be three, more where values come late), and the gate bets on the candidate, day by day: what is much \
better is in use after about eight days of holdout, what is not waits and is looked at again with each new day, until \
there are as many days as any candidate needs. That both errors must be lower holds throughout. It is said for this one \
job: the schedule goes on as ever, so say it again until a candidate is in use.")]
pub struct Train {
    /// The model
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub model: Option<ModelName>,
    /// Publish a train job for every model, e.g. every night in the place of the scheduler
    #[arg(long, conflicts_with_all = ["learner", "wait", "drift_since"])]
    pub all: bool,
    /// Learners that compete for being the candidate [default: all of the model's]
    #[arg(long, value_name = "NAME")]
    pub learner: Vec<LearnerName>,
    /// Demand is another one since then, RFC 3339: train on the older half of the days since, judge on the newer
    #[arg(long, value_name = "TIME")]
    pub drift_since: Option<Timestamp>,
    /// Wait for the gatekeeper's decision; exit with 6 if the candidate is refused
    #[arg(long)]
    pub wait: bool,
}

/// `gatecast forecast`
#[derive(Debug, Args)]
pub struct Forecast {
    /// The model
    pub model: ModelName,
    /// Series to forecast [default: all of the model's dataset]
    #[arg(long, value_name = "ID")]
    pub series: Vec<String>,
    /// Number of steps [default: the model's horizon]
    #[arg(long, value_name = "STEPS")]
    pub horizon: Option<u32>,
    /// Intervals to forecast, in percent: 50 to 99 [default: none]
    #[arg(long, value_name = "PERCENT")]
    pub level: Vec<u8>,
    /// Instant to forecast from, RFC 3339 [default: after each series' newest value]
    #[arg(long, value_name = "TIME")]
    pub origin: Option<Timestamp>,
    /// Write rows of `unique_id,ds,forecast,…,version,origin,route`: .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Format of the rows [default: by the file's name]; without --out they go to stdout
    #[arg(long, value_enum)]
    pub format: Option<FileFormat>,
}

/// Commands on the configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration and say whether it can be used
    Check,
    /// Show every key with its value
    Show {
        /// Say also where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

/// Roles as clap sees them.
impl ValueEnum for Role {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()).help(self.purpose()))
    }
}
