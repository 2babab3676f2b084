//! JSON lines and Parquet say the same as CSV, in whatever types they have, and columns may have any name.

use std::{io::Seek as _, sync::Arc};

use arrow_array::{
    ArrayRef, Date32Array, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray, TimestampNanosecondArray, types::Int32Type,
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use super::*;

const START: i64 = 1_735_689_600; // 2025-01-01T00:00:00Z

pub(super) fn parquet_with(columns: Vec<(&str, ArrayRef)>, compression: Compression) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("writes to memory");
    writer.write(&batch).expect("writes to memory");
    writer.close().expect("writes to memory");
    bytes
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    parquet_with(columns, Compression::ZSTD(ZstdLevel::default()))
}

fn ids() -> ArrayRef {
    Arc::new(StringArray::from(vec!["a", "a"]))
}

fn two_times() -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from(vec![START * 1000, (START + 3600) * 1000]).with_timezone("UTC"))
}

fn two_numbers() -> ArrayRef {
    Arc::new(Float64Array::from(vec![1.0, 2.5]))
}

fn two_hours() -> Vec<Observation> {
    read_rows(TWO_HOURS, &ImportOptions::default()).expect("is fine").observations
}

#[test]
fn json_lines_are_read_like_csv() {
    let text = "{\"unique_id\":\"a\",\"ds\":\"2025-01-01T00:00:00Z\",\"y\":1,\"more\":{\"x\":[1]}}\r\n\n\
                {\"y\":2.5,\"more\":null,\"ds\":\"2025-01-01T01:00:00Z\",\"unique_id\":\"\\u0061\"}";
    for bytes in [
        text.as_bytes().to_vec(),
        gzip(text),
        zstd(text.as_bytes()),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
    ] {
        let imported = read_bytes(&bytes, &ImportOptions::default(), &hourly()).expect("is fine");
        assert_eq!(imported.observations, two_hours());
        assert_eq!(imported.report.ignored_columns, ["more"]);
    }
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("compresses")
}

#[test]
fn zstd_is_recognised_by_its_bytes() {
    let text = format!("unique_id,ds,y\n{TWO_HOURS}");
    let two_frames = [zstd(text.as_bytes()), zstd(b"a,2025-01-01T02:00:00Z,3\n")].concat();
    let longer = read_bytes(&two_frames, &ImportOptions::default(), &hourly()).expect("is fine");
    assert_eq!(longer.report.rows, 3);
    let cut = &two_frames[..two_frames.len() - 5];
    assert!(refusal(read_bytes(cut, &ImportOptions::default(), &hourly())).contains("cut off"));
}

#[test]
fn every_impossible_line_of_json_is_named() {
    let good = "{\"unique_id\":\"a\",\"ds\":\"2025-01-01T00:00:00Z\",\"y\":1}\n";
    let line = |ds: &str, y: &str| format!("{good}{{\"unique_id\":\"a\",\"ds\":{ds},\"y\":{y}}}\n");
    let now = "\"2025-01-01T01:00:00Z\"";
    let deep = format!("{good}{{\"x\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let not = "not a JSON lines file: line 2: ";
    for (text, problem) in [
        (line(now, "1e400"), "line 2: y = \"1e400\": is not a finite number".to_owned()),
        (
            line(now, "null"),
            "line 2: y = \"\": is empty; leave out the row where no value is known".to_owned(),
        ),
        (line(now, "[1]"), "line 2: y = \"[1]\": is not a number".to_owned()),
        (line(now, "true"), "line 2: y = \"true\": is not a number".to_owned()),
        (
            line("1735689600", "1"),
            "line 2: ds = \"1735689600\": is a number; if it counts seconds since 1970, write \
             2025-01-01T00:00:00Z"
                .to_owned(),
        ),
        (format!("{good}{{\"unique_id\":\"a\",\"y\":1}}"), "line 2: ds = \"\": is missing".to_owned()),
        (format!("{good}{{\"y\":1,\"y\":2}}"), format!("{not}the field \"y\" stands there twice")),
        (format!("{good}[1]"), format!("{not}invalid type: sequence, expected an object")),
        (format!("{good}nonsense"), format!("{not}expected ident")),
        (format!("{good}{{\"y\":1"), format!("{not}EOF while parsing an object")),
        (deep, format!("{not}nested deeper than 32 levels at byte 36")),
    ] {
        assert_eq!(refusal(read_bytes(text.as_bytes(), &ImportOptions::default(), &hourly())), problem);
    }
}

#[test]
fn an_id_or_time_of_json_is_a_text_or_a_number() {
    let line = |id: &str, ds: &str| format!("{{\"unique_id\":{id},\"ds\":{ds},\"y\":1}}\n");
    let at = "\"2025-01-01T00:00:00Z\"";
    for (text, problem) in [
        (line(r#""\ud800""#, at), r#"unique_id = "\"\\ud800\"": is not Unicode text"#),
        (line(r#"["a"]"#, at), r#"unique_id = "[\"a\"]": is neither a text nor a number"#),
        (line("{}", at), r#"unique_id = "{}": is neither a text nor a number"#),
        (line("true", at), r#"unique_id = "true": is neither a text nor a number"#),
        (line("\"a\"", "false"), r#"ds = "false": is neither a text nor a number"#),
    ] {
        let error = refusal(read_bytes(text.as_bytes(), &ImportOptions::default(), &hourly()));
        assert_eq!(error, format!("line 1: {problem}"));
    }
    let numbered = read_bytes(line("7", at).as_bytes(), &ImportOptions::default(), &hourly());
    assert_eq!(values(&numbered.expect("is fine")), [("2025-01-01T00:00:00Z".to_owned(), 1.0)]);
}

#[test]
fn parquet_is_read_like_csv_in_whatever_types_it_has() {
    let nanoseconds =
        TimestampNanosecondArray::from(vec![START * 1_000_000_000, (START + 3600) * 1_000_000_000])
            .with_timezone("Europe/Berlin");
    let texts = StringArray::from(vec!["2025-01-01T00:00:00Z", "2025-01-01T01:00:00Z"]);
    let dictionary: DictionaryArray<Int32Type> = vec!["a", "a"].into_iter().collect();
    let numbers_as_text = StringArray::from(vec!["1", "2.5"]);
    for (columns, what) in [
        (vec![("unique_id", ids()), ("ds", two_times()), ("y", two_numbers())], "milliseconds"),
        (
            vec![("y", two_numbers()), ("ds", Arc::new(nanoseconds) as ArrayRef), ("unique_id", ids())],
            "nanoseconds",
        ),
        (
            vec![("series", ids()), ("timestamp", Arc::new(texts) as ArrayRef), ("value", two_numbers())],
            "texts",
        ),
        (
            vec![("unique_id", Arc::new(dictionary) as ArrayRef), ("ds", two_times()), ("y", two_numbers())],
            "a dictionary",
        ),
        (
            vec![("unique_id", ids()), ("ds", two_times()), ("y", Arc::new(numbers_as_text) as ArrayRef)],
            "numbers as text",
        ),
    ] {
        let imported = read_bytes(&parquet(columns), &ImportOptions::default(), &hourly()).expect(what);
        assert_eq!(imported.observations, two_hours(), "{what}");
    }
}

#[test]
fn a_file_is_read_where_it_lies_and_a_stream_of_it_alike() {
    let bytes = parquet(vec![("unique_id", ids()), ("ds", two_times()), ("y", two_numbers())]);
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&bytes).expect("writes");
    file.rewind().expect("rewinds");
    let input = Input::from(file);
    assert!(matches!(input, Input::File(_)));
    let options = ImportOptions::default();
    let imported = read(input, &options, &hourly(), now()).expect("is read");
    assert_eq!(imported, read_bytes(&bytes, &options, &hourly()).expect("is read"));
    assert_eq!(imported.observations, two_hours());
}

#[test]
fn parquet_of_days_and_wall_clocks_needs_a_zone_as_csv_does() {
    let numbers = || Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef;
    let stores = Arc::new(Int64Array::from(vec![17, 17])) as ArrayRef;
    let days = Arc::new(Date32Array::from(vec![20_089, 20_090])) as ArrayRef;
    let bytes = parquet(vec![("unique_id", stores), ("ds", days), ("y", numbers())]);
    let daily = dataset("P1D", "Europe/Berlin");
    let error = refusal(read_bytes(&bytes, &ImportOptions::default(), &daily));
    assert!(error.starts_with("row 1: ds = \"2025-01-01\": has no offset; --tz"), "{error}");
    let imported = read_bytes(&bytes, &berlin(), &daily).expect("is daily");
    assert_eq!(values(&imported)[1], ("2025-01-01T23:00:00Z".to_owned(), 2.0));
    assert_eq!(imported.observations[0].series.as_str(), "17");

    let wall = TimestampMillisecondArray::from(vec![1_743_303_600_000, 1_743_301_800_000]);
    let wall = Arc::new(wall) as ArrayRef; // 03:00 and, skipped in Berlin, 02:30 on 2025-03-30
    let bytes = parquet(vec![("unique_id", ids()), ("ds", wall), ("y", numbers())]);
    let error = refusal(read_bytes(&bytes, &berlin(), &hourly()));
    assert!(error.contains("does not exist: the clock skips it"), "{error}");
}

#[test]
fn every_impossible_value_of_parquet_is_named_with_its_row() {
    let with = |y: Vec<Option<f64>>| {
        let numbers = Arc::new(Float64Array::from(y)) as ArrayRef;
        refusal(read_bytes(
            &parquet(vec![("unique_id", ids()), ("ds", two_times()), ("y", numbers)]),
            &ImportOptions::default(),
            &hourly(),
        ))
    };
    assert_eq!(with(vec![Some(1.0), Some(f64::NAN)]), "row 2: y = \"NaN\": is not a finite number");
    assert_eq!(
        with(vec![Some(1.0), None]),
        "row 2: y = \"\": is empty; leave out the row where no value is known"
    );
    assert_eq!(with(vec![Some(2e15), None]), "row 1: y = \"2000000000000000\": is larger than 1e15");
    let millis = Arc::new(Int64Array::from(vec![START * 1000, START * 1000 + 3_600_000])) as ArrayRef;
    let bytes = parquet(vec![("unique_id", ids()), ("ds", millis), ("y", two_numbers())]);
    let error = refusal(read_bytes(&bytes, &ImportOptions::default(), &hourly()));
    assert!(
        error.starts_with("row 1: ds = \"1735689600000\": is a number; if it counts milliseconds"),
        "{error}"
    );
    let bytes = parquet(vec![("unique_id", ids()), ("ds", two_numbers()), ("y", two_numbers())]);
    let error = refusal(read_bytes(&bytes, &ImportOptions::default(), &hourly()));
    assert_eq!(error, "not a Parquet file: column ds holds Float64, not a time stamp, a date or text");
}

#[test]
fn a_declared_format_is_held_to() {
    let csv = format!("unique_id,ds,y\n{TWO_HOURS}");
    let declared = |format| ImportOptions { format: Some(format), ..ImportOptions::default() };
    assert!(read_bytes(csv.as_bytes(), &declared(FileFormat::Csv), &hourly()).is_ok());
    let error = refusal(read_bytes(csv.as_bytes(), &declared(FileFormat::Jsonl), &hourly()));
    assert_eq!(error, "not a JSON lines file: it looks like CSV");
    let error = refusal(read_bytes(csv.as_bytes(), &declared(FileFormat::Parquet), &hourly()));
    assert_eq!(error, "not a Parquet file: it looks like CSV");
    let bytes = parquet(vec![("unique_id", ids()), ("ds", two_times()), ("y", two_numbers())]);
    let error = refusal(read_bytes(&bytes, &declared(FileFormat::Csv), &hourly()));
    assert_eq!(error, "not a CSV file: it looks like Parquet");
}

#[test]
fn columns_of_any_name_are_read_if_they_are_named() {
    let text = "store,day,sold,y\na,2025-01-01T00:00:00Z,1,9\na,2025-01-01T01:00:00Z,2.5,9\n";
    let named = |id: &str, time: &str, value: &str| ColumnNames {
        id: Some(id.into()),
        time: Some(time.into()),
        value: Some(value.into()),
        ..ColumnNames::default()
    };
    let options = |columns| ImportOptions { columns, ..ImportOptions::default() };
    let imported = read_bytes(text.as_bytes(), &options(named("store", "day", "sold")), &hourly());
    let imported = imported.expect("is fine");
    assert_eq!(imported.observations, two_hours());
    assert_eq!(imported.report.ignored_columns, ["y"]);
    let error = refusal(read_bytes(text.as_bytes(), &options(named("shop", "day", "sold")), &hourly()));
    assert_eq!(error, "header: no column shop; --id names another one; found store, day, sold, y");
}

#[test]
fn a_file_may_be_one_series() {
    let series = Some(SeriesId::new("a").expect("is an id"));
    let options = ImportOptions {
        columns: ColumnNames { series, ..ColumnNames::default() },
        ..ImportOptions::default()
    };
    for text in [
        "ds,y\n2025-01-01T00:00:00Z,1\n2025-01-01T01:00:00Z,2.5\n",
        "{\"ds\":\"2025-01-01T00:00:00Z\",\"y\":1}\n{\"ds\":\"2025-01-01T01:00:00Z\",\"y\":2.5}\n",
    ] {
        let imported = read_bytes(text.as_bytes(), &options, &hourly()).expect("is one series");
        assert_eq!(imported.observations, two_hours());
    }
    let bytes = parquet(vec![("ds", two_times()), ("y", two_numbers())]);
    assert_eq!(read_bytes(&bytes, &options, &hourly()).expect("is one series").observations, two_hours());
}

#[test]
fn wide_format_is_refused_with_a_command_that_melts_it() {
    let wide = "date,berlin,it's\n2025-01-01T00:00:00Z,1,5\n2025-01-01T01:00:00Z,2.5,\n";
    let Err(ImportError::Wide { time, series }) =
        read_bytes(wide.as_bytes(), &ImportOptions::default(), &hourly())
    else {
        panic!("wide format is told apart")
    };
    assert_eq!((time.as_str(), series), ("date", vec!["berlin".to_owned(), "it's".to_owned()]));

    let folder = tempfile::tempdir().expect("a folder");
    let json = "{\"date\":\"2025-01-01T00:00:00Z\",\"berlin\":1,\"it's\":5}\n\
                {\"date\":\"2025-01-01T01:00:00Z\",\"berlin\":2.5,\"it's\":null}\n";
    for (name, bytes) in [
        ("it's wide.csv", wide.as_bytes().to_vec()),
        ("wide.csv.gz", gzip(wide)),
        ("wide.jsonl", json.as_bytes().to_vec()),
    ] {
        std::fs::write(folder.path().join(name), bytes).expect("writes");
        let command = melt::advice(name, "date");
        let status =
            std::process::Command::new("sh").arg("-c").arg(&command).current_dir(folder.path()).status();
        assert!(status.expect("a shell").success(), "{command}");
        let ending = if name == "wide.jsonl" { "jsonl" } else { "csv" };
        let long = std::fs::read(folder.path().join(format!("{name}.long.{ending}"))).expect("was written");
        let imported = read_bytes(&long, &ImportOptions::default(), &hourly()).expect("is long now");
        let all: Vec<_> = imported.observations.iter().map(|one| (one.series.as_str(), one.y)).collect();
        assert_eq!(all, [("berlin", 1.0), ("berlin", 2.5), ("it's", 5.0)]);
    }
}
