//! `gatecast backtest` as a data scientist uses it: on a file, without anything else.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, process::Command};

use serde_json::Value;

use crate::{
    command_line::{json, succeed},
    desk::Desk,
    stack::root,
};

const BIKES: &str = "examples/data/washington-bikes.csv.gz";

fn backtest(desk: &Desk, file: &Path, arguments: &[&str]) -> Command {
    let mut command = desk.gatecast();
    command.arg("backtest").arg(file).args(arguments);
    command
}

#[track_caller]
fn fails(desk: &Desk, file: &Path, arguments: &[&str], code: i32, says: &str) {
    let file = file.to_str().expect("text");
    desk.fails(&[&["backtest", file], arguments].concat(), code, &[says]);
}

/// 100 days of one shop, with what was sold on day `day` as `sold` says.
fn shop(header: &str, sold: impl Fn(i64) -> i64) -> String {
    let start = jiff::civil::date(2024, 1, 1);
    let row = |day| format!("shop,{},{}\n", start + jiff::Span::new().days(day), sold(day));
    format!("{header}\n{}", (0..100).map(row).collect::<String>())
}

#[test]
fn python_recomputes_every_number_from_the_rows() {
    let desk = Desk::new();
    let (rows, bikes) = (desk.path("rows.csv"), root().join(BIKES));
    let arguments = ["--horizon", "24", "--origins", "28", "--tz", "America/New_York", "--json", "--rows"];
    let output = succeed(backtest(&desk, &bikes, &arguments).arg(&rows));
    let document = desk.file("document.json", &output.stdout);
    let mut python = Command::new("python3");
    python.arg(root().join("tests/integration/backtest_metrics.py")).arg(&bikes).args([&rows, &document]);
    let said = String::from_utf8_lossy(&succeed(&mut python).stdout).into_owned();
    // 28 days of 24 hours, of which two were not recorded: a missing hour is no row.
    assert!(said.starts_with("670 rows, 8 learners agree"), "{said}");
}

#[test]
fn the_document_has_the_documented_fields_and_leaves_no_trace() {
    let desk = Desk::new();
    let file = desk.file("shop.csv", shop("unique_id,ds,y", |day| 10 + day % 7));
    let arguments = ["--horizon", "7", "--origins", "3", "--learner", "weekly-mean,seasonal-naive", "--json"];
    let document = json(&mut backtest(&desk, &file, &arguments));
    let keys = |value: &Value| value.as_object().expect("is one").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&document), ["import", "results", "rows", "series"]);
    assert_eq!((&document["rows"], &document["series"]), (&21.into(), &1.into()));
    let fields = [
        "artifact_bytes",
        "bias",
        "cvar99",
        "fit_cpu_seconds",
        "learner",
        "mae",
        "mase",
        "max",
        "p999",
        "predict_us_per_row",
        "rmse",
        "wape",
        "worst_day_wape",
        "worst_series_wape",
    ];
    for result in document["results"].as_array().expect("a list") {
        assert_eq!(keys(result), fields);
        // Every week is the same week: nothing can be wrong, and nothing can be scaled.
        assert_eq!((&result["mae"], &result["mase"]), (&0.0.into(), &Value::Null));
    }
    assert!(!desk.path("data").exists(), "no store was made");
}

#[test]
fn what_was_repaired_is_said_beside_the_result() {
    let desk = Desk::new();
    let plain = shop("unique_id,ds,y", |day| 10 + day % 7);
    let twice = desk.file("twice.csv", plain.clone() + "shop,2024-04-09,3\n");
    let plain = desk.file("plain.csv", plain);
    let asked = ["--horizon", "7", "--origins", "3", "--learner", "weekly-mean", "--json"];
    let output = succeed(backtest(&desk, &twice, &asked).args(["--on-duplicate", "last"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("1 rows were merged with another one of their series and time"), "{said}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
    assert_eq!(document["import"]["duplicates"], 1);
    let quiet = succeed(&mut backtest(&desk, &plain, &asked));
    assert!(quiet.stderr.is_empty(), "{}", String::from_utf8_lossy(&quiet.stderr));
}

#[test]
fn both_headers_are_read_and_the_table_fits_the_terminal() {
    let desk = Desk::new();
    for header in ["unique_id,ds,y", "series,timestamp,value"] {
        let file = desk.file("shop.csv", shop(header, |day| 1000 + 300 * (day % 7) + day % 3));
        let output = succeed(&mut backtest(&desk, &file, &["--horizon", "7", "--origins", "3"]));
        let table = String::from_utf8(output.stdout).expect("is text");
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(table.contains("seasonal-naive") && table.contains("21 rows of 1 series"), "{table}");
        let left_out = String::from_utf8(output.stderr).expect("is text");
        assert!(left_out.contains("learner boosted-trees: "), "too few rows for it: {left_out}");
    }
}

#[test]
fn every_format_and_column_name_gives_the_same_numbers_in_and_out() {
    let desk = Desk::new();
    let sold = |day: i64| 1000 + 300 * (day % 7) + day % 3;
    let csv = desk.file("shop.csv", shop("shop,day,sold", sold));
    let object = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        format!("{{\"shop\":\"{}\",\"day\":\"{}\",\"sold\":{}}}\n", cells[0], cells[1], cells[2])
    };
    let jsonl: String = shop("", sold).lines().skip(1).map(object).collect();
    let jsonl = desk.file("shop.jsonl", jsonl);
    let columns = ["--id", "shop", "--time", "day", "--value", "sold"];
    let asked = ["--horizon", "7", "--origins", "3", "--learner", "weekly-mean,seasonal-naive", "--json"];
    let numbers = |command: &mut Command| {
        let document = json(command);
        let results = document["results"].as_array().expect("a list").clone();
        results.into_iter().map(|result| (result["mae"].clone(), result["mase"].clone())).collect::<Vec<_>>()
    };
    let expected = numbers(backtest(&desk, &csv, &asked).args(columns));
    assert_eq!(numbers(backtest(&desk, &jsonl, &asked).args(columns)), expected, "JSON lines");
    let mut piped = backtest(&desk, Path::new("-"), &asked);
    let file = std::fs::File::open(&csv).expect("is there");
    assert_eq!(numbers(piped.args(columns).stdin(file)), expected, "stdin");

    // What is written can be read: the actuals of the scored rows, as another file of observations.
    for name in ["rows.csv", "rows.jsonl", "rows.parquet"] {
        let rows = desk.path(name);
        succeed(backtest(&desk, &csv, &asked).args(columns).arg("--rows").arg(&rows));
        let drafted = json(
            desk.gatecast()
                .args(["--json", "init", name, "--name"])
                .arg(format!("{}-again", name.replace('.', "-"))),
        );
        assert_eq!(
            (&drafted["rows"], &drafted["frequency"]),
            (&21.into(), &"P1D".into()),
            "{name}: {drafted}"
        );
    }
    let wide = desk.file("wide.csv", "day,north,south\n2024-01-01,1,2\n");
    fails(&desk, &wide, &asked[..6], 4, "python3 -c 'import csv");
}

/// 400 days of two shops that sell twice as much for half the price; of prices there is no rhythm. The web page
/// is visited on the day before. `row` may change a row's cells.
pub(crate) fn priced_shops(row: impl Fn(&str, i64, [String; 5]) -> String) -> String {
    let is_cheap = |day: i64| (1..71).any(|root| root * root % 71 == (day + 1) % 71);
    let mut rows = "unique_id,ds,y,price,visits,region\n".to_owned();
    for (shop, region) in [("north-1", "north"), ("south-1", "south")] {
        for day in 0..400 {
            let date = jiff::civil::date(2024, 1, 1) + jiff::Span::new().days(day);
            let usual = 100 + 10 * (day % 7);
            let (sold, price) = if is_cheap(day) { (2 * usual, "0.5") } else { (usual, "1") };
            let visits = if is_cheap(day + 1) { 900 } else { 100 };
            let cells =
                [date.to_string(), sold.to_string(), price.to_owned(), visits.to_string(), region.to_owned()];
            rows.push_str(&row(shop, day, cells));
        }
    }
    rows
}

pub(crate) fn line(shop: &str, cells: &[String; 5]) -> String {
    format!("{shop},{}\n", cells.join(","))
}

const PRICED: [&str; 7] =
    ["--horizon", "1", "--origins", "30", "--learner", "elastic-net,weekly-mean", "--json"];

#[test]
fn covariates_help_the_learners_that_use_them_and_no_other() {
    let desk = Desk::new();
    let file = desk.file("shops.csv", priced_shops(|shop, _, cells| line(shop, &cells)));
    let errors = |covariates: &[&str]| {
        let document = json(backtest(&desk, &file, &PRICED).args(covariates));
        let of = |result: &Value| {
            (
                result["learner"].as_str().expect("a name").to_owned(),
                result["mae"].as_f64().expect("a number"),
            )
        };
        let results: BTreeMap<_, _> =
            document["results"].as_array().expect("a list").iter().map(of).collect();
        (results["elastic-net"], results["weekly-mean"])
    };
    let (alone, of_values) = errors(&[]);
    for covariates in [&["--known", "price", "--static", "region"][..], &["--past", "visits"]] {
        let (with, unmoved) = errors(covariates);
        assert!(with < 0.7 * alone, "{covariates:?}: {with} against {alone}");
        assert_eq!(unmoved, of_values, "{covariates:?}");
    }
}

#[test]
fn a_covariate_that_is_not_as_declared_is_named() {
    let desk = Desk::new();
    let changed = |name: &str, day: i64, cell: usize, text: &str| {
        let rows = priced_shops(|shop, of_day, mut cells| {
            if shop == "south-1" && of_day == day {
                text.clone_into(&mut cells[cell]);
            }
            line(shop, &cells)
        });
        desk.file(name, rows)
    };
    let no_price = changed("no-price.csv", 380, 2, "");
    let missing = "price is declared as known in advance, and is missing for series south-1 at \
                   2025-01-15T00:00:00Z";
    fails(&desk, &no_price, &[&PRICED[..6], &["--known", "price"]].concat(), 4, missing);
    succeed(&mut backtest(&desk, &no_price, &[&PRICED[..], &["--past", "price"]].concat()));
    let moved = changed("moved.csv", 5, 4, "north");
    let moved_says = "region = \"north\": is \"south\" on line 402 of the same series";
    fails(&desk, &moved, &[&PRICED[..6], &["--static", "region"]].concat(), 4, moved_says);
    // A day that nobody counted: without the value, the price is there.
    let uncounted = changed("uncounted.csv", 390, 1, "");
    let document = json(&mut backtest(&desk, &uncounted, &[&PRICED[..], &["--known", "price"]].concat()));
    assert_eq!(document["rows"], 59);
    fails(&desk, &uncounted, &PRICED[..6], 4, "y = \"\": is empty");
    let found = "header: no column weather (past-only); found unique_id, ds, y, price, visits, region";
    fails(&desk, &uncounted, &[&PRICED[..6], &["--past", "weather"]].concat(), 4, found);
}

/// Holidays of all of Germany, 2022 to 2024.
const GERMAN_HOLIDAYS: &str = "
    2022-01-01 2022-04-15 2022-04-18 2022-05-01 2022-05-26 2022-06-06 2022-10-03 2022-12-25 2022-12-26
    2023-01-01 2023-04-07 2023-04-10 2023-05-01 2023-05-18 2023-05-29 2023-10-03 2023-12-25 2023-12-26
    2024-01-01 2024-03-29 2024-04-01 2024-05-01 2024-05-09 2024-05-20 2024-10-03 2024-12-25 2024-12-26";

/// Three years of a shop that sold half as much on these, dated from `first_year` on.
fn shop_with_holidays(first_year: i16) -> String {
    let start = jiff::civil::date(2022, 1, 1);
    let mut rows = "unique_id,ds,y\n".to_owned();
    for day in 0..3 * 365 {
        let date = start + jiff::Span::new().days(day);
        let usual = 200 + 20 * (day % 7) + day * day % 11;
        let sold = if GERMAN_HOLIDAYS.contains(&date.to_string()) { usual / 2 } else { usual };
        let date = jiff::civil::date(first_year, 1, 1) + jiff::Span::new().days(day);
        let _ = writeln!(rows, "shop,{date},{sold}");
    }
    rows
}

#[test]
fn holidays_help_the_learners_that_use_them_and_no_other() {
    let desk = Desk::new();
    let file = desk.file("shop.csv", shop_with_holidays(2022));
    let asked = [
        "--horizon",
        "7",
        "--origins",
        "52",
        "--learner",
        "elastic-net,weekly-mean",
        "--tz",
        "Europe/Berlin",
        "--json",
    ];
    let errors = |holidays: &[&str]| {
        let output = succeed(backtest(&desk, &file, &asked).args(holidays));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let document: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
        let results = document["results"].as_array().expect("a list").clone();
        let of = |learner: &str| {
            let result = results.iter().find(|result| result["learner"] == learner).expect("took part");
            result["mae"].as_f64().expect("a number")
        };
        (of("elastic-net"), of("weekly-mean"))
    };
    let ((alone, of_values), (with, unmoved)) = (errors(&[]), errors(&["--holidays", "DE"]));
    assert!(with < 0.7 * alone, "{with} against {alone}");
    assert_eq!(unmoved.to_bits(), of_values.to_bits(), "looks at values alone");
}

#[test]
fn holidays_of_an_unknown_place_or_time_are_said() {
    let desk = Desk::new();
    let file = desk.file("shop.csv", shop_with_holidays(1988));
    let asked = ["--horizon", "7", "--origins", "4", "--learner", "weekly-mean", "--holidays"];
    let countries = "is not one of the countries AU, CA, DE, ES, FR, GB, IT, NL, NZ, US or a part of one";
    fails(&desk, &file, &[&asked[..], &["UK"]].concat(), 2, countries);
    fails(&desk, &file, &[&asked[..], &["GB-LND"]].concat(), 2, "GB has the parts ENG, NIR, SCT, WLS");
    let output = succeed(backtest(&desk, &file, &asked).arg("DE-BY"));
    let said = String::from_utf8_lossy(&output.stderr);
    let known = "the holidays of DE-BY are known from 1991-01-01 to 2040-12-31; the file is from 1988-01-01";
    assert!(said.contains(known), "{said}");
}

#[test]
fn what_cannot_be_backtested_is_said() {
    let desk = Desk::new();
    let file = desk.file("shop.csv", shop("unique_id,ds,y", |day| day % 7));
    let asked = |horizon: &'static str, origins: &'static str| ["--horizon", horizon, "--origins", origins];
    let long = "no series has a value 56 steps before that";
    fails(&desk, &file, &asked("7", "7"), 4, long);
    fails(&desk, &file, &asked("0", "7"), 2, "0 is not in 1..=10000");
    fails(&desk, &file, &[&asked("7", "3")[..], &["--learner", "xgboost"]].concat(), 2, "possible values");
    let too_short = "learner boosted-trees: ";
    fails(&desk, &file, &[&asked("7", "3")[..], &["--learner", "boosted-trees"]].concat(), 4, too_short);
    fails(
        &desk,
        &file,
        &[&asked("7", "3")[..], &["--rows", "rows.xlsx"]].concat(),
        2,
        "must end in .csv, .jsonl or .parquet",
    );
    fails(&desk, &desk.path("nothing.csv"), &asked("7", "3"), 3, "nothing.csv");
}

#[test]
fn rows_that_cannot_be_written_are_refused_first_and_nothing_is_left_behind() {
    let desk = Desk::new();
    let rows = |file: &'static str| ["--horizon", "7", "--origins", "3", "--rows", file];
    let typo = desk.path("nothing.csv");
    fails(&desk, &typo, &rows("rows.parquet"), 3, "nothing.csv");
    fails(&desk, &typo, &rows("missing/rows.csv"), 1, "--rows missing/rows.csv: ");
    assert_eq!(std::fs::read_dir(desk.path("")).expect("is there").count(), 0, "no file was made");
    std::fs::create_dir(desk.path("folder.csv")).expect("a folder");
    fails(&desk, &typo, &rows("folder.csv"), 1, "--rows folder.csv: ");
}
