//! Which data a model was trained on.

use sha2::{Digest, Sha256};

use crate::series::{Attribute, Covariates, Frame, SeriesCovariates};

/// SHA-256, in hex, of the ids, starts and values of a frame, and of everything that covariates say.
pub(super) fn data_hash(frame: &Frame, covariates: &Covariates) -> String {
    let mut sha256 = Sha256::new();
    for series in &frame.series {
        add_text(&mut sha256, series.id.as_str());
        sha256.update(series.start.as_nanosecond().to_le_bytes());
        add_numbers(&mut sha256, &series.values);
    }
    for (id, covariates) in covariates.all() {
        add_text(&mut sha256, id.as_str());
        add_covariates(&mut sha256, covariates);
    }
    hex::encode(sha256.finalize())
}

fn add_covariates(sha256: &mut Sha256, covariates: &SeriesCovariates) {
    let SeriesCovariates { start, known, past, attributes } = covariates;
    sha256.update(start.as_nanosecond().to_le_bytes());
    for columns in [known, past] {
        add_length(sha256, columns.len());
        for (name, numbers) in columns {
            add_text(sha256, name.as_str());
            add_numbers(sha256, numbers);
        }
    }
    add_length(sha256, attributes.len());
    for (name, attribute) in attributes {
        add_text(sha256, name.as_str());
        match attribute {
            Attribute::Number(number) => {
                sha256.update([0]);
                add_numbers(sha256, &[*number]);
            }
            Attribute::Text(text) => {
                sha256.update([1]);
                add_text(sha256, text.as_str());
            }
        }
    }
}

/// Lengths stand before what varies in length, so that no two frames read the same.
fn add_length(sha256: &mut Sha256, length: usize) {
    sha256.update((length as u64).to_le_bytes());
}

fn add_text(sha256: &mut Sha256, text: &str) {
    add_length(sha256, text.len());
    sha256.update(text);
}

fn add_numbers(sha256: &mut Sha256, numbers: &[f64]) {
    add_length(sha256, numbers.len());
    for number in numbers {
        // One kind of missing value, whatever its bits.
        let bits = if number.is_nan() { f64::NAN.to_bits() } else { number.to_bits() };
        sha256.update(bits.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use jiff::Timestamp;

    use super::*;
    use crate::{
        examples::{grid, history, id, start},
        names::CovariateName,
        series::Series,
    };

    fn hash(frame: &Frame) -> String {
        data_hash(frame, Covariates::none())
    }

    #[test]
    fn every_part_of_the_data_counts() {
        let frame = history(3);
        let all = hash(&frame);
        assert_eq!(all, hash(&history(3)));
        let changed = |change: &dyn Fn(&mut Frame)| {
            let mut frame = frame.clone();
            change(&mut frame);
            hash(&frame)
        };
        let hashes = [
            changed(&|frame| frame.series[1].values[5] += 1e-9),
            changed(&|frame| frame.series[1].values[5] = f64::NAN),
            changed(&|frame| frame.series[1].id = id("bridges")),
            changed(&|frame| frame.series[1].start = grid().advance(frame.series[1].start, 1)),
            changed(&|frame| frame.series[2].values.truncate(3)),
            changed(&|frame| frame.series.truncate(2)),
        ];
        assert!(!hashes.contains(&all));
    }

    #[test]
    fn what_covariates_say_counts_where_there_are_any() {
        let frame = history(3);
        let name = |text: &str| CovariateName::new(text).expect("is a name");
        let number = |number| BTreeMap::from([(name("size"), Attribute::Number(number))]);
        let column = |number| BTreeMap::from([(name("price"), vec![number, f64::NAN])]);
        let of_bridge =
            |covariates| data_hash(&frame, &Covariates::new(BTreeMap::from([(id("bridge"), covariates)])));
        let none = SeriesCovariates::none(start());
        let hashes = [
            hash(&frame),
            of_bridge(SeriesCovariates { known: column(1.0), ..none.clone() }),
            of_bridge(SeriesCovariates { known: column(2.0), ..none.clone() }),
            of_bridge(SeriesCovariates { past: column(1.0), ..none.clone() }),
            of_bridge(SeriesCovariates { attributes: number(1.0), ..none.clone() }),
            of_bridge(SeriesCovariates { attributes: number(2.0), ..none }),
        ];
        let series = Series { id: id("a"), start: Timestamp::UNIX_EPOCH, values: vec![1.0, f64::NAN] };
        let alone = Frame { grid: grid(), series: vec![series] };
        let before = "fde193cd68f2acafdd313e60be6ba5335c7d7472f4ff3ba5cfc162919b66bd04";
        assert_eq!(hash(&alone), before, "that of a frame alone is as it was before there were any");
        assert_eq!(BTreeSet::from(hashes).len(), 6);
    }

    #[test]
    fn missing_is_missing_whatever_its_bits() {
        let mut frames = [history(3), history(3)];
        frames[0].series[0].values[0] = f64::NAN;
        frames[1].series[0].values[0] = -f64::NAN;
        assert_eq!(hash(&frames[0]), hash(&frames[1]));
    }
}
