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
            let bits = if value.is_nan() {
                f64::NAN.to_bits()
            } else {
                value.to_bits()
            };
            sha256.update(bits.to_le_bytes());
        }
    }
    hex::encode(sha256.finalize())
}
