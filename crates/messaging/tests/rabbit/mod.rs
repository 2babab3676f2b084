//! One test's share of a real server: a prefix of its own, deleted at its end.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod by_hand;
pub(crate) mod server;

use std::{mem::ManuallyDrop, sync::Arc};

use clock::SystemClock;
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeleteOptions},
};
use messaging::{RabbitBroker, RabbitSettings};
use protocol::{Exchange, Queue};
use uuid::Uuid;

const URL: &str = "GATECAST_TEST_RABBITMQ_URL";

/// The server that the tests share.
pub(crate) fn url() -> String {
    std::env::var(URL).unwrap_or_else(|_| {
        panic!("{URL} is not set: run eval \"$(scripts/servers start)\" in this shell first")
    })
}

/// A prefix on a server.
pub(crate) struct Tenant {
    pub(crate) url: String,
    pub(crate) prefix: String,
}

impl Tenant {
    /// A fresh prefix on the shared server.
    pub(crate) fn new() -> Self {
        Self::on(url())
    }

    pub(crate) fn on(url: String) -> Self {
        Self { url, prefix: format!("test-{}.", Uuid::now_v7().simple()) }
    }

    pub(crate) fn settings(&self) -> RabbitSettings {
        let mut settings = RabbitSettings::new(&self.url, "test");
        settings.prefix.clone_from(&self.prefix);
        settings
    }

    /// A broker of this tenant, as if in a process of its own.
    pub(crate) fn broker(&self) -> RabbitBroker {
        RabbitBroker::start(self.settings(), Arc::new(SystemClock)).expect("the settings are right")
    }

    /// The name on the server.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Past our own client.
    pub(crate) async fn channel(&self) -> (Connection, Channel) {
        let connecting = Connection::connect(&self.url, ConnectionProperties::default());
        let connection = connecting.await.expect("a connection");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("it confirms");
        (connection, channel)
    }

    /// Where the server is there still.
    async fn delete_everything(&self) {
        let connecting = Connection::connect(&self.url, ConnectionProperties::default());
        let Ok(connection) = connecting.await else { return };
        let Ok(channel) = connection.create_channel().await else { return };
        let works = Queue::ALL.iter().map(|queue| queue.name().to_owned());
        let deads =
            Queue::ALL.iter().flat_map(|queue| [format!("{queue}.dead"), format!("{queue}.suspects")]);
        let retries = ["1s", "10s", "60s"];
        for queue in works.chain(deads).chain(retries.map(|step| format!("retry.{step}"))) {
            let options = QueueDeleteOptions::default();
            let _ = channel.queue_delete(self.name(&queue).into(), options).await;
        }
        let exchanges = [Exchange::Jobs, Exchange::Events, Exchange::Dead].map(|e| e.name().to_owned());
        let retries = retries.map(|step| format!("gatecast.retry.{step}"));
        for exchange in exchanges.into_iter().chain(retries) {
            let options = ExchangeDeleteOptions::default();
            let _ = channel.exchange_delete(self.name(&exchange).into(), options).await;
        }
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        // Never dropped itself, which would begin all over.
        let tenant = ManuallyDrop::new(Self {
            url: std::mem::take(&mut self.url),
            prefix: std::mem::take(&mut self.prefix),
        });
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(tenant.delete_everything());
        });
        let _ = cleaning.join();
    }
}
