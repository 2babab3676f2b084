//! The envelope, as the embedded queue keeps it beside a body; and a body of nothing behind it.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::{Properties, WireMessage, decode, messages::TrainJob};

fuzz_target!(|bytes: &[u8]| {
    let Ok(properties) = serde_json::from_slice::<Properties>(bytes) else { return };
    let again = serde_json::to_vec(&properties).expect("was just read");
    assert_eq!(serde_json::from_slice::<Properties>(&again).expect("was just written"), properties);
    let _ = decode::<TrainJob>(&WireMessage { properties, body: Bytes::new() });
});
