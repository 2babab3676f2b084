//! The broker behind one trait: work queues, events for everybody, replies for one asker.
//!
//! Every adapter promises the same, and [`contract`] checks it on each: a confirmed message is delivered
//! until it is settled, a delivery is settled once, a retry comes back later with its attempt counted, and
//! what cannot be handled ends in the dead letters with a reason. What a message means, how often to try
//! and how long to wait is the runner's business.

mod broker;

mod delivery;

mod errors;

mod metrics;

mod topic;

pub mod contract;

pub mod memory;

pub mod rabbitmq;

pub mod sqlite;

mod traced;

pub use broker::{Broker, Chosen, DeadLetter, Deliveries, Depth, Difference, Examined, Listener, Replies};
pub use delivery::{Delivery, Receipt, Settlement};
pub use errors::{BoxError, BrokerError, ConsumeError, PublishError, SettleError};
pub use memory::MemoryBroker;
pub use metrics::{count_dead_letter, describe_metrics};
pub use rabbitmq::{InvalidSettings, QueueType, RabbitBroker, RabbitSettings};
pub use sqlite::{Access, SqliteBroker};
pub use traced::TracedBroker;
