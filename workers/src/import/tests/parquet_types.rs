//! Columns of Parquet whose values take far more memory than their pages: refused where they are to be read,
//! left out where a file is only looked at, and never unpacked.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, FixedSizeBinaryArray, Float64Array, ListArray, StringArray,
    TimestampMicrosecondArray, types::Int32Type,
};
use parquet::basic::Compression;

use super::{formats::parquet_with, *};

const START: i64 = 1_735_689_600_000_000; // 2025-01-01T00:00:00Z

fn one_row(id: &str, y: ArrayRef) -> Vec<u8> {
    let columns = vec![
        ("unique_id", Arc::new(StringArray::from(vec![id])) as ArrayRef),
        ("ds", Arc::new(TimestampMicrosecondArray::from(vec![START]).with_timezone("UTC")) as ArrayRef),
        ("y", y),
    ];
    parquet_with(columns, Compression::SNAPPY)
}

/// The same file, but its schema says that values of 77 bytes have 2^31 - 1: a number of two bytes becomes one
/// of five, and the end of the file says how much longer its schema is.
fn with_endless_values() -> Vec<u8> {
    let value = vec![0_u8; 77];
    let values = FixedSizeBinaryArray::try_from_iter(std::iter::once(value)).expect("is an array");
    let honest = one_row("a", Arc::new(values));
    // The element of the schema: physical type 7, its length (zigzag 154), required or optional.
    let element: [u8; 5] = [0x15, 0x0e, 0x15, 0x9a, 0x01];
    let found: Vec<usize> = honest
        .windows(element.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == element)
        .map(|(at, _)| at)
        .collect();
    let [at] = found[..] else { panic!("one column of fixed length: {found:?}") };
    let mut lying = honest[..at + 3].to_vec();
    lying.extend([0xfe, 0xff, 0xff, 0xff, 0x0f]);
    let end = honest.len() - 8;
    lying.extend(&honest[at + 5..end]);
    let footer = u32::from_le_bytes(honest[end..end + 4].try_into().expect("four bytes")) + 3;
    lying.extend(footer.to_le_bytes());
    lying.extend(b"PAR1");
    lying
}

fn check_left_alone(bytes: &[u8], type_name: &str) {
    let error = refusal(read_bytes(bytes, &ImportOptions::default(), &hourly()));
    assert!(error.starts_with("not a Parquet file: column y holds "), "{error}");
    assert!(error.contains(type_name), "{error}");
    let sample = sample(bytes, None).expect("can be looked at");
    assert_eq!(sample.header, ["unique_id", "ds", "y"]);
    assert_eq!(sample.rows.len(), 1);
    assert_eq!((&*sample.rows[0][0], &*sample.rows[0][2]), ("a", ""), "{type_name}");
}

#[test]
fn values_of_two_gigabytes_are_not_reserved() {
    check_left_alone(&with_endless_values(), "2147483647");
}

#[test]
fn lists_and_bytes_are_not_unpacked() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), Some(2)])]);
    check_left_alone(&one_row("a", Arc::new(list)), "List");
    check_left_alone(&one_row("a", Arc::new(BinaryArray::from_vec(vec![&b"bytes"[..]]))), "Binary");
}

#[test]
fn a_sample_keeps_the_beginning_of_a_long_text() {
    let bytes = one_row(&"\u{fc}".repeat(1 << 20), Arc::new(Float64Array::from(vec![1.0])));
    let sample = sample(&bytes[..], None).expect("can be looked at");
    assert_eq!(sample.rows[0][0], "\u{fc}".repeat(201));
    assert_eq!(sample.rows[0][2], "1.0");
}
