//! The contract as `asyncapi.yaml`, made from the code: schemas from the types, exchanges and queues from the
//! definitions that are shipped, names and limits from their constants. Tests compare it with the file and
//! the samples with the schemas.

mod channels;
mod envelope;
mod kinds;
mod operations;
mod schemas;
mod topology;

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use self::{kinds::Kind, topology::Topology};

/// Set to anything, the file is written instead of compared.
const WRITE: &str = "GATECAST_WRITE_ASYNCAPI";

const HEAD: &str = "\
# What travels on the queues of Gatecast, for clients in any language. Made from the code by
#   GATECAST_WRITE_ASYNCAPI=1 cargo test --release -p protocol asyncapi
# and compared with it by the same test.
";

/// The document as text.
fn document() -> String {
    let topology = Topology::shipped();
    let (kinds, schemas) = kinds::all();
    // One section after the other, in the order in which people read; within them names are sorted.
    let sections = [
        json!({ "asyncapi": "3.0.0" }),
        json!({ "info": info() }),
        json!({ "defaultContentType": "application/json" }),
        json!({ "servers": servers() }),
        json!({ "channels": channels::all(&topology, &kinds) }),
        json!({ "operations": operations::all(&topology) }),
        json!({ "components": components(&kinds, &schemas) }),
    ];
    let mut text = HEAD.to_owned();
    for section in &sections {
        text.push_str(&serde_saphyr::to_string(section).expect("JSON is YAML"));
    }
    text
}

fn info() -> Value {
    json!({
        "title": "Gatecast",
        "version": env!("CARGO_PKG_VERSION"),
        "license": { "name": "MIT OR Apache-2.0" },
        "description": "Demand forecasts over RabbitMQ 3.10 or newer. Operations are Gatecast's: a client \
            sends what Gatecast receives. Every exchange and queue may have a prefix (`broker.prefix`), also in \
            routing keys and reply addresses. Publish as mandatory and with publisher confirms: a message that \
            no queue takes is confirmed all the same, and comes back. Readers ignore fields that they do not \
            know; what is not required has the default that its description names. What cannot be handled \
            lies in `<queue>.dead` with its reason.",
    })
}

fn servers() -> Value {
    let server = |port: u16, protocol: &str, description: &str| {
        json!({
            "host": format!("{{host}}:{port}"), "protocol": protocol, "protocolVersion": "0.9.1",
            "pathname": "/{vhost}", "description": description,
            "variables": {
                "host": { "description": "Where RabbitMQ is.", "default": "localhost" },
                "vhost": { "description": "The virtual host, escaped.", "default": "%2f" },
            },
            "security": [{ "$ref": "#/components/securitySchemes/user" }],
        })
    };
    json!({
        "rabbitmq": server(5672, "amqp", "Without TLS, for a machine's own network."),
        "rabbitmq-tls": server(5671, "amqps", "With TLS."),
    })
}

fn components(kinds: &[Kind], schemas: &Value) -> Value {
    let mut all = schemas.as_object().expect("a map").clone();
    all.insert(envelope::MESSAGE.to_owned(), envelope::of_messages());
    all.insert(envelope::EVENT.to_owned(), envelope::of_events());
    all.insert(envelope::DEAD_LETTER.to_owned(), envelope::of_dead_letters());
    let messages = kinds.iter().map(|kind| (kind.name.to_owned(), kind.message()));
    json!({
        "securitySchemes": { "user": { "type": "userPassword", "description": "A user of RabbitMQ." } },
        "correlationIds": { "request": {
            "description": "What the request said, or else its message_id.",
            "location": "$message.header#/correlation_id",
        }},
        "messages": messages.collect::<serde_json::Map<_, _>>(),
        "schemas": all,
    })
}

fn beside_the_code(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)
}

#[test]
fn the_asyncapi_document_says_what_the_code_does() {
    let (path, expected) = (beside_the_code("asyncapi.yaml"), document());
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &expected).expect("it is written");
    }
    let written = fs::read_to_string(&path).expect("asyncapi.yaml");
    let differs = expected.lines().zip(written.lines()).position(|(one, other)| one != other);
    assert!(
        expected == written,
        "asyncapi.yaml differs from the code at line {:?}: run this test with {WRITE}=1 and read the change",
        differs.map(|line| line + 1)
    );
}
