//! `gatecast demo`: the whole idea on real demand data, in one process.
//!
//! Nothing here is special: the demo applies specifications, imports files, publishes train jobs and
//! forecast requests onto the queue and prints the replies, as a user would.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clock::SystemClock;
use forecasting::{
    names::LearnerName,
    spec::{DatasetSpec, ModelSpec},
};
use protocol::messages::{ForecastReply, ForecastRequest};
use serde_json::json;

use super::{datasets, decisions, forecast, import, models, run, spec_file, train};
use crate::{
    config::{Config, Setting},
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    import::ImportOptions,
    roles::{self, Role},
    terminal::{WIDTH, print, print_json, spinner, wrap},
};

/// Where the demo keeps its data.
const FOLDER: &str = "gatecast-demo";
/// Stands in a folder that a demo made and the next one may delete.
const MARKER: &str = "made-by-gatecast-demo";

/// A data set that the binary brings along, with the model on it.
struct Example {
    dataset: &'static str,
    model: &'static str,
    rows: &'static [u8],
}

macro_rules! example {
    ($name:literal) => {
        Example {
            dataset: include_str!(concat!("../../../examples/datasets/", $name, ".toml")),
            model: include_str!(concat!("../../../examples/models/", $name, ".toml")),
            rows: include_bytes!(concat!("../../../examples/data/", $name, ".csv.gz")),
        }
    };
}

const EXAMPLES: [Example; 2] = [example!("auckland-pedestrians"), example!("washington-bikes")];

/// A train job of the story.
struct Step {
    model: &'static str,
    learner: &'static str,
    introduction: &'static str,
}

const STORY: [Step; 4] = [
    Step {
        model: "auckland-pedestrians",
        learner: "trees-quick",
        introduction: "A first candidate: a few small trees, judged against the fallback, a weekly mean.",
    },
    Step {
        model: "auckland-pedestrians",
        learner: "trees-both",
        introduction: "A second one, half aimed at the mean and half at the median, judged against the first.",
    },
    Step {
        model: "auckland-pedestrians",
        learner: "trees-thorough",
        introduction: "A third one: more and larger trees that learn more slowly, judged against the first.",
    },
    Step {
        model: "washington-bikes",
        learner: "trees-mean",
        introduction: "And a first candidate for the bikes of Washington, again judged against a weekly mean. One \
                       series says less than 21: what is better there may be luck.",
    },
];

/// Tells the story; without `once` goes on answering until told to stop.
pub(super) async fn demo(config: Config, settings: &[Setting], once: bool, json: bool) -> CommandResult {
    let started = Instant::now();
    let is_default = |setting: &Setting| setting.key == "data_folder" && setting.origin == "default";
    let folder = if settings.iter().any(is_default) { PathBuf::from(FOLDER) } else { config.data_folder };
    // Whatever the configuration says, the demo touches nothing but its own folder.
    let config = Config { data_folder: folder, log: config.log, ..Config::default() };
    fresh_folder(&config.data_folder)?;
    let environment = Arc::new(Environment::own(config, "demo", Arc::new(SystemClock)).await?);
    let stop = run::stop_on_signal()?;
    let narrator = Narrator { silent: json };

    narrator.tell("Gatecast demo: real demand data, one process, nothing planted.");
    let mut models = Vec::new();
    for example in &EXAMPLES {
        models.push(bring(&environment, example, narrator).await?);
    }

    let mut running = tokio::spawn({
        let (environment, stop) = (environment.clone(), stop.clone());
        async move { roles::run(&environment, &Role::ALL, stop).await }
    });
    let told = tokio::select! {
        told = tell(&environment, &models, narrator) => told,
        () = stop.cancelled() => Err(Failure::silent(ExitCode::Interrupted)),
        ended = &mut running => return Err(ended?.err().unwrap_or_else(|| anyhow::anyhow!("the roles ended")).into()),
    };
    let (decided, reply) = match told {
        Ok(told) => told,
        Err(failure) => {
            stop.cancel();
            running.await??;
            return Err(failure);
        }
    };
    if json {
        let decided: Vec<_> = decided.iter().map(decisions::document).collect();
        print_json(
            &json!({ "decisions": decided, "forecast": reply, "seconds": started.elapsed().as_secs_f64() }),
        )?;
    } else {
        next_commands(&environment.config.data_folder, started.elapsed(), once);
    }
    if once {
        stop.cancel();
    }
    Ok(running.await??)
}

/// Tells people what happens; programs that asked for JSON are not told.
#[derive(Clone, Copy)]
struct Narrator {
    silent: bool,
}

impl Narrator {
    /// Prose, broken into lines.
    fn tell(self, prose: &str) {
        for line in wrap(prose, WIDTH) {
            self.show(&line);
        }
    }

    /// A line as it is.
    fn show(self, line: &str) {
        if !self.silent {
            print(line);
        }
    }
}

/// Applies an example's specifications and imports its observations.
async fn bring(
    environment: &Environment,
    example: &Example,
    narrator: Narrator,
) -> Result<ModelSpec, Failure> {
    let dataset: DatasetSpec = spec_file::parse(example.dataset)?;
    datasets::apply_spec(environment, &dataset).await?;
    let model: ModelSpec = spec_file::parse(example.model)?;
    models::apply_spec(environment, &model).await?;

    let progress = spinner(format!("importing {}", dataset.name));
    let (report, recorded) =
        import::record(environment, &dataset, example.rows.into(), ImportOptions::default()).await?;
    progress.finish_and_clear();
    let licence = dataset.licence.as_deref().unwrap_or("unknown licence");
    narrator.tell(&format!(
        "{}: {} rows of {} series imported ({licence})",
        dataset.name, recorded.values.new, report.series
    ));
    Ok(model)
}

/// The story: each candidate with its decision, then forecasts by the version that won.
async fn tell(
    environment: &Environment,
    models: &[ModelSpec],
    narrator: Narrator,
) -> Result<(Vec<protocol::messages::GateDecision>, ForecastReply), Failure> {
    let mut decided = Vec::new();
    for step in &STORY {
        narrator.show("");
        narrator.tell(step.introduction);
        let model =
            models.iter().find(|model| model.name.as_str() == step.model).context("a model of the demo")?;
        let progress = spinner("training and judging");
        let learner = LearnerName::new(step.learner)?;
        let decision = train::decide(environment, model, &[learner]).await?;
        progress.finish_and_clear();
        for line in decisions::lines(&decision) {
            narrator.show(&line);
        }
        decided.push(decision);
    }
    let model = models.first().context("a model of the demo")?;
    narrator.show("");
    narrator.tell(&format!(
        "Forecast requests onto the queue: the next {} steps of {}.",
        model.horizon_steps, model.name
    ));
    let request = ForecastRequest {
        model: model.name.to_string(),
        series: Vec::new(),
        horizon: None,
        origin: None,
        levels: Vec::new(),
        history: Vec::new(),
    };
    let asked = Instant::now();
    let reply = forecast::reply(environment, &request).await?;
    let waited = asked.elapsed();
    if let ForecastReply::Answered { forecasts, .. } = &reply {
        for line in forecast::chart(environment, model, forecasts).await.lines() {
            narrator.show(&line);
        }
        narrator.tell(&format!("{} series answered through the queue in {waited:.1?}.", forecasts.len()));
    }
    Ok((decided, reply))
}

/// An empty folder, in the place of the last demo's; never in the place of anything else.
fn fresh_folder(folder: &Path) -> CommandResult {
    let marker = folder.join(MARKER);
    if marker.exists() {
        let owned = crate::data_folder::own(folder).or_exit(ExitCode::Unreachable)?;
        fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
        drop(owned);
    } else if is_used(folder)? {
        let message =
            format!("{} holds something else than a demo; name another --data-folder", folder.display());
        return Err(Failure::say(ExitCode::Invalid, message));
    }
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(marker, ""))
        .with_context(|| folder.display().to_string())?;
    Ok(())
}

fn is_used(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(other) => Err(other),
    }
}

fn next_commands(folder: &Path, took: Duration, once: bool) {
    let folder = folder.display();
    print(format_args!("\nTold in {:.0} s.", took.as_secs_f64()));
    let elsewhere = if once { "" } else { " in another terminal, while this one answers (ctrl-c ends it)" };
    print(format_args!("Next{elsewhere}:"));
    for command in [
        "decisions auckland-pedestrians",
        "verdict auckland-pedestrians 2",
        "forecast washington-bikes",
        "models list",
    ] {
        print(format_args!("  cargo run --release -- {command} --data-folder {folder}"));
    }
}
