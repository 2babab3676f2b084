//! The broker of a fleet: `RabbitMQ`, 3.10 or newer.
//!
//! Two connections, one to consume and one to publish, each supervised by a task of its own that builds
//! it anew for ever (`line`). A consumer ends with its connection and is started again by whoever reads
//! it. Whatever a message becomes (a retry, a dead letter), its copy is confirmed before the original is
//! acknowledged, so that nothing is lost between the two.

mod settings;

mod names;

mod topology;

mod definitions;

mod declare;

mod line;

mod version;

mod raw;

mod unreadable;

mod within;

mod wire;

mod ladder;

mod publisher;

mod office;

mod consumer;

mod suspects;

mod put_back;

mod receipt;

mod private;

mod look;

mod replay;

use std::sync::Arc;

use async_trait::async_trait;
use clock::Clock;
use lapin::{tcp::OwnedTLSConfig, types::ShortString};
use protocol::{Destination, Exchange, Queue, ReplyAddress, RoutingKey, WireMessage, headers::cloud_events};

use self::{
    line::{Dialer, Line},
    names::Names,
    office::{Leased, Office, too_long},
    private::{RabbitListener, RabbitReplies},
    publisher::{Parcel, Publisher, Undelivered},
    put_back::PutBack,
    topology::Topology,
    wire::{Sending, to_wire},
};
use crate::{
    Broker, BrokerError, Chosen, ConsumeError, DeadLetter, Deliveries, Depth, Examined, Listener,
    PublishError, Replies, errors::check_size,
};

pub use self::{
    definitions::definitions,
    settings::{DEFAULT_CONSUMER_TIMEOUT, InvalidSettings, QueueType, RabbitSettings},
};

/// A connection to a `RabbitMQ` server, or the lasting attempt to have one.
pub struct RabbitBroker {
    office: Arc<Office>,
}

impl RabbitBroker {
    /// Starts connecting, and returns at once. While there is no connection, `consume` waits, and the
    /// other operations fail after some seconds with the reason.
    ///
    /// # Errors
    /// If no connection can ever be made with these settings.
    pub fn start(settings: RabbitSettings, clock: Arc<dyn Clock>) -> Result<Self, InvalidSettings> {
        let uri = settings.check()?;
        let topology = Arc::new(Topology::new(&settings));
        let tls = OwnedTLSConfig { identity: None, cert_chain: settings.certificate_authority.clone() };
        let dialer = |purpose: &str, topology| Dialer {
            uri: uri.clone(),
            tls: tls.clone(),
            name: format!("gatecast {} {purpose}", settings.name),
            topology,
        };
        let consuming = Line::start(dialer("consumes", None));
        let publishing = Line::start(dialer("publishes", Some(Arc::clone(&topology))));
        tokio::spawn(version::tell(publishing.first_up(), uri.clone(), tls.clone()));
        let office = Office {
            names: Names::new(&settings),
            publisher: Publisher::new(publishing, Arc::clone(&topology)),
            topology,
            settings,
            clock,
            consuming,
            put_back: PutBack::default(),
            leased: Leased::default(),
            uri,
            tls,
            maybe_unreadable: Default::default(),
        };
        Ok(Self { office: Arc::new(office) })
    }

    /// Waits some seconds for both connections.
    ///
    /// # Errors
    /// The reason why one of them is not there.
    pub async fn until_connected(&self) -> Result<(), BrokerError> {
        self.office.publisher.up_soon().await.map_err(BrokerError)?;
        let consuming = self.office.consuming.up_soon().await;
        consuming.map(drop).map_err(BrokerError)
    }
}

#[async_trait]
impl Broker for RabbitBroker {
    fn system(&self) -> &'static str {
        "rabbitmq"
    }

    async fn publish(&self, to: &Destination, message: WireMessage) -> Result<(), PublishError> {
        check_size(&message)?;
        let published = match to {
            Destination::Queue(queue) => self.office.send_work(*queue, &message).await,
            Destination::Event(key) => self.office.announce(key, &message).await,
            Destination::Asker(asker) => self.office.answer(asker, &message).await,
        };
        published.map_err(|undelivered| match undelivered {
            Undelivered::Unroutable => PublishError::Unroutable(to.clone()),
            Undelivered::Unavailable(error) => PublishError::Unavailable(error),
        })
    }

    async fn consume(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Deliveries>, ConsumeError> {
        let started = consumer::start(&self.office, queue, prefetch.max(1)).await;
        Ok(Box::new(started.map_err(unavailable)?))
    }

    async fn listen(&self, patterns: &[&str]) -> Result<Box<dyn Listener>, ConsumeError> {
        let started = RabbitListener::start(&self.office, patterns).await;
        Ok(Box::new(started.map_err(unavailable)?))
    }

    async fn replies(&self) -> Result<Box<dyn Replies>, ConsumeError> {
        let opened = RabbitReplies::open(&self.office).await;
        Ok(Box::new(opened.map_err(unavailable)?))
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        look::depth(&self.office, queue).await.map_err(BrokerError)
    }

    async fn dead_letters(&self, queue: Queue, limit: u32) -> Result<Vec<DeadLetter>, BrokerError> {
        let letters = look::dead_letters(&self.office, queue, limit).await;
        letters.map_err(BrokerError)
    }

    async fn dead_letter(&self, queue: Queue, message_id: &str) -> Result<Option<DeadLetter>, BrokerError> {
        look::dead_letter(&self.office, queue, message_id).await.map_err(BrokerError)
    }

    async fn replay_dead_letters(&self, queue: Queue, which: &Chosen) -> Result<u64, BrokerError> {
        replay::replay(&self.office, queue, which).await.map_err(BrokerError)
    }

    async fn drop_dead_letters(&self, queue: Queue, which: &Chosen) -> Result<u64, BrokerError> {
        replay::drop_dead(&self.office, queue, which).await.map_err(BrokerError)
    }

    async fn examine(&self) -> Result<Examined, BrokerError> {
        let office = &self.office;
        let connection = office.consuming.up_soon().await.map_err(BrokerError)?;
        let differences = declare::differences(&connection, &office.topology).await.map_err(BrokerError)?;
        Ok(Examined { broker: version::of_server(&office.uri, &office.tls).await, differences })
    }
}

impl Office {
    /// To whoever listens, be it nobody.
    async fn announce(&self, key: &RoutingKey, message: &WireMessage) -> Result<(), Undelivered> {
        let properties = &message.properties;
        let wire = to_wire(properties, Sending::default(), &self.names).map_err(too_long)?;
        let mut headers = wire.headers().clone().unwrap_or_default();
        for (name, text) in [
            (cloud_events::SPEC_VERSION, "1.0"),
            (cloud_events::SOURCE, &self.names.event_source()),
            (cloud_events::ID, &properties.message_id),
            (cloud_events::TYPE, &properties.kind),
            (cloud_events::TIME, &self.clock.now().to_string()),
        ] {
            wire::add_text(&mut headers, name, text);
        }
        let parcel = Parcel {
            exchange: self.names.exchange(Exchange::Events),
            key: ShortString::try_new(key.as_str()).map_err(too_long)?,
            mandatory: false,
            properties: wire.with_headers(headers),
            body: message.body.clone(),
        };
        self.publisher.publish_to_topology(&parcel).await
    }

    /// To the one who asked, through the default exchange.
    async fn answer(&self, asker: &ReplyAddress, message: &WireMessage) -> Result<(), Undelivered> {
        let address = asker.as_str();
        let parcel = Parcel {
            exchange: ShortString::default(),
            key: ShortString::try_new(self.names.address_to_wire(address)).map_err(too_long)?,
            // A direct reply-to is no queue: as mandatory, every reply would come back.
            mandatory: !address.starts_with("amq."),
            properties: to_wire(&message.properties, Sending::default(), &self.names).map_err(too_long)?,
            body: message.body.clone(),
        };
        self.publisher.publish(&parcel).await
    }
}

fn unavailable(error: impl Into<crate::BoxError>) -> ConsumeError {
    ConsumeError::Unavailable(error.into())
}
