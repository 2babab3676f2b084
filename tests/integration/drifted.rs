//! Demand has changed for good, and somebody says since when: a candidate that has seen the new days is in use after a
//! few of them.

use std::{fmt::Write as _, ops::Range};

use forecasting::{
    names::SeriesId,
    spec::{DatasetSpec, ModelSpec},
};
use history::Observation;
use jiff::{SignedDuration, Timestamp};
use protocol::{
    Queue,
    messages::{CandidateRefused, ModelPromoted, RefusingVerdict, TrainJob, TrainReason},
};
use workers::{
    commands::replay,
    roles::{
        Role,
        gatekeeper::second_looks::{self, Asked},
    },
};

use crate::{
    command_line::{json, succeed},
    desk::Desk,
    stack::{Stack, at, decision, in_time, promoted, refused},
};

const DATASET: &str = "name = 'shop'\nfrequency = 'PT1H'\ntime_zone = 'UTC'\n";
/// Last week's value: right again a week after the shift, when the fallback's mean of four weeks is not yet.
const MODEL: &str =
    "name = 'shop'\ndataset = 'shop'\nhorizon = 24\n[[learners]]\nlearner = 'seasonal-naive'\n";

/// Days before the shift.
const BEFORE: i64 = 60;
const SHIFT: &str = "2024-03-01T00:00:00Z";
/// The last hour before the eighth day since then.
const A_WEEK_LATER: &str = "2024-03-07T23:00:00Z";

/// The values of these days, counted from the shift: 70 % less from there on, and a little that no week repeats.
fn days(days: Range<i64>) -> impl Iterator<Item = (Timestamp, f64)> {
    (24 * days.start..24 * days.end).map(|hour| {
        let level: i32 = if hour < 0 { 100 } else { 30 };
        let noise = i32::try_from((hour + 24 * BEFORE) * 5 % 13).expect("is below 13");
        (at(SHIFT) + SignedDuration::from_hours(hour), f64::from(level + noise))
    })
}

async fn bring(stack: &Stack, range: Range<i64>) {
    let dataset: DatasetSpec = toml::from_str(DATASET).expect("is a dataset");
    let id: SeriesId = "till".parse().expect("is an id");
    let observations: Vec<Observation> =
        days(range).map(|(ds, y)| Observation { series: id.clone(), ds, y }).collect();
    let recorded =
        stack.environment.history.record(&dataset.name, &dataset.grid(), &observations, stack.now()).await;
    assert_eq!(recorded.expect("records").new, observations.len() as u64);
}

/// A system with the history of the shop until so many days after the shift.
async fn with_shop(since: i64) -> Stack {
    let mut stack = Stack::still().await;
    let (registry, now) = (&stack.environment.registry, stack.now());
    let dataset: DatasetSpec = toml::from_str(DATASET).expect("is a dataset");
    let model: ModelSpec = toml::from_str(MODEL).expect("is a model");
    registry.apply_dataset(&dataset, now).await.expect("applies");
    registry.apply_model(&model, now).await.expect("applies");
    bring(&stack, -BEFORE..since).await;
    stack.run(&[Role::Trainer, Role::Gatekeeper]);
    stack
}

/// A job that says since when demand is another one.
fn job(stack: &Stack) -> TrainJob {
    TrainJob {
        model: "shop".to_owned(),
        spec_hash: None,
        as_of: stack.now(),
        cut_off: None,
        learners: Vec::new(),
        reason: TrainReason::Requested,
        shift: Some(at(SHIFT)),
    }
}

async fn train(stack: &Stack) -> ModelPromoted {
    promoted(decision(&stack.ask(Queue::TrainJobs, &job(stack)).await))
}

async fn train_in_vain(stack: &Stack, job: &TrainJob) -> CandidateRefused {
    refused(decision(&stack.ask(Queue::TrainJobs, job).await))
}

#[tokio::test]
async fn after_two_weeks_the_second_one_judges_what_learned_from_the_first() {
    let stack = with_shop(15).await;
    let event = train(&stack).await;
    let bets = event.reasons.iter().find(|reason| reason.contains("since the shift at 2024-03-01T00:00:00Z"));
    let bets = bets.unwrap_or_else(|| panic!("{:?}", event.reasons));
    assert!(
        bets.starts_with("bets on the candidate were worth the 40 that are needed after 8 origins"),
        "{bets}"
    );
    assert!(event.candidate.average < event.incumbent.average, "{event:?}");

    let registry = &stack.environment.registry;
    let model = "shop".parse().expect("is a name");
    let decided = registry.decisions(&model, 1).await.expect("reads").remove(0);
    assert_eq!(decided.judgement.evidence.origins, 8, "the newer half of 15 days");
    let job = registry.job(&decided.job).await.expect("reads").expect("was recorded");
    assert_eq!((job.reason.as_str(), job.shift, job.cut_off), ("drift", Some(at(SHIFT)), at(A_WEEK_LATER)));
    stack.finish().await;
}

#[tokio::test]
async fn what_a_few_days_do_not_decide_is_looked_at_again_with_each_day() {
    let stack = with_shop(10).await;
    let early = TrainJob { cut_off: Some(at(A_WEEK_LATER)), ..job(&stack) };
    let waits = train_in_vain(&stack, &early).await;
    assert_eq!(waits.verdict, RefusingVerdict::NotEnoughEvidence, "{:?}", waits.reasons);
    let worth = "worth up to 4.3 of the 40 that are needed after 3 origins";
    assert!(waits.reasons[0].contains(worth), "{:?}", waits.reasons);

    let mut events =
        stack.environment.broker.listen(&["model-promoted.*", "candidate-refused.*"]).await.expect("listens");
    second_looks::ask(&stack.environment, &mut Asked::new()).await; // no day has passed: it would be look 2
    for day in 10..15 {
        stack.clock.advance(SignedDuration::from_hours(24));
        bring(&stack, day..day + 1).await;
        second_looks::ask(&stack.environment, &mut Asked::new()).await;
        in_time(events.next()).await.expect("an event");
    }
    let model = "shop".parse().expect("is a name");
    let decisions = stack.environment.registry.decisions(&model, 10).await.expect("reads");
    let looks: Vec<(u32, u32, &str)> = decisions
        .iter()
        .map(|one| (one.look, one.judgement.evidence.origins, one.judgement.verdict.name()))
        .collect();
    let waits = "not-enough-evidence";
    let expected =
        [(6, 8, "promote"), (5, 7, waits), (4, 6, waits), (3, 5, waits), (2, 4, waits), (1, 3, waits)];
    assert_eq!(looks, expected);
    assert!(decisions[0].promoted.is_some() && decisions.iter().all(|one| one.version == Some(1)));
    for one in &decisions {
        let again = replay(&stack.environment, one).await.expect("judges again");
        assert_eq!(again.differences, [], "look {}", one.look);
    }
    stack.finish().await;
}

#[tokio::test]
async fn too_few_days_since_the_shift_end_in_a_decision_that_says_when_there_are_enough() {
    let stack = with_shop(2).await;
    let event = train_in_vain(&stack, &job(&stack)).await;
    assert_eq!((event.verdict, event.version), (RefusingVerdict::NoCandidate, None));
    let reason = "2 origins since the shift at 2024-03-01T00:00:00Z have their whole horizon in the history, and 3 \
                  are needed: about on 2024-03-04 they are there";
    assert_eq!(event.reasons, [reason]);
    stack.finish().await;
}

#[tokio::test]
async fn a_shift_before_the_history_is_none_whoever_sized_the_holdout() {
    let stack = with_shop(10).await;
    let made_up =
        TrainJob { cut_off: Some(at(A_WEEK_LATER)), shift: Some(at("1999-01-01T00:00:00Z")), ..job(&stack) };
    let event = train_in_vain(&stack, &made_up).await;
    assert_eq!((event.verdict, event.version), (RefusingVerdict::NoCandidate, None));
    let reason = "nothing lies before a shift at 1999-01-01T00:00:00Z";
    assert!(event.reasons.len() == 1 && event.reasons[0].ends_with(reason), "{:?}", event.reasons);
    stack.finish().await;
}

#[test]
fn a_person_says_since_when() {
    let shop = Desk::new();
    let mut rows = "unique_id,ds,y\n".to_owned();
    for (ds, y) in days(-BEFORE..15) {
        writeln!(rows, "till,{ds},{y}").expect("fits");
    }
    let (dataset, model) = (shop.file("dataset.toml", DATASET), shop.file("model.toml", MODEL));
    let rows = shop.file("rows.csv", rows);
    succeed(shop.gatecast().args(["datasets", "apply"]).arg(dataset));
    succeed(shop.gatecast().args(["models", "apply"]).arg(model));
    succeed(shop.gatecast().args(["import", "shop"]).arg(rows));

    let refused = |time: &str, says: &[&str]| shop.fails(&["train", "shop", "--drift-since", time], 4, says);
    refused("2999-01-01T00:00:00Z", &["drift-since 2999-01-01T00:00:00Z: lies after now"]);
    refused("2023-06-01T00:00:00Z", &["drift-since 2023-06-01T00:00:00Z: the history begins at 2024-01-01"]);
    refused("2024-03-14T00:00:00Z", &["2 origins since the shift", "3 are needed: about on 2024-03-17"]);
    shop.fails(&["train", "shop", "--drift-since", "march"], 2, &["march"]);
    shop.fails(&["train", "--all", "--drift-since", SHIFT], 2, &["cannot be used with"]);

    let decided = json(shop.gatecast().args(["--json", "train", "shop", "--drift-since", SHIFT, "--wait"]));
    assert_eq!(decided["decision"], "promoted", "{decided}");
    let reasons = decided["event"]["reasons"].to_string();
    assert!(reasons.contains("since the shift at 2024-03-01T00:00:00Z"), "{reasons}");
}
