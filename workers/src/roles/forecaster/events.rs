//! Hears what happens elsewhere. An event is a hint: it switches to a newer version at once, and asks for a look.

use std::{sync::Arc, time::Duration};

use artifacts::DecodedModels;
use messaging::{Broker, ConsumeError, Listener};
use protocol::{
    Message as _, WireMessage, decode,
    messages::{ActRecorded, ModelPromoted, ObservationsRecorded},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::UpToDate;

/// The events that make a look worth while.
pub const EVENTS: [&str; 3] = ["model-promoted.*", "act-recorded.*", "observations-recorded.*"];

/// Lost events are listened to again after this, then after twice as long each time …
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// … and at last at this distance.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Listens until `stop`, however often the broker goes away. What happens meanwhile is found by looking.
pub(super) async fn hear(
    broker: Arc<dyn Broker>,
    up_to_date: Arc<UpToDate>,
    models: DecodedModels,
    stop: CancellationToken,
) {
    let hearing = async {
        let mut pause = FIRST_PAUSE;
        loop {
            let lost = match broker.listen(&EVENTS).await {
                Ok(events) => {
                    pause = FIRST_PAUSE;
                    hear_until_lost(events, &up_to_date, &models).await
                }
                Err(away) => away,
            };
            let lost = anyhow::Error::from(lost);
            warn!("events are not heard, the stores are looked at now and then until they are: {lost:#}");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    stop.run_until_cancelled(hearing).await;
}

async fn hear_until_lost(
    mut events: Box<dyn Listener>,
    up_to_date: &UpToDate,
    models: &DecodedModels,
) -> ConsumeError {
    info!("events are heard");
    up_to_date.looks.want(); // for what happened before
    loop {
        match events.next().await {
            Ok(event) => hear_one(&event, up_to_date, models).await,
            Err(lost) => return lost,
        }
    }
}

async fn hear_one(event: &WireMessage, up_to_date: &UpToDate, models: &DecodedModels) {
    let kind = event.properties.kind.split('.').next().unwrap_or_default();
    match kind {
        ModelPromoted::KIND => {
            if let Ok(promoted) = decode::<ModelPromoted>(event) {
                up_to_date.serving.hear(&promoted, models).await;
            }
        }
        ActRecorded::KIND => {
            if let Ok(act) = decode::<ActRecorded>(event) {
                up_to_date.serving.hear_act(&act, models).await;
            }
        }
        ObservationsRecorded::KIND => {}
        _ => return,
    }
    up_to_date.looks.want();
}
