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
pub(crate) fn with_bikes() -> Desk {
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
fn what_a_person_decides_is_done_and_shown_wherever_the_incumbent_is() {
    let shop = with_bikes();
    json(shop.gatecast().args(["--json", "train", "bike-demand", "--learner", "small-trees", "--wait"]));
    let few = ["train", "bike-demand", "--learner", "few-trees", "--wait"];
    fails_with_result(&shop, &few, 6, "REFUSED");

    let signed = ["--by", "ann", "--reason", "the ferry is off"];
    let act = |words: &[&str]| json(shop.gatecast().args(["--json", "models"]).args(words).args(signed));
    let forced = act(&["force", "bike-demand", "2"]);
    let new = &forced["event"]["incumbent"];
    assert_eq!((&new["version"], &new["generation"]), (&2.into(), &2.into()));
    let says = |words: &[&str], expected: &str| {
        let output = succeed(shop.gatecast().args(words));
        let said =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(said.contains(expected), "{words:?} does not say {expected:?}: {said}");
    };
    says(&["models", "list"], "version 2 (forced)");
    says(&["models", "show", "bike-demand"], "version 2 was forced by ann: the ferry is off");
    says(&["forecast", "bike-demand"], "version 2 of bike-demand was forced by ann: the ferry is off");
    says(&["decisions", "bike-demand"], "version 2 of bike-demand forced by ann: the ferry is off");

    act(&["freeze", "bike-demand"]);
    let trees = ["train", "bike-demand", "--learner", "small-trees", "--wait"];
    fails_with_result(&shop, &trees, 6, "frozen by ann");
    says(&["models", "list"], "(forced, frozen)");
    says(&["models", "show", "bike-demand"], "no candidate goes live: frozen by ann: the ferry is off");
    act(&["roll-back", "bike-demand"]);
    says(&["models", "list"], "version 1 (rolled back to, frozen)");
    act(&["veto", "bike-demand", "2"]);
    let shown = json(shop.gatecast().args(["--json", "models", "show", "bike-demand"]));
    assert_eq!(shown["versions"][1]["veto"]["by"], "ann");
    assert_eq!(
        (&shown["incumbent"]["act"]["act"], &shown["frozen"]["act"]),
        (&"roll-back".into(), &"freeze".into())
    );
}

#[test]
fn what_a_person_may_not_decide_names_field_and_value_and_changes_nothing() {
    let shop = with_bikes();
    json(shop.gatecast().args(["--json", "train", "bike-demand", "--learner", "small-trees", "--wait"]));
    let few = ["train", "bike-demand", "--learner", "few-trees", "--wait"];
    fails_with_result(&shop, &few, 6, "REFUSED");
    let signed = ["--by", "ann", "--reason", "a test"];
    let refused = |words: &[&str], code: i32, says: &[&str]| {
        shop.fails(&[&["models"][..], words, &signed[..]].concat(), code, says);
    };
    refused(&["freeze", "nobody"], 3, &["model \"nobody\" was not applied"]);
    refused(&["force", "bike-demand", "9"], 3, &["model bike-demand: version 9 was never proposed"]);
    refused(&["force", "bike-demand", "1"], 4, &["version 1 is in use already"]);
    refused(&["veto", "bike-demand", "1"], 4, &["version 1 is in use"]);
    refused(&["unfreeze", "bike-demand"], 4, &["not frozen"]);
    refused(&["roll-back", "bike-demand"], 4, &["no earlier version"]);
    refused(&["roll-back", "bike-demand", "2"], 4, &["version 2 was never in use"]);
    let past = ["freeze", "bike-demand", "--until", "2020-01-01T00:00:00Z"];
    refused(&past, 4, &["expires: 2020-01-01T00:00:00Z has passed"]);
    shop.fails(
        &["models", "freeze", "bike-demand", "--by", "ann", "--reason", " "],
        4,
        &["reason: \" \" is empty"],
    );
    shop.fails(&["models", "freeze", "bike-demand", "--by", "ann"], 2, &["--reason"]);
    shop.fails(&["models", "freeze", "bike-demand", "--reason", "a test"], 2, &["--by NAME"]);

    damage_artifact(&shop, 2);
    refused(&["force", "bike-demand", "2"], 6, &["version 2 cannot be used by anybody", "is damaged"]);
    let shown = json(shop.gatecast().args(["--json", "models", "show", "bike-demand"]));
    assert_eq!((&shown["incumbent"]["generation"], &shown["frozen"]), (&1.into(), &Value::Null));
}

/// Flips a bit of what lies in the artifact store.
fn damage_artifact(shop: &Desk, version: usize) {
    let shown = json(shop.gatecast().args(["--json", "models", "show", "bike-demand"]));
    let artifact = shown["versions"][version - 1]["artifact"].as_str().expect("a name").to_owned();
    let folder = shop.path("data").join("artifacts").join(&artifact[..2]).join(&artifact[2..4]);
    let path = folder.join(&artifact);
    let mut bytes = std::fs::read(&path).expect("is in the store");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).expect("writes");
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
