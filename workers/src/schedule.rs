//! When a model's train jobs are due: cron lines in a time zone. Pure.

use std::str::FromStr as _;

use croner::Cron;
use forecasting::{names::ModelName, spec::Schedule};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use uuid::Uuid;

/// A schedule that was checked.
#[derive(Debug, Clone)]
pub struct CheckedSchedule {
    cron: Cron,
    time_zone: TimeZone,
    catch_up_within: Option<SignedDuration>,
}

/// What becomes of a tick that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Its train job is to be published.
    Now(Timestamp),
    /// It was missed for longer than the schedule makes up for.
    TooLate(Timestamp),
}

/// Why a schedule cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schedule.{field} {value:?}: {problem}")]
pub struct InvalidSchedule {
    field: &'static str,
    value: String,
    problem: String,
}

impl CheckedSchedule {
    /// Checks a schedule.
    ///
    /// # Errors
    /// [`InvalidSchedule`] names the field and its value.
    pub fn new(schedule: &Schedule) -> Result<Self, InvalidSchedule> {
        let invalid =
            |field, value: &str, problem: String| InvalidSchedule { field, value: value.to_owned(), problem };
        let cron =
            Cron::from_str(&schedule.cron).map_err(|e| invalid("cron", &schedule.cron, e.to_string()))?;
        let time_zone = TimeZone::get(&schedule.time_zone)
            .map_err(|e| invalid("time_zone", &schedule.time_zone, e.to_string()))?;
        Ok(Self { cron, time_zone, catch_up_within: schedule.catch_up_within })
    }

    /// The first tick after `after`; none if the line never comes true again.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.to_zoned(self.time_zone.clone());
        self.cron.find_next_occurrence(&after, false).ok().map(|tick| tick.timestamp())
    }

    /// What becomes of the newest tick in `(last, now]`. Of several that were missed only this one counts:
    /// its train job sees all that the older ones would have seen.
    pub fn due(&self, last: Timestamp, now: Timestamp) -> Option<Due> {
        let newest = self.newest(now).filter(|newest| *newest > last)?;
        let age = newest.duration_until(now);
        let too_late = self.catch_up_within.is_some_and(|within| age > within);
        Some(if too_late { Due::TooLate(newest) } else { Due::Now(newest) })
    }

    /// The newest tick that is not after `now`.
    fn newest(&self, now: Timestamp) -> Option<Timestamp> {
        // Where clocks are set back, a look backwards finds another of the two equal hours than one forwards.
        // Only what is found forwards is a tick, from a start so early that no doubled hour is cut in two.
        let zoned = now.to_zoned(self.time_zone.clone());
        let near = self.cron.find_previous_occurrence(&zoned, true).ok()?.timestamp();
        let mut newest = self.next(near.checked_sub(SignedDuration::from_hours(26)).ok()?)?;
        while let Some(next) = self.next(newest).filter(|next| *next <= now) {
            newest = next;
        }
        (newest <= now).then_some(newest)
    }
}

/// The id of the train job of one tick. It depends on nothing else, so that any number of schedulers
/// make one job.
pub fn job_id(model: &ModelName, tick: Timestamp) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("gatecast train-job {model} {tick}").as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nightly(time_zone: &str) -> CheckedSchedule {
        checked(time_zone, None)
    }

    fn checked(time_zone: &str, catch_up_within: Option<SignedDuration>) -> CheckedSchedule {
        let schedule = Schedule { cron: "30 2 * * *".into(), time_zone: time_zone.into(), catch_up_within };
        CheckedSchedule::new(&schedule).expect("a good schedule")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time stamp")
    }

    #[test]
    fn a_tick_is_due_once() {
        let schedule = nightly("UTC");
        let last = at("2026-01-01T03:00:00Z");
        assert_eq!(schedule.due(last, at("2026-01-02T02:29:59Z")), None);
        assert_eq!(
            schedule.due(last, at("2026-01-02T02:30:00Z")),
            Some(Due::Now(at("2026-01-02T02:30:00Z")))
        );
        assert_eq!(schedule.due(at("2026-01-02T02:30:00Z"), at("2026-01-02T09:00:00Z")), None);
    }

    #[test]
    fn of_several_missed_ticks_the_newest_is_due() {
        let schedule = nightly("UTC");
        let due = schedule.due(at("2026-01-01T03:00:00Z"), at("2026-01-09T12:00:00Z"));
        assert_eq!(due, Some(Due::Now(at("2026-01-09T02:30:00Z"))));
    }

    #[test]
    fn a_tick_that_was_missed_for_too_long_is_not_made_up_for() {
        let schedule = checked("UTC", Some(SignedDuration::from_hours(6)));
        let tick = at("2026-01-09T02:30:00Z");
        let due = |now| schedule.due(at("2026-01-01T03:00:00Z"), at(now));
        assert_eq!(due("2026-01-09T08:30:00Z"), Some(Due::Now(tick)));
        assert_eq!(due("2026-01-09T08:30:01Z"), Some(Due::TooLate(tick)));
        assert_eq!(due("2026-01-10T02:30:00Z"), Some(Due::Now(at("2026-01-10T02:30:00Z"))));
    }

    /// Four days around each change of the clocks.
    #[test]
    fn looking_back_finds_the_ticks_that_looking_ahead_announced() {
        let day = SignedDuration::from_hours(24);
        for zone in ["Pacific/Auckland", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"] {
            let changes = TimeZone::get(zone).expect("a zone");
            let changes: Vec<_> = changes.following(at("2026-01-01T00:00:00Z")).take(2).collect();
            for cron in
                ["30 2 * * *", "30 1 * * *", "45 1 * * *", "0 0 * * *", "15 */3 * * *", "*/20 * * * *"]
            {
                let schedule = Schedule { cron: cron.into(), time_zone: zone.into(), catch_up_within: None };
                let schedule = CheckedSchedule::new(&schedule).expect("a good schedule");
                for change in &changes {
                    let mut now = change.timestamp() - day * 2;
                    let mut tick = schedule.next(now - day).expect("never ends");
                    while now < change.timestamp() + day * 2 {
                        while let Some(next) = schedule.next(tick).filter(|next| *next <= now) {
                            tick = next;
                        }
                        assert_eq!(schedule.newest(now), Some(tick), "{cron} in {zone} at {now}");
                        now += SignedDuration::from_mins(7);
                    }
                }
            }
        }
    }

    #[test]
    fn every_night_has_one_tick_across_a_year_of_daylight_saving() {
        for zone in ["Pacific/Auckland", "America/New_York", "Europe/Berlin", "UTC"] {
            let schedule = nightly(zone);
            let (mut now, mut nights) = (at("2025-01-01T12:00:00Z"), 0);
            while let Some(tick) = schedule.next(now).filter(|tick| *tick < at("2026-01-01T12:00:00Z")) {
                (now, nights) = (tick, nights + 1);
            }
            assert_eq!(nights, 365, "{zone}");
        }
    }

    #[test]
    fn a_schedule_that_cannot_be_followed_names_its_field() {
        let check = |cron: &str, zone: &str, expected: &str| {
            let schedule = Schedule { cron: cron.into(), time_zone: zone.into(), catch_up_within: None };
            let error = CheckedSchedule::new(&schedule).expect_err("must be refused").to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check("sometimes", "UTC", "schedule.cron \"sometimes\":");
        check("0 2 * * *", "Mars/Olympus", "schedule.time_zone \"Mars/Olympus\":");
    }

    #[test]
    fn two_schedulers_make_one_job() {
        let model = ModelName::new("m").expect("a name");
        let tick = at("2026-01-02T02:30:00Z");
        assert_eq!(job_id(&model, tick), job_id(&model, tick));
        assert_ne!(job_id(&model, tick), job_id(&model, at("2026-01-03T02:30:00Z")));
    }
}
