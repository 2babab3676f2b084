//! What a file may hold, and what it may not.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use forecasting::series::Grid;

use super::*;

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
    ImportOptions {
        time_zone: Some("Europe/Berlin".to_owned()),
        ..ImportOptions::default()
    }
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
    imported
        .observations
        .iter()
        .map(|one| (one.ds.to_string(), one.y))
        .collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

const TWO_HOURS: &str = "a,2025-01-01T00:00:00Z,1\na,2025-01-01T01:00:00Z,2.5\n";

#[test]
fn both_ways_to_name_the_columns_are_read_in_any_order() {
    let expected = read_rows(TWO_HOURS, &ImportOptions::default())
        .expect("is fine")
        .observations;
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
    assert_eq!(
        error, "line 4: y = \"x\": is not a number",
        "a field may hold a line break"
    );
    let imported = read_bytes(
        text.replace(",x,", ",2,").as_bytes(),
        &ImportOptions::default(),
        &hourly(),
    );
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
    let whole = gzip(&format!(
        "unique_id,ds,y\n{}",
        "a,2025-01-01T00:00:00Z,1\n".repeat(1000)
    ));
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let cases: [(&[u8], &str); 9] = [
        (b"", "not a CSV file: it is empty"),
        (&gzip(""), "not a CSV file: it is empty, once decompressed"),
        (
            b"unique_id,ds,y\n",
            "not a CSV file: it has no row after the header",
        ),
        (
            b"\xff\xfeu\0n\0i\0",
            "not a CSV file: it is UTF-16; save it as UTF-8",
        ),
        (
            b"u\0n\0i\0,\0",
            "not a CSV file: its first line holds NUL bytes: it is binary, or UTF-16",
        ),
        (
            b"\x89PNG\r\n\x1a\n\xee",
            "not a CSV file: its first line is not UTF-8 text",
        ),
        (
            b"\x28\xb5\x2f\xfd0",
            "not a CSV file: it is compressed with zstd; decompress it, or use gzip",
        ),
        (&gzip_twice(), "not a CSV file: it is compressed twice"),
        (
            &whole[..whole.len() - 20],
            "the compressed data ends in the middle: the file is cut off",
        ),
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
    encoder
        .write_all(b"unique_id,ds,y\na,b,")
        .expect("writes to memory");
    for _ in 0..300 {
        encoder.write_all(zeros.as_bytes()).expect("writes to memory");
    }
    let bomb = encoder.finish().expect("writes to memory");
    let error = refusal(read_bytes(&bomb, &ImportOptions::default(), &hourly()));
    assert!(error.contains("too much data"), "{error}");
}

#[test]
fn missing_and_repeated_columns_are_named() {
    let cases = [
        (
            "unique_id,ds\n",
            "header: no column y (or value); found unique_id, ds",
        ),
        (
            "a;b;c\n1;2;3\n",
            "header: no column unique_id (or series); found a;b;c",
        ),
        (
            "unique_id,ds,y,value\n",
            "header: more than one column for y (or value); found unique_id, ds, y, value",
        ),
    ];
    for (text, problem) in cases {
        assert_eq!(
            refusal(read_bytes(text.as_bytes(), &ImportOptions::default(), &hourly())),
            problem
        );
    }
    let wide = vec!["x"; 201].join(",");
    let error = refusal(read_bytes(wide.as_bytes(), &ImportOptions::default(), &hourly()));
    assert_eq!(error, "more than 200 columns");
}

#[test]
fn every_impossible_value_is_named_with_its_line() {
    let time = "is not a time such as 2025-01-31T13:00:00+01:00 or 2025-01-31T12:00:00Z";
    let cases = [
        (
            "a,2025-01-01T00:00:00Z,NaN",
            "y = \"NaN\": is not a finite number",
        ),
        (
            "a,2025-01-01T00:00:00Z,-inf",
            "y = \"-inf\": is not a finite number",
        ),
        (
            "a,2025-01-01T00:00:00Z,1e400",
            "y = \"1e400\": is not a finite number",
        ),
        (
            "a,2025-01-01T00:00:00Z,1.1e15",
            "y = \"1.1e15\": is larger than 1e15",
        ),
        (
            "a,2025-01-01T00:00:00Z,",
            "y = \"\": is empty; leave out the row where no value is known",
        ),
        ("a,2025-01-01T00:00:00Z,1 000", "y = \"1 000\": is not a number"),
        (
            "a,2025-01-01T00:00:00Z,1,2",
            "number of fields = \"4\": the header has 3",
        ),
        (",2025-01-01T00:00:00Z,1", "unique_id = \"\": must not be empty"),
        (
            "a\0b,2025-01-01T00:00:00Z,1",
            "unique_id = \"a\\0b\": must not contain control or bidirectional formatting characters",
        ),
        (
            "a,2025-13-01T00:00:00Z,1",
            &format!("ds = \"2025-13-01T00:00:00Z\": {time}"),
        ),
        ("a,yesterday,1", &format!("ds = \"yesterday\": {time}")),
        (
            "a,10000-01-01T00:00:00Z,1",
            &format!("ds = \"10000-01-01T00:00:00Z\": {time}"),
        ),
        (
            "a,2025-01-01T00:00:60Z,1",
            "ds = \"2025-01-01T00:00:60Z\": has a second 60",
        ),
        (
            "a,1899-12-31T23:00:00Z,1",
            "ds = \"1899-12-31T23:00:00Z\": lies outside the years 1900 to 2200",
        ),
        (
            "a,2201-01-01T00:00:00Z,1",
            "ds = \"2201-01-01T00:00:00Z\": lies outside the years 1900 to 2200",
        ),
        (
            "a,2026-01-02T01:00:00Z,1",
            "ds = \"2026-01-02T01:00:00Z\": lies in the future: the latest possible is 2026-01-02T00:00:00Z",
        ),
        (
            "a,1735689600000,1",
            "ds = \"1735689600000\": is a number; if it counts milliseconds since 1970, write 2025-01-01T00:00:00Z",
        ),
        (
            "a,1735689600,1",
            "ds = \"1735689600\": is a number; if it counts seconds since 1970, write 2025-01-01T00:00:00Z",
        ),
        (
            "a,2025-01-01T00:00:00,1",
            "ds = \"2025-01-01T00:00:00\": has no offset; --tz says in which zone it is (none: a plain grid in UTC)",
        ),
    ];
    for (row, problem) in cases {
        check_refused(
            &format!("{TWO_HOURS}{row}\n"),
            &ImportOptions::default(),
            &format!("line 4: {problem}"),
        );
    }
    let latin1 = b"unique_id,ds,y\nStra\xdfe,2025-01-01T00:00:00Z,1\n";
    let error = refusal(read_bytes(latin1, &ImportOptions::default(), &hourly()));
    assert_eq!(error, "line 2: unique_id = \"Stra\u{fffd}e\": is not UTF-8 text");
}

#[test]
fn the_limits_themselves_are_allowed() {
    let edges = "a,2026-01-02T00:00:00Z,1e15\nb,1900-01-01T00:00:00Z,-1e15\nc,2025-01-01T00:00:00Z,5e-324\n";
    let imported = read_rows(edges, &ImportOptions::default()).expect("is at the limit");
    assert_eq!(imported.report.series, 3);
    assert_eq!(
        imported.report.frequency, None,
        "single observations have no frequency"
    );
}

#[test]
fn naive_times_are_wall_clock_of_the_named_zone() {
    let rows = "a,2025-01-01T00:00:00,1\na,2025-01-01 01:00,2\n";
    let imported = read_rows(rows, &berlin()).expect("is fine");
    assert_eq!(imported.observations[0].ds, at("2025-01-01T00:00:00+01:00"));
    let unknown = ImportOptions {
        time_zone: Some("Mars/Olympus".to_owned()),
        ..ImportOptions::default()
    };
    let text = "--tz: time zone \"Mars/Olympus\" is not an IANA name such as Europe/Berlin or UTC";
    check_refused(rows, &unknown, text);
}

#[test]
fn a_plain_grid_needs_a_dataset_in_utc() {
    let plain = ImportOptions {
        time_zone: Some("none".to_owned()),
        ..ImportOptions::default()
    };
    let text = "unique_id,ds,y\na,2025-01-01T00:00:00,1\n";
    let imported = read_bytes(text.as_bytes(), &plain, &dataset("PT1H", "UTC")).expect("is in UTC");
    assert_eq!(imported.observations[0].ds, at("2025-01-01T00:00:00Z"));
    let error = refusal(read_bytes(text.as_bytes(), &plain, &hourly()));
    assert_eq!(
        error,
        "--tz none: a plain grid needs a dataset in UTC, this one is in Europe/Berlin"
    );
}

#[test]
fn an_hour_that_the_clock_skips_is_an_error_unless_dropped_or_shifted() {
    let rows = "a,2025-03-30T01:00:00,1\na,2025-03-30T02:00:00,2\na,2025-03-30T03:00:00,3\n";
    let problem =
        "line 3: ds = \"2025-03-30T02:00:00\": does not exist: the clock skips it (--dst drop or shift)";
    check_refused(rows, &berlin(), problem);
    let drop = ImportOptions {
        on_daylight_saving: OnDaylightSaving::Drop,
        ..berlin()
    };
    let imported = read_rows(rows, &drop).expect("is dropped");
    assert_eq!(
        values(&imported),
        [
            ("2025-03-30T00:00:00Z".to_owned(), 1.0),
            ("2025-03-30T01:00:00Z".to_owned(), 3.0)
        ]
    );
    assert_eq!(
        imported.report.daylight_saving,
        DaylightSavingRepairs {
            dropped: 1,
            shifted: 0
        }
    );
    let shift = ImportOptions {
        on_daylight_saving: OnDaylightSaving::Shift,
        ..berlin()
    };
    let error = refusal(read_rows(rows, &shift));
    assert!(
        error.contains("--on-duplicate"),
        "a shifted row meets the one that is there: {error}"
    );
    let merged = read_rows(
        rows,
        &ImportOptions {
            on_duplicate: OnDuplicate::Sum,
            ..shift
        },
    )
    .expect("is merged");
    assert_eq!(merged.observations[1].y, 5.0);
}

#[test]
fn the_hour_that_the_clock_repeats_is_an_error_unless_dropped_or_shifted() {
    let hours = ["01:00", "02:00", "02:00", "03:00"].map(|hour| format!("a,2025-10-26T{hour}:00,1\n"));
    let rows = hours.concat();
    assert!(
        refusal(read_rows(&rows, &berlin()))
            .starts_with("line 3: ds = \"2025-10-26T02:00:00\": exists twice")
    );
    let shift = ImportOptions {
        on_daylight_saving: OnDaylightSaving::Shift,
        ..berlin()
    };
    let imported = read_rows(&rows, &shift).expect("is shifted");
    let first = at("2025-10-26T01:00:00+02:00");
    let grid = hourly().grid();
    let steps = imported
        .observations
        .iter()
        .map(|one| grid.steps_between(first, one.ds).expect("is on the grid"));
    assert_eq!(steps.collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(
        (imported.report.gaps, imported.report.daylight_saving.shifted),
        (0, 2)
    );
    let drop = ImportOptions {
        on_daylight_saving: OnDaylightSaving::Drop,
        on_gap: OnGap::Allow,
        ..berlin()
    };
    let imported = read_rows(&rows, &drop).expect("is dropped");
    assert_eq!(
        (imported.observations.len(), imported.report.missing_steps),
        (2, 2)
    );
}

#[test]
fn days_mean_local_days_even_those_without_a_midnight() {
    let daily = dataset("P1D", "America/Sao_Paulo");
    let options = ImportOptions {
        time_zone: Some("America/Sao_Paulo".to_owned()),
        ..ImportOptions::default()
    };
    for rows in [
        "a,2018-11-03,1\na,2018-11-04,2\na,2018-11-05,3\n",
        "a,2018-11-03T00:00:00,1\na,2018-11-04T00:00:00,2\n",
    ] {
        let text = format!("unique_id,ds,y\n{rows}");
        let imported = read_bytes(text.as_bytes(), &options, &daily).expect("is daily");
        assert_eq!(imported.observations[1].ds, at("2018-11-04T01:00:00-02:00"));
        assert_eq!(imported.report.frequency.as_deref(), Some("P1D"));
    }
}

#[test]
fn a_duplicate_is_an_error_unless_merged_by_name() {
    let rows = "a,2025-01-01T01:00:00Z,1\na,2025-01-01T00:00:00Z,7\na,2025-01-01T01:00:00Z,5\n";
    let problem = "line 4: ds = \"2025-01-01T01:00:00Z\": series a has 5 there and 1 on line 2 already \
                   (--on-duplicate sum, last, first or mean)";
    check_refused(rows, &ImportOptions::default(), problem);
    for (on_duplicate, y) in [
        (OnDuplicate::Sum, 6.0),
        (OnDuplicate::Last, 5.0),
        (OnDuplicate::First, 1.0),
        (OnDuplicate::Mean, 3.0),
    ] {
        let imported = read_rows(
            rows,
            &ImportOptions {
                on_duplicate,
                ..ImportOptions::default()
            },
        );
        let imported = imported.expect("is merged");
        assert_eq!((imported.observations[1].y, imported.report.duplicates), (y, 1));
        assert_eq!(imported.report.unsorted_rows, 1);
    }
}

/// Hours of one day without those that are named.
fn hours_without(missing: &[i32]) -> String {
    let hours = (0..20).filter(|hour| !missing.contains(hour));
    hours
        .map(|hour| format!("a,2025-01-01T{hour:02}:00:00Z,1\n"))
        .collect()
}

#[test]
fn small_gaps_are_reported_and_large_ones_refused_unless_allowed() {
    let fifth =
        read_rows(&hours_without(&[2, 3, 7, 11]), &ImportOptions::default()).expect("a fifth may be missing");
    assert_eq!((fifth.report.gaps, fifth.report.missing_steps), (3, 4));
    assert_eq!(
        fifth.report.first_gaps[0].to_string(),
        "a from 2025-01-01T02:00:00Z (2 steps)"
    );
    let more = hours_without(&[2, 3, 7, 11, 13]);
    let problem = "series a lacks 5 of 20 steps, more than 20 % (--on-gap allow takes it as it is); first gaps: \
                   a from 2025-01-01T02:00:00Z (2 steps), a from 2025-01-01T07:00:00Z (1 steps), \
                   a from 2025-01-01T11:00:00Z (1 steps)";
    check_refused(&more, &ImportOptions::default(), problem);
    let allowed = read_rows(
        &more,
        &ImportOptions {
            on_gap: OnGap::Allow,
            ..ImportOptions::default()
        },
    );
    assert_eq!(allowed.expect("is allowed").report.first_gaps.len(), 3);
}

#[test]
fn another_frequency_than_the_declared_one_is_named() {
    let half_hours = "a,2025-01-01T00:00:00Z,1\na,2025-01-01T00:30:00Z,1\na,2025-01-01T01:00:00Z,1\n";
    check_refused(
        half_hours,
        &ImportOptions::default(),
        "steps of PT30M, but the dataset declares PT1H",
    );
    let days = "a,2025-01-01T00:00:00Z,1\na,2025-01-02T00:00:00Z,1\na,2025-01-03T00:00:00Z,1\n";
    check_refused(
        days,
        &ImportOptions::default(),
        "steps of P1D, but the dataset declares PT1H",
    );
    let hours = format!("unique_id,ds,y\n{TWO_HOURS}");
    let error = refusal(read_bytes(
        hours.as_bytes(),
        &ImportOptions::default(),
        &dataset("P1D", "UTC"),
    ));
    assert_eq!(error, "steps of PT1H, but the dataset declares P1D");
}

#[test]
fn rows_between_the_steps_are_named() {
    let rows = format!("{}b,2025-01-01T05:00:01Z,1\n", hours_without(&[]));
    let problem = "1 rows are off the grid of PT1H steps in Europe/Berlin that the others are on; first: \
                   line 22 (b at 2025-01-01T05:00:01Z)";
    check_refused(&rows, &ImportOptions::default(), problem);
    let noons = "unique_id,ds,y\na,2025-01-01T12:00:00Z,1\na,2025-01-02T12:00:00Z,1\n";
    let error = refusal(read_bytes(
        noons.as_bytes(),
        &ImportOptions::default(),
        &dataset("P1D", "UTC"),
    ));
    assert!(
        error.starts_with("2 rows are off the grid of P1D steps in UTC"),
        "{error}"
    );
}

#[test]
fn series_come_out_in_order_whatever_the_order_of_rows() {
    let rows = "b,2025-01-01T01:00:00Z,4\na,2025-01-01T00:00:00Z,1\nb,2025-01-01T00:00:00Z,3\na,2025-01-01T01:00:00Z,2\n";
    let imported = read_rows(rows, &ImportOptions::default()).expect("is fine");
    let all: Vec<_> = imported
        .observations
        .iter()
        .map(|one| (one.series.as_str(), one.y))
        .collect();
    assert_eq!(all, [("a", 1.0), ("a", 2.0), ("b", 3.0), ("b", 4.0)]);
    assert_eq!(imported.report.unsorted_rows, 1);
}

#[test]
fn the_report_is_readable_and_its_json_complete() {
    let imported = read_rows(&hours_without(&[2]), &berlin()).expect("is fine");
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
        assert!(
            imported
                .observations
                .iter()
                .all(|one| grid.steps_between(first, one.ds).is_ok())
        );
    }
}
