//! Exchanges and queues as `deploy/rabbitmq/definitions.json` has them, which a test in `messaging` compares
//! with what every process declares.

use serde_json::{Value, json};

use super::beside_the_code;
use crate::{Exchange, Queue};

pub(super) struct Topology(Value);

impl Topology {
    pub(super) fn shipped() -> Self {
        let path = beside_the_code("../deploy/rabbitmq/definitions.json");
        let text = std::fs::read(path).expect("definitions.json");
        Self(serde_json::from_slice(&text).expect("JSON"))
    }

    fn names(&self, what: &str) -> impl Iterator<Item = &str> {
        let things = self.0[what].as_array().expect("a list").iter();
        things.map(|thing| thing["name"].as_str().expect("a name"))
    }

    /// The exchanges of the delays, each with the queue behind it.
    pub(super) fn delays(&self) -> Vec<(String, String)> {
        let delays =
            self.names("exchanges").filter(|name| Exchange::ALL.iter().all(|ours| ours.name() != *name));
        let bindings = self.0["bindings"].as_array().expect("a list");
        let behind = |exchange: &str| {
            let mut bound = bindings.iter().filter(|binding| binding["source"] == exchange);
            bound.next().expect("a delay has a queue")["destination"].as_str().expect("a name").to_owned()
        };
        delays.map(|exchange| (exchange.to_owned(), behind(exchange))).collect()
    }

    /// The exchange as the channel binding of AMQP has it.
    pub(super) fn exchange(&self, name: &str) -> Value {
        let exchange = self.find("exchanges", name);
        json!({
            "is": "routingKey", "bindingVersion": BINDING_VERSION,
            "exchange": {
                "name": name, "type": exchange["type"], "durable": exchange["durable"],
                "autoDelete": exchange["auto_delete"], "vhost": "/",
            },
        })
    }

    /// The queue as the channel binding of AMQP has it.
    pub(super) fn queue(&self, name: &str) -> Value {
        let queue = self.find("queues", name);
        json!({
            "is": "queue", "bindingVersion": BINDING_VERSION,
            "queue": {
                "name": name, "durable": queue["durable"], "exclusive": false,
                "autoDelete": queue["auto_delete"], "vhost": "/",
            },
        })
    }

    /// The arguments that the queue is declared with.
    pub(super) fn arguments(&self, queue: &str) -> Value {
        self.find("queues", queue)["arguments"].clone()
    }

    /// The queue of what came back from the consumers of `queue` unsettled, if it has one.
    pub(super) fn suspects(&self, queue: Queue) -> Option<String> {
        let name = format!("{queue}.suspects");
        self.names("queues").any(|one| one == name).then_some(name)
    }

    fn find(&self, what: &str, name: &str) -> &Value {
        let things = self.0[what].as_array().expect("a list");
        things.iter().find(|thing| thing["name"] == name).unwrap_or_else(|| panic!("{what}: no {name}"))
    }
}

/// The version of `AsyncAPI`'s bindings for AMQP.
pub(super) const BINDING_VERSION: &str = "0.3.0";

/// The queue of a queue's dead letters.
pub(super) fn dead(queue: Queue) -> String {
    format!("{}.dead", queue.name())
}

#[test]
fn every_exchange_and_queue_that_is_shipped_is_described() {
    let topology = Topology::shipped();
    let channels = super::channels::all(&topology, &super::kinds::all().0);
    let described = |what: &str| {
        let all = channels.as_object().expect("a map").values();
        let mut names: Vec<&str> =
            all.filter_map(|channel| channel["bindings"]["amqp"][what]["name"].as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    for (what, kind) in [("exchanges", "exchange"), ("queues", "queue")] {
        let described = described(kind);
        for name in topology.names(what) {
            assert!(described.iter().any(|one| one == name), "{name} is in no channel");
        }
    }
}
