//! `gatecast up`: from a file to a judged model and its forecast.

use forecasting::spec::{DatasetSpec, ModelSpec};
use protocol::messages::{ForecastReply, ForecastRequest, GateDecision};
use serde_json::json;

use super::{datasets, decisions, forecast, import, init, models, spec_file, train, with_roles};
use crate::{
    cli,
    config::cloud_variables,
    draft::Draft,
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure},
    import::{CovariateNames, ImportOptions},
    input,
    roles::Role,
    terminal::{print, print_json, spinner},
};

/// As many series are forecast at the end; the others only if they are asked for.
const SHOWN_SERIES: usize = 20;
const ROLES: [Role; 4] = [Role::Trainer, Role::Gatekeeper, Role::Forecaster, Role::Recorder];

/// Drafts specifications where there are none, applies them, imports the file, trains, and forecasts.
pub(super) async fn up(environment: &Environment, arguments: &cli::Init, json: bool) -> CommandResult {
    let (look, draft) = init::drafted(arguments, reading(arguments)?, environment.clock.now()).await?;
    let (dataset, model) = specifications(arguments, &draft, json)?;
    if !json {
        init::tell(&look, &draft);
    }
    datasets::apply_spec(environment, &dataset).await?;
    models::apply_spec(environment, &model).await?;
    let file = input::open(&arguments.file, &cloud_variables()).await?;
    let progress = spinner(format!("importing {}", arguments.file));
    let (report, recorded) = import::record(environment, &dataset, file, draft.options).await?;
    progress.finish_and_clear();
    if !json {
        import::tell(&report, recorded);
    }

    let request = ForecastRequest {
        model: model.name.to_string(),
        series: look.series.iter().take(SHOWN_SERIES).map(ToString::to_string).collect(),
        horizon: None,
        origin: None,
        levels: Vec::new(),
        history: Vec::new(),
    };
    let progress = spinner("training and judging");
    let work = async {
        let decision = train::decide(environment, &model, &[]).await?;
        Ok((decision, forecast::reply(environment, &request).await?))
    };
    let (decision, reply) = with_roles(environment, &ROLES, work).await?;
    progress.finish_and_clear();
    if json {
        print_json(&json!({
            "import": report, "recorded": import::counts(recorded.values),
            "covariates": import::counts(recorded.covariates),
            "decision": decisions::document(&decision), "forecast": reply,
        }))?;
    } else {
        show(environment, &model, &decision, &reply).await;
    }
    match decision {
        GateDecision::Promoted(_) => Ok(()),
        GateDecision::Refused(_) => Err(Failure::silent(ExitCode::CandidateRefused)),
    }
}

/// How to read the file: with the covariates that the dataset in the folder declares, if there is one, and where `--tz`
/// does not say it, time stamps without an offset by its clock. A person may have changed both.
fn reading(arguments: &cli::Init) -> Result<ImportOptions, Failure> {
    let mut options = arguments.reading.options();
    let [file, _] = init::files(&arguments.folder, &arguments.name());
    if file.exists() {
        let dataset: DatasetSpec = spec_file::read(&file)?;
        options.columns.covariates = CovariateNames::of(&dataset.covariates);
        // In UTC they are a plain grid, as where there is no dataset yet.
        options.time_zone = options.time_zone.or(Some(dataset.time_zone).filter(|zone| zone != "UTC"));
    }
    Ok(options)
}

/// The specifications in the files, which are written first where they are missing.
fn specifications(
    arguments: &cli::Init,
    draft: &Draft,
    json: bool,
) -> Result<(DatasetSpec, ModelSpec), Failure> {
    let [dataset, model] = init::files(&arguments.folder, &arguments.name());
    for (file, text) in [(&dataset, &draft.dataset_toml), (&model, &draft.model_toml)] {
        let said = if file.exists() { "as it is in" } else { "drafted" };
        if !file.exists() {
            init::write_new(file, text)?;
        }
        if !json {
            print(format_args!("{said} {}", file.display()));
        }
    }
    Ok((spec_file::read(&dataset)?, spec_file::read(&model)?))
}

async fn show(environment: &Environment, model: &ModelSpec, decision: &GateDecision, reply: &ForecastReply) {
    print("");
    decisions::lines(decision).iter().for_each(print);
    if let ForecastReply::Answered { forecasts, .. } = reply {
        print("");
        forecast::chart(environment, model, forecasts).await.print();
    }
    print("\nNext:");
    for command in ["forecast", "decisions", "train --wait"] {
        let (command, flags) = command.split_once(' ').unwrap_or((command, ""));
        let line = format!("  gatecast {command} {} {flags}", model.name);
        print(line.trim_end());
    }
}
