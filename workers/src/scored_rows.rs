//! Scored rows as bytes to keep: CSV, compressed with zstd, which any notebook reads. This file alone knows
//! the format.
//!
//! Numbers have as many digits as it takes to read the same bits back. A forecast that cannot be scored is an
//! empty cell.

use std::io::{self, Write};

use artifacts::MOST_BYTES;
use forecasting::gate::ScoredRow;

const COLUMNS: [&str; 7] = ["unique_id", "origin", "ds", "y", "candidate", "incumbent", "scale"];
/// Past this a slower compression saves little.
const LEVEL: i32 = 3;

/// The bytes to store, the same for the same rows; `None` if they would be more than the store takes
/// (64 MiB, some eight million rows).
pub fn encode<'a>(rows: impl Iterator<Item = ScoredRow<'a>>) -> Option<Vec<u8>> {
    let bytes = Bounded { bytes: Vec::new(), most: usize::try_from(MOST_BYTES).unwrap_or(usize::MAX) };
    encode_into(bytes, rows).ok().map(|bounded| bounded.bytes)
}

fn encode_into<'a>(bytes: Bounded, rows: impl Iterator<Item = ScoredRow<'a>>) -> io::Result<Bounded> {
    let mut csv = csv::Writer::from_writer(zstd::Encoder::new(bytes, LEVEL)?);
    csv.write_record(COLUMNS)?;
    for row in rows {
        let ScoredRow { series, origin, target, actual, candidate, incumbent, scale } = row;
        let number = |value: f64| format!("{value:?}");
        csv.write_record([
            series.as_str(),
            &origin.to_string(),
            &target.to_string(),
            &number(actual),
            &candidate.map(number).unwrap_or_default(),
            &incumbent.map(number).unwrap_or_default(),
            &number(scale),
        ])?;
    }
    csv.into_inner().map_err(csv::IntoInnerError::into_error)?.finish()
}

/// Bytes in memory, at most so many.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > self.most {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use forecasting::names::SeriesId;
    use jiff::Timestamp;

    use super::*;

    fn row(series: &SeriesId, hour: i64) -> ScoredRow<'_> {
        ScoredRow {
            series,
            origin: Timestamp::UNIX_EPOCH,
            target: Timestamp::from_second(3600 * hour).expect("is early enough"),
            actual: 0.1 + 0.2,
            candidate: Some(f64::MAX),
            incumbent: None,
            scale: 1.0,
        }
    }

    #[test]
    fn rows_are_csv_that_reads_back_to_the_bit() {
        let series = SeriesId::new("docks, \"north\"").expect("an id");
        let rows = || [1, 2].map(|hour| row(&series, hour)).into_iter();
        let bytes = encode(rows()).expect("are few");
        assert_eq!(encode(rows()), Some(bytes.clone()), "the same rows are the same bytes");
        let text = String::from_utf8(zstd::decode_all(&*bytes).expect("is zstd")).expect("is text");
        assert_eq!(
            text,
            "unique_id,origin,ds,y,candidate,incumbent,scale\n\
             \"docks, \"\"north\"\"\",1970-01-01T00:00:00Z,1970-01-01T01:00:00Z,0.30000000000000004,1.7976931348623157e308,,1.0\n\
             \"docks, \"\"north\"\"\",1970-01-01T00:00:00Z,1970-01-01T02:00:00Z,0.30000000000000004,1.7976931348623157e308,,1.0\n"
        );
    }

    #[test]
    fn rows_that_would_be_more_than_fit_are_none_and_take_no_more_memory() {
        let series = SeriesId::new("a").expect("an id");
        let size = encode((0..1000).map(|hour| row(&series, hour))).expect("are few").len();
        let of_size = |most| {
            let bytes = Bounded { bytes: Vec::new(), most };
            encode_into(bytes, (0..1000).map(|hour| row(&series, hour)))
        };
        assert!(of_size(size).is_ok_and(|bounded| bounded.bytes.len() == size));
        assert!(of_size(size - 1).is_err());
    }
}
