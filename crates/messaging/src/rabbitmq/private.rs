//! Private queues of this process: events, and replies.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use lapin::{
    Channel, Consumer,
    options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions},
    types::{FieldTable, ShortString},
};
use protocol::{Exchange, ReplyAddress, WireMessage};
use tracing::warn;

use super::{
    declare,
    names::Names,
    office::Office,
    topology::{Setting, text},
    unavailable,
    wire::from_wire,
    within::{TO_ANSWER, within},
};
use crate::{BoxError, ConsumeError, Listener, Replies};

/// More unread messages push out the oldest. An event is a hint, and a reply is asked for again.
const MOST_UNREAD: i64 = 10_000;

/// A queue that belongs to one connection and goes with it.
struct PrivateQueue {
    office: Arc<Office>,
    channel: Channel,
    name: ShortString,
    consumer: Consumer,
    ended: bool,
}

impl PrivateQueue {
    /// Declares the queue, binds it to events, and consumes it.
    async fn open(office: &Arc<Office>, name: ShortString, events: &[ShortString]) -> Result<Self, BoxError> {
        office.publisher.up_soon().await?; // the exchanges are there then
        let connection = office.consuming.up_soon().await?;
        let channel = declare::open_channel(&connection).await?;
        let options = QueueDeclareOptions::exclusive().auto_delete();
        let bounded = [("x-max-length", Setting::Number(MOST_UNREAD)), ("x-overflow", text("drop-head"))];
        let declared = channel.queue_declare(name.clone(), options, declare::table(&bounded));
        within(TO_ANSWER, "declaring a private queue", declared).await?;
        for pattern in events {
            let exchange = office.names.exchange(Exchange::Events);
            let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
            let bound = channel.queue_bind(name.clone(), exchange, pattern.clone(), options, arguments);
            within(TO_ANSWER, "binding a private queue", bound).await?;
        }
        let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
        let consuming = channel.basic_consume(name.clone(), name.clone(), options, FieldTable::default());
        Ok(Self {
            office: Arc::clone(office),
            consumer: within(TO_ANSWER, "consuming a private queue", consuming).await?,
            channel,
            name,
            ended: false,
        })
    }

    /// The next message that can be read.
    async fn next(&mut self) -> Result<WireMessage, ConsumeError> {
        while !self.ended && self.channel.status().connected() {
            match self.consumer.next().await {
                Some(Ok(delivery)) => match from_wire(&delivery.properties, &self.office.names) {
                    Ok(incoming) => {
                        return Ok(WireMessage {
                            properties: incoming.properties,
                            body: delivery.data.into(),
                        });
                    }
                    Err(hostile) => warn!("skipped a message of {}: {}", self.name, hostile.problem),
                },
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(unavailable(error));
                }
                None => self.ended = true,
            }
        }
        Err(unavailable("the private queue has ended"))
    }
}

pub(super) struct RabbitListener(PrivateQueue);

impl RabbitListener {
    pub(super) async fn start(office: &Arc<Office>, patterns: &[&str]) -> Result<Self, BoxError> {
        let patterns: Result<Vec<_>, _> =
            patterns.iter().map(|&pattern| ShortString::try_new(pattern)).collect();
        let name = office.names.fresh_events();
        Ok(Self(PrivateQueue::open(office, name, &patterns?).await?))
    }
}

#[async_trait]
impl Listener for RabbitListener {
    async fn next(&mut self) -> Result<WireMessage, ConsumeError> {
        self.0.next().await
    }
}

pub(super) struct RabbitReplies {
    address: ReplyAddress,
    queue: PrivateQueue,
}

impl RabbitReplies {
    pub(super) async fn open(office: &Arc<Office>) -> Result<Self, BoxError> {
        let address = Names::fresh_reply_address();
        let name = ShortString::try_new(office.names.address_to_wire(&address))?;
        Ok(Self { address: ReplyAddress::new(address)?, queue: PrivateQueue::open(office, name, &[]).await? })
    }
}

#[async_trait]
impl Replies for RabbitReplies {
    fn address(&self) -> &ReplyAddress {
        &self.address
    }

    async fn next(&mut self) -> Result<WireMessage, ConsumeError> {
        self.queue.next().await
    }
}
