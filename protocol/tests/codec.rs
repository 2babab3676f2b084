//! What comes from outside is checked before it is decoded.

use bytes::Bytes;
use jiff::Timestamp;
use protocol::{
    ContentType, EncodeError, MAX_BODY_BYTES, Message, Properties, Queue, Reply, WireMessage, decode, encode,
    messages::{
        CandidateRefused, ForecastReply, ForecastRequest, GateDecision, RefusalReason, RefusingVerdict,
        TrainJob, TrainOutcome, TrainReason, TrainResult,
    },
};

fn job() -> TrainJob {
    TrainJob {
        model: "m".into(),
        spec_hash: None,
        as_of: Timestamp::UNIX_EPOCH,
        cut_off: None,
        learners: vec![],
        reason: TrainReason::Requested,
    }
}

fn wire(content_type: ContentType) -> WireMessage {
    WireMessage::new(&job(), content_type, "id-1").expect("a small body")
}

#[track_caller]
fn refused(message: &WireMessage, expected: &str) {
    let error = decode::<TrainJob>(message).expect_err("must be refused").to_string();
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
}

#[test]
fn message_pack_has_named_fields_so_that_other_languages_can_read_it() {
    let body = encode(&job(), ContentType::MessagePack).expect("a small body");
    assert!(body.windows(5).any(|window| window == b"model"));
}

#[test]
fn unknown_fields_are_ignored_and_new_ones_have_defaults() {
    let mut message = wire(ContentType::Json);
    message.body =
        Bytes::from_static(br#"{"model":"m","as_of":"1970-01-01T00:00:00Z","from_the_future":[1,2]}"#);
    assert_eq!(decode::<TrainJob>(&message), Ok(job()));
}

#[test]
fn the_envelope_is_checked_before_the_body() {
    let with = |change: fn(&mut Properties)| {
        let mut message = wire(ContentType::Json);
        change(&mut message.properties);
        message
    };
    refused(&with(|p| p.message_id.clear()), "message_id of 0 bytes");
    refused(&with(|p| p.message_id = "x".repeat(65)), "message_id of 65 bytes");
    refused(&with(|p| p.correlation_id = Some("x".repeat(65))), "correlation_id of 65 bytes");
    refused(
        &with(|p| p.kind = "train-job.v2".into()),
        "type \"train-job.v2\" is unknown here, \"train-job.v1\"",
    );
    refused(&with(|p| p.content_type = "text/plain".into()), "content_type \"text/plain\"");
    refused(&with(|p| p.content_encoding = Some("gzip".into())), "content_encoding \"gzip\"");
}

#[test]
fn a_content_type_is_never_guessed() {
    let mut message = wire(ContentType::Json);
    message.properties.content_type = ContentType::MessagePack.as_str().to_owned();
    refused(&message, "train-job cannot be decoded");
}

#[test]
fn a_missing_field_is_named() {
    let mut message = wire(ContentType::Json);
    message.body = Bytes::from_static(br#"{"model":"m"}"#);
    refused(&message, "as_of");
    message.body = Bytes::from_static(br#"{"model":"m","as_of":"yesterday"}"#);
    refused(&message, "as_of: failed to parse");
}

#[test]
fn oversized_bodies_are_refused_on_both_sides() {
    let large = TrainJob { model: "m".repeat(MAX_BODY_BYTES), ..job() };
    let error = encode(&large, ContentType::Json).expect_err("too large");
    assert!(
        matches!(error, EncodeError::TooLarge { kind: "train-job", size_bytes } if size_bytes > MAX_BODY_BYTES)
    );

    let mut message = wire(ContentType::Json);
    message.body = vec![b' '; MAX_BODY_BYTES + 1].into();
    refused(&message, "too_large: a body of 1048577 bytes");
}

#[test]
fn a_compressed_body_is_read_and_a_bomb_is_not() {
    let mut message = wire(ContentType::MessagePack);
    message.properties.content_encoding = Some("zstd".into());
    message.body = zstd::encode_all(message.body.as_ref(), 3).expect("compresses").into();
    assert_eq!(decode::<TrainJob>(&message), Ok(job()));

    message.body = zstd::encode_all(vec![0_u8; 64 << 20].as_slice(), 3).expect("compresses").into();
    refused(&message, "expands more than 50 times");
    message.body = Bytes::from_static(b"not zstd");
    refused(&message, "zstd frame cannot be decoded");
}

#[test]
fn hostile_bodies_are_refused_before_they_cost_anything() {
    let mut json = wire(ContentType::Json);
    json.body = format!("{}{}", "[".repeat(40), "]".repeat(40)).into();
    refused(&json, "nested deeper than 32 levels at byte 32");
    json.body = Bytes::from_static(br#"{"model":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[","as_of":0}"#);
    refused(&json, "invalid type: integer `0`");
    json.body = Bytes::new();
    refused(&json, "EOF while parsing");

    let mut pack = wire(ContentType::MessagePack);
    pack.body = Bytes::from_static(&[0xdd, 0xff, 0xff, 0xff, 0xff]); // an array of 4 G elements
    refused(&pack, "train-job cannot be decoded");
    pack.body = Bytes::from_static(&[0xdb, 0xff, 0xff, 0xff, 0xff, b'x']); // a text of 4 GB
    refused(&pack, "train-job cannot be decoded");
    pack.body = vec![0x91; 100].into(); // arrays nested 100 deep
    refused(&pack, "train-job cannot be decoded");
    let mut two = encode(&job(), ContentType::MessagePack).expect("a small body").to_vec();
    two.push(0xc0);
    pack.body = two.into();
    refused(&pack, "1 bytes follow the message");
}

#[test]
fn a_train_job_keeps_its_asker_through_the_pipeline() {
    let mut request = wire(ContentType::Json).properties;
    request.reply_to = Some("replies.0190".into());
    let result =
        TrainResult { model: "m".into(), outcome: TrainOutcome::NoCandidate { reason: "none".into() } };
    let published = result.publications(&request).expect("a small body");
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].destination.to_string(), Queue::TrainResults.name());
    let caused = &published[0].message.properties;
    assert_eq!((caused.message_id.as_str(), caused.kind.as_str()), ("id-1", "train-result.v1"));
    assert_eq!(caused.correlation_id.as_deref(), Some("id-1"));

    let decision = GateDecision::Refused(CandidateRefused {
        model: "m".into(),
        version: None,
        verdict: RefusingVerdict::NoCandidate,
        reasons: vec!["none".into()],
        candidate: None,
        incumbent: None,
        incumbent_version: None,
        decided_at: Timestamp::UNIX_EPOCH,
    });
    let published = decision.publications(caused).expect("a small body");
    let destinations: Vec<String> = published.iter().map(|p| p.destination.to_string()).collect();
    assert_eq!(destinations, ["candidate-refused.m", "replies.0190"]);
    assert_eq!(published[1].message.properties.kind, format!("{}.v1", CandidateRefused::KIND));
}

#[test]
fn a_reply_never_goes_to_a_work_queue() {
    let reply = ForecastReply::Refused { reason: RefusalReason::UnknownModel, message: "no".into() };
    let request = ForecastRequest {
        model: "m".into(),
        series: vec![],
        horizon: None,
        origin: None,
        levels: vec![],
        history: vec![],
    };
    let mut properties =
        WireMessage::new(&request, ContentType::Json, "id-2").expect("a small body").properties;
    properties.reply_to = Some("train-jobs".into());
    assert_eq!(reply.publications(&properties).expect("a small body"), []);
}
