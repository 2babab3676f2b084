//! Forgets what is kept for a period only, a little at a time.

use std::{sync::Arc, time::Duration};

use clock::Clock;
use history::{Forgettable, History};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Retention;

/// How often it is looked for what is too old.
const EVERY: Duration = Duration::from_hours(1);
/// Rows deleted in one transaction, so that nobody waits long for its end.
const AT_ONCE: u32 = 10_000;

/// Forgets at the start and then every hour, until `stop`. Any number of processes may do so.
pub(super) async fn keep(
    history: Arc<dyn History>,
    clock: Arc<dyn Clock>,
    retention: Retention,
    stop: CancellationToken,
) {
    loop {
        if stop.run_until_cancelled(forget(&*history, &*clock, &retention)).await.is_none() {
            return;
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

/// Forgets everything that is too old now. What cannot be forgotten is logged, and tried again the next time.
async fn forget(history: &dyn History, clock: &dyn Clock, retention: &Retention) {
    let now = clock.now();
    for (what, name, days) in [
        (Forgettable::ForecastsIssued, "forecasts issued", retention.forecasts_issued_days),
        (Forgettable::HandledMessages, "ids of handled messages", retention.handled_messages_days),
    ] {
        let Some(before) = before(now, days) else { continue };
        match forget_all(history, what, before).await {
            Ok(0) => {}
            Ok(rows) => info!(rows, "forgot {rows} {name} from before {before}"),
            Err(fault) => warn!("{name} could not be forgotten: {:#}", anyhow::Error::from(fault)),
        }
    }
}

async fn forget_all(
    history: &dyn History,
    what: Forgettable,
    before: Timestamp,
) -> Result<u64, history::RecordError> {
    let mut forgotten = 0;
    loop {
        let rows = history.forget(what, before, AT_ONCE).await?;
        forgotten += rows;
        if rows < u64::from(AT_ONCE) {
            return Ok(forgotten);
        }
    }
}

/// None where that lies before all time: everything is kept then.
fn before(now: Timestamp, days: u32) -> Option<Timestamp> {
    now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_older_than_its_period_is_forgotten_and_nothing_else() {
        let history = history::MemoryHistory::new();
        let day = |n: i64| Timestamp::from_second(n * 86_400).expect("a time stamp");
        let forecast = |n| history::IssuedForecast {
            request_id: format!("r{n}"),
            model: "bike-demand".parse().expect("a name"),
            series: "a".parse().expect("an id"),
            origin: day(n),
            issued_at: day(n),
            version: None,
            generation: 0,
            route: "fallback".to_owned(),
            reason: None,
            values: vec![1.0],
        };
        history.record_forecasts(&[forecast(1), forecast(99)], day(99)).await.expect("records");
        let clock = clock::ManualClock::at(day(100));
        let keeps = Retention { forecasts_issued_days: 100, ..Retention::default() };
        forget(&history, &clock, &keeps).await;
        let model = "bike-demand".parse().expect("a name");
        assert_eq!(history.forecasts_issued(&model, 10).await.expect("reads").len(), 2);
        forget(&history, &clock, &Retention { forecasts_issued_days: 98, ..keeps }).await;
        let left = history.forecasts_issued(&model, 10).await.expect("reads");
        assert_eq!(left.iter().map(|forecast| forecast.request_id.as_str()).collect::<Vec<_>>(), ["r99"]);
    }
}
