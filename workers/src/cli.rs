//! The command line.

mod acts;
mod edge_cases;
mod verdict;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use forecasting::{
    certification::{RULES, Shift},
    holidays::HolidayRegion,
    names::{CovariateName, DatasetName, LearnerName, ModelName, SeriesId},
    spec::Algorithm,
};
use jiff::{Timestamp, civil::Date};
use protocol::Queue;

use crate::{
    commands::{ALL_LEARNERS, ALL_RULES},
    config::Flags,
    file_format::FileFormat,
    import::{ColumnNames, CovariateNames, ImportOptions, OnDaylightSaving, OnDuplicate, OnGap, OnUnsorted},
    roles::Role,
};

pub use acts::{ActCommand, Signed};
pub use edge_cases::{AddEdgeCase, EdgeCasesCommand, Moment};
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

/// Commands on dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// List them with their reasons, oldest first
    List {
        /// Only those of this queue
        #[arg(value_parser = queue)]
        queue: Option<Queue>,
        /// At most this many of each queue
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one with its body
    Show {
        /// The queue that it died on
        #[arg(value_parser = queue)]
        queue: Queue,
        /// Its message id
        message_id: String,
    },
    /// Put them back to the end of their queue, as if they were published now
    Replay {
        /// The queue that they died on
        #[arg(value_parser = queue)]
        queue: Queue,
        /// Which
        #[command(flatten)]
        letters: Letters,
    },
    /// Delete them for good
    Drop {
        /// The queue that they died on
        #[arg(value_parser = queue)]
        queue: Queue,
        /// Which
        #[command(flatten)]
        letters: Letters,
    },
}

/// Which dead letters of a queue.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Letters {
    /// The one with this message id
    pub message_id: Option<String>,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

fn queue(name: &str) -> Result<Queue, String> {
    let known = || Queue::ALL.map(Queue::name).join(", ");
    Queue::from_name(name).ok_or_else(|| format!("the queues are {}", known()))
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
The file is read as `backtest` reads it. docs/gate.md explains the table.")]
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
    pub shift: Option<Shift>,
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

fn shift(text: &str) -> Result<Shift, String> {
    let (date, factor) = text.split_once(':').ok_or("write DATE:FACTOR, such as 2025-10-01:0.3")?;
    let date = date.parse::<Date>().map_err(|error| format!("{date}: {error}"))?;
    let factor = factor.parse::<f64>().map_err(|error| format!("{factor}: {error}"))?;
    Ok(Shift { date, factor })
}

/// `gatecast train`
#[derive(Debug, Args)]
#[command(after_help = "\
--drift-since declares that demand has changed for good: a closure, a new tariff, a lost customer. The usual holdout of \
four weeks and more would keep all of the new days from the training. So it shrinks to the newer half of the days since \
then (three at least), and the gate bets on the candidate, day by day: what is much better is in use after about six \
days of holdout, what is not waits and is looked at again with each new day, until there are as many days as any \
candidate needs. That both errors must be lower holds throughout.")]
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
