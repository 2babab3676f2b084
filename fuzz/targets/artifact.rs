//! A bundle whose header and hash are right, and whose payload is anything. The first byte is the format version.

#![no_main]

use forecasting::artifact::Bundle;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

fuzz_target!(|fuzzed: &[u8]| {
    let Some((version, payload)) = fuzzed.split_first() else { return };
    let mut bytes = b"GATECAST".to_vec();
    bytes.extend_from_slice(&u16::from(*version).to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&Sha256::digest(payload));
    bytes.extend_from_slice(payload);
    if let Ok(bundle) = Bundle::decode(&bytes) {
        assert!(Bundle::decode(&bundle.encode()).is_ok(), "what was read can be written and read again");
    }
    // And as it comes, with whatever header.
    let _ = Bundle::decode(fuzzed);
});
