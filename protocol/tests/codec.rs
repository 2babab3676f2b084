//! What comes from outside is checked before it is decoded.

use bytes::Bytes;
use jiff::Timestamp;
use protocol::{
    ContentType, EncodeError, MAX_BODY_BYTES, Message, Properties, Queue, Reply, WireMessage, decode, encode,
    messages::{
        Act, ActRecorded, ActRefusal, ActRefused, ActReply, CandidateRefused, Competitor, ForecastReply,
        ForecastRequest, GateDecision, ObservationBatch, RefusalReason, RefusingVerdict, TrainJob,
        TrainOutcome, TrainReason, TrainResult,
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
        shift: None,
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
fn a_declared_shift_is_a_field_that_older_readers_skip() {
    let drift = TrainJob { shift: Some(Timestamp::UNIX_EPOCH), ..job() };
    for content_type in [ContentType::Json, ContentType::MessagePack] {
        let message = WireMessage::new(&drift, content_type, "id-1").expect("a small body");
        assert_eq!(decode::<TrainJob>(&message), Ok(drift.clone()));
    }
    let [written, without] = [&drift, &job()].map(|job| serde_json::to_value(job).expect("JSON"));
    assert_eq!((&written["shift"], &written["reason"]), (&"1970-01-01T00:00:00Z".into(), &without["reason"]));
    assert!(without.get("shift").is_none(), "a job without one is written as ever");
    assert_eq!((drift.why(), job().why()), ("drift", "requested"));
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
    // A quarter of a megabyte that nothing makes smaller, again and again: only the size is wrong.
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let chunk: Vec<u8> = (0..256 << 10).map(|_| noise()).collect();
    message.body = zstd::encode_all(chunk.repeat(33).as_slice(), 3).expect("compresses").into();
    refused(&message, "bytes that expands to more than 8388608");
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

/// A JSON body that is a train job, with `more` fields.
fn json_job(more: &str) -> WireMessage {
    let mut message = wire(ContentType::Json);
    message.body = format!(r#"{{"model":"m","as_of":"1970-01-01T00:00:00Z"{more}}}"#).into();
    message
}

/// A `MessagePack` body that is a train job, with one more field, whose value is `value`.
fn packed_job(field: &str, value: &[u8]) -> WireMessage {
    let mut message = wire(ContentType::MessagePack);
    let mut body = message.body.to_vec();
    body[0] += 1; // the number of fields, in a small map
    body.push(0xa0 + u8::try_from(field.len()).expect("a short name"));
    message.body = [&body, field.as_bytes(), value].concat().into();
    message
}

#[test]
fn a_key_that_stands_twice_is_refused_in_both_encodings() {
    assert_eq!(decode::<TrainJob>(&json_job("")), Ok(job()));
    refused(&json_job(r#","model":"n""#), "duplicate field `model`");
    assert_eq!(decode::<TrainJob>(&packed_job("other", &[0xc0])), Ok(job()));
    refused(&packed_job("model", &[0xa1, b'n']), "duplicate field `model`");
}

#[test]
fn nesting_is_followed_to_its_limit_and_not_one_level_further() {
    // The message itself is the first level.
    let nested = |depth: usize| format!(r#","x":{}{}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(decode::<TrainJob>(&json_job(&nested(32))), Ok(job()));
    refused(&json_job(&nested(33)), "nested deeper than 32 levels");
    refused(&json_job(&nested(100_000)), "nested deeper than 32 levels");
    // … and here the innermost value is the last.
    let nested = |depth: usize| packed_job("x", &[vec![0x91; depth - 2], vec![0xc0]].concat());
    assert_eq!(decode::<TrainJob>(&nested(32)), Ok(job()));
    refused(&nested(33), "depth limit exceeded");
    refused(&nested(100_000), "depth limit exceeded");
}

#[test]
fn numbers_are_finite() {
    let batch = |value: &str| {
        let any = ObservationBatch { dataset: "d".into(), series: vec![] };
        let mut message = WireMessage::new(&any, ContentType::Json, "id-1").expect("a small body");
        let series = r#""id":"a","start":"1970-01-01T00:00:00Z","frequency":"PT1H","tz":"UTC""#;
        message.body = format!(r#"{{"dataset":"d","series":[{{{series},"values":[{value}]}}]}}"#).into();
        decode::<ObservationBatch>(&message).map(|batch| batch.series[0].values[0])
    };
    assert_eq!(batch("1e308"), Ok(Some(1e308)));
    assert_eq!(batch("null"), Ok(None));
    for bad in ["1e400", "-1e400", "NaN", "Infinity"] {
        let error = batch(bad).expect_err(bad).to_string();
        assert!(error.contains("series[0].values[0]"), "{bad}: {error}");
    }
}

#[test]
fn a_number_that_json_could_not_say_is_refused_in_message_pack_too() {
    let competitor = |average_error| Competitor {
        learner: "l".into(),
        average_error,
        worst_case_error: 1.0,
        rows: 1,
        series: 1,
    };
    let result = |average_error| TrainResult {
        model: "m".into(),
        outcome: TrainOutcome::Candidate {
            version: 1,
            learner: "l".into(),
            competed: vec![competitor(average_error)],
            left_out: vec![],
            uncontested: None,
        },
        again: None,
    };
    for bad in [f64::NAN, f64::INFINITY] {
        let message = WireMessage::new(&result(bad), ContentType::MessagePack, "id-1").expect("a small body");
        let error = decode::<TrainResult>(&message).expect_err("must be refused").to_string();
        assert!(error.contains("is not a finite number"), "{error}");
    }
    let message = WireMessage::new(&result(0.5), ContentType::MessagePack, "id-1").expect("a small body");
    assert_eq!(decode::<TrainResult>(&message), Ok(result(0.5)));
}

#[test]
fn a_length_that_the_body_does_not_have_is_refused_wherever_it_stands() {
    let four_g = [0xff; 4];
    for kind in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9] {
        let lie = [&[kind][..], &four_g, &[0x01, 0x02]].concat();
        refused(&packed_job("learners", &lie), "train-job cannot be decoded");
        refused(&packed_job("unknown", &lie), "train-job cannot be decoded");
    }
}

#[test]
fn a_body_may_be_as_large_as_the_limit_and_not_a_byte_larger() {
    let padded = |size: usize| {
        let mut message = json_job("");
        let mut body = message.body.to_vec();
        body.resize(size, b' ');
        message.body = body.into();
        message
    };
    assert_eq!(decode::<TrainJob>(&padded(MAX_BODY_BYTES)), Ok(job()));
    refused(&padded(MAX_BODY_BYTES + 1), "too_large");
    for content_type in [ContentType::Json, ContentType::MessagePack] {
        let mut empty = wire(content_type);
        empty.body = Bytes::new();
        refused(&empty, "train-job cannot be decoded");
    }
}

#[test]
fn a_frame_that_asks_for_a_large_window_is_refused_before_it_gets_the_memory() {
    // Magic number, no content size, a window of 2^27 bytes; then one raw block with the message.
    let frame = |window_log: u8| {
        let body = json_job("").body;
        let block = (u32::try_from(body.len()).expect("small") << 3) | 1;
        let mut message = json_job("");
        message.properties.content_encoding = Some("zstd".into());
        let header = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (window_log - 10) << 3];
        message.body = [&header[..], &block.to_le_bytes()[..3], &body].concat().into();
        message
    };
    assert_eq!(decode::<TrainJob>(&frame(23)), Ok(job()));
    refused(&frame(24), "zstd frame cannot be decoded");
    refused(&frame(41), "zstd frame cannot be decoded");
}

#[test]
fn a_train_job_keeps_its_asker_through_the_pipeline() {
    let mut request = wire(ContentType::Json).properties;
    request.reply_to = Some("replies.0190".into());
    let result = TrainResult {
        model: "m".into(),
        outcome: TrainOutcome::NoCandidate { reason: "none".into() },
        again: None,
    };
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
fn everybody_hears_what_an_act_did_and_its_asker_alone_that_it_was_refused() {
    let mut request = wire(ContentType::Json).properties;
    request.reply_to = Some("replies.0190".into());
    let destinations = |reply: ActReply| -> Vec<String> {
        let published = reply.publications(&request).expect("a small body");
        published.iter().map(|publication| publication.destination.to_string()).collect()
    };
    let frozen = ActRecorded {
        model: "m".into(),
        act: Act::Freeze,
        by: "ann".into(),
        reason: "an audit".into(),
        expires: None,
        acted_at: Timestamp::UNIX_EPOCH,
        incumbent: None,
    };
    assert_eq!(destinations(ActReply::Recorded(frozen)), ["act-recorded.m", "replies.0190"]);
    let refused = ActRefused { reason: ActRefusal::NotPossible, message: "no".into() };
    assert_eq!(destinations(ActReply::Refused(refused)), ["replies.0190"]);
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
