//! Every kind of message, in both encodings. The first byte chooses them.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::{ContentType, Message, WireMessage, decode, decode_untyped, encode, messages::*};

fn check<M: Message + std::fmt::Debug>(mut message: WireMessage) {
    message.properties.kind = format!("{}.v{}", M::KIND, M::VERSION);
    if let Ok(decoded) = decode::<M>(&message) {
        // What was read can be written and read again.
        for content_type in [ContentType::Json, ContentType::MessagePack] {
            let Ok(body) = encode(&decoded, content_type) else { continue };
            let properties = protocol::Properties {
                content_type: content_type.as_str().to_owned(),
                content_encoding: None,
                ..message.properties.clone()
            };
            let again = decode::<M>(&WireMessage { properties, body });
            assert!(again.is_ok(), "{content_type:?}: {again:?}");
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, body)) = bytes.split_first() else { return };
    let content_type = if choice & 0x80 == 0 { ContentType::Json } else { ContentType::MessagePack };
    let properties = serde_json::json!({
        "content_type": content_type.as_str(),
        "content_encoding": (choice & 0x40 != 0).then_some("zstd"),
        "kind": "any.v1",
        "message_id": "fuzz",
    });
    let properties = serde_json::from_value(properties).expect("the smallest envelope");
    let message = WireMessage { properties, body: Bytes::copy_from_slice(body) };
    let _ = decode_untyped(&message);
    match choice & 0x3f {
        0 => check::<TrainJob>(message),
        1 => check::<TrainResult>(message),
        2 => check::<ModelPromoted>(message),
        3 => check::<CandidateRefused>(message),
        4 => check::<ForecastRequest>(message),
        5 => check::<ForecastReply>(message),
        6 => check::<ForecastsIssued>(message),
        7 => check::<ObservationBatch>(message),
        9 => check::<GateRequest>(message),
        10 => check::<ActRecorded>(message),
        11 => check::<ActRefused>(message),
        _ => check::<ObservationsRecorded>(message),
    }
});
