//! Who sends what, who receives it, and where the reply goes.

use serde_json::{Map, Value, json};

use super::{
    channels::{self, EVENTS, REPLIES, event_channel},
    topology::{BINDING_VERSION, Topology, dead},
};
use crate::{
    Exchange, Message, Queue,
    messages::{
        ActRecorded, ActRefused, CandidateRefused, ForecastReply, ModelPromoted, ObservationsRecorded,
    },
};

/// What is published onto work queues, and by whom.
const WORK: [(&str, &str, Queue); 7] = [
    ("publish-train-job", "The scheduler and `gatecast train`, beside foreign clients.", Queue::TrainJobs),
    ("publish-train-result", "Trainers, and gatekeepers for a second look.", Queue::TrainResults),
    ("publish-gate-request", "`gatecast models`, beside foreign clients.", Queue::GateRequests),
    ("publish-forecast-request", "`gatecast forecast`, beside foreign clients.", Queue::ForecastRequests),
    ("publish-forecast-batch", "Foreign clients that cannot ask again.", Queue::ForecastBatches),
    ("publish-forecasts-issued", "Forecasters, in batches.", Queue::ForecastsIssued),
    ("publish-observations", "Foreign clients.", Queue::Observations),
];

/// What is announced as events, and by whom.
const NEWS: [(&str, &str, &str); 4] = [
    ("announce-promotion", "Gatekeepers, after the decision is stored.", ModelPromoted::KIND),
    ("announce-refusal", "Gatekeepers, after the decision is stored.", CandidateRefused::KIND),
    ("announce-act", "Gatekeepers, after the act is stored.", ActRecorded::KIND),
    ("announce-observations", "Recorders, after they are stored.", ObservationsRecorded::KIND),
];

pub(super) fn all(topology: &Topology) -> Value {
    let mut operations = Map::new();
    let mut add = |name: &str, operation| operations.insert(name.to_owned(), operation);
    let decision = [ModelPromoted::KIND, CandidateRefused::KIND];
    add("train", receive("Trainers fit a candidate.", Queue::TrainJobs, &decision));
    add("judge", receive("Gatekeepers judge it against the incumbent.", Queue::TrainResults, &decision));
    let act = [ActRecorded::KIND, ActRefused::KIND];
    add("act", receive("Gatekeepers carry it out, if it is possible.", Queue::GateRequests, &act));
    add("forecast", receive("Forecasters answer.", Queue::ForecastRequests, &[ForecastReply::KIND]));
    add(
        "forecast-batch",
        receive(
            "Forecasters answer, after what is more urgent.",
            Queue::ForecastBatches,
            &[ForecastReply::KIND],
        ),
    );
    add("record", receive("Recorders write.", Queue::Observations, &[ObservationsRecorded::KIND]));
    add("record-forecasts", receive("Recorders write.", Queue::ForecastsIssued, &[]));
    add("hear", hear());
    for (name, who, queue) in WORK {
        let mut operation = send(who, Exchange::Jobs.name(), &[channels::purpose(queue).1]);
        operation["bindings"]["amqp"]["deliveryMode"] = if queue.is_durable() { 2 } else { 1 }.into();
        add(name, operation);
    }
    for (name, who, kind) in NEWS {
        let mut operation = send(who, &event_channel(kind), &[kind]);
        operation["bindings"]["amqp"]["mandatory"] = false.into();
        operation["bindings"]["amqp"]["deliveryMode"] = 1.into();
        add(name, operation);
    }
    for (exchange, _queue) in topology.delays() {
        let name = exchange.replace("gatecast.retry.", "retry-after-");
        add(&name, send("Workers, after a failure, before they acknowledge.", &exchange, &[]));
    }
    add(
        "bury",
        send("Workers, what cannot be handled, before they acknowledge.", Exchange::Dead.name(), &[]),
    );
    for queue in Queue::ALL {
        let name = format!("dig-up-{queue}");
        add(&name, take("`gatecast dead-letters` shows, replays and drops.", &dead(queue)));
    }
    operations.into()
}

fn send(who: &str, channel: &str, kinds: &[&str]) -> Value {
    let mut operation = json!({
        "action": "send",
        "summary": who,
        "channel": { "$ref": reference("channels", channel) },
        "bindings": { "amqp": { "mandatory": true, "bindingVersion": BINDING_VERSION } },
    });
    if !kinds.is_empty() {
        operation["messages"] = of_channel(channel, kinds);
    }
    operation
}

fn take(what: &str, channel: &str) -> Value {
    json!({
        "action": "receive",
        "summary": what,
        "channel": { "$ref": reference("channels", channel) },
        "bindings": { "amqp": { "ack": true, "bindingVersion": BINDING_VERSION } },
    })
}

/// What workers do with a queue, and what the asker hears if it left a `reply_to`.
fn receive(what: &str, queue: Queue, answers: &[&str]) -> Value {
    let mut operation = take(what, queue.name());
    operation["messages"] = of_channel(queue.name(), &[channels::purpose(queue).1]);
    if !answers.is_empty() {
        operation["reply"] = json!({
            "address": {
                "location": "$message.header#/reply_to",
                "description": "A queue of the asker's, or direct reply-to; absent: no reply.",
            },
            "channel": { "$ref": reference("channels", REPLIES) },
            "messages": of_channel(REPLIES, answers),
        });
    }
    operation
}

fn hear() -> Value {
    let mut operation = take("Forecasters hear what changed, and look at the registry.", EVENTS);
    let kinds = [ModelPromoted::KIND, ActRecorded::KIND, ObservationsRecorded::KIND];
    operation["messages"] = of_channel(EVENTS, &kinds);
    operation["bindings"]["amqp"]["ack"] = false.into();
    operation
}

fn of_channel(channel: &str, kinds: &[&str]) -> Value {
    let one = |kind: &&str| json!({ "$ref": format!("{}/messages/{kind}", reference("channels", channel)) });
    kinds.iter().map(one).collect()
}

fn reference(section: &str, name: &str) -> String {
    format!("#/{section}/{name}")
}
