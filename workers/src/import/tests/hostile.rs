//! Files that mean harm, and every limit: at it, and one past it.

use std::{
    io::{self, Read},
    sync::Arc,
};

use arrow_array::{ArrayRef, Float64Array, StringArray, TimestampMicrosecondArray};
use parquet::basic::Compression;

use super::{formats::parquet_with, *};
use crate::import::{
    columns::Columns,
    points::{Amount, MOST_ROWS, Moment, Row, Table},
};

#[test]
fn a_row_without_end_is_given_up_before_it_fills_the_memory() {
    // A gibibyte each, made as it is read.
    let header = &b"unique_id,ds,y\na,"[..];
    let too_long = "too much data: a row of more than 1048576 bytes";
    for (begin, byte) in [
        (header, b'0'),
        (b"unique_id,ds,y\n\"", b'\n'),
        (b"", b'a'),
        (b"{\"", b'a'),
        (b"unique_id,ds,y\n", b'\n'),
    ] {
        let endless = begin.chain(io::repeat(byte).take(1 << 30));
        let error = refusal(read(Input::stream(endless), &ImportOptions::default(), &hourly(), now()));
        assert!(error.ends_with(too_long), "{error}");
    }
    let longest = format!("unique_id,ds,y,note\na,2025-01-01T00:00:00Z,1,{}\n", "x".repeat((1 << 20) - 100));
    assert!(
        read_bytes(longest.as_bytes(), &ImportOptions::default(), &hourly()).is_ok(),
        "just short enough"
    );
}

#[test]
fn a_column_whose_name_steers_a_terminal_is_refused_and_shown_for_what_it_is() {
    let json = "{\"unique_id\":\"a\",\"ds\":\"2025-01-01T00:00:00Z\",\"y\":1,\"\\u001b]0;x\\u0007\":1}\n";
    let number: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let parquet =
        parquet_with(vec![("\u{1b}]0;x\u{7}", number.clone()), ("y", number)], Compression::UNCOMPRESSED);
    let csv = "unique_id,ds,y,\u{202e}x\na,2025-01-01T00:00:00Z,1,\n";
    for (bytes, shown) in [
        (json.as_bytes(), r"\u{1b}]0;x\u{7}"),
        (&parquet[..], r"\u{1b}]0;x\u{7}"),
        (csv.as_bytes(), r"\u{202e}x"),
    ] {
        let says =
            format!("header: \"{shown}\" holds control or bidirectional formatting characters; found ");
        let read = refusal(read_bytes(bytes, &ImportOptions::default(), &hourly()));
        let looked = sample(bytes, None).expect_err("is refused").to_string();
        for error in [read, looked] {
            assert!(error.starts_with(&says), "{error:?}");
            assert!(!error.contains(['\u{1b}', '\u{202e}']), "{error:?}");
        }
    }
}

/// Reads a text as if each buffer were a row; says how far it comes.
fn drain(input: impl Read + Send) -> (u64, Option<String>) {
    let Source::Csv(mut text) = source::open(Input::stream(input), None).expect("looks like CSV") else {
        panic!("looks like CSV")
    };
    let (mut buffer, mut bytes) = (vec![0; 1 << 16], 0);
    loop {
        match text.input.read(&mut buffer) {
            Ok(0) => return (bytes, None),
            Ok(read) => bytes += read as u64,
            Err(error) => return (bytes, Some(error.to_string())),
        }
        text.meter.row_ended();
    }
}

#[test]
fn a_gibibyte_of_text_is_one_import_and_a_byte_more_is_not() {
    let of = |bytes| drain(io::repeat(b'a').take(bytes));
    assert_eq!(of(1 << 30), (1 << 30, None));
    let (_, error) = of((1 << 30) + 1);
    assert_eq!(error.as_deref(), Some("1073741825 bytes, at most 1073741824 are allowed"));
}

#[test]
fn text_that_unpacks_more_than_fifty_times_is_a_bomb_beyond_256_mebibytes() {
    let packed = |bytes: u64, zip: bool| {
        let mut plain = io::repeat(b'a').take(bytes);
        if zip {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            io::copy(&mut plain, &mut encoder).expect("writes to memory");
            return encoder.finish().expect("writes to memory");
        }
        zstd::encode_all(plain, 1).expect("writes to memory")
    };
    for zip in [true, false] {
        let at = packed(256 << 20, zip);
        assert_eq!(drain(&at[..]), (256 << 20, None), "at the limit");
        let (bytes, error) = drain(&packed((256 << 20) + 1, zip)[..]);
        let error = error.expect("one past it");
        assert!(error.ends_with("compressed ones: more than 50 times as many"), "{error}");
        assert!(bytes <= 256 << 20);
    }
}

fn table() -> Table {
    let header = ["unique_id", "ds", "y"].map(str::to_owned);
    let columns = Columns::find(&header, &ColumnNames::default()).expect("are there");
    let clock = Clock::new(&hourly().grid(), None, OnDaylightSaving::Error, now());
    Table::new(columns, clock, Unit::Line)
}

#[test]
fn a_hundred_million_rows_are_one_import_and_one_more_is_not() {
    let mut table = table();
    table.rows = MOST_ROWS - 1;
    let row = || Row {
        series: b"a",
        ds: Moment::Text(b"2025-01-01T00:00:00Z"),
        y: Amount::Number(1.0),
        covariates: Vec::new(),
    };
    table.add(&row(), 2).expect("the last one");
    assert_eq!(table.add(&row(), 3).expect_err("one too many").to_string(), "more than 100000000 rows");
}

#[test]
fn a_million_rows_are_one_series_and_one_more_is_not() {
    let mut table = table();
    let row = || Row {
        series: b"a",
        ds: Moment::Text(b"2025-01-01T00:00:00Z"),
        y: Amount::Number(1.0),
        covariates: Vec::new(),
    };
    for line in 0..1_000_000 {
        table.add(&row(), line).expect("fits");
    }
    let error = table.add(&row(), 0).expect_err("one too many");
    assert_eq!(error.to_string(), "more than 1000000 rows of one series");
    table.add(&Row { series: b"b", ..row() }, 0).expect("another series has its own");
}

#[test]
fn ids_that_other_programs_would_stumble_over_are_refused_or_kept_as_they_are() {
    let ds = "2025-01-01T00:00:00Z";
    let control = "must not contain control or bidirectional formatting characters";
    let long = "x".repeat(200);
    for (id, problem) in [
        ("a\u{202e}b", control),
        ("a\0b", control),
        ("a\u{1b}[2Jb", control),
        ("Zu\u{308}rich", "must be NFC-normalised Unicode"),
        ("", "must not be empty"),
        (&format!("{long}x"), "must be at most 200 bytes long"),
    ] {
        let error = refusal(read_rows(&format!("\"{id}\",{ds},1\n"), &ImportOptions::default()));
        assert!(error.starts_with("line 2: unique_id = ") && error.ends_with(problem), "{error}");
    }
    // Text, whatever a spreadsheet, a browser or a path would make of it.
    for id in [
        &*long,
        "=cmd()|' /C calc'!A0",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "a/b",
        "'; DROP TABLE x;--",
    ] {
        let imported = read_rows(&format!("\"{id}\",{ds},1\n"), &ImportOptions::default()).expect(id);
        assert_eq!(imported.observations[0].series.as_str(), id);
    }
}

#[test]
fn two_ids_that_are_one_after_normalisation_do_not_both_come_in() {
    let rows = "Z\u{fc}rich,2025-01-01T00:00:00Z,1\nZu\u{308}rich,2025-01-01T01:00:00Z,2\n";
    let error = refusal(read_rows(rows, &ImportOptions::default()));
    assert!(
        error.starts_with("line 3: unique_id") && error.ends_with("must be NFC-normalised Unicode"),
        "{error}"
    );
}

#[test]
fn strange_series_are_taken_as_they_are() {
    let hours = |value: &dyn Fn(u32) -> String| -> String {
        let rows = (0..20).map(|hour| format!("a,2025-01-01T{hour:02}:00:00Z,{}\n", value(hour)));
        rows.collect::<Vec<_>>().concat()
    };
    for (what, rows) in [
        ("all zero", hours(&|_| "0".to_owned())),
        ("constant", hours(&|_| "7".to_owned())),
        ("a single spike", hours(&|hour| if hour == 9 { "1e15".to_owned() } else { "0".to_owned() })),
        ("negative zero", hours(&|_| "-0".to_owned())),
        ("shorter than a season", hours(&|hour| hour.to_string())),
        ("a single point", "a,2025-01-01T00:00:00Z,1\n".to_owned()),
        ("29 February", "a,2024-02-29T00:00:00Z,1\n".to_owned()),
    ] {
        let imported = read_rows(&rows, &ImportOptions::default()).expect(what);
        assert_eq!(imported.observations.len() as u64, imported.report.rows, "{what}");
    }
}

#[test]
fn a_series_that_lacks_nine_of_ten_steps_is_another_frequency_or_full_of_gaps() {
    let every_tenth = (0..30).map(|step| {
        let (day, hour) = (1 + step * 10 / 24, step * 10 % 24);
        format!("a,2025-01-{day:02}T{hour:02}:00:00Z,1\n")
    });
    let error = refusal(read_rows(&every_tenth.collect::<Vec<_>>().concat(), &ImportOptions::default()));
    assert_eq!(error, "steps of PT10H, but the dataset declares PT1H");
    let scattered = [0, 1, 2, 20, 21, 22, 90, 91, 92, 119]
        .map(|step: u32| format!("a,2025-01-{:02}T{:02}:00:00Z,1\n", 1 + step / 24, step % 24));
    let scattered = scattered.concat();
    let error = refusal(read_rows(&scattered, &ImportOptions::default()));
    assert!(error.starts_with("series a lacks 110 of 120 steps, more than 20 %"), "{error}");
    let allowed = ImportOptions { on_gap: OnGap::Allow, ..ImportOptions::default() };
    assert_eq!(read_rows(&scattered, &allowed).expect("is allowed").report.missing_steps, 110);
}

#[test]
fn mixed_frequencies_are_named() {
    let mixed = "a,2025-01-01T00:00:00Z,1\na,2025-01-01T01:00:00Z,1\na,2025-01-01T02:00:00Z,1\n\
                 b,2025-01-01T00:00:00Z,1\nb,2025-01-01T00:15:00Z,1\n";
    let error = refusal(read_rows(mixed, &ImportOptions::default()));
    assert!(
        error.contains("off the grid") && error.contains("line 6 (b at 2025-01-01T00:15:00Z)"),
        "{error}"
    );
}

#[test]
fn mixed_offsets_are_the_instants_that_they_say() {
    let mixed = "a,2025-01-01T00:00:00Z,1\na,2025-01-01T02:00:00+01:00,2\na,2025-01-01T07:30:00+05:30,3\n";
    let imported = read_rows(mixed, &ImportOptions::default()).expect("are an hour apart");
    assert_eq!(imported.report.frequency.as_deref(), Some("PT1H"));
}

#[test]
fn line_ends_marks_and_breaks_within_fields_are_read() {
    let text = "\u{feff}unique_id,ds,y,note\r\n\"a\nb\",2025-01-01T00:00:00Z,1,\r\n";
    let error = refusal(read_bytes(text.as_bytes(), &ImportOptions::default(), &hourly()));
    assert!(error.starts_with("line 2: unique_id = \"a\\nb\""), "{error}");
    let utf16 = "unique_id,ds,y\n".encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    for bytes in [utf16.clone(), [&b"\xfe\xff"[..], &utf16].concat()] {
        let error = refusal(read_bytes(&bytes, &ImportOptions::default(), &hourly()));
        assert!(error.contains("UTF-16"), "{error}");
    }
}

const START: i64 = 1_735_689_600_000_000; // 2025-01-01T00:00:00Z

fn equal_rows(rows: usize) -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("unique_id", Arc::new(StringArray::from(vec!["a"; rows])) as ArrayRef),
        ("ds", Arc::new(TimestampMicrosecondArray::from(vec![START; rows]).with_timezone("UTC")) as ArrayRef),
        ("y", Arc::new(Float64Array::from(vec![1.0; rows])) as ArrayRef),
    ]
}

#[test]
fn equal_rows_of_parquet_take_no_room_in_a_file_and_are_counted_all_the_same() {
    // 17 million equal rows pack into kilobytes.
    let bomb = parquet_with(equal_rows(17_000_000), Compression::SNAPPY);
    assert!(bomb.len() < 2 << 20, "{}", bomb.len());
    let error = refusal(read_bytes(&bomb, &ImportOptions::default(), &hourly()));
    assert!(error.ends_with("compressed ones: more than 50 times as many"), "{error}");
}

#[test]
fn every_compression_of_parquet_that_keeps_to_its_sizes_is_read() {
    for codec in [Compression::SNAPPY, Compression::LZ4_RAW, Compression::UNCOMPRESSED] {
        let bytes = parquet_with(equal_rows(1), codec);
        assert!(read_bytes(&bytes, &ImportOptions::default(), &hourly()).is_ok(), "{codec}");
    }
}

/// Two rows an hour apart.
fn two_hours_of_parquet() -> Vec<u8> {
    let mut columns = equal_rows(2);
    let times = TimestampMicrosecondArray::from(vec![START, START + 3_600_000_000]).with_timezone("UTC");
    columns[1].1 = Arc::new(times);
    parquet_with(columns, Compression::SNAPPY)
}

#[test]
fn parquet_that_is_cut_anywhere_is_an_error() {
    let whole = two_hours_of_parquet();
    assert!(read_bytes(&whole, &ImportOptions::default(), &hourly()).is_ok());
    for length in 0..whole.len() {
        assert!(read_bytes(&whole[..length], &ImportOptions::default(), &hourly()).is_err(), "{length}");
    }
}

#[test]
fn parquet_with_a_flipped_bit_is_an_error_or_holds_finite_values_on_the_grid() {
    let whole = two_hours_of_parquet();
    let grid = hourly().grid();
    for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << bit;
        // A value, a statistic or the name of a writer may be another one: pages carry no checksum.
        let Ok(imported) = read_bytes(&damaged, &ImportOptions::default(), &hourly()) else { continue };
        let observations = imported.observations;
        assert!(observations.iter().all(|one| one.y.is_finite()), "bit {bit} of byte {at}");
        for pair in observations.windows(2).filter(|pair| pair[0].series == pair[1].series) {
            let steps = grid.steps_between(pair[0].ds, pair[1].ds);
            assert!(steps.is_ok_and(|steps| steps > 0), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_negative_value_is_refused_where_the_dataset_says_so() {
    let mut dataset = hourly();
    let text =
        "unique_id,ds,y\nb,2025-01-01T00:00:00Z,-0.0\nb,2025-01-01T01:00:00Z,-3\na,2025-01-01T00:00:00Z,-1\n";
    assert!(read_bytes(text.as_bytes(), &ImportOptions::default(), &dataset).is_ok());
    dataset.negative = Negative::Refuse;
    let error = refusal(read_bytes(text.as_bytes(), &ImportOptions::default(), &dataset));
    assert_eq!(error, "line 3: y = \"-3\": is negative, which the dataset's specification refuses");
}
