//! `gatecast backtest`: which learner would have forecast a file best. Needs no broker and no store.

mod compared;
pub(super) mod reading;
mod rows_file;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use forecasting::{
    evaluation::Backtest,
    holidays::HolidayRegion,
    learning::StopFlag,
    names::{DatasetName, ModelName},
    series::{Frame, Frequency},
    spec::{
        Algorithm, CovariateSpec, DatasetSpec, FallbackSpec, GatePolicy, LearnerSpec, ModelSpec, Negative,
        TrainSettings,
    },
};
use jiff::Timestamp;
use serde_json::json;

use self::compared::{Compared, Comparison, Outcome};
use crate::{
    cli,
    export::{self, Columns},
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    file_format::FileFormat,
    import::ImportReport,
    terminal::{Table, WIDTH, complain, print, print_json, progress_bar, remark, spinner, wrap},
};

/// The learner that means all of them.
pub const ALL_LEARNERS: &str = "all";

/// Fits each learner once on what lies before the first origin, lets it forecast every origin, and prints how
/// good that was. `now` bounds how far ahead a time stamp may lie.
pub(super) async fn backtest(arguments: &cli::Backtest, now: Timestamp, json: bool) -> CommandResult {
    let rows_file = arguments.rows.as_deref().map(RowsFile::at).transpose()?;
    let reading = spinner(format!("reading {}", arguments.file));
    let reading::Contents { dataset, frame, covariates, report } =
        reading::read(&arguments.file, arguments.options(), now).await?;
    reading.finish_and_clear();
    report.repairs().iter().for_each(remark);
    let dataset = DatasetSpec { holidays: arguments.holidays.clone(), ..dataset };
    if let Some(unknown) = arguments.holidays.as_ref().and_then(|holidays| years_unknown(holidays, &frame)) {
        remark(unknown);
    }
    let model = model(arguments, &dataset)?;
    let backtest = Backtest::new(&frame, arguments.horizon, arguments.origins).or_exit(ExitCode::Invalid)?;
    let backtest = backtest.with_covariates(covariates).or_exit(ExitCode::Invalid)?;
    let learners = learners(&arguments.learner);
    let forecasts = learners.len() * backtest.rows().forecasts();
    let progress = progress_bar(forecasts as u64);
    let comparison = Comparison { dataset, model, backtest, learners, progress: progress.clone() };
    let stop = StopOnDrop(StopFlag::default());
    let flag = stop.0.clone();
    let compared = tokio::task::spawn_blocking(move || comparison.run(&flag)).await??;
    progress.finish_and_clear();
    report_left_out(&compared, arguments)?;
    if let Some(file) = rows_file {
        file.write(&rows_file::columns(&compared))?;
    }
    if json {
        print_json(&document(&compared, &report))?;
    } else {
        table(&compared).print();
        print("");
        wrap(&legend(&compared), WIDTH).iter().for_each(print);
    }
    Ok(())
}

/// Whoever gives up waiting (ctrl-c) takes the work with it.
pub(super) struct StopOnDrop(pub(super) StopFlag);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn learners(named: &[String]) -> Vec<LearnerSpec> {
    let all = named.is_empty() || named.iter().any(|name| name == ALL_LEARNERS);
    let chosen = Algorithm::NAMES.iter().filter(|name| all || named.iter().any(|other| other == *name));
    chosen.map(|name| LearnerSpec::with_defaults(name)).collect()
}

/// The task that the command line describes, as the learners know tasks.
fn model(arguments: &cli::Backtest, dataset: &DatasetSpec) -> Result<ModelSpec, Failure> {
    let model = ModelSpec {
        name: ModelName::new("backtest").expect("is a name"),
        dataset: dataset.name.clone(),
        horizon_steps: arguments.horizon,
        learners: learners(&arguments.learner),
        fallback: FallbackSpec::default(),
        gate: GatePolicy::default(),
        contracts: Vec::new(),
        schedule: None,
        train: TrainSettings::default(),
    };
    model.validate_with(dataset).or_exit(ExitCode::Invalid)?;
    Ok(model)
}

/// The dataset that a file is taken for.
fn dataset(frequency: Frequency, time_zone: &str) -> DatasetSpec {
    DatasetSpec {
        name: DatasetName::new("backtest").expect("is a name"),
        frequency,
        time_zone: time_zone.to_owned(),
        availability_delay: jiff::SignedDuration::ZERO,
        negative: Negative::default(),
        holidays: None,
        description: None,
        source: None,
        licence: None,
        covariates: CovariateSpec::default(),
    }
}

/// What to say where a file has days that the table of holidays knows nothing about.
fn years_unknown(holidays: &HolidayRegion, frame: &Frame) -> Option<String> {
    let (first, last) = holidays.calendar().span();
    let day = |at: Timestamp| frame.grid.local(at).date();
    let (begin, end) = (day(frame.first_target()?), day(frame.last_target()?));
    (begin < first || end > last).then(|| {
        format!(
            "the holidays of {holidays} are known from {first} to {last}; the file is from {begin} to {end}"
        )
    })
}

/// Where the scored rows go.
struct RowsFile {
    path: PathBuf,
    format: FileFormat,
}

impl RowsFile {
    /// Refuses at once what cannot be written: it must not cost an hour of fitting first.
    fn at(path: &Path) -> Result<Self, Failure> {
        let Some(format) = FileFormat::of_name(path) else {
            let message = format!("--rows {}: the name must end in .csv, .jsonl or .parquet", path.display());
            return Err(Failure::say(ExitCode::Usage, message));
        };
        let checked = check_place(path).with_context(|| format!("--rows {}", path.display()));
        checked.or_exit(ExitCode::Failure)?;
        Ok(Self { path: path.to_owned(), format })
    }

    fn write(&self, rows: &Columns) -> CommandResult {
        export::write_file(rows, self.format, &self.path)
            .with_context(|| format!("--rows {}", self.path.display()))
            .or_exit(ExitCode::Failure)
    }
}

/// Whether a file can be written at the path, which is left as it is.
fn check_place(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        // To open a pipe would be seen at its other end.
        Ok(there) if !there.is_file() => return Ok(()),
        _ => {}
    }
    // A file is written beside the one that it replaces: what counts is the folder, behind any link.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match place.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    tempfile::Builder::new().prefix(".gatecast-").tempfile_in(folder)?.close()
}

/// A learner that cannot do this file is said so; an error if it was asked for by name, or if none can.
fn report_left_out(compared: &Compared, arguments: &cli::Backtest) -> CommandResult {
    for (learner, outcome) in &compared.outcomes {
        let Outcome::LeftOut { why } = outcome else { continue };
        let message = format!("learner {learner}: {why}");
        if arguments.learner.iter().any(|named| named == learner.as_str()) {
            return Err(Failure::say(ExitCode::Invalid, message));
        }
        complain(format_args!("{message}; it is left out"));
    }
    if compared.scored().next().is_none() {
        return Err(Failure::say(ExitCode::Invalid, "no learner can forecast this file"));
    }
    Ok(())
}

fn document(compared: &Compared, report: &ImportReport) -> serde_json::Value {
    let results = compared.scored().map(|(learner, scored)| {
        let mut result = json!(scored.scores);
        result["learner"] = json!(learner);
        result["fit_cpu_seconds"] = json!(scored.fit_cpu.as_secs_f64());
        result["predict_us_per_row"] = json!(scored.microseconds_per_row(compared.rows()));
        result["artifact_bytes"] = json!(scored.artifact_bytes);
        result
    });
    let results: Vec<serde_json::Value> = results.collect();
    json!({ "import": report, "rows": compared.rows(), "series": compared.series(), "results": results })
}

fn table(compared: &Compared) -> Table {
    let header = ["learner", "MAE", "WAPE %", "MASE", "CVaR99", "p99.9", "day %", "fit s", "µs/row"];
    let mut table = Table::new(header);
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    for (learner, scored) in compared.scored() {
        let scores = &scored.scores;
        let large = if scores.mae < 1000.0 { 2 } else { 0 };
        table.row([
            learner.to_string(),
            number(Some(scores.mae), large),
            number(scores.wape, 2),
            number(scores.mase, 3),
            number(scores.cvar99, 2),
            number(Some(scores.p999), 0),
            number(scores.worst_day_wape, 0),
            format!("{:.2}", scored.fit_cpu.as_secs_f64()),
            format!("{:.1}", scored.microseconds_per_row(compared.rows())),
        ]);
    }
    table
}

fn legend(compared: &Compared) -> String {
    let (rows, series) = (compared.rows(), compared.series());
    let tail = rows.div_ceil(100);
    format!(
        "{rows} rows of {series} series from {} on. CVaR99: mean of the {tail} worst errors, each divided by \
         the seasonal naive error of its series; day %: WAPE of the worst day.",
        compared.first_origin()
    )
}
