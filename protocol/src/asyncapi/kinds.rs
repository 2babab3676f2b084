//! Every kind of message, with its schema and its sample.

use std::{collections::BTreeSet, fs};

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{beside_the_code, envelope, schemas, topology::BINDING_VERSION};
use crate::{
    Message,
    envelope::kind_and_version,
    messages::{
        ActRecorded, ActRefused, CandidateRefused, ForecastReply, ForecastRequest, ForecastsIssued,
        GateRequest, ModelPromoted, ObservationBatch, ObservationsRecorded, TrainJob, TrainResult,
    },
};

/// A kind of message.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// Kind and version, as the property `type` has them.
    pub(super) wire_name: String,
    /// The name of its schema.
    schema: String,
    title: String,
    description: String,
    pub(super) sample: Value,
}

/// Every kind, in the order of the pipeline, and all schemas by name.
pub(super) fn all() -> (Vec<Kind>, Value) {
    let mut generator = schemas::generator();
    let kinds = vec![
        Kind::of::<TrainJob>(&mut generator),
        Kind::of::<TrainResult>(&mut generator),
        Kind::of::<ModelPromoted>(&mut generator),
        Kind::of::<CandidateRefused>(&mut generator),
        Kind::of::<GateRequest>(&mut generator),
        Kind::of::<ActRecorded>(&mut generator),
        Kind::of::<ActRefused>(&mut generator),
        Kind::of::<ForecastRequest>(&mut generator),
        Kind::of::<ForecastReply>(&mut generator),
        Kind::of::<ForecastsIssued>(&mut generator),
        Kind::of::<ObservationBatch>(&mut generator),
        Kind::of::<ObservationsRecorded>(&mut generator),
    ];
    let schemas = schemas::finish(generator);
    let described = |kind: Kind| {
        let description = schemas[&kind.schema]["description"].as_str().expect("a kind is described");
        Kind { description: description.to_owned(), ..kind }
    };
    (kinds.into_iter().map(described).collect(), schemas)
}

impl Kind {
    fn of<M: Message + JsonSchema>(generator: &mut SchemaGenerator) -> Self {
        generator.subschema_for::<M>();
        let wire_name = kind_and_version::<M>();
        let sample =
            fs::read(beside_the_code(&format!("samples/{wire_name}.json"))).expect("a kind has a sample");
        let mut title = M::KIND.replace('-', " ");
        title[..1].make_ascii_uppercase();
        Self {
            name: M::KIND,
            wire_name,
            schema: M::schema_name().into_owned(),
            title,
            description: String::new(),
            sample: serde_json::from_slice(&sample).expect("JSON"),
        }
    }

    /// Whether it is announced on the exchange of events.
    pub(super) fn is_event(&self) -> bool {
        [ModelPromoted::KIND, CandidateRefused::KIND, ActRecorded::KIND, ObservationsRecorded::KIND]
            .contains(&self.name)
    }

    /// The message object.
    pub(super) fn message(&self) -> Value {
        let envelope = if self.is_event() { envelope::EVENT } else { envelope::MESSAGE };
        json!({
            "name": self.name,
            "title": self.title,
            "summary": self.description,
            "correlationId": { "$ref": "#/components/correlationIds/request" },
            "headers": { "allOf": [
                { "$ref": format!("#/components/schemas/{envelope}") },
                { "type": "object", "properties": { "type": { "const": self.wire_name } } },
            ]},
            "payload": { "$ref": format!("#/components/schemas/{}", self.schema) },
            "bindings": { "amqp": { "messageType": self.wire_name, "bindingVersion": BINDING_VERSION } },
            "examples": [{
                "name": "sample",
                "headers": { "content_type": "application/json", "type": self.wire_name, "message_id": "0190" },
                "payload": self.sample,
            }],
        })
    }
}

/// A validator of the bodies of this kind.
fn validator(kind: &Kind, schemas: &Value) -> jsonschema::Validator {
    let mut root = Map::new();
    root.insert("$ref".to_owned(), format!("#/components/schemas/{}", kind.schema).into());
    root.insert("components".to_owned(), json!({ "schemas": schemas }));
    jsonschema::draft7::new(&root.into()).expect("a schema")
}

#[test]
fn every_sample_is_valid() {
    let (kinds, schemas) = all();
    for kind in &kinds {
        if let Err(problem) = validator(kind, &schemas).validate(&kind.sample) {
            panic!("{}: {}: {problem}", kind.wire_name, problem.instance_path());
        }
    }
    let described: BTreeSet<String> = kinds.iter().map(|kind| format!("{}.json", kind.wire_name)).collect();
    let entries = fs::read_dir(beside_the_code("samples")).expect("samples/");
    let samples: BTreeSet<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(described, samples, "a kind without a sample, or a sample without a kind");
}

#[test]
fn a_sample_with_a_field_of_a_wrong_type_is_not_valid() {
    let (kinds, schemas) = all();
    for kind in &kinds {
        let validator = validator(kind, &schemas);
        for field in kind.sample.as_object().expect("a map").keys() {
            let mut wrong = kind.sample.clone();
            wrong[field] = json!({ "no": ["such", "thing"] });
            assert!(!validator.is_valid(&wrong), "{}: {field} may be anything", kind.wire_name);
        }
    }
}

#[test]
fn what_the_schema_requires_is_what_the_decoder_requires() {
    let (kinds, schemas) = all();
    for kind in &kinds {
        let validator = validator(kind, &schemas);
        for field in kind.sample.as_object().expect("a map").keys() {
            let mut less = kind.sample.clone();
            less.as_object_mut().expect("a map").remove(field);
            let valid = validator.is_valid(&less);
            assert_eq!(valid, reads(kind, &less), "{} without {field}", kind.wire_name);
        }
    }
}

/// Whether the type reads the body.
fn reads(kind: &Kind, body: &Value) -> bool {
    fn as_type<M: Message>(body: &Value) -> bool {
        serde_json::from_value::<M>(body.clone()).is_ok()
    }
    match kind.name {
        TrainJob::KIND => as_type::<TrainJob>(body),
        TrainResult::KIND => as_type::<TrainResult>(body),
        ModelPromoted::KIND => as_type::<ModelPromoted>(body),
        CandidateRefused::KIND => as_type::<CandidateRefused>(body),
        GateRequest::KIND => as_type::<GateRequest>(body),
        ActRecorded::KIND => as_type::<ActRecorded>(body),
        ActRefused::KIND => as_type::<ActRefused>(body),
        ForecastRequest::KIND => as_type::<ForecastRequest>(body),
        ForecastReply::KIND => as_type::<ForecastReply>(body),
        ForecastsIssued::KIND => as_type::<ForecastsIssued>(body),
        ObservationBatch::KIND => as_type::<ObservationBatch>(body),
        ObservationsRecorded::KIND => as_type::<ObservationsRecorded>(body),
        other => panic!("{other} is no kind"),
    }
}
