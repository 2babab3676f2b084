//! The topology as a file that an operator imports.

use serde_json::{Map, Value, json};

use super::{
    RabbitSettings,
    topology::{Setting, Topology, policies},
};

/// The topology without prefix on the virtual host `/`, as `RabbitMQ` definitions. What they declare is
/// what every process declares; the policies are the operator's to change.
pub fn definitions() -> Value {
    let topology = Topology::new(&RabbitSettings::new("", ""));
    let exchanges = topology.exchanges.iter().map(|exchange| {
        let kind = format!("{:?}", exchange.kind).to_lowercase();
        json!({
            "name": exchange.name.as_str(), "vhost": "/", "type": kind,
            "durable": true, "auto_delete": false, "internal": false, "arguments": {},
        })
    });
    let queues = topology.queues.iter().map(|queue| {
        json!({
            "name": queue.name.as_str(), "vhost": "/", "durable": true, "auto_delete": false,
            "arguments": object(&queue.arguments),
        })
    });
    let bindings = topology.queues.iter().map(|queue| {
        json!({
            "source": queue.exchange.as_str(), "vhost": "/", "destination": queue.name.as_str(),
            "destination_type": "queue", "routing_key": queue.key.as_str(), "arguments": {},
        })
    });
    let policies = policies().into_iter().map(|policy| {
        json!({
            "name": policy.name, "vhost": "/", "pattern": policy.pattern, "apply-to": "queues",
            "definition": object(&policy.definition), "priority": 0,
        })
    });
    json!({
        "exchanges": exchanges.collect::<Vec<_>>(),
        "queues": queues.collect::<Vec<_>>(),
        "bindings": bindings.collect::<Vec<_>>(),
        "policies": policies.collect::<Vec<_>>(),
    })
}

fn object(settings: &[(&'static str, Setting)]) -> Map<String, Value> {
    let value = |setting: &Setting| match setting {
        Setting::Text(text) => Value::from(text.as_str()),
        Setting::Number(number) => Value::from(*number),
    };
    settings.iter().map(|(name, setting)| ((*name).to_owned(), value(setting))).collect()
}
