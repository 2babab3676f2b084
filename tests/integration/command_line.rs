//! The binary as a person or a script uses it: results, bad input, exit codes.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::{
    desk::Desk,
    stack::{SMALL_MODEL, root},
};

/// The binary on a data folder, untouched by this machine's configuration.
pub(crate) fn gatecast(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatecast"));
    command.env_clear().current_dir(data.parent().expect("a parent")).arg("--data-folder").arg(data);
    command
}

/// Runs a command that must succeed.
pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = command.output().expect("starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Runs a command that must succeed and print exactly one JSON document.
pub(crate) fn json(command: &mut Command) -> Value {
    let output = succeed(command);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// A folder with the bikes, a small model, and nothing trained.
fn with_bikes() -> Desk {
    let shop = Desk::new();
    let model = shop.file("model.toml", SMALL_MODEL);
    succeed(shop.gatecast().args(["datasets", "apply"]).arg(example("datasets/washington-bikes.toml")));
    succeed(shop.gatecast().args(["models", "apply"]).arg(model));
    succeed(
        shop.gatecast().args(["import", "washington-bikes"]).arg(example("data/washington-bikes.csv.gz")),
    );
    shop
}

/// Runs a command that prints its result and still exits with this code.
#[track_caller]
fn fails_with_result(shop: &Desk, arguments: &[&str], code: i32, says: &str) {
    let output = shop.run(arguments);
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains(says), "{arguments:?} does not say {says:?}");
}

fn example(file: &str) -> PathBuf {
    root().join("examples").join(file)
}

#[test]
fn every_model_gets_a_train_job_from_one_command() {
    let shop = with_bikes();
    let published = json(shop.gatecast().args(["--json", "train", "--all"]));
    assert_eq!(published.as_array().expect("a list").len(), 1);
    assert_eq!(published[0]["model"], "bike-demand");
    shop.fails(&["train"], 2, &["<MODEL>"]);
    shop.fails(&["train", "bike-demand", "--all"], 2, &["cannot be used with"]);
}

#[test]
fn the_main_job_by_hand() {
    let shop = with_bikes();
    let before = json(shop.gatecast().args(["--json", "forecast", "bike-demand"]));
    assert_eq!(before["forecasts"][0]["reason"], "no_incumbent");

    let decision =
        json(shop.gatecast().args(["--json", "train", "bike-demand", "--learner", "small-trees", "--wait"]));
    assert_eq!((&decision["decision"], &decision["event"]["version"]), (&"promoted".into(), &1.into()));
    fails_with_result(
        &shop,
        &["train", "bike-demand", "--learner", "seasonal-naive", "--wait"],
        6,
        "REFUSED",
    );

    let after = json(shop.gatecast().args(["--json", "forecast", "bike-demand", "--horizon", "12"]));
    let forecast = &after["forecasts"][0];
    assert_eq!((&forecast["version"], &forecast["route"]), (&1.into(), &"primary".into()));
    assert_eq!(forecast["values"].as_array().map(Vec::len), Some(12));

    let decisions = json(shop.gatecast().args(["--json", "decisions", "bike-demand"]));
    let verdicts: Vec<&str> =
        decisions.as_array().expect("a list").iter().filter_map(|d| d["decision"].as_str()).collect();
    assert_eq!(verdicts, ["refused", "promoted"], "newest first");
}

#[test]
fn names_that_nothing_has_are_not_found() {
    let shop = with_bikes();
    shop.fails(&["forecast", "nobody"], 3, &["model \"nobody\" was not applied"]);
    shop.fails(&["train", "nobody"], 3, &["model \"nobody\" was not applied"]);
    shop.fails(&["decisions", "nobody"], 3, &["model \"nobody\" was not applied"]);
    shop.fails(&["train", "bike-demand", "--learner", "magic"], 3, &["learner \"magic\"", "small-trees"]);
    shop.fails(&["forecast", "bike-demand", "--series", "nowhere"], 3, &["series \"nowhere\""]);
    shop.fails(&["import", "nowhere", "-"], 3, &["dataset \"nowhere\" was not applied"]);
    shop.fails(&["import", "washington-bikes", "no.csv"], 3, &["no.csv"]);
    shop.fails(&["datasets", "apply", "no.toml"], 3, &["no.toml"]);
}

#[test]
fn questions_that_make_no_sense_are_refused() {
    let shop = with_bikes();
    shop.fails(&["forecast", "bike-demand", "--horizon", "0"], 4, &["horizon: 0"]);
    shop.fails(&["forecast", "bike-demand", "--horizon", "4000000000"], 4, &["horizon: 4000000000"]);
    shop.fails(
        &["forecast", "bike-demand", "--origin", "2012-12-01T00:10:00Z"],
        4,
        &["2012-12-01T00:10:00Z"],
    );
    shop.fails(
        &["forecast", "bike-demand", "--origin", "1999-01-01T00:00:00Z"],
        4,
        &["no value before the origin"],
    );
    shop.fails(&["forecast", "bike-demand", "--origin", "tomorrow"], 2, &["tomorrow"]);
    shop.fails(&["forecast", "Bike Demand"], 2, &["must match"]);
}

#[test]
fn specifications_that_contradict_themselves_or_the_stored_data_change_nothing() {
    let shop = with_bikes();
    let apply = |kind: &str, text: &str, code, says: &[&str]| {
        let file = shop.file("spec.toml", text);
        shop.fails(&[kind, "apply", &file.display().to_string()], code, says);
    };
    let dataset = std::fs::read_to_string(example("datasets/washington-bikes.toml")).expect("reads");
    apply(
        "datasets",
        &dataset.replace("PT1H", "P1D"),
        4,
        &["frequency \"P1D\"", "17377 stored observations"],
    );
    apply("datasets", &dataset.replace("America/New_York", "UTC"), 4, &["time_zone \"UTC\""]);
    apply(
        "datasets",
        &dataset.replace("America/New_York", "Mars/Olympus"),
        4,
        &["time_zone", "Mars/Olympus"],
    );
    apply("datasets", "name = \"x", 4, &["spec.toml", "line 1"]);
    apply("datasets", &dataset.replace("frequency", "frequenzy"), 4, &["frequenzy"]);

    apply("models", &SMALL_MODEL.replace("washington-bikes", "nowhere"), 3, &["dataset \"nowhere\""]);
    apply("models", &SMALL_MODEL.replace("horizon = 24", "horizon = 0"), 4, &["horizon", "0"]);
    apply("models", &SMALL_MODEL.replace("boosted-trees", "magic"), 4, &["magic"]);
    apply("models", &SMALL_MODEL.replace("few-trees", "small-trees"), 4, &["small-trees"]);
    let with_schedule = format!("{SMALL_MODEL}\n[schedule]\ncron = \"sometimes\"\ntime_zone = \"UTC\"\n");
    apply("models", &with_schedule, 4, &["schedule.cron \"sometimes\""]);

    let models = json(shop.gatecast().args(["--json", "models", "list"]));
    assert_eq!(models[0]["version"], 1, "nothing was applied");
    assert_eq!(shop.rows(), 17_377);
}

#[test]
fn broken_files_name_row_field_and_value_and_change_nothing() {
    let shop = with_bikes();
    let good = "unique_id,ds,y\nwashington-dc,2013-01-01T00:00:00-05:00,1\n";
    let import = |contents: &[u8], says: &[&str]| {
        let file = shop.file("rows.csv", contents);
        let file = file.display().to_string();
        shop.fails(&["import", "washington-bikes", &file, "--tz", "America/New_York"], 4, says);
        assert_eq!(shop.rows(), 17_377);
    };
    let with_row = |row: &str| format!("{good}{row}\n").into_bytes();
    import(b"", &["empty"]);
    import(b"unique_id,ds\nx,2013-01-01T00:00:00Z\n", &["no column y"]);
    import(b"\x1f\x8b\x08\x00garbage", &["cut off"]);
    import(&[0, 159, 146, 150, 0, 1, 2], &[]);
    import(&with_row("washington-dc,2013-01-01T01:00:00-05:00,NaN"), &["line 3", "y", "NaN"]);
    import(&with_row("washington-dc,2013-01-01T01:00:00-05:00,inf"), &["line 3", "y", "inf"]);
    import(&with_row("washington-dc,2013-01-01T00:00:00-05:00,2"), &["line 3", "on line 2 already"]);
    import(
        &with_row("washington-dc,2012-12-31T23:00:00-05:00,2"),
        &["line 3", "2013-01-01T04:00:00Z", "not sorted by time"],
    );
    let off_grid = "washington-dc,2013-01-01T01:00:00-05:00,2\nwashington-dc,2013-01-01T02:00:00-05:00,2\n\
                    washington-dc,2013-01-01T03:07:00-05:00,2";
    import(&with_row(off_grid), &["line 5", "2013-01-01T08:07:00Z", "off the grid"]);
    import(&with_row("washington-dc,yesterday,2"), &["line 3", "ds", "yesterday"]);
    import(
        &with_row("washington-dc,2013-03-10T02:30:00,2"),
        &["line 3", "2013-03-10T02:30:00", "does not exist: the clock skips it"],
    );
    import(&with_row("washington-dc,99999-01-01T00:00:00Z,2"), &["line 3", "ds", "99999-01-01"]);
    import(&with_row(",2013-01-01T01:00:00-05:00,2"), &["line 3", "unique_id", "must not be empty"]);
}

#[test]
fn a_file_between_the_steps_of_what_is_known_changes_nothing() {
    let shop = with_bikes();
    let rows = "unique_id,ds,y\nnew-york,2013-01-01T00:30:00-05:00,1\n\
                washington-dc,2013-01-01T00:30:00-05:00,1\nwashington-dc,2013-01-01T01:30:00-05:00,2\n";
    let file = shop.file("half-past.csv", rows).display().to_string();
    let says = ["series washington-dc", "2013-01-01T05:30:00Z is not on the grid of PT1H steps"];
    shop.fails(&["import", "washington-bikes", &file], 4, &says);
    assert_eq!(shop.rows(), 17_377, "new-york is not there either");
    succeed(shop.gatecast().args(["forecast", "bike-demand"]));
}

#[test]
fn an_import_can_be_repeated() {
    let shop = with_bikes();
    let again = json(
        shop.gatecast()
            .args(["--json", "import", "washington-bikes"])
            .arg(example("data/washington-bikes.csv.gz")),
    );
    assert_eq!((&again["recorded"]["new"], &again["recorded"]["unchanged"]), (&0.into(), &17_377.into()));
}

#[test]
fn configuration_mistakes_are_named() {
    let shop = Desk::new();
    let file = shop.file("c.toml", "[forecaster]\nprefetsh = 3\n").display().to_string();
    shop.fails(&["--config", &file, "config", "check"], 4, &["forecaster.prefetsh", "forecaster.prefetch"]);
    shop.fails(&["--config", "no.toml", "config", "check"], 4, &["no.toml"]);
    let output = shop
        .gatecast()
        .env("GATECAST__FORECASTER__POOL", "3s")
        .args(["config", "check"])
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    succeed(shop.gatecast().args(["config", "check"]));

    let shown =
        json(shop.gatecast().env("GATECAST__FORECASTER__POLL", "5s").args(["--json", "config", "show"]));
    let poll = shown
        .as_array()
        .expect("a list")
        .iter()
        .find(|setting| setting["key"] == "forecaster.poll")
        .expect("there");
    assert_eq!((&poll["value"], &poll["origin"]), (&"5s".into(), &"the environment".into()));
}

#[test]
fn a_folder_that_another_process_owns_is_refused() {
    let shop = with_bikes();
    let data = shop.path("data");
    let _owner = workers::data_folder::own(&data).expect("nobody has it");
    let pid = format!("(pid {})", std::process::id());
    shop.fails(&["run"], 5, &["is owned by another gatecast process", &pid]);
    // Commands that only look go through.
    succeed(shop.gatecast().args(["models", "list"]));
}
