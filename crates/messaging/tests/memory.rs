//! The in-memory broker keeps the contract, and fails on request.

use std::sync::Arc;

use clock::SystemClock;
use messaging::{Broker, MemoryBroker, contract::Stage};
use protocol::{Destination, Queue};

async fn open_one() -> Stage {
    Stage {
        broker: Arc::new(MemoryBroker::new(Arc::new(SystemClock))),
        keep: Box::new(()),
    }
}

messaging::broker_contract!(open_one, #[tokio::test(start_paused = true)]);
