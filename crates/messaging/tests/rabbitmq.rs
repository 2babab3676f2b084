//! `RabbitMQ` keeps the contract, on a real server: `eval "$(scripts/servers start)"` first.

mod rabbit;

use std::{sync::Arc, time::Duration};

use messaging::contract::Stage;

use rabbit::Tenant;

#[expect(clippy::unused_async, reason = "the contract opens a broker asynchronously")]
async fn open_one() -> Stage {
    let tenant = Tenant::new();
    Stage {
        broker: Arc::new(tenant.broker()),
        shortest_delay: Duration::from_secs(1),
        knows_repeats: false,
        keep: Box::new(tenant),
    }
}

messaging::broker_contract!(open_one, #[tokio::test]);
