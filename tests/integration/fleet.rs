//! One test's share of the servers of `scripts/servers`.

use tempfile::TempDir;
use workers::config::{Broker, Config, PartUrl};

use crate::rabbit::Tenant;

/// A prefix on RabbitMQ, and a folder; everything is deleted at its end.
pub(crate) struct Fleet {
    rabbit: Tenant,
    folder: TempDir,
}

impl Fleet {
    /// A share that nothing has used yet.
    pub(crate) fn new(folder: TempDir) -> Self {
        Self { rabbit: Tenant::new(), folder }
    }

    /// The configuration of a process that works on this share.
    pub(crate) fn config(&self) -> Config {
        let defaults = Config::default();
        Config {
            data_folder: self.folder.path().to_owned(),
            broker: Broker {
                url: PartUrl::from(self.rabbit.url.as_str()),
                prefix: self.rabbit.prefix.clone(),
                ..defaults.broker
            },
            ..defaults
        }
    }
}
