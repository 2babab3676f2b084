//! `gatecast gate replay-nights`: what nights of retraining would have done to the forecasts, rule by rule.

use forecasting::{
    certification::{NightsSettings, RULES, Replay, Rule, Work, replay},
    learners::BoostedTreesSpec,
    learning::StopFlag,
    names::LearnerName,
    series::Frame,
    spec::{Algorithm, DatasetSpec, LearnerSpec, ModelSpec, TrainSettings},
};
use jiff::Timestamp;
use serde_json::json;

use super::{super::backtest::StopOnDrop, ALL_RULES, model, read, show, threads};
use crate::{
    cli,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    terminal::{Table, WIDTH, print, print_json, progress_bar, wrap},
};

/// Days that a nightly training looks back: last season counts, older days teach little and cost time.
const MEMORY_DAYS: u32 = 400;

/// Plays the nights and prints what came of each rule.
pub(super) async fn replay_nights(
    arguments: &cli::ReplayNights,
    now: Timestamp,
    json: bool,
) -> CommandResult {
    let contents = read(&arguments.file, &arguments.reading, now).await?;
    let learner = arguments.learner.as_deref().map_or_else(small_trees, LearnerSpec::with_defaults);
    let train = TrainSettings { memory_days: Some(MEMORY_DAYS), seed: arguments.seed };
    let model = model(&contents.dataset, arguments.horizon, learner, train)?;
    let nights = Played {
        dataset: contents.dataset,
        model,
        count: arguments.nights as usize,
        rules: rules(&arguments.rule),
        shift: arguments.shift,
        harmful_every: arguments.harmful as usize,
    };
    let replay = run(contents.frame, nights).await?;
    if json {
        print_json(&json!({ "import": contents.report, "replay": replay }))?;
    } else {
        table(&replay).print();
        print("");
        wrap(&legend(&replay), WIDTH).iter().for_each(print);
    }
    Ok(())
}

/// What [`NightsSettings`] borrows.
struct Played {
    dataset: DatasetSpec,
    model: ModelSpec,
    count: usize,
    rules: Vec<Rule>,
    shift: Option<forecasting::certification::LevelShift>,
    harmful_every: usize,
}

async fn run(frame: Frame, nights: Played) -> Result<Replay, Failure> {
    let bar = progress_bar(0);
    let stop = StopOnDrop(StopFlag::default());
    let (flag, shown) = (stop.0.clone(), bar.clone());
    let played = tokio::task::spawn_blocking(move || {
        let tell = |stage, done, of| show(&shown, stage, done, of);
        let work = Work { threads: threads(), stop: &flag, tell: &tell };
        let settings = NightsSettings {
            dataset: &nights.dataset,
            model: &nights.model,
            nights: nights.count,
            rules: &nights.rules,
            shift: nights.shift,
            harmful_every: nights.harmful_every,
        };
        replay(&frame, &settings, &work)
    });
    let replay = played.await?.or_exit(ExitCode::Invalid)?;
    bar.finish_and_clear();
    Ok(replay)
}

fn rules(named: &[String]) -> Vec<Rule> {
    let all = named.is_empty() || named.iter().any(|name| name == ALL_RULES);
    RULES.into_iter().filter(|rule| all || named.iter().any(|name| name == rule.name)).collect()
}

/// A fit takes a second or two; what is compared is the rules.
fn small_trees() -> LearnerSpec {
    let settings =
        BoostedTreesSpec { trees: 100, leaves: 31, learning_rate: 0.1, ..BoostedTreesSpec::default() };
    LearnerSpec {
        name: LearnerName::new("small-trees").expect("is a name"),
        algorithm: Algorithm::BoostedTrees(settings),
    }
}

fn table(replay: &Replay) -> Table {
    let header = ["rule", "promoted", "worse", "WAPE %", "CVaR99", "recover", "harmful nights"];
    let mut table = Table::new(header);
    for rule in &replay.rules {
        table.row([
            rule.rule.to_owned(),
            rule.promotions.to_string(),
            rule.turned_out_worse.to_string(),
            format!("{:.2}", rule.live_wape),
            format!("{:.3}", rule.live_cvar99),
            match (rule.days_to_recover, replay.shift) {
                (Some(days), _) => days.to_string(),
                (None, Some(_)) => "never".to_owned(),
                (None, None) => "-".to_owned(),
            },
            format!("{} ({} promoted)", rule.harmful_nights, rule.harmful_promotions),
        ]);
    }
    table
}

fn legend(replay: &Replay) -> String {
    let Replay { first, last, nights, holdout_origins, harmful_candidates, shift, .. } = replay;
    let shift = shift.map_or_else(
        || "no shift".to_owned(),
        |shift| format!("from {} on all values times {}", shift.date, shift.factor),
    );
    format!(
        "{nights} nights from {first} to {last}, {harmful_candidates} of them with a harmful candidate; {shift}. \
         Judged on {holdout_origins} origins."
    )
}
