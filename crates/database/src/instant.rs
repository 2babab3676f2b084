//! Instants in a file: whole microseconds since 1970 UTC, as integers.
//!
//! PostgreSQL keeps microseconds too, so that an instant is the same wherever it is stored.

use jiff::Timestamp;

/// The whole microseconds since 1970 UTC; finer parts are cut, always towards the past.
pub fn to_micros(at: Timestamp) -> i64 {
    let micros = at.as_nanosecond().div_euclid(1_000);
    i64::try_from(micros).expect("20,000 years of microseconds fit in 64 bits")
}

/// The instant that [`to_micros`] wrote.
///
/// # Errors
/// [`sqlx::Error::Decode`] if it lies outside the years -9999 to 9999: nothing here wrote it.
pub fn from_micros(micros: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(micros).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The instant as a file would give it back.
pub fn cut_to_micros(at: Timestamp) -> Timestamp {
    from_micros(to_micros(at)).unwrap_or(Timestamp::MIN) // only the very first timestamp has nothing before it
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_cut_towards_the_past() {
        let cases = [
            ("2025-03-30T01:00:00.123456789Z", "2025-03-30T01:00:00.123456Z"),
            ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
            ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00Z"),
        ];
        for (fine, cut) in cases {
            let fine: Timestamp = fine.parse().expect("a timestamp");
            assert_eq!(cut_to_micros(fine).to_string(), cut);
        }
    }

    #[test]
    fn every_timestamp_can_be_stored() {
        for extreme in [Timestamp::MIN, Timestamp::MAX] {
            assert!(cut_to_micros(extreme) <= extreme);
        }
        assert!(from_micros(i64::MAX).is_err());
    }
}
