//! The exchanges and queues, as data: declared by every process, and shipped as `RabbitMQ` definitions.
//!
//! What must be so for a message not to be lost (types, dead-lettering, delays, delivery limits) stands in
//! the arguments, because a server without our policies must be right too. How much fits is policy.

use std::time::Duration;

use lapin::{ExchangeKind, types::ShortString};
use protocol::{Exchange, Queue};

use super::{
    ladder::Step,
    names::Names,
    settings::{QueueType, RabbitSettings},
};

/// A message may be delivered this often where we count ourselves, or only look. `RabbitMQ` 4 would drop it after
/// the 20th time.
const UNLIMITED: i64 = 1_000_000;
/// The longest deadline of a forecast request; an older one is worth nothing.
const LONGEST_DEADLINE: Duration = Duration::from_mins(15);

/// Everything that a server needs.
#[derive(Debug)]
pub(super) struct Topology {
    pub(super) exchanges: Vec<DeclaredExchange>,
    pub(super) queues: Vec<DeclaredQueue>,
}

#[derive(Debug)]
pub(super) struct DeclaredExchange {
    pub(super) name: ShortString,
    pub(super) kind: ExchangeKind,
}

/// A durable queue with its one binding.
#[derive(Debug)]
pub(super) struct DeclaredQueue {
    pub(super) name: ShortString,
    pub(super) arguments: Vec<(&'static str, Setting)>,
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    /// Whose messages it holds; `None`: everybody's.
    pub(super) of: Option<Queue>,
}

/// The value of an argument or a policy's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    Text(String),
    Number(i64),
}

/// What an operator may change.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) name: &'static str,
    /// A regular expression of names, without prefix.
    pub(super) pattern: &'static str,
    pub(super) definition: Vec<(&'static str, Setting)>,
}

impl Topology {
    pub(super) fn new(settings: &RabbitSettings) -> Self {
        let names = Names::new(settings);
        let mut exchanges = vec![
            // No alternate exchange: it would silence `mandatory`.
            DeclaredExchange::new(names.exchange(Exchange::Jobs), ExchangeKind::Direct),
            DeclaredExchange::new(names.exchange(Exchange::Events), ExchangeKind::Topic),
            DeclaredExchange::new(names.exchange(Exchange::Dead), ExchangeKind::Direct),
        ];
        let mut queues = Vec::new();
        for step in Step::ALL {
            let name = names.retry_exchange(step);
            exchanges.push(DeclaredExchange::new(name, ExchangeKind::Fanout));
            queues.push(DeclaredQueue::retry(&names, step));
        }
        for queue in Queue::ALL {
            queues.push(DeclaredQueue::dead(&names, queue));
            queues.push(DeclaredQueue::work(&names, queue, queue_type(queue, settings)));
            if has_suspects(queue) {
                queues.push(DeclaredQueue::suspects(&names, queue, queue_type(queue, settings)));
            }
        }
        Self { exchanges, queues }
    }
}

/// How the server keeps a work queue.
pub(super) fn queue_type(queue: Queue, settings: &RabbitSettings) -> QueueType {
    match queue {
        Queue::TrainJobs
        | Queue::TrainResults
        | Queue::GateRequests
        | Queue::ForecastBatches
        | Queue::Observations => QueueType::Quorum,
        Queue::ForecastRequests => settings.forecast_requests,
        Queue::ForecastsIssued => QueueType::Classic,
    }
}

/// Whether what comes back unsettled is set apart. Where a consumer holds many messages, a queue cannot tell which
/// of them its process died of: it would count for all of them.
pub(super) fn has_suspects(queue: Queue) -> bool {
    match queue {
        Queue::ForecastRequests | Queue::ForecastBatches | Queue::ForecastsIssued | Queue::Observations => {
            true
        }
        Queue::TrainJobs | Queue::TrainResults | Queue::GateRequests => false,
    }
}

impl DeclaredExchange {
    fn new(name: ShortString, kind: ExchangeKind) -> Self {
        Self { name, kind }
    }
}

impl DeclaredQueue {
    fn work(names: &Names, queue: Queue, queue_type: QueueType) -> Self {
        let name = names.queue(queue);
        let arguments = match queue_type {
            QueueType::Classic => vec![("x-queue-type", text("classic"))],
            QueueType::Quorum => {
                let mut arguments = quorum();
                // The limit counts returns, and the first delivery is none.
                let returns = i64::from(queue.delivery_limit()) - 1;
                arguments.push(("x-delivery-limit", Setting::Number(returns)));
                arguments.extend(dead_lettering(&names.exchange(Exchange::Dead)));
                arguments.push(("x-dead-letter-routing-key", text(name.as_str())));
                arguments
            }
        };
        Self { key: name.clone(), name, arguments, exchange: names.exchange(Exchange::Jobs), of: Some(queue) }
    }

    fn suspects(names: &Names, queue: Queue, queue_type: QueueType) -> Self {
        let name = names.suspects(queue);
        let arguments = match queue_type {
            QueueType::Classic => vec![("x-queue-type", text("classic"))],
            QueueType::Quorum => uncounted(),
        };
        Self { key: name.clone(), name, arguments, exchange: names.exchange(Exchange::Jobs), of: Some(queue) }
    }

    fn dead(names: &Names, queue: Queue) -> Self {
        let arguments = uncounted();
        Self {
            name: names.dead(queue),
            arguments,
            exchange: names.exchange(Exchange::Dead),
            key: names.queue(queue),
            of: Some(queue),
        }
    }

    fn retry(names: &Names, step: Step) -> Self {
        let mut arguments = quorum();
        arguments.push(("x-message-ttl", milliseconds(step.delay())));
        arguments.extend(dead_lettering(&names.exchange(Exchange::Jobs)));
        Self {
            name: names.retry_queue(step),
            arguments,
            exchange: names.retry_exchange(step),
            key: ShortString::default(),
            of: None,
        }
    }
}

/// A quorum queue whose deliveries are nobody's business but ours.
fn uncounted() -> Vec<(&'static str, Setting)> {
    let mut arguments = quorum();
    arguments.push(("x-delivery-limit", Setting::Number(UNLIMITED)));
    arguments
}

fn quorum() -> Vec<(&'static str, Setting)> {
    vec![("x-queue-type", text("quorum"))]
}

/// A message leaves the queue only when the next one has it; that needs `reject-publish`.
fn dead_lettering(exchange: &ShortString) -> [(&'static str, Setting); 3] {
    [
        ("x-dead-letter-exchange", text(exchange.as_str())),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]
}

/// How much fits, and how long requests are worth keeping.
pub(super) fn policies() -> Vec<Policy> {
    vec![
        Policy {
            name: "gatecast-jobs",
            pattern: "^(train-jobs|train-results|gate-requests|(forecast-batches|observations)(\\.suspects)?)$",
            definition: vec![("max-length", Setting::Number(1_000_000))],
        },
        Policy {
            name: "gatecast-forecast-requests",
            pattern: "^forecast-requests(\\.suspects)?$",
            definition: vec![
                ("message-ttl", milliseconds(LONGEST_DEADLINE)),
                ("max-length", Setting::Number(100_000)),
                ("overflow", text("reject-publish")),
            ],
        },
        Policy {
            name: "gatecast-forecasts-issued",
            pattern: "^forecasts-issued(\\.suspects)?$",
            definition: vec![("max-length", Setting::Number(100_000)), ("overflow", text("drop-head"))],
        },
    ]
}

pub(super) fn text(text: &str) -> Setting {
    Setting::Text(text.to_owned())
}

fn milliseconds(duration: Duration) -> Setting {
    Setting::Number(i64::try_from(duration.as_millis()).expect("our delays are short"))
}
