//! `gatecast gate` as a data scientist uses it: on files, without anything else.

use std::{fmt::Write as _, path::Path, process::Command};

use serde_json::Value;

use crate::{
    command_line::{json, succeed},
    desk::Desk,
};

/// Two shops by the day, with weekdays, a slow tide and noise.
fn shops(days: i64) -> String {
    let mut rows = "unique_id,ds,y\n".to_owned();
    let mut noise = 1_u64;
    for shop in ["north", "south"] {
        for day in 0..days {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let date = jiff::civil::date(2022, 1, 1) + jiff::Span::new().days(day);
            let sold = 200 + 40 * (day % 7) + (day % 91) + i64::try_from(noise >> 58).expect("is below 64");
            writeln!(rows, "{shop},{date},{sold}").expect("is text");
        }
    }
    rows
}

fn gate(desk: &Desk, command: &str, file: &Path, arguments: &[&str]) -> Command {
    let mut gatecast = desk.gatecast();
    gatecast.args(["gate", command]).arg(file).args(arguments);
    gatecast
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().expect("is one").keys().cloned().collect()
}

#[test]
fn a_certificate_has_the_documented_fields_and_its_tables_fit_the_terminal() {
    let desk = Desk::new();
    let file = desk.file("shops.csv", shops(700));
    let documents = json(&mut gate(&desk, "certify", &file, &["--quick", "--json"]));
    let document = &documents.as_array().expect("one per file")[0];
    assert_eq!(keys(document), ["certificate", "file", "import"]);
    let certificate = &document["certificate"];
    assert_eq!(certificate["rows"].as_array().expect("a list").len(), 16);
    let duplicate =
        certificate["rows"].as_array().expect("a list").iter().find(|row| row["cell"] == "duplicate");
    let outcomes = duplicate.expect("is a cell")["outcomes"].as_array().expect("a list").clone();
    assert_eq!((&outcomes[0]["rule"], &outcomes[0]["promoted"]["share"]), (&"gatecast".into(), &0.0.into()));
    assert_eq!(
        (&outcomes[1]["rule"], &outcomes[1]["promoted"]["share"]),
        (&"newest-wins".into(), &1.0.into())
    );
    let output = succeed(&mut gate(&desk, "certify", &file, &["--quick"]));
    let tables = String::from_utf8(output.stdout).expect("is text");
    assert!(tables.lines().all(|line| line.chars().count() <= 80), "{tables}");
    assert!(tables.contains("better-10") && tables.contains("error correlation"), "{tables}");
    assert!(!desk.path("data").exists(), "no store was made");
}

#[test]
fn a_folder_is_certified_file_by_file() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("history")).expect("a folder");
    desk.file("history/README.md", "not data");
    desk.file("history/shops.csv", shops(700));
    let folder = desk.path("history");
    let mut command = desk.gatecast();
    command.args(["gate", "certify", "--quick", "--json", "--data"]).arg(&folder);
    assert_eq!(json(&mut command).as_array().expect("one per file").len(), 1);
    let folder = folder.to_str().expect("text");
    desk.fails(&["gate", "certify", "--data", &format!("{folder}/none")], 3, &["--data"]);
}

#[test]
fn nights_are_played_with_every_rule() {
    let desk = Desk::new();
    let file = desk.file("shops.csv", shops(500));
    let asked = ["--nights", "20", "--learner", "elastic-net", "--harmful", "5", "--shift", "2023-04-05:0.3"];
    let document = json(gate(&desk, "replay-nights", &file, &asked).arg("--json"));
    assert_eq!(keys(&document), ["import", "replay"]);
    let rules = document["replay"]["rules"].as_array().expect("a list");
    assert_eq!(rules.len(), 6);
    let newest = rules.iter().find(|rule| rule["rule"] == "newest-wins").expect("is played");
    assert_eq!((&newest["promotions"], &newest["harmful_promotions"]), (&20.into(), &4.into()));
    let output = succeed(&mut gate(&desk, "replay-nights", &file, &asked));
    let table = String::from_utf8(output.stdout).expect("is text");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let one = json(gate(&desk, "replay-nights", &file, &asked).args(["--rule", "mean-only", "--json"]));
    assert_eq!(one["replay"]["rules"].as_array().expect("a list").len(), 1);
}

#[test]
fn what_cannot_be_measured_is_said() {
    let desk = Desk::new();
    let short = desk.file("short.csv", shops(100));
    let short = short.to_str().expect("text");
    desk.fails(&["gate", "certify", short, "--quick"], 4, &["origins, at least 56 are needed"]);
    desk.fails(&["gate", "certify"], 2, &["FILE"]);
    desk.fails(&["gate", "replay-nights", short, "--learner", "weekly-mean"], 4, &["origins are needed"]);
    desk.fails(&["gate", "replay-nights", short, "--rule", "luck"], 2, &["possible values"]);
    desk.fails(&["gate", "replay-nights", short, "--shift", "soon"], 2, &["DATE:FACTOR"]);
    let long = desk.file("long.csv", shops(500));
    let long = long.to_str().expect("text");
    let outside = ["gate", "replay-nights", long, "--learner", "weekly-mean", "--shift", "2022-02-01:0.3"];
    desk.fails(&outside, 4, &["shift 2022-02-01: is not one of the nights"]);
}
