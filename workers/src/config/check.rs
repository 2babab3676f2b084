//! Values that cannot work are refused at the start.

use std::{fmt::Display, net::SocketAddr, ops::RangeInclusive, time::Duration};

use super::{Config, ConfigError, PartUrl, Retention};

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_urls()?;
        at_least_one("trainer.slots", self.trainer.slots)?;
        at_least_one("forecaster.prefetch", self.forecaster.prefetch)?;
        let second = Duration::from_secs(1);
        let within_a_day = second..=Duration::from_hours(24);
        let grace = Duration::ZERO..=Duration::from_hours(1);
        duration("forecaster.poll", self.forecaster.poll, &(second..=Duration::MAX), "must be at least 1s")?;
        duration("runner.grace", self.runner.grace, &grace, "must be at most 1h")?;
        for (key, limit) in [
            ("trainer.time_limit", self.trainer.time_limit),
            ("gatekeeper.time_limit", self.gatekeeper.time_limit),
        ] {
            duration(key, limit, &within_a_day, "must be between 1s and 24h")?;
        }
        let Retention { forecasts_issued_days, handled_messages_days, scored_rows_days, artifacts_days } =
            self.retention;
        for (key, days) in [
            ("retention.forecasts_issued_days", forecasts_issued_days),
            ("retention.handled_messages_days", handled_messages_days),
            ("retention.scored_rows_days", scored_rows_days),
            ("retention.artifacts_days", artifacts_days),
        ] {
            if !(1..=36_600).contains(&days) {
                return Err(refused(key, days, "must be between 1 and 36600"));
            }
        }
        let listen = &self.health.listen;
        if !listen.is_empty() && listen.parse::<SocketAddr>().is_err() {
            return Err(refused("health.listen", listen, "must be an address such as 127.0.0.1:9464"));
        }
        let share = self.traces.share;
        if !(0.0..=1.0).contains(&share) {
            return Err(refused("traces.share", share, "must be between 0 and 1"));
        }
        Ok(())
    }

    fn check_urls(&self) -> Result<(), ConfigError> {
        let stored = "must be sqlite:FILE or postgres://user:password@host/database";
        let databases = ["sqlite", "postgres", "postgresql"];
        url(
            "broker.url",
            &self.broker.url,
            &["sqlite", "amqp", "amqps"],
            "must be sqlite:FILE, amqp://user:password@host/vhost or amqps://…",
        )?;
        url("registry.url", &self.registry.url, &databases, stored)?;
        url("history.url", &self.history.url, &databases, stored)?;
        url("artifacts.url", &self.artifacts.url, &["file"], "must be file:FOLDER")?;
        if !self.cache.url.is_empty() {
            let problem = "must be redis://host, rediss://host or empty";
            url("cache.url", &self.cache.url, &["redis", "rediss"], problem)?;
        }
        if self.traces.are_on() {
            let problem = "must be http://host:4317, https://host:4317 or empty";
            url("traces.url", &self.traces.url, &["http", "https"], problem)?;
        }
        Ok(())
    }
}

fn url(key: &'static str, url: &PartUrl, schemes: &[&str], problem: &'static str) -> Result<(), ConfigError> {
    let is_file = ["sqlite", "file"].contains(&url.scheme());
    let is_complete = is_file || url.rest().starts_with("//");
    if schemes.contains(&url.scheme()) && is_complete && !url.rest().trim_start_matches('/').is_empty() {
        return Ok(());
    }
    Err(ConfigError::Value { key, value: url.shown_in_errors(), problem })
}

fn at_least_one(key: &'static str, value: u16) -> Result<(), ConfigError> {
    if value == 0 { Err(refused(key, value, "must be at least 1")) } else { Ok(()) }
}

fn duration(
    key: &'static str,
    value: Duration,
    allowed: &RangeInclusive<Duration>,
    problem: &'static str,
) -> Result<(), ConfigError> {
    if allowed.contains(&value) { Ok(()) } else { Err(refused(key, format!("{value:?}"), problem)) }
}

fn refused(key: &'static str, value: impl Display, problem: &'static str) -> ConfigError {
    ConfigError::Value { key, value: value.to_string(), problem }
}
