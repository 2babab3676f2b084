//! What recording messages promises, and forgetting.

use std::sync::Arc;

use super::{dataset, hour, hourly, issued, minute, model, observed, only, read};
use crate::{Forgettable, History, ObservationMessage, Range, RecordError, Recorded};

fn message(id: &str, y: f64) -> ObservationMessage {
    ObservationMessage { message_id: id.to_owned(), observations: vec![observed("a", 0, y)] }
}

const NEW: Recorded = Recorded { new: 1, corrected: 0, unchanged: 0 };
const CORRECTED: Recorded = Recorded { new: 0, corrected: 1, unchanged: 0 };

async fn tell(history: &dyn History, messages: &[ObservationMessage]) -> Vec<Recorded> {
    let outcomes =
        history.record_messages(&dataset(), &hourly(), messages, minute(1)).await.expect("records");
    outcomes.into_iter().map(|outcome| outcome.expect("is no bad one")).collect()
}

pub async fn a_message_is_recorded_once(history: Arc<dyn History>, other: Arc<dyn History>) {
    assert_eq!(tell(&*history, &[message("m1", 1.0), message("m2", 2.0)]).await, [NEW, CORRECTED]);
    // A message that comes late and twice takes back no correction.
    assert_eq!(tell(&*other, &[message("m1", 1.0)]).await, [NEW]);
    assert_eq!(tell(&*other, &[message("m3", 3.0), message("m3", 3.0)]).await, [CORRECTED, CORRECTED]);
    assert_eq!(read(&*history, &Range::default()).await, only(&[3.0]));
}

pub async fn a_bad_message_spoils_no_other(history: Arc<dyn History>, _: Arc<dyn History>) {
    let bad = message("m2", f64::INFINITY);
    let mut off_grid = message("m3", 5.0);
    off_grid.observations.push(observed("b", 0, 1.0));
    off_grid.observations[0].ds = hour(0) + jiff::SignedDuration::from_mins(7);
    let messages = [message("m1", 1.0), bad, off_grid, message("m4", 4.0)];
    let outcomes =
        history.record_messages(&dataset(), &hourly(), &messages, minute(1)).await.expect("records");
    assert!(matches!(outcomes[1], Err(RecordError::NotFinite { .. })), "{:?}", outcomes[1]);
    assert!(matches!(outcomes[2], Err(RecordError::OffGrid { .. })), "{:?}", outcomes[2]);
    assert!(matches!((&outcomes[0], &outcomes[3]), (Ok(NEW), Ok(CORRECTED))), "{outcomes:?}");
    assert_eq!(read(&*history, &Range::default()).await, only(&[4.0]));
    // What was refused was not handled.
    assert_eq!(tell(&*history, &[message("m2", 2.0)]).await, [CORRECTED]);
}

pub async fn what_is_forgotten_is_gone_and_nothing_else(history: Arc<dyn History>, other: Arc<dyn History>) {
    let forecasts = [issued("r1", "a", 1), issued("r2", "a", 2), issued("r3", "a", 3)];
    history.record_forecasts(&forecasts, minute(9)).await.expect("records");
    tell(&*history, &[message("m1", 1.0), message("m2", 2.0)]).await;

    let forget =
        async |what, before, limit| other.forget(what, minute(before), limit).await.expect("deletes");
    assert_eq!(forget(Forgettable::ForecastsIssued, 1, 10).await, 0);
    assert_eq!(forget(Forgettable::ForecastsIssued, 3, 1).await, 1);
    assert_eq!(forget(Forgettable::ForecastsIssued, 3, 10).await, 1);
    assert_eq!(history.forecasts_issued(&model(), 10).await.expect("reads"), [issued("r3", "a", 3)]);

    assert_eq!(forget(Forgettable::HandledMessages, 1, 10).await, 0);
    assert_eq!(tell(&*history, &[message("m1", 1.0)]).await, [NEW]);
    assert_eq!(forget(Forgettable::HandledMessages, 2, 10).await, 2);
    assert_eq!(tell(&*history, &[message("m1", 1.0)]).await, [CORRECTED], "it is news again");
    assert_eq!(read(&*history, &Range::default()).await, only(&[1.0]));
}
