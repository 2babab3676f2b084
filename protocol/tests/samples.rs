//! Every message that was ever put on a queue can still be read: `samples/` keeps one JSON file per kind
//! and version, and no file is ever changed or removed.

use std::{collections::BTreeSet, fs, path::PathBuf};

use protocol::{
    ContentType, Message, WireMessage, decode, encode,
    messages::{
        ActRecorded, ActRefused, CandidateRefused, ForecastReply, ForecastRequest, ForecastsIssued,
        GateRequest, ModelPromoted, ObservationBatch, ObservationsRecorded, TrainJob, TrainResult,
    },
};

/// Reads the sample of a kind in both encodings and gives it back unchanged; returns the sample's name.
fn check<M: Message + PartialEq + std::fmt::Debug>() -> String {
    let name = format!("{}.v{}.json", M::KIND, M::VERSION);
    let text = fs::read(samples().join(&name)).unwrap_or_else(|e| panic!("samples/{name}: {e}"));
    let mut wire = envelope::<M>();
    wire.body = text.clone().into();
    let message: M = decode(&wire).unwrap_or_else(|e| panic!("samples/{name}: {e}"));

    for content_type in [ContentType::Json, ContentType::MessagePack] {
        content_type.as_str().clone_into(&mut wire.properties.content_type);
        wire.body = encode(&message, content_type).expect("a small body");
        assert_eq!(decode::<M>(&wire).expect("what we encode we can decode"), message, "{name}");
    }
    every_field_survives(&message, &text, &name);
    fields_of_the_future_are_ignored(&message, &name);
    name
}

/// A newer writer may have put a field anywhere.
fn fields_of_the_future_are_ignored<M: Message + PartialEq + std::fmt::Debug>(message: &M, name: &str) {
    let mut newer = serde_json::to_value(message).expect("JSON");
    add_fields(&mut newer);
    let mut wire = envelope::<M>();
    for content_type in [ContentType::Json, ContentType::MessagePack] {
        content_type.as_str().clone_into(&mut wire.properties.content_type);
        wire.body = match content_type {
            ContentType::Json => serde_json::to_vec(&newer).expect("JSON").into(),
            ContentType::MessagePack => rmp_serde::to_vec_named(&newer).expect("MessagePack").into(),
        };
        assert_eq!(decode::<M>(&wire).as_ref(), Ok(message), "{name}: a field of the future");
    }
}

fn add_fields(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            map.values_mut().for_each(add_fields);
            map.insert("from_the_future".to_owned(), serde_json::json!({ "a": [1, null] }));
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(add_fields),
        _ => {}
    }
}

/// A field of the sample that the type does not know would vanish here.
fn every_field_survives<M: Message>(message: &M, text: &[u8], name: &str) {
    let written: serde_json::Value = serde_json::to_value(message).expect("JSON");
    let sample: serde_json::Value = serde_json::from_slice(text).expect("JSON");
    let (written, sample) = (paths(&written), paths(&sample));
    assert_eq!(sample.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new(), "lost from {name}");
}

fn paths(value: &serde_json::Value) -> BTreeSet<String> {
    let children: Vec<(String, &serde_json::Value)> = match value {
        serde_json::Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
        serde_json::Value::Array(list) => list.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => return BTreeSet::from([String::new()]),
    };
    children
        .iter()
        .flat_map(|(key, v)| paths(v).into_iter().map(move |rest| format!("{key}/{rest}")))
        .collect()
}

/// An envelope whose kind is `M`'s.
fn envelope<M: Message>() -> WireMessage {
    let any = ObservationsRecorded { dataset: "d".into(), new: 0, corrected: 0, unchanged: 0 };
    let mut wire = WireMessage::new(&any, ContentType::Json, "0190").expect("a small body");
    wire.properties.kind = format!("{}.v{}", M::KIND, M::VERSION);
    wire
}

fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples")
}

#[test]
fn every_sample_can_still_be_read() {
    let read = BTreeSet::from([
        check::<TrainJob>(),
        check::<TrainResult>(),
        check::<ModelPromoted>(),
        check::<CandidateRefused>(),
        check::<GateRequest>(),
        check::<ActRecorded>(),
        check::<ActRefused>(),
        check::<ForecastRequest>(),
        check::<ForecastReply>(),
        check::<ForecastsIssued>(),
        check::<ObservationBatch>(),
        check::<ObservationsRecorded>(),
    ]);
    let there: BTreeSet<String> = fs::read_dir(samples())
        .expect("samples/")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(read, there, "a sample that no test reads, or a kind without a sample");
}
