//! Every exchange and every queue as a channel: an exchange is where messages are sent, a queue where they
//! are received.

use serde_json::{Map, Value, json};

use super::{
    envelope,
    kinds::Kind,
    topology::{BINDING_VERSION, Topology, dead},
};
use crate::{
    Exchange, Message as _, Queue, ReplyAddress,
    messages::{ActRefused, ForecastReply},
};

/// Where events arrive.
pub(super) const EVENTS: &str = "events";
/// Where replies arrive.
pub(super) const REPLIES: &str = "replies";
pub(super) const DIRECT_REPLIES: &str = "amq.rabbitmq.reply-to";

/// What a queue is for, and the kind that it takes.
pub(super) fn purpose(queue: Queue) -> (&'static str, &'static str) {
    match queue {
        Queue::TrainJobs => ("Train jobs, for trainers.", "train-job"),
        Queue::TrainResults => ("What came of train jobs, for gatekeepers.", "train-result"),
        Queue::GateRequests => ("Acts of people, for gatekeepers.", "gate-request"),
        Queue::ForecastRequests => (
            "Forecast requests, for forecasters. Fast, and gone with its node: who asks has a deadline and asks \
             again.",
            "forecast-request",
        ),
        Queue::ForecastBatches => (
            "Forecast requests that survive a restart of the broker, for forecasters that have nothing more urgent.",
            "forecast-request",
        ),
        Queue::Observations => ("Observations, for recorders.", "observation-batch"),
        Queue::ForecastsIssued => ("Forecasts that were given out, for recorders.", "forecasts-issued"),
    }
}

pub(super) fn all(topology: &Topology, kinds: &[Kind]) -> Value {
    let mut channels = Map::new();
    let mut add = |name: &str, channel| channels.insert(name.to_owned(), channel);
    add(Exchange::Jobs.name(), jobs(topology));
    for queue in Queue::ALL {
        add(queue.name(), work_queue(topology, queue));
        add(&dead(queue), dead_letters(topology, queue));
        if let Some(name) = topology.suspects(queue) {
            add(&name, suspects(topology, queue, &name));
        }
    }
    for kind in kinds.iter().filter(|kind| kind.is_event()) {
        add(&event_channel(kind.name), event(topology, kind));
    }
    add(Exchange::Dead.name(), deaths(topology));
    for (exchange, queue) in topology.delays() {
        add(&exchange, delay(topology, &exchange, &queue));
        add(&queue, waiting(topology, &queue));
    }
    add(EVENTS, heard(kinds));
    add(REPLIES, replies(kinds));
    add(DIRECT_REPLIES, direct_replies(kinds));
    channels.into()
}

/// The name of the channel that an event of this kind is sent to.
pub(super) fn event_channel(kind: &str) -> String {
    format!("{}.{kind}", Exchange::Events.name())
}

fn messages<'a>(kinds: impl IntoIterator<Item = &'a str>) -> Value {
    let reference =
        |kind: &str| (kind.to_owned(), json!({ "$ref": format!("#/components/messages/{kind}") }));
    kinds.into_iter().map(reference).collect::<Map<_, _>>().into()
}

/// The kinds that work queues take, each once.
fn work() -> Vec<&'static str> {
    let mut kinds: Vec<_> = Queue::ALL.into_iter().map(|queue| purpose(queue).1).collect();
    kinds.dedup();
    kinds
}

/// The routing key that names a work queue.
fn queue_parameter(description: &str) -> Value {
    let names: Vec<_> = Queue::ALL.into_iter().map(Queue::name).collect();
    json!({ "queue": { "description": description, "enum": names } })
}

fn jobs(topology: &Topology) -> Value {
    json!({
        "address": "{queue}",
        "description": "Everything that is to be done. Publish as mandatory: there is no alternate exchange that \
            would swallow what no queue takes.",
        "parameters": queue_parameter("The routing key is the queue's name."),
        "messages": messages(work()),
        "bindings": { "amqp": topology.exchange(Exchange::Jobs.name()) },
    })
}

fn work_queue(topology: &Topology, queue: Queue) -> Value {
    let (description, kind) = purpose(queue);
    let arguments = topology.arguments(queue.name());
    json!({
        "address": queue.name(),
        "description": description,
        "messages": messages([kind]),
        "bindings": { "amqp": topology.queue(queue.name()) },
        "x-arguments": arguments,
    })
}

fn event(topology: &Topology, kind: &Kind) -> Value {
    let about = if kind.sample.get("model").is_some() { "model" } else { "dataset" };
    json!({
        "address": format!("{}.{{{about}}}", kind.name),
        "description": "Whoever listens hears it; nobody need to. An event is a hint, the registry the truth.",
        "parameters": { about: { "description": format!("The {about} that it is about.") } },
        "messages": messages([kind.name]),
        "bindings": { "amqp": topology.exchange(Exchange::Events.name()) },
    })
}

fn deaths(topology: &Topology) -> Value {
    json!({
        "address": "{queue}",
        "description": "What could not be handled, with its reason.",
        "parameters": queue_parameter("The routing key is the queue that the message died on."),
        "messages": messages(work()),
        "bindings": { "amqp": topology.exchange(Exchange::Dead.name()) },
    })
}

fn suspects(topology: &Topology, queue: Queue, name: &str) -> Value {
    json!({
        "address": name,
        "description": format!("Gatecast's own: messages of {queue} that a worker ended with in hand. Each is handled \
            alone, so that one that kills its worker takes no other along."),
        "messages": messages(work()),
        "bindings": { "amqp": topology.queue(name) },
        "x-arguments": topology.arguments(name),
    })
}

fn dead_letters(topology: &Topology, queue: Queue) -> Value {
    let name = dead(queue);
    let arguments = topology.arguments(&name);
    json!({
        "address": name,
        "description": "Dead letters: the messages as they were. They stay until `gatecast dead-letters` replays or \
            drops them.",
        "messages": { "dead-letter": {
            "name": "dead-letter",
            "summary": format!("A message of {queue}, or what claimed to be one."),
            "headers": { "$ref": format!("#/components/schemas/{}", envelope::DEAD_LETTER) },
        }},
        "bindings": { "amqp": topology.queue(&name) },
        "x-arguments": arguments,
    })
}

fn delay(topology: &Topology, exchange: &str, queue: &str) -> Value {
    json!({
        "address": "{queue}",
        "description": format!("Gatecast's own: what is to be tried again waits in {queue}, then comes home by its \
            routing key."),
        "parameters": queue_parameter("The routing key is the queue that the message came from."),
        "messages": messages(work()),
        "bindings": { "amqp": topology.exchange(exchange) },
    })
}

fn waiting(topology: &Topology, queue: &str) -> Value {
    json!({
        "address": queue,
        "description": "Nobody receives here: messages wait, all equally long.",
        "messages": messages(work()),
        "bindings": { "amqp": topology.queue(queue) },
        "x-arguments": topology.arguments(queue),
    })
}

/// A queue that belongs to one connection.
fn private(address: &str, description: &str, kinds: &Value) -> Value {
    json!({
        "address": address,
        "description": description,
        "parameters": { "uuid": { "description": "Fresh for each connection." } },
        "messages": kinds,
        "bindings": { "amqp": {
            "is": "queue", "bindingVersion": BINDING_VERSION,
            "queue": { "name": address, "durable": false, "exclusive": true, "autoDelete": true, "vhost": "/" },
        }},
    })
}

fn heard(kinds: &[Kind]) -> Value {
    let events = kinds.iter().filter(|kind| kind.is_event()).map(|kind| kind.name);
    let mut channel = private(
        "events.{roles}.{uuid}",
        "A listener's own queue, bound to the exchange of events by topic patterns such as `model-promoted.*`. The \
         oldest is dropped where too much is unread.",
        &messages(events),
    );
    channel["parameters"]["roles"] = json!({ "description": "What the process runs." });
    channel
}

/// What an asker may hear.
fn answers(kinds: &[Kind]) -> Value {
    let replies = [ForecastReply::KIND, ActRefused::KIND];
    let answers = kinds.iter().filter(|kind| kind.is_event() || replies.contains(&kind.name));
    messages(answers.map(|kind| kind.name))
}

fn replies(kinds: &[Kind]) -> Value {
    let address = format!("{}{{uuid}}", ReplyAddress::PRIVATE);
    let description = "An asker's own queue; its name is the request's reply_to.";
    private(&address, description, &answers(kinds))
}

fn direct_replies(kinds: &[Kind]) -> Value {
    json!({
        "address": DIRECT_REPLIES,
        "description": "RabbitMQ's direct reply-to, for foreign clients: consume it, without acknowledgements, on \
            the channel that publishes the request.",
        "messages": answers(kinds),
        "bindings": { "amqp": {
            "is": "queue", "bindingVersion": BINDING_VERSION,
            "queue": { "name": DIRECT_REPLIES, "durable": false, "exclusive": true, "autoDelete": true, "vhost": "/" },
        }},
    })
}
