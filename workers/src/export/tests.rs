//! What is written is what readers read.

use ::parquet::{
    file::reader::{FileReader as _, SerializedFileReader},
    record::RowAccessor as _,
};
use bytes::Bytes;
use jiff::SignedDuration;
use protocol::messages::{Interval, Route, SeriesForecast, SeriesValues};

use super::*;

/// Two rows with everything that a cell may hold.
fn table() -> Columns {
    let start: Timestamp = "2025-01-01T00:00:00Z".parse().expect("is a time stamp");
    Columns::default()
        .with("unique_id", Cells::Text(vec!["=a,\"b\"".into(), "é".into()]))
        .with("ds", Cells::Time(vec![start, start + SignedDuration::from_mins(90)]))
        .with("forecast", Cells::Number(vec![0.1, f64::NAN]))
        .with("version", Cells::Count(vec![None, Some(3)]))
}

fn written(format: FileFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&table(), format, &mut bytes).expect("memory has room");
    bytes
}

#[test]
fn csv_leaves_missing_numbers_empty_and_quotes_what_needs_it() {
    let text = String::from_utf8(written(FileFormat::Csv)).expect("is UTF-8");
    let lines = "unique_id,ds,forecast,version\n\
                 \"=a,\"\"b\"\"\",2025-01-01T00:00:00Z,0.1,\n\
                 é,2025-01-01T01:30:00Z,,3\n";
    assert_eq!(text, lines);
}

#[test]
fn json_lines_have_one_object_each_with_nulls() {
    let text = String::from_utf8(written(FileFormat::Jsonl)).expect("is UTF-8");
    let lines = "{\"unique_id\":\"=a,\\\"b\\\"\",\"ds\":\"2025-01-01T00:00:00Z\",\"forecast\":0.1,\"version\":null}\n\
                 {\"unique_id\":\"é\",\"ds\":\"2025-01-01T01:30:00Z\",\"forecast\":null,\"version\":3}\n";
    assert_eq!(text, lines);
}

#[test]
fn parquet_has_typed_columns_with_nulls() {
    let file = SerializedFileReader::new(Bytes::from(written(FileFormat::Parquet))).expect("is Parquet");
    let rows: Vec<_> = file.get_row_iter(None).expect("has rows").map(|row| row.expect("is whole")).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].get_string(0).expect("is text"), "=a,\"b\"");
    assert_eq!(rows[1].get_timestamp_micros(1).expect("is a time"), 1_735_695_000_000_000);
    assert_eq!(rows[0].get_double(2).expect("is a number"), 0.1);
    assert!(rows[1].get_double(2).is_err() && rows[0].get_ulong(3).is_err(), "nulls");
    assert_eq!(rows[1].get_ulong(3).expect("is a count"), 3);
}

#[test]
fn a_file_is_written_whole_or_stays_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rows.csv");
    fs::write(&file, "before").expect("writes");
    write_file(&table(), FileFormat::Csv, &file).expect("is written");
    assert_eq!(fs::read(&file).expect("is there"), written(FileFormat::Csv));
    assert_eq!(fs::read_dir(folder.path()).expect("is there").count(), 1, "nothing is left beside it");
    let nowhere = folder.path().join("nowhere/rows.csv");
    assert!(write_file(&table(), FileFormat::Csv, &nowhere).is_err());
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let linked = |name: &str, to: &Path| {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(to, &link).expect("links");
        let written = write_file(&table(), FileFormat::Csv, &link);
        assert!(fs::symlink_metadata(&link).expect("is there").is_symlink(), "{name} is still a link");
        written
    };
    let file = folder.path().join("rows.csv");
    fs::write(&file, "before").expect("writes");
    linked("file", &file).expect("is written");
    assert_eq!(fs::read(&file).expect("is there"), written(FileFormat::Csv));
    linked("nothing", Path::new("/dev/null")).expect("takes everything");
    let full = linked("full", Path::new("/dev/full")).expect_err("takes nothing");
    assert!(
        matches!(&full, ExportError::Io(error) if error.kind() == io::ErrorKind::StorageFull),
        "{full:?}"
    );
}

#[test]
#[should_panic(expected = "column short is as long as the others")]
fn columns_of_different_lengths_are_no_table() {
    let _ = table().with("short", Cells::Number(vec![1.0]));
}

fn forecast(id: &str, intervals: Vec<Interval>) -> SeriesForecast {
    let start = "2025-01-01T00:00:00Z".parse().expect("is a time stamp");
    let values = vec![Some(2.0), Some(3.0)];
    let points = SeriesValues { id: id.into(), start, frequency: "P1D".into(), tz: "UTC".into(), values };
    SeriesForecast { points, intervals, version: Some(1), generation: 1, route: Route::Primary, reason: None }
}

#[test]
fn forecasts_have_the_columns_of_the_levels_that_were_asked_for_whoever_answered() {
    let interval = |level, wide| Interval { level, lower: vec![2.0 - wide; 2], upper: vec![3.0 + wide; 2] };
    let forecasts =
        [forecast("with", vec![interval(95, 2.0), interval(80, 1.0)]), forecast("without", vec![])];
    let mut bytes = Vec::new();
    let columns = forecasts::columns(&forecasts, &[95, 80]).expect("a daily grid");
    write(&columns, FileFormat::Csv, &mut bytes).expect("memory has room");
    let text = String::from_utf8(bytes).expect("is UTF-8");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "unique_id,ds,forecast,lo-80,hi-80,lo-95,hi-95,version,origin,route");
    assert_eq!(lines[1], "with,2025-01-01T00:00:00Z,2,1,4,0,5,1,2025-01-01T00:00:00Z,primary");
    assert_eq!(lines[4], "without,2025-01-02T00:00:00Z,3,,,,,1,2025-01-01T00:00:00Z,primary");
}

#[test]
fn local_times_carry_their_offset_and_are_the_same_instants() {
    let zone = TimeZone::get("America/New_York").expect("is known");
    let at: Timestamp = "2025-03-09T07:00:00Z".parse().expect("is a time stamp");
    let table =
        Columns::default().with("ds", Cells::Local(zone, vec![at - SignedDuration::from_hours(1), at]));
    let written = |format| {
        let mut bytes = Vec::new();
        write(&table, format, &mut bytes).expect("memory has room");
        bytes
    };
    let csv = String::from_utf8(written(FileFormat::Csv)).expect("is UTF-8");
    assert_eq!(csv, "ds\n2025-03-09T01:00:00-05:00\n2025-03-09T03:00:00-04:00\n");
    let file = SerializedFileReader::new(Bytes::from(written(FileFormat::Parquet))).expect("is Parquet");
    let rows: Vec<_> = file.get_row_iter(None).expect("has rows").map(|row| row.expect("is whole")).collect();
    assert_eq!(rows[1].get_timestamp_micros(0).expect("is a time"), at.as_microsecond());
}
