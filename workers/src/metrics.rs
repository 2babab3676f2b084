//! What roles count and measure. Models are labels: there are few of them; series never are.

use forecasting::names::ModelName;
use jiff::{SignedDuration, Timestamp};
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use protocol::messages::ForecastReply;

use crate::handlers::convert::wire_name;

const DECISIONS: &str = "gatecast_gate_decisions_total";
const ACTS: &str = "gatecast_acts_total";
const ROUTES: &str = "gatecast_route_total";
const MODEL_AGE: &str = "gatecast_model_age_seconds";
const SCHEDULER_LAG: &str = "gatecast_scheduler_lag_seconds";
const ISSUED_DROPPED: &str = "gatecast_forecasts_issued_dropped_total";

/// Says what all metrics of the process mean; once, after a recorder was installed.
pub fn describe() {
    messaging::describe_metrics();
    runner::describe_metrics();
    artifacts::describe_metrics();
    describe_counter!(DECISIONS, Unit::Count, "Decisions of the gatekeeper by verdict");
    describe_counter!(
        ACTS,
        Unit::Count,
        "Acts of people by what they were and whether they were carried out"
    );
    describe_counter!(ROUTES, Unit::Count, "Series forecast, by who answered and why");
    describe_gauge!(MODEL_AGE, Unit::Seconds, "Age of the incumbent: since when it is in use");
    describe_gauge!(
        SCHEDULER_LAG,
        Unit::Seconds,
        "How long after its tick the newest train job was published"
    );
    describe_counter!(ISSUED_DROPPED, Unit::Count, "Forecasts given out that the history will not know of");
}

pub(crate) fn decided(model: &ModelName, verdict: &'static str) {
    counter!(DECISIONS, "model" => model.to_string(), "verdict" => verdict).increment(1);
}

pub(crate) fn acted(model: &ModelName, act: &'static str, is_done: bool) {
    let outcome = if is_done { "done" } else { "refused" };
    counter!(ACTS, "model" => model.to_string(), "act" => act, "outcome" => outcome).increment(1);
}

pub(crate) fn answered(reply: &ForecastReply) {
    let ForecastReply::Answered { model, forecasts, .. } = reply else { return };
    for forecast in forecasts {
        let reason = forecast.reason.as_ref().map_or_else(|| "none".to_owned(), wire_name);
        let route = wire_name(&forecast.route);
        counter!(ROUTES, "model" => model.clone(), "route" => route, "reason" => reason).increment(1);
    }
}

pub(crate) fn in_use(model: &ModelName, since: Timestamp, now: Timestamp) {
    gauge!(MODEL_AGE, "model" => model.to_string()).set(seconds(now.duration_since(since)));
}

pub(crate) fn scheduled(tick: Timestamp, now: Timestamp) {
    gauge!(SCHEDULER_LAG).set(seconds(now.duration_since(tick)));
}

pub(crate) fn issued_dropped(forecasts: usize) {
    counter!(ISSUED_DROPPED).increment(forecasts as u64);
}

fn seconds(time: SignedDuration) -> f64 {
    time.as_secs_f64().max(0.0)
}
