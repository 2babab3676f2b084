//! What a file may hold, and what it may not: bytes, columns, values. The modules see to the rest.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use forecasting::{series::Grid, spec::Negative};

use super::*;

mod covariates;
mod formats;
mod hostile;
mod looks;
mod on_grid;
mod parquet_types;
mod times;

fn dataset(frequency: &str, zone: &str) -> DatasetSpec {
    let toml = format!("name = 'd'\nfrequency = '{frequency}'\ntime_zone = '{zone}'");
    toml::from_str(&toml).expect("is a dataset")
}

fn hourly() -> DatasetSpec {
    dataset("PT1H", "Europe/Berlin")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("tests write time stamps")
}

fn now() -> Timestamp {
    at("2026-01-01T00:00:00Z")
}

fn berlin() -> ImportOptions {
    ImportOptions { time_zone: Some("Europe/Berlin".to_owned()), ..ImportOptions::default() }
}

fn read_bytes(bytes: &[u8], options: &ImportOptions, dataset: &DatasetSpec) -> Result<Imported, ImportError> {
    read(bytes, options, dataset, now())
}

/// Reads rows under a header; every hour from a start if `rows` says so.
fn read_rows(rows: &str, options: &ImportOptions) -> Result<Imported, ImportError> {
    read_bytes(format!("unique_id,ds,y\n{rows}").as_bytes(), options, &hourly())
}

/// The error with its chain, as a command prints it.
fn refusal(result: Result<Imported, ImportError>) -> String {
    format!("{:#}", anyhow::Error::from(result.expect_err("is refused")))
}

fn check_refused(rows: &str, options: &ImportOptions, text: &str) {
    assert_eq!(refusal(read_rows(rows, options)), text, "{rows}");
}

fn values(imported: &Imported) -> Vec<(String, f64)> {
    imported.observations.iter().map(|one| (one.ds.to_string(), one.y)).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

const TWO_HOURS: &str = "a,2025-01-01T00:00:00Z,1\na,2025-01-01T01:00:00Z,2.5\n";

#[test]
fn both_ways_to_name_the_columns_are_read_in_any_order() {
    let expected = read_rows(TWO_HOURS, &ImportOptions::default()).expect("is fine").observations;
    for text in [
        "series,timestamp,value\na,2025-01-01T00:00:00Z,1\na,2025-01-01T01:00:00Z,2.5\n",
        "y,ds,unique_id\n1,2025-01-01T01:00:00+01:00,a\r\n2.5,2025-01-01 02:00:00+01:00,a\r\n",
        "\u{feff}unique_id,ds,y\n\"a\",2025-01-01T00:00Z,1e0\na,2025-01-01T01:00:00.000z,2.5",
    ] {
        let imported = read_bytes(text.as_bytes(), &ImportOptions::default(), &hourly()).expect(text);
        assert_eq!(imported.observations, expected, "{text}");
    }
}

#[test]
fn other_columns_are_ignored_and_reported() {
    let text =
        "unique_id,wet,ds,y,note\na,1,2025-01-01T00:00:00Z,1,\"two\nlines\"\na,0,2025-01-01T01:00:00Z,x,\n";
    let error = refusal(read_bytes(text.as_bytes(), &ImportOptions::default(), &hourly()));
    assert_eq!(error, "line 4: y = \"x\": is not a number", "a field may hold a line break");
    let imported = read_bytes(text.replace(",x,", ",2,").as_bytes(), &ImportOptions::default(), &hourly());
    assert_eq!(imported.expect("is fine").report.ignored_columns, ["wet", "note"]);
}

#[test]
fn gzip_is_recognised_by_its_bytes() {
    let text = format!("unique_id,ds,y\n{TWO_HOURS}");
    let plain = read_rows(TWO_HOURS, &ImportOptions::default()).expect("is fine");
    let two_members = [gzip(&text), gzip("a,2025-01-01T02:00:00Z,3\n")].concat();
    let compressed = read_bytes(&gzip(&text), &ImportOptions::default(), &hourly()).expect("is fine");
    assert_eq!(compressed, plain);
    let longer = read_bytes(&two_members, &ImportOptions::default(), &hourly()).expect("is fine");
    assert_eq!(longer.report.rows, 3);
}

#[test]
fn what_is_no_csv_text_is_told_apart() {
    let whole = gzip(&format!("unique_id,ds,y\n{}", "a,2025-01-01T00:00:00Z,1\n".repeat(1000)));
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let cases: [(&[u8], &str); 10] = [
        (b"", "not a CSV file: it is empty"),
        (&gzip(""), "not a CSV file: it is empty, once decompressed"),
        (b"unique_id,ds,y\n", "not a CSV file: it has no row after the header"),
        (b"\xff\xfeu\0n\0i\0", "not a CSV file: it is UTF-16; save it as UTF-8"),
        (b"u\0n\0i\0,\0", "not a CSV file: its first line holds NUL bytes: it is binary, or UTF-16"),
        (b"\x89PNG\r\n\x1a\n\xee", "not a CSV file: its first line is not UTF-8 text"),
        (b"\x28\xb5\x2f\xfd0", "the compressed data ends in the middle: the file is cut off"),
        (b"[{\"unique_id\":1}]", "not a JSON lines file: it is one JSON array; write one object per line"),
        (&gzip_twice(), "not a CSV file: it is compressed twice"),
        (&whole[..whole.len() - 20], "the compressed data ends in the middle: the file is cut off"),
    ];
    for (bytes, text) in cases {
        let error = refusal(read_bytes(bytes, &ImportOptions::default(), &hourly()));
        assert!(error.contains(text), "{error}");
    }
    assert!(read_bytes(&damaged, &ImportOptions::default(), &hourly()).is_err());
}

fn gzip_twice() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&gzip("a")).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

#[test]
fn a_bomb_is_not_unpacked() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = "0".repeat(1 << 20);
    encoder.write_all(b"unique_id,ds,y\na,b,").expect("writes to memory");
    for _ in 0..300 {
        encoder.write_all(zeros.as_bytes()).expect("writes to memory");
    }
    let bomb = encoder.finish().expect("writes to memory");
    let error = refusal(read_bytes(&bomb, &ImportOptions::default(), &hourly()));
    assert_eq!(error, "after line 1: too much data: a row of more than 1048576 bytes");
}

#[test]
fn missing_and_repeated_columns_are_named() {
    let cases = [
        ("unique_id,ds\n", "header: no column y (or value); --value names another one; found unique_id, ds"),
        ("a;b;c\n1;2;3\n", "header: columns are separated by semicolons, not by commas; found a;b;c"),
        (
            "unique_id,ds,y,value\n",
            "header: more than one column for y (or value); found unique_id, ds, y, value",
        ),
    ];
    for (text, problem) in cases {
        assert_eq!(refusal(read_bytes(text.as_bytes(), &ImportOptions::default(), &hourly())), problem);
    }
    let wide = vec!["x"; 201].join(",");
    let fits = format!("unique_id,ds,y{}\na,2025-01-01T00:00:00Z,1{}\n", ",x".repeat(197), ",".repeat(197));
    assert!(read_bytes(fits.as_bytes(), &ImportOptions::default(), &hourly()).is_ok(), "200 columns");
    let error = refusal(read_bytes(wide.as_bytes(), &ImportOptions::default(), &hourly()));
    assert_eq!(error, "more than 200 columns");
}

/// Refused on line 4, after two rows that are fine.
fn check_row_refused(row: &str, problem: &str) {
    let rows = format!("{TWO_HOURS}{row}\n");
    check_refused(&rows, &ImportOptions::default(), &format!("line 4: {problem}"));
}

#[test]
fn every_impossible_value_or_series_is_named_with_its_line() {
    let now = "2025-01-01T00:00:00Z";
    check_row_refused(&format!("a,{now},NaN"), "y = \"NaN\": is not a finite number");
    check_row_refused(&format!("a,{now},-inf"), "y = \"-inf\": is not a finite number");
    check_row_refused(&format!("a,{now},1e400"), "y = \"1e400\": is not a finite number");
    check_row_refused(&format!("a,{now},1.1e15"), "y = \"1.1e15\": is larger than 1e15");
    check_row_refused(&format!("a,{now},1 000"), "y = \"1 000\": is not a number");
    check_row_refused(&format!("a,{now},"), "y = \"\": is empty; leave out the row where no value is known");
    check_row_refused(&format!("a,{now},1,2"), "number of fields = \"4\": the header has 3");
    check_row_refused(&format!(",{now},1"), "unique_id = \"\": must not be empty");
    let control = "must not contain control or bidirectional formatting characters";
    check_row_refused(&format!("a\0b,{now},1"), &format!("unique_id = \"a\\0b\": {control}"));
    let latin1 = b"unique_id,ds,y\nStra\xdfe,2025-01-01T00:00:00Z,1\n";
    let error = refusal(read_bytes(latin1, &ImportOptions::default(), &hourly()));
    assert_eq!(error, "line 2: unique_id = \"Stra\u{fffd}e\": is not UTF-8 text");
}

#[test]
fn the_limits_themselves_are_allowed() {
    let edges = "a,2026-01-02T00:00:00Z,1e15\nb,1900-01-01T00:00:00Z,-1e15\nc,2025-01-01T00:00:00Z,5e-324\n";
    let imported = read_rows(edges, &ImportOptions::default()).expect("is at the limit");
    assert_eq!(imported.report.series, 3);
    assert_eq!(imported.report.frequency, None, "single observations have no frequency");
}

#[test]
fn the_report_is_readable_and_its_json_complete() {
    let imported = read_rows(&on_grid::hours_without(&[2]), &berlin()).expect("is fine");
    let text = "rows         19 of 1 series\n\
                frequency    PT1H\n\
                first, last  2025-01-01T01:00:00+01:00, 2025-01-01T20:00:00+01:00\n\
                gaps         1 (1 steps), first: a from 2025-01-01T02:00:00Z (1 steps)\n\
                duplicates   0";
    assert_eq!(imported.report.to_string(), text);
    let json = serde_json::to_value(&imported.report).expect("is JSON");
    assert_eq!(json["first_gaps"][0]["from"], "2025-01-01T02:00:00Z");
}

#[test]
fn the_example_data_is_plain() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data");
    for (file, zone, rows) in [
        ("washington-bikes.csv.gz", "America/New_York", 17_377),
        ("auckland-pedestrians.csv.gz", "Pacific/Auckland", 667_581),
    ] {
        let input = std::fs::File::open(folder.join(file)).expect("is shipped");
        let dataset = dataset("PT1H", zone);
        let imported = read(input, &ImportOptions::default(), &dataset, now()).expect("needs no repair");
        assert_eq!(
            (imported.report.rows, imported.observations.len()),
            (rows, usize::try_from(rows).expect("fits"))
        );
        let grid: Grid = dataset.grid();
        let first = imported.report.first.expect("has rows");
        assert!(imported.observations.iter().all(|one| grid.steps_between(first, one.ds).is_ok()));
    }
}
