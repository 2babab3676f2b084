//! Which data a model was trained on.

use sha2::{Digest, Sha256};

use crate::series::Frame;

/// SHA-256, in hex, of the ids, starts and values of a frame.
pub(super) fn data_hash(frame: &Frame) -> String {
    let mut sha256 = Sha256::new();
    for series in &frame.series {
        let id = series.id.as_str();
        // Lengths stand before what varies in length, so that no two frames read the same.
        sha256.update((id.len() as u64).to_le_bytes());
        sha256.update(id);
        sha256.update(series.start.as_nanosecond().to_le_bytes());
        sha256.update((series.values.len() as u64).to_le_bytes());
        for value in &series.values {
            // One kind of missing value, whatever its bits.
            let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
            sha256.update(bits.to_le_bytes());
        }
    }
    hex::encode(sha256.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{grid, history, id};

    #[test]
    fn every_part_of_the_data_counts() {
        let frame = history(3);
        let hash = data_hash(&frame);
        assert_eq!(hash, data_hash(&history(3)));
        let changed = |change: &dyn Fn(&mut Frame)| {
            let mut frame = frame.clone();
            change(&mut frame);
            data_hash(&frame)
        };
        let hashes = [
            changed(&|frame| frame.series[1].values[5] += 1e-9),
            changed(&|frame| frame.series[1].values[5] = f64::NAN),
            changed(&|frame| frame.series[1].id = id("bridges")),
            changed(&|frame| frame.series[1].start = grid().advance(frame.series[1].start, 1)),
            changed(&|frame| frame.series[2].values.truncate(3)),
            changed(&|frame| frame.series.truncate(2)),
        ];
        assert!(!hashes.contains(&hash));
    }

    #[test]
    fn missing_is_missing_whatever_its_bits() {
        let mut frames = [history(3), history(3)];
        frames[0].series[0].values[0] = f64::NAN;
        frames[1].series[0].values[0] = -f64::NAN;
        assert_eq!(data_hash(&frames[0]), data_hash(&frames[1]));
    }
}
