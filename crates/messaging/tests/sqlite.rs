//! The embedded broker keeps the contract.

use std::sync::Arc;

use clock::SystemClock;
use messaging::{Access, SqliteBroker, contract::Stage};

async fn open_one() -> Stage {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("queues.sqlite");
    let broker = SqliteBroker::open(path, Access::Owner, Arc::new(SystemClock)).await;
    Stage {
        broker: Arc::new(broker.expect("it opens")),
        keep: Box::new(folder),
    }
}

messaging::broker_contract!(open_one, #[tokio::test]);
