//! Declares the topology on a server.

use std::error::Error;

use lapin::{
    Channel, Connection,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use protocol::Queue;
use tracing::warn;

use super::{
    topology::{DeclaredExchange, DeclaredQueue, Setting, Topology},
    within::{TO_ANSWER, within},
};
use crate::{BoxError, Difference};

/// Declares everything. What is there already with other arguments is used as it is, and named in the log:
/// an operator who changed a queue must not find all workers standing still.
pub(super) async fn everything(connection: &Connection, topology: &Topology) -> Result<(), BoxError> {
    let mut declarer = Declarer::new(connection).await?;
    for exchange in &topology.exchanges {
        declarer.exchange(exchange).await?;
    }
    for queue in &topology.queues {
        declarer.queue(queue).await?;
    }
    Ok(())
}

/// Everything that a declaration is refused for. What was missing is declared by that.
pub(super) async fn differences(
    connection: &Connection,
    topology: &Topology,
) -> Result<Vec<Difference>, BoxError> {
    let mut declarer = Declarer::new(connection).await?;
    let mut differences = Vec::new();
    for exchange in &topology.exchanges {
        if let Err(refusal) = declarer.declare_exchange(exchange, false).await {
            declarer.channel = open_channel(connection).await?;
            differences.push(Difference {
                name: exchange.name.to_string(),
                problem: refusal.to_string(),
                mend: format!(
                    "stop the workers, delete exchange {}, and start them: they declare it",
                    exchange.name
                ),
            });
        }
    }
    for queue in &topology.queues {
        if let Err(refusal) = declarer.declare_queue(queue, false).await {
            declarer.channel = open_channel(connection).await?;
            differences.push(Difference {
                name: queue.name.to_string(),
                problem: refusal.to_string(),
                mend: format!(
                    "once queue {} is empty, delete it (rabbitmqctl delete_queue --if-empty {}): the next worker declares it",
                    queue.name, queue.name
                ),
            });
        }
    }
    Ok(differences)
}

/// Declares what belongs to one work queue, if somebody deleted it.
pub(super) async fn only(connection: &Connection, topology: &Topology, of: Queue) -> Result<(), BoxError> {
    let mut declarer = Declarer::new(connection).await?;
    for queue in topology.queues.iter().filter(|queue| queue.of == Some(of)) {
        declarer.queue(queue).await?;
    }
    Ok(())
}

/// A fresh channel.
pub(super) async fn open_channel(connection: &Connection) -> Result<Channel, BoxError> {
    within(TO_ANSWER, "opening a channel", connection.create_channel()).await
}

struct Declarer<'a> {
    connection: &'a Connection,
    /// A refused declaration closes it.
    channel: Channel,
}

impl<'a> Declarer<'a> {
    async fn new(connection: &'a Connection) -> Result<Self, BoxError> {
        let channel = open_channel(connection).await?;
        Ok(Self { connection, channel })
    }

    async fn exchange(&mut self, exchange: &DeclaredExchange) -> Result<(), BoxError> {
        let Err(refusal) = self.declare_exchange(exchange, false).await else {
            return Ok(());
        };
        self.channel = open_channel(self.connection).await?;
        if self.declare_exchange(exchange, true).await.is_err() {
            return Err(refusal);
        }
        differs(exchange.name.as_str(), refusal.as_ref());
        Ok(())
    }

    async fn declare_exchange(&self, exchange: &DeclaredExchange, passive: bool) -> Result<(), BoxError> {
        let options = ExchangeDeclareOptions { durable: true, passive, ..ExchangeDeclareOptions::default() };
        let (name, kind) = (exchange.name.clone(), exchange.kind.clone());
        let declared = self.channel.exchange_declare(name, kind, options, FieldTable::default());
        within(TO_ANSWER, "declaring an exchange", declared).await
    }

    async fn queue(&mut self, queue: &DeclaredQueue) -> Result<(), BoxError> {
        if let Err(refusal) = self.declare_queue(queue, false).await {
            self.channel = open_channel(self.connection).await?;
            if self.declare_queue(queue, true).await.is_err() {
                return Err(refusal);
            }
            differs(queue.name.as_str(), refusal.as_ref());
        }
        if let Err(refusal) = self.bind(queue).await {
            self.channel = open_channel(self.connection).await?;
            let name = queue.name.as_str();
            warn!(queue = name, "{name} cannot be bound and is used as it is: {refusal}");
        }
        Ok(())
    }

    async fn declare_queue(&self, queue: &DeclaredQueue, passive: bool) -> Result<(), BoxError> {
        let mut options = QueueDeclareOptions::durable();
        options.passive = passive;
        let (name, arguments) = (queue.name.clone(), table(&queue.arguments));
        let declared = self.channel.queue_declare(name, options, arguments);
        within(TO_ANSWER, "declaring a queue", declared).await.map(drop)
    }

    async fn bind(&self, queue: &DeclaredQueue) -> Result<(), BoxError> {
        let bound = self.channel.queue_bind(
            queue.name.clone(),
            queue.exchange.clone(),
            queue.key.clone(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        within(TO_ANSWER, "binding a queue", bound).await
    }
}

fn differs(name: &str, refusal: &(dyn Error + Send + Sync)) {
    warn!(name, "{name} is not as we would declare it, and is used as it is: {refusal}");
}

/// Arguments as AMQP writes them.
pub(super) fn table(settings: &[(&'static str, Setting)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, setting) in settings {
        let value = match setting {
            Setting::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Setting::Number(number) => AMQPValue::LongLongInt(*number),
        };
        table.insert((*name).into(), value); // our own names are short
    }
    table
}
