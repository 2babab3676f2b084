//! The bank of edge cases, as a person uses it: a past failure keeps every candidate out that repeats it, whatever else
//! it is better at, until somebody retires it with a reason.

use serde_json::{Value, json};

use crate::{
    command_line::{json, succeed, with_bikes},
    desk::Desk,
};

const TRAIN: [&str; 4] = ["--json", "train", "bike-demand", "--wait"];
const LIST: [&str; 3] = ["edge-cases", "list", "bike-demand"];

/// What is asked for: from, to, and how far off a forecast may be.
fn adding<'a>([from, to, limit]: [&'a str; 3], reason: &'a str) -> Vec<&'a str> {
    let series = ["edge-cases", "add", "bike-demand", "--series", "washington-dc"];
    let bound = ["--from", from, "--to", to, "--limit", limit, "--by", "ann", "--reason", reason];
    [&series[..], &bound[..]].concat()
}

fn add(shop: &Desk, bound: [&str; 3], reason: &str) -> Value {
    json(shop.gatecast().arg("--json").args(adding(bound, reason)))
}

fn listed(shop: &Desk) -> Value {
    json(shop.gatecast().arg("--json").args(LIST))
}

fn looks(shop: &Desk) -> Vec<u64> {
    let cases = listed(shop);
    let cases = cases.as_array().expect("a list").iter();
    cases.map(|case| case["looks"].as_u64().expect("a number")).collect()
}

fn reasons(decision: &Value) -> Vec<&str> {
    let reasons = decision["event"]["reasons"].as_array().expect("a list");
    reasons.iter().filter_map(Value::as_str).collect()
}

#[test]
fn a_candidate_that_repeats_a_failure_stays_out_until_the_case_is_retired() {
    let shop = with_bikes();
    // The hurricanes of the two years. Nobody fails at the first: the limit is wide.
    let irene = add(&shop, ["2011-08-27", "2011-08-29", "5000"], "hurricane Irene");
    assert_eq!((&irene["outcome"], &irene["edge_case"]["number"]), (&json!("added"), &json!(1)));
    assert_eq!(irene["edge_case"]["from"], "2011-08-27T04:00:00Z", "midnight where the bikes are");
    assert_eq!((&irene["incumbent"], &irene["fallback"]["keeps_limit"]), (&Value::Null, &json!(true)));
    let again = add(&shop, ["2011-08-27T04:00:00Z", "2011-08-29", "5000"], "once more");
    assert_eq!((&again["outcome"], &again["edge_case"]), (&json!("there_already"), &irene["edge_case"]));

    let promoted = json(shop.gatecast().args(TRAIN).args(["--learner", "few-trees"]));
    let passed =
        "the edge case is passed; its training has seen it, which tests for a relapse and is no evidence";
    assert!(reasons(&promoted).contains(&passed), "{promoted}");
    assert_eq!(looks(&shop), [1]);

    // And nobody can be right to a thousandth of a bike.
    let sandy = add(&shop, ["2012-10-30T13:00", "2012-10-31", "0.001"], "hurricane Sandy");
    assert_eq!(sandy["fallback"]["points"], 11, "the hours after the stations opened again");
    let of_incumbent = &sandy["incumbent"];
    assert_eq!(
        (&of_incumbent["version"], &of_incumbent["replayed"]["keeps_limit"]),
        (&json!(1), &json!(false))
    );
    let output = shop.gatecast().args(TRAIN).args(["--learner", "small-trees"]).output().expect("starts");
    assert_eq!(output.status.code(), Some(6));
    let refused: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let why: Vec<&str> =
        reasons(&refused).into_iter().filter(|reason| !reason.starts_with("this is look ")).collect();
    assert_eq!(why.len(), 1, "{why:?}");
    assert!(why[0].starts_with("edge case 2") && why[0].contains(", and only 0.001 is allowed"), "{why:?}");
    let error = |side: &str, which: &str| refused["event"][side][which].as_f64().expect("was scored");
    for which in ["average", "worst_case"] {
        assert!(error("candidate", which) < error("incumbent", which), "better in all else: {refused}");
    }
    assert_eq!(looks(&shop), [2, 1]);

    let retired =
        ["edge-cases", "retire", "bike-demand", "2", "--by", "bob", "--reason", "nobody is that good"];
    let done = json(shop.gatecast().arg("--json").args(retired));
    assert_eq!(done["edge_case"]["retired"]["reason"], "nobody is that good");
    shop.fails(&retired, 4, &["edge case 2 of bike-demand was retired by bob", "nobody is that good"]);
    let promoted = json(shop.gatecast().args(TRAIN).args(["--learner", "small-trees"]));
    assert_eq!(promoted["decision"], "promoted");
    assert_eq!(looks(&shop), [3, 1], "what is retired is not looked at any more");
    // Refused by a case that has been retired since.
    succeed(shop.gatecast().args(["verdict", "bike-demand", "2", "--replay"]));
    people_read_the_bank(&shop);
}

fn people_read_the_bank(shop: &Desk) {
    let output = succeed(shop.gatecast().args(LIST));
    let table = String::from_utf8(output.stdout).expect("is text");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
    for says in
        ["active", "retired", "off by at most 5000 on series washington-dc", "hurricane Sandy", "by bob"]
    {
        assert!(words.contains(says), "{says:?} is not in {words}");
    }
}

#[test]
fn an_edge_case_that_cannot_be_tested_names_field_and_value_and_changes_nothing() {
    let shop = with_bikes();
    let refused =
        |bound: [&str; 3], code: i32, says: &str| shop.fails(&adding(bound, "a test"), code, &[says]);
    let outside = "lies outside the history of series washington-dc, 2011-01-01T05:00:00Z to";
    let cases: [([&str; 3], i32, &str); 15] = [
        (
            ["2012-10-31", "2012-10-30", "9"],
            4,
            "to: 2012-10-30T04:00:00Z is not after from: 2012-10-31T04:00:00Z",
        ),
        (["2012-10-30", "2012-10-30", "9"], 4, "is not after from"),
        (["2012-10-30", "2012-10-31", "0"], 4, "limit: 0 is not a number above 0"),
        (["2012-10-30", "2012-10-31", "-5"], 4, "limit: -5 is not a number above 0"),
        (["2012-10-30", "2012-10-31", "nan"], 4, "limit: NaN is not a number above 0"),
        (["2012-10-30", "2012-10-31", "inf"], 4, "limit: inf is not a number above 0"),
        (["2012-10-30", "2012-10-31", "much"], 2, "much"),
        (
            ["tomorrow", "2012-10-31", "9"],
            2,
            "a date, a time such as 2025-03-01T06:00, or RFC 3339 is needed",
        ),
        (["2010-12-31", "2011-01-02", "9"], 4, &format!("from: 2010-12-31T05:00:00Z {outside}")),
        (["2012-10-30", "2013-06-01", "9"], 4, &format!("to: 2013-06-01T04:00:00Z {outside}")),
        (["2012-10-29T03:00", "2012-10-30T10:00", "9"], 4, "series washington-dc has no value from"),
        (["2011-01-01", "2011-01-01T05:00", "9"], 4, "nothing of it was known before 2011-01-01T05:00:00Z"),
        (["2012-01-01", "2012-03-01", "9"], 4, "at most 1000 make an edge case"),
        (
            ["2012-03-11T02:30", "2012-03-12", "9"],
            4,
            "from: 2012-03-11T02:30:00 does not exist once in America/",
        ),
        (
            ["2012-11-03", "2012-11-04T01:30", "9"],
            4,
            "to: 2012-11-04T01:30:00 does not exist once in America/",
        ),
    ];
    for (bound, code, says) in cases {
        refused(bound, code, says);
    }

    let good = adding(["2012-10-30", "2012-10-31", "9"], "a test");
    let with = |at: usize, word: &'static str| {
        let mut words = good.clone();
        words[at] = word;
        words
    };
    shop.fails(&with(2, "nobody"), 3, &["model \"nobody\" was not applied"]);
    shop.fails(&with(4, "nowhere"), 3, &["series: the dataset has no series nowhere"]);
    shop.fails(&with(14, " "), 4, &["reason: \" \" is empty"]);
    shop.fails(&good[..13], 2, &["--reason"]);
    let twice = [&good[..], &["--series", "washington-dc"]].concat();
    shop.fails(&twice, 4, &["series: washington-dc is named twice"]);
    let unsigned = [&good[..11], &good[13..]].concat();
    shop.fails(&unsigned, 2, &["--by NAME"]);
    let retire = ["edge-cases", "retire", "bike-demand", "9", "--by", "ann", "--reason", "a test"];
    shop.fails(&retire, 3, &["model bike-demand has no edge case 9"]);
    shop.fails(&["edge-cases", "list", "nobody"], 3, &["model \"nobody\" was not applied"]);
    assert_eq!(listed(&shop), json!([]), "nothing was added");
}
