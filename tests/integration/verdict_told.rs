//! A verdict is told to people, found again bit for bit whatever came since, and asked under another policy. None of
//! that decides anything.

use std::{fs, path::PathBuf};

use forecasting::{
    gate,
    spec::{DatasetSpec, ModelSpec},
};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use registry::Decision;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use workers::{
    commands::{Difference, Replay, replay},
    roles::Role,
};

use crate::{
    command_line::{json, succeed, with_bikes},
    desk::Desk,
    stack::{Stack, promoted, refused},
};

const JUDGING: [Role; 2] = [Role::Trainer, Role::Gatekeeper];

async fn decisions(stack: &Stack, model: &ModelSpec) -> Vec<Decision> {
    stack.environment.registry.decisions(&model.name, 10).await.expect("reads")
}

async fn replayed(stack: &Stack, decision: &Decision) -> Replay {
    replay(&stack.environment, decision).await.expect("judges again")
}

/// Every bit is the same, also if four judge at once.
async fn is_found_again(stack: &Stack, decision: &Decision) {
    let alone = replayed(stack, decision).await;
    assert_eq!(alone.differences, []);
    assert_eq!(alone.judgement, serde_json::to_vec(&decision.judgement).expect("is JSON"));
    assert_eq!(alone.scored_rows, decision.scored_rows.map(|rows| rows.name));
    let together = join_all((0..4).map(|_| replayed(stack, decision))).await;
    assert!(together.iter().all(|other| *other == alone));
}

/// Another value for the last hour of the day before the last, recorded at `at`.
async fn correct(stack: &Stack, model: &ModelSpec, at: Timestamp) {
    assert_eq!(stack.correct(model, 24..25, at, |y| y + 1000.0).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_verdict_is_found_again_whatever_came_since() {
    let (stack, model) = Stack::with_bikes(&JUDGING).await;
    promoted(stack.train(&model, "few-trees").await);
    promoted(stack.train(&model, "small-trees").await);
    refused(stack.train(&model, "seasonal-naive").await);
    let all = decisions(&stack, &model).await;
    let against = |decision: &Decision| decision.judgement.grounds.as_ref().and_then(|on| on.incumbent);
    assert_eq!(all.iter().map(|one| against(one).is_some()).collect::<Vec<_>>(), [true, true, false]);
    for decision in &all {
        is_found_again(&stack, decision).await;
    }

    stack.clock.advance(SignedDuration::from_hours(1));
    correct(&stack, &model, stack.now()).await;
    let registry = &stack.environment.registry;
    let dataset = registry.dataset(&model.dataset).await.expect("reads").expect("was applied");
    let late = DatasetSpec { availability_delay: SignedDuration::from_hours(6), ..dataset.spec };
    assert!(registry.apply_dataset(&late, stack.now()).await.expect("applies").changed);
    for decision in &all {
        is_found_again(&stack, decision).await;
    }
    assert_eq!(decisions(&stack, &model).await, all, "nothing was decided");
    stack.finish().await;
}

#[tokio::test]
async fn what_is_not_as_it_was_is_named_place_by_place() {
    let (stack, model) = Stack::with_bikes(&JUDGING).await;
    let imported = stack.now();
    stack.clock.advance(SignedDuration::from_hours(1));
    promoted(stack.train(&model, "few-trees").await);
    let decision = decisions(&stack, &model).await.remove(0);

    let mut tampered = decision.clone();
    let candidate = tampered.judgement.candidate.as_mut().expect("was scored");
    candidate.average += 0.1;
    let average = candidate.average;
    let told = replayed(&stack, &tampered).await.differences;
    let [Difference { path, recorded, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((path.as_str(), recorded), ("candidate.average", &Value::from(average)));

    let mut tampered = decision.clone();
    tampered.judgement.looks.at_these_rows += 1;
    let told = replayed(&stack, &tampered).await.differences;
    let [Difference { path, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(path, "looks.at_these_rows", "the decisions before it are counted again");

    // Somebody rewrites what was known at the time.
    correct(&stack, &model, imported + SignedDuration::from_mins(30)).await;
    let told = replayed(&stack, &decision).await.differences;
    let at = |path: &str| told.iter().find(|difference| difference.path == path);
    assert!(at("evidence.rows_hash").is_some() && at("scored_rows").is_some(), "{told:?}");
    let row = told.iter().find(|difference| difference.path.starts_with("scored_rows["));
    let Difference { recorded, replayed, .. } = row.expect("names the first row that differs");
    let y = |row: &Value| row["y"].as_f64().expect("a number");
    assert_eq!((y(replayed) - y(recorded), &replayed["ds"]), (1000.0, &recorded["ds"]));
    assert!(at("grounds.candidate").is_none() && at("grounds.dataset_hash").is_none(), "{told:?}");
    stack.finish().await;
}

/// The bikes with a promoted version 1 and a refused version 2.
fn judged() -> Desk {
    let shop = with_bikes();
    json(shop.gatecast().args(["--json", "train", "bike-demand", "--learner", "small-trees", "--wait"]));
    let lost = shop.run(&["train", "bike-demand", "--learner", "seasonal-naive", "--wait"]);
    assert_eq!(lost.status.code(), Some(6), "{}", String::from_utf8_lossy(&lost.stderr));
    shop
}

fn said(shop: &Desk, arguments: &[&str]) -> String {
    String::from_utf8(succeed(shop.gatecast().args(arguments)).stdout).expect("is text")
}

fn document(shop: &Desk, arguments: &[&str]) -> Value {
    json(shop.gatecast().arg("--json").args(arguments))
}

/// However it is broken into lines.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_verdict_is_a_page_that_says_first_what_was_decided_and_why() {
    let shop = judged();
    let decided = document(&shop, &["decisions", "bike-demand"]);
    for (version, decision, headline) in [
        ("1", &decided[1], "bike-demand, version 1: PROMOTED, generation 1\n"),
        ("2", &decided[0], "bike-demand, version 2: REFUSED\n"),
    ] {
        let page = said(&shop, &["verdict", "bike-demand", version]);
        assert!(page.starts_with(headline), "{page}");
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
        let told = words(&page);
        for reason in decision["event"]["reasons"].as_array().expect("a list") {
            assert!(told.contains(&words(reason.as_str().expect("a text"))), "{reason}: {page}");
        }
        let average = decision["event"]["candidate"]["average"].as_f64().expect("a number");
        for expected in [
            &*format!("average (scaled) {average:.4}"),
            "look 1 of 1",
            "what it computed, and what is allowed",
            "Mean error of each origin",
            "Where the candidate was off most",
            "--replay",
            decision["scored_rows"].as_str().expect("a name"),
        ] {
            assert!(told.contains(expected), "{expected}: {page}");
        }
        let whole = document(&shop, &["verdict", "bike-demand", version]);
        assert_eq!((&whole["event"], &whole["look"]), (&decision["event"], &1.into()));
        let judgement = &whole["judgement"];
        assert_eq!(judgement["candidate"]["average"], average);
        assert_eq!(judgement["grounds"]["gate_version"], gate::VERSION);
        assert!(told.contains(judgement["grounds"]["dataset_hash"].as_str().expect("a hash")), "{page}");
    }
}

#[test]
fn a_verdict_that_is_not_there_is_not_told() {
    let shop = judged();
    shop.fails(&["verdict", "nobody", "1"], 3, &["model \"nobody\" was not applied"]);
    shop.fails(&["verdict", "bike-demand", "9"], 3, &["version 9 was never proposed", "models show"]);
    shop.fails(
        &["verdict", "bike-demand", "1", "--look", "2"],
        3,
        &["no look 2 at version 1 of bike-demand"],
    );
    shop.fails(&["verdict", "bike-demand", "one"], 2, &["VERSION"]);
    let both = ["verdict", "bike-demand", "1", "--replay", "--what-if", "alpha=0.1"];
    shop.fails(&both, 2, &["cannot be used with"]);
}

#[tokio::test]
async fn the_command_finds_a_verdict_again_or_says_what_differs() {
    let shop = judged();
    let [corrected, new] = ["2012-12-31T23:00:00-05:00", "2013-01-01T00:00:00-05:00"];
    let late = format!("unique_id,ds,y\nwashington-dc,{corrected},1\nwashington-dc,{new},1\n");
    let late = shop.file("late.csv", late).display().to_string();
    let recorded = document(&shop, &["import", "washington-bikes", &late]);
    assert_eq!((&recorded["recorded"]["corrected"], &recorded["recorded"]["new"]), (&1.into(), &1.into()));
    let page = said(&shop, &["verdict", "bike-demand", "2", "--replay"]);
    assert!(page.starts_with("identical: bike-demand, version 2, look 1 of 1\n"), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    let whole = document(&shop, &["verdict", "bike-demand", "1", "--replay"]);
    assert_eq!((&whole["identical"], &whole["differences"]), (&true.into(), &Value::Array(Vec::new())));

    rewrite(&shop, "json_set(judgement, '$.candidate.average', 9.5)").await;
    let told = shop.run(&["verdict", "bike-demand", "2", "--replay"]);
    let page = String::from_utf8_lossy(&told.stdout);
    assert_eq!(told.status.code(), Some(1), "{page}");
    assert!(page.starts_with("not identical: ") && page.contains("\n  candidate.average\n"), "{page}");
    assert!(page.contains("recorded  9.5\n"), "{page}");

    rewrite(&shop, "json_remove(judgement, '$.grounds')").await;
    let missing = ["recorded before decisions named the specification of the dataset"];
    shop.fails(&["verdict", "bike-demand", "2", "--replay"], 3, &missing);
    said(&shop, &["verdict", "bike-demand", "2"]);

    let artifact = artifact_of_version_1(&shop);
    fs::remove_file(&artifact).expect("was there");
    let name = artifact.file_name().expect("a name").to_string_lossy();
    let missing =
        format!("the candidate cannot be loaded: cannot load the artifact: artifact {name} is missing");
    shop.fails(&["verdict", "bike-demand", "1", "--replay"], 3, &[&missing]);
    said(&shop, &["verdict", "bike-demand", "1"]);
}

/// Puts something else in the place of the judgement on version 2.
async fn rewrite(shop: &Desk, judgement: &str) {
    let url = format!("sqlite:{}", shop.path("data").join("registry.db").display());
    let mut registry = SqliteConnection::connect(&url).await.expect("is there");
    let update = format!("UPDATE decision SET judgement = {judgement} WHERE version = 2");
    let done = sqlx::query(AssertSqlSafe(update)).execute(&mut registry).await.expect("is SQL");
    assert_eq!(done.rows_affected(), 1);
    registry.close().await.expect("closes");
}

/// Where it lies.
fn artifact_of_version_1(shop: &Desk) -> PathBuf {
    let shown = document(shop, &["models", "show", "bike-demand"]);
    let name = shown["versions"][0]["artifact"].as_str().expect("a name").to_owned();
    shop.path("data").join("artifacts").join(&name[..2]).join(&name[2..4]).join(name)
}

#[test]
fn another_policy_finds_another_verdict_and_decides_nothing() {
    let shop = judged();
    let before = document(&shop, &["decisions", "bike-demand"]);
    let strict = document(&shop, &["verdict", "bike-demand", "1", "--what-if", "max_error=1"]);
    assert_eq!(
        (&strict["recorded"]["verdict"], &strict["found"]["verdict"]),
        (&"promote".into(), &"keep-incumbent".into())
    );
    let reason = strict["found"]["reasons"][0].as_str().expect("a sentence");
    assert!(reason.contains("only 1 is allowed"), "{reason}");

    let sliced =
        ["verdict", "bike-demand", "1", "--what-if", "alpha=0.1", "--what-if", "slices.weekend=true"];
    let found = document(&shop, &sliced);
    let statistics = &found["judgement"]["statistics"];
    // A first look has four fifths of it.
    assert_eq!((&statistics["average"]["alpha"], &found["policy"]["alpha"]), (&0.08.into(), &0.1.into()));
    let recorded = document(&shop, &["verdict", "bike-demand", "1"]);
    assert_eq!(recorded["judgement"]["statistics"]["average"]["alpha"], 0.16);
    let by_luck = |of: &Value| of["judgement"]["looks"]["expected_by_luck"].clone();
    assert_eq!((by_luck(&found), by_luck(&recorded)), (0.08.into(), 0.16.into()), "of the same look");
    let page = said(&shop, &sliced);
    assert!(page.starts_with("bike-demand, version 1, look 1 of 1\nunder alpha=0.1, slices.weekend=true: "));
    assert!(page.contains("recorded: promote\n") && page.ends_with("Nothing was decided.\n"), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");

    let what_if = |change| ["verdict", "bike-demand", "1", "--what-if", change];
    shop.fails(&what_if("alpha=9"), 4, &["gate.alpha = 9: must be from 0.001 to 0.2"]);
    shop.fails(&what_if("alhpa=0.1"), 4, &["unknown field `alhpa`"]);
    shop.fails(&what_if("alpha"), 4, &["is not KEY=VALUE"]);
    assert_eq!(document(&shop, &["decisions", "bike-demand"]), before);
}
