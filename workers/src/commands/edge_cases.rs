//! `gatecast edge-cases`: the bank of past failures that every candidate of a model replays.

use std::sync::Arc;

use forecasting::{
    artifact::Bundle,
    gate::{EdgeReplay, ErrorBound, InvalidBound, Replayed},
    learning::{StopFlag, Stopped},
    names::{ModelName, SeriesId},
    series::{Covariates, Frame, Grid},
    spec::{DatasetSpec, ModelSpec},
};
use history::Range;
use jiff::{Timestamp, civil::Time};
use registry::{
    EdgeCaseAdded, EdgeCaseRetired, MAX_EDGE_CASES, NewEdgeCase, Retirement, Statement, StoredEdgeCase,
};
use serde_json::{Value, json};

use super::{acts, backtest::StopOnDrop, models};
use crate::{
    cli::{AddEdgeCase, EdgeCasesCommand, Moment, Signed},
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    handlers::convert::check_statement,
    terminal::{Table, WIDTH, print, print_json, remark, spinner, wrap},
};

/// Adds to a bank, takes out of it, or shows it.
pub(super) async fn edge_cases(
    environment: &Environment,
    command: &EdgeCasesCommand,
    json: bool,
) -> CommandResult {
    match command {
        EdgeCasesCommand::Add(arguments) => add(environment, arguments, json).await,
        EdgeCasesCommand::Retire { model, number, signed } => {
            retire(environment, model, *number, signed, json).await
        }
        EdgeCasesCommand::List { model } => list(environment, model, json).await,
    }
}

/// Adds a case that can be tested, and says how those who answer now would do.
async fn add(environment: &Environment, arguments: &AddEdgeCase, json: bool) -> CommandResult {
    let model = models::find(environment, &arguments.model).await?.spec;
    let wanted = statement(&arguments.signed)?;
    let dataset = dataset(environment, &model).await?;
    let bound = bound(arguments, &dataset.grid())?;
    bound.validate().or_exit(ExitCode::Invalid)?;

    let progress = spinner(format!("replaying the edge case of {}", model.name));
    let scene = Scene::load(environment, model, dataset, &bound).await?;
    let (name, version) = (scene.model.name.clone(), scene.incumbent.as_ref().map(|(version, _)| *version));
    let stop = StopOnDrop(StopFlag::default());
    let (flag, tested) = (stop.0.clone(), bound.clone());
    let replaying = tokio::task::spawn_blocking(move || scene.replay(&tested, &flag));
    let now = replaying.await??.map_err(invalid)?;
    progress.finish_and_clear();

    let new = NewEdgeCase { model: name, bound, wanted };
    let added = environment.registry.add_edge_case(&new, environment.clock.now()).await?;
    let (stored, outcome) = match added {
        EdgeCaseAdded::Recorded(stored) => (stored, "added"),
        EdgeCaseAdded::ThereAlready(stored) => (stored, "there_already"),
        EdgeCaseAdded::BankFull => {
            let problem = format!("has {MAX_EDGE_CASES} edge cases, the most there may be: retire one first");
            return Err(Failure::say(ExitCode::Invalid, format!("model {}: {problem}", new.model)));
        }
    };
    if json {
        let incumbent = version.zip(now.incumbent.as_ref()).map(
            |(version, replayed)| json!({ "version": version, "replayed": replayed_document(replayed) }),
        );
        return Ok(print_json(&json!({
            "outcome": outcome, "edge_case": document(&stored), "incumbent": incumbent,
            "fallback": replayed_document(&now.fallback),
        }))?);
    }
    added_lines(&stored, outcome == "added", version, &now).iter().for_each(print);
    Ok(())
}

async fn retire(
    environment: &Environment,
    model: &ModelName,
    number: u32,
    signed: &Signed,
    json: bool,
) -> CommandResult {
    models::find(environment, model).await?;
    let wanted = statement(signed)?;
    let now = environment.clock.now();
    match environment.registry.retire_edge_case(model, number, &wanted, now).await? {
        EdgeCaseRetired::Recorded(stored) if json => {
            Ok(print_json(&json!({ "outcome": "retired", "edge_case": document(&stored) }))?)
        }
        EdgeCaseRetired::Recorded(_) => {
            print(format_args!("edge case {number} of {model} is retired: no candidate replays it any more"));
            Ok(())
        }
        EdgeCaseRetired::RetiredBefore(stored) => {
            let before = stored.retired.as_ref().map(retired_words).unwrap_or_default();
            Err(Failure::say(ExitCode::Invalid, format!("edge case {number} of {model} was {before}")))
        }
        EdgeCaseRetired::Unknown => {
            Err(Failure::say(ExitCode::NotFound, format!("model {model} has no edge case {number}")))
        }
    }
}

async fn list(environment: &Environment, model: &ModelName, json: bool) -> CommandResult {
    models::find(environment, model).await?;
    let cases = environment.registry.edge_cases(model).await?;
    if json {
        return Ok(print_json(&cases.iter().map(document).collect::<Vec<_>>())?);
    }
    if cases.is_empty() {
        print(format_args!("no edge cases of {model}; `gatecast edge-cases add {model} …` makes one"));
        return Ok(());
    }
    table(&cases).print();
    Ok(())
}

fn statement(signed: &Signed) -> Result<Statement, Failure> {
    let by = acts::by(signed)?;
    check_statement(&by, &signed.reason).or_exit(ExitCode::Invalid)?;
    Ok(Statement { by, reason: signed.reason.clone() })
}

async fn dataset(environment: &Environment, model: &ModelSpec) -> Result<DatasetSpec, Failure> {
    let stored = environment.registry.dataset(&model.dataset).await?;
    let unknown = || {
        Failure::say(
            ExitCode::NotFound,
            format!("dataset {:?} of model {} was not applied", model.dataset.as_str(), model.name),
        )
    };
    Ok(stored.ok_or_else(unknown)?.spec)
}

fn bound(arguments: &AddEdgeCase, grid: &Grid) -> Result<ErrorBound, Failure> {
    let mut series = arguments.series.clone();
    // One order, so that the same case is known again.
    series.sort_unstable();
    Ok(ErrorBound {
        series,
        from: instant("from", arguments.from, grid)?,
        to: instant("to", arguments.to, grid)?,
        limit: arguments.limit,
    })
}

fn instant(field: &str, moment: Moment, grid: &Grid) -> Result<Timestamp, Failure> {
    let local = match moment {
        Moment::Instant(instant) => return Ok(instant),
        Moment::Local(local) => local,
    };
    let zone = grid.time_zone();
    // Some zones skip a midnight: the day begins all the same.
    let instant = if local.time() == Time::midnight() {
        let day = local.date().to_zoned(zone.clone()).and_then(|day| day.start_of_day());
        day.map(|day| day.timestamp())
    } else {
        zone.to_ambiguous_timestamp(local).unambiguous()
    };
    let not_one = |_| {
        let zone = grid.time_zone_name();
        Failure::say(
            ExitCode::Invalid,
            format!("{field}: {local} does not exist once in {zone}: write it with an offset"),
        )
    };
    instant.map_err(not_one)
}

fn invalid(invalid: InvalidBound) -> Failure {
    let code = match invalid {
        InvalidBound::UnknownSeries { .. } => ExitCode::NotFound,
        InvalidBound::NoSeries
        | InvalidBound::SeriesTwice { .. }
        | InvalidBound::EndsBeforeItBegins { .. }
        | InvalidBound::NoLimit { .. }
        | InvalidBound::OutsideHistory { .. }
        | InvalidBound::NoActuals { .. }
        | InvalidBound::NothingToGoOn { .. }
        | InvalidBound::TooManyPoints { .. } => ExitCode::Invalid,
    };
    Failure::new(code, invalid)
}

/// What a new case is tried on: the history of its series as it is now, and who answers now.
struct Scene {
    model: ModelSpec,
    dataset: DatasetSpec,
    frame: Frame,
    covariates: Covariates,
    incumbent: Option<(u32, Arc<Bundle>)>,
}

/// How those who answer now would do on a case.
struct Now {
    incumbent: Option<Replayed>,
    fallback: Replayed,
}

impl Scene {
    async fn load(
        environment: &Environment,
        model: ModelSpec,
        dataset: DatasetSpec,
        bound: &ErrorBound,
    ) -> Result<Self, Failure> {
        let (grid, declared, history) = (dataset.grid(), &dataset.covariates, &environment.history);
        let range = Range { series: Some(bound.series.clone()), ..Range::default() };
        let frame = history.read(&dataset.name, &grid, &range).await?;
        let covariates = history.covariates(&dataset.name, &grid, declared, &range).await?;
        let mut incumbent = None;
        if let Some(in_use) = environment.registry.incumbent(&model.name).await? {
            match environment.models.get(&in_use.artifact).await {
                Ok(bundle) => incumbent = Some((in_use.version, bundle)),
                Err(fault) => {
                    let fault = anyhow::Error::from(fault);
                    remark(format_args!("version {} could not replay it: {fault:#}", in_use.version));
                }
            }
        }
        Ok(Self { model, dataset, frame, covariates, incumbent })
    }

    fn replay(&self, bound: &ErrorBound, stop: &StopFlag) -> Result<Result<Now, InvalidBound>, Stopped> {
        let Self { model, dataset, frame, covariates, incumbent } = self;
        let replay = EdgeReplay { model, dataset, frame, covariates, stop };
        if let Err(invalid) = bound.validate_with(&replay) {
            return Ok(Err(invalid));
        }
        let incumbent = incumbent.as_ref().map(|(_, bundle)| replay.version(bundle, bound)).transpose()?;
        Ok(Ok(Now { incumbent, fallback: replay.fallback(bound)? }))
    }
}

fn added_lines(stored: &StoredEdgeCase, is_new: bool, version: Option<u32>, now: &Now) -> Vec<String> {
    let (number, model) = (stored.case.number, &stored.model);
    let there = if is_new { "" } else { " is there already" };
    let mut lines = wrap(&format!("edge case {number} of {model}{there}: {}", bound_words(stored)), WIDTH);
    let mut tell = |who: &str, replayed: &Replayed| {
        let told = wrap(&format!("{who} {}", replayed_words(replayed)), WIDTH - 2);
        lines.extend(told.iter().map(|line| format!("  {line}")));
    };
    if let Some((version, replayed)) = version.zip(now.incumbent.as_ref()) {
        tell(&format!("version {version}, which answers now,"), replayed);
    }
    tell("the fallback", &now.fallback);
    lines
}

/// How an answer did on a case: continues "the fallback …".
fn replayed_words(replayed: &Replayed) -> String {
    let does = if replayed.keeps_bound() { "keeps to it" } else { "fails it" };
    if let Some(fault) = &replayed.unanswered {
        return format!("{does}: its forecast from {} {}", fault.origin, fault.problem);
    }
    let Some(worst) = &replayed.worst else { return does.to_owned() };
    format!("{does}: off by {:.2} at worst, on series {} for {}", worst.error, worst.series, worst.target)
}

fn replayed_document(replayed: &Replayed) -> Value {
    json!({
        "keeps_limit": replayed.keeps_bound(), "points": replayed.points,
        "error": replayed.worst.as_ref().map(|worst| worst.error), "beyond_limit": replayed.beyond_limit,
        "unanswered": replayed.unanswered.as_ref().map(|fault| fault.problem.to_string()),
    })
}

fn bound_words(stored: &StoredEdgeCase) -> String {
    let ErrorBound { series, from, to, limit } = &stored.case.bound;
    let names: Vec<&str> = series.iter().map(SeriesId::as_str).collect();
    format!("off by at most {limit} on series {} from {from} to {to}", names.join(", "))
}

/// Continues "it was …".
fn retired_words(Retirement { wanted: Statement { by, reason }, at }: &Retirement) -> String {
    format!("retired by {by}, {at}: {reason}")
}

fn table(cases: &[StoredEdgeCase]) -> Table {
    let mut table = Table::new(["case", "state", "looks", "what and why"]);
    for stored in cases {
        let Statement { by, reason } = &stored.added;
        let mut words = vec![bound_words(stored), format!("added by {by}, {}: {reason}", stored.added_at)];
        words.extend(stored.retired.as_ref().map(retired_words));
        table.row([
            stored.case.number.to_string(),
            if stored.is_active() { "active" } else { "retired" }.to_owned(),
            stored.looks.to_string(),
            words.join("; "),
        ]);
    }
    table
}

/// A case as a document, the same in every command.
fn document(stored: &StoredEdgeCase) -> Value {
    let ErrorBound { series, from, to, limit } = &stored.case.bound;
    json!({
        "model": stored.model, "number": stored.case.number, "series": series, "from": from, "to": to,
        "limit": limit, "by": stored.added.by, "reason": stored.added.reason, "added_at": stored.added_at,
        "looks": stored.looks,
        "retired": stored.retired.as_ref().map(|retirement| json!({
            "by": retirement.wanted.by, "reason": retirement.wanted.reason, "at": retirement.at,
        })),
    })
}
