//! The grid that the series of a dataset share: a frequency in a time zone.

use jiff::{
    SignedDuration, Span, Timestamp, Zoned,
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Serialize};

use super::Frequency;

/// Steps of one frequency in one time zone. A grid has no phase of its own: it is the grid *through* a
/// time stamp, usually the start of a series.
///
/// Steps of minutes are elapsed time, so a local day has 23 or 25 hourly steps when clocks change. Steps
/// of days run from the start of a local day to the start of another, whatever their length; time stamps
/// of such a grid are starts of local days.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "GridText", into = "GridText")]
pub struct Grid {
    frequency: Frequency,
    zone: TimeZone,
    zone_name: String,
}

/// The time zone is not in the IANA database that this build carries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("time zone {name:?} is not an IANA name such as Europe/Berlin or UTC")]
pub struct InvalidTimeZone {
    /// The name, cut to 60 characters.
    pub name: String,
}

/// A time stamp lies between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{at} is not on the grid of {frequency} steps through {through}")]
pub struct OffGrid {
    /// The time stamp between two steps.
    pub at: Timestamp,
    /// A step of the grid.
    pub through: Timestamp,
    /// The distance of two steps.
    pub frequency: Frequency,
}

impl Grid {
    /// A grid in a zone with an IANA name, or in `UTC`.
    pub fn new(frequency: Frequency, time_zone: &str) -> Result<Self, InvalidTimeZone> {
        let zone = self::time_zone(time_zone)?;
        // The database finds names in any case; the name that is stored and hashed is its own spelling.
        let zone_name = zone.iana_name().unwrap_or(time_zone).to_owned();
        Ok(Self { frequency, zone, zone_name })
    }

    /// The distance of two steps.
    pub fn frequency(&self) -> Frequency {
        self.frequency
    }

    /// The time zone whose days and clocks the grid follows.
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The IANA name of the time zone.
    pub fn time_zone_name(&self) -> &str {
        &self.zone_name
    }

    /// The step `steps` after `from` (before, if negative); clamped to what a time stamp can hold.
    ///
    /// On a grid of days the count begins at the local day that holds `from`.
    pub fn advance(&self, from: Timestamp, steps: i64) -> Timestamp {
        match self.frequency {
            Frequency::Minutes(minutes) => {
                let elapsed = SignedDuration::from_secs(steps.saturating_mul(60 * i64::from(minutes)));
                from.checked_add(elapsed).unwrap_or(extreme(steps))
            }
            Frequency::Days(days) => self.start_of_day(from, steps.saturating_mul(days.into())),
        }
    }

    /// How many steps lead from `from` to `to`; negative if `to` is earlier.
    ///
    /// # Errors
    /// [`OffGrid`] if `to` is not on the grid through `from`.
    pub fn steps_between(&self, from: Timestamp, to: Timestamp) -> Result<i64, OffGrid> {
        let steps = self.steps_up_to(from, to);
        if self.advance(from, steps) == to {
            return Ok(steps);
        }
        Err(OffGrid { at: to, through: from, frequency: self.frequency })
    }

    /// How many steps lead from `from` to the last step that is not after `at`.
    pub fn steps_up_to(&self, from: Timestamp, at: Timestamp) -> i64 {
        match self.frequency {
            Frequency::Minutes(minutes) => {
                let elapsed_ns = at.as_nanosecond() - from.as_nanosecond();
                let step_ns = 60_000_000_000 * i128::from(minutes);
                // Minutes between any two time stamps fit easily: they span 20,000 years.
                i64::try_from(elapsed_ns.div_euclid(step_ns)).expect("20,000 years of minutes fit in 64 bits")
            }
            Frequency::Days(days) => days_between(self.date(from), self.date(at)).div_euclid(days.into()),
        }
    }

    /// The last step of the grid through `through` that is not after `at`.
    pub fn floor(&self, through: Timestamp, at: Timestamp) -> Timestamp {
        self.advance(through, self.steps_up_to(through, at))
    }

    /// The first step of the grid through `through` that is not before `at`.
    pub fn ceil(&self, through: Timestamp, at: Timestamp) -> Timestamp {
        let steps = self.steps_up_to(through, at);
        let floor = self.advance(through, steps);
        if floor < at { self.advance(through, steps + 1) } else { floor }
    }

    /// The wall clock of the grid's zone.
    pub fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    /// The first instant of the local day `days` after the one that holds `at`; clamped like
    /// [`Grid::advance`]. Not always midnight: some zones change their clocks then.
    pub fn start_of_day(&self, at: Timestamp, days: i64) -> Timestamp {
        let span = Span::new().try_days(days).ok();
        let date = span.and_then(|days| self.date(at).checked_add(days).ok());
        date.and_then(|date| self.day_start(date)).unwrap_or(extreme(days))
    }

    /// Steps in a season: the fewest steps that make whole weeks (168 hours, 7 days, one 7-day step).
    pub fn steps_per_season(&self) -> usize {
        match self.frequency {
            Frequency::Minutes(minutes) => 7 * 1440 / usize::from(minutes),
            Frequency::Days(7) => 1,
            // 7 is prime: steps of 2 to 6 days meet the same weekday again after 7 of them.
            Frequency::Days(_) => 7,
        }
    }

    /// Steps between two forecast origins: a day of 24 hours, or one step if that is longer.
    pub fn steps_per_stride(&self) -> usize {
        self.frequency.steps_per_day().unwrap_or(1)
    }

    /// Strides that a horizon covers, at least 1: origins fewer strides apart share targets.
    pub fn strides_of(&self, horizon_steps: u32) -> u32 {
        let stride = u32::try_from(self.steps_per_stride()).expect("a day has at most 1440 steps");
        horizon_steps.div_ceil(stride).max(1)
    }

    /// Neighbouring origins that are drawn together where origins are resampled: those that a horizon covers, and those of
    /// seven days at least.
    pub fn strides_drawn_together(&self, horizon_steps: u32) -> u32 {
        let per_week = match self.frequency {
            Frequency::Minutes(_) => 7,
            Frequency::Days(days) => 7_u32.div_ceil(days.into()),
        };
        per_week.max(self.strides_of(horizon_steps))
    }

    fn date(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }

    fn day_start(&self, date: Date) -> Option<Timestamp> {
        // Midnight exists on nearly every day; `start_of_day` finds the first instant of the others.
        let midnight = self.zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
        if let Ok(timestamp) = midnight.unambiguous() {
            return Some(timestamp);
        }
        date.to_zoned(self.zone.clone()).ok()?.start_of_day().ok().map(|start| start.timestamp())
    }
}

fn extreme(direction: i64) -> Timestamp {
    if direction < 0 { Timestamp::MIN } else { Timestamp::MAX }
}

fn days_between(from: Date, to: Date) -> i64 {
    i64::from((to - from).get_days())
}

// The zone follows from its name.
impl PartialEq for Grid {
    fn eq(&self, other: &Self) -> bool {
        self.frequency == other.frequency && self.zone_name == other.zone_name
    }
}

impl Eq for Grid {}

/// The time zone with an IANA name, or `UTC`.
///
/// Only from the database in the binary: a verdict must replay to the bit on a machine whose own database
/// is older, newer or missing.
pub fn time_zone(name: &str) -> Result<TimeZone, InvalidTimeZone> {
    let refused = || InvalidTimeZone { name: name.chars().take(60).collect() };
    let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| refused())?;
    if zone.is_unknown() { Err(refused()) } else { Ok(zone) }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GridText {
    frequency: Frequency,
    time_zone: String,
}

impl TryFrom<GridText> for Grid {
    type Error = InvalidTimeZone;
    fn try_from(text: GridText) -> Result<Self, InvalidTimeZone> {
        Self::new(text.frequency, &text.time_zone)
    }
}

impl From<Grid> for GridText {
    fn from(grid: Grid) -> Self {
        Self { frequency: grid.frequency, time_zone: grid.zone_name }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("tests write time stamps")
    }

    fn grid(frequency: &str, zone: &str) -> Grid {
        Grid::new(frequency.parse().expect("tests write frequencies"), zone).expect("tests name zones")
    }

    #[test]
    fn hours_are_elapsed_time_across_a_clock_change() {
        let berlin = grid("PT1H", "Europe/Berlin");
        // 2025-03-30 has 23 hours in Berlin, 2025-10-26 has 25.
        let spring = at("2025-03-30T00:00:00+01:00");
        assert_eq!(berlin.steps_between(spring, at("2025-03-31T00:00:00+02:00")), Ok(23));
        let autumn = at("2025-10-26T00:00:00+02:00");
        assert_eq!(berlin.advance(autumn, 25), at("2025-10-27T00:00:00+01:00"));
    }

    #[test]
    fn days_run_from_local_midnight_to_local_midnight() {
        let berlin = grid("P1D", "Europe/Berlin");
        let before = at("2025-03-30T00:00:00+01:00");
        assert_eq!(berlin.advance(before, 1), at("2025-03-31T00:00:00+02:00"));
        assert_eq!(berlin.advance(before, -1), at("2025-03-29T00:00:00+01:00"));
        assert_eq!(berlin.steps_between(before, at("2025-10-27T00:00:00+01:00")), Ok(211));
        let weekly = grid("P7D", "Europe/Berlin");
        assert_eq!(weekly.advance(before, 1), at("2025-04-06T00:00:00+02:00"));
        assert!(weekly.steps_between(before, at("2025-04-05T00:00:00+02:00")).is_err());
    }

    #[test]
    fn a_day_without_a_midnight_starts_when_its_first_minute_does() {
        // Clocks in São Paulo went from 24:00 to 01:00 at the start of 2018-11-04.
        let daily = grid("P1D", "America/Sao_Paulo");
        let first = at("2018-11-03T00:00:00-03:00");
        let skipped_midnight = at("2018-11-04T01:00:00-02:00");
        assert_eq!(daily.advance(first, 1), skipped_midnight);
        assert_eq!(daily.advance(skipped_midnight, 1), at("2018-11-05T00:00:00-02:00"));
    }

    #[test]
    fn a_time_stamp_between_two_steps_is_named() {
        let hourly = grid("PT1H", "UTC");
        let through = at("2025-01-01T00:00:00Z");
        let off = hourly.steps_between(through, at("2025-01-01T05:00:01Z")).expect_err("is off by a second");
        let text = "2025-01-01T05:00:01Z is not on the grid of PT1H steps through 2025-01-01T00:00:00Z";
        assert_eq!(off.to_string(), text);
    }

    #[test]
    fn floor_and_ceil_meet_on_a_step_and_embrace_anything_else() {
        let quarters = grid("PT15M", "Asia/Kathmandu");
        let through = at("2025-01-01T00:00:00+05:45");
        let between = at("2024-12-31T23:50:00+05:45");
        assert_eq!(quarters.floor(through, between), at("2024-12-31T23:45:00+05:45"));
        assert_eq!(quarters.ceil(through, between), through);
        assert_eq!(quarters.floor(through, through), quarters.ceil(through, through));
    }

    #[test]
    fn a_season_is_whole_weeks() {
        for (frequency, steps) in [("PT15M", 672), ("PT1H", 168), ("P1D", 7), ("P2D", 7), ("P7D", 1)] {
            assert_eq!(grid(frequency, "UTC").steps_per_season(), steps, "{frequency}");
        }
    }

    #[test]
    fn an_unknown_zone_is_refused_and_a_known_one_gets_its_own_spelling() {
        assert!(Grid::new(Frequency::Days(1), "Mars/Olympus").is_err());
        assert!(Grid::new(Frequency::Days(1), "").is_err());
        assert_eq!(grid("P1D", "europe/berlin").time_zone_name(), "Europe/Berlin");
        assert_eq!(grid("P1D", "UTC").time_zone_name(), "UTC");
    }

    #[test]
    fn endless_steps_stop_at_the_last_time_stamp() {
        for frequency in ["PT1M", "P7D"] {
            let grid = grid(frequency, "Europe/Berlin");
            assert_eq!(grid.advance(Timestamp::UNIX_EPOCH, i64::MAX), Timestamp::MAX);
            assert_eq!(grid.advance(Timestamp::UNIX_EPOCH, i64::MIN), Timestamp::MIN);
        }
    }

    #[test]
    fn a_grid_survives_serialisation() {
        let lord_howe = grid("PT30M", "Australia/Lord_Howe");
        let json = serde_json::to_string(&lord_howe).expect("a grid is two texts");
        assert_eq!(json, r#"{"frequency":"PT30M","time_zone":"Australia/Lord_Howe"}"#);
        assert_eq!(serde_json::from_str::<Grid>(&json).expect("was just written"), lord_howe);
    }

    fn any_grid() -> impl Strategy<Value = Grid> {
        let frequencies = prop::sample::select(vec!["PT1M", "PT15M", "PT1H", "PT12H", "P1D", "P3D", "P7D"]);
        let zones =
            vec!["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu"];
        (frequencies, prop::sample::select(zones)).prop_map(|(frequency, zone)| grid(frequency, zone))
    }

    proptest! {
        #[test]
        fn counting_steps_undoes_advancing(
            grid in any_grid(), second in -2_000_000_000_i64..4_000_000_000, steps in -40_000_i64..40_000
        ) {
            let start = grid.start_of_day(Timestamp::from_second(second).expect("in range"), 0);
            let end = grid.advance(start, steps);
            prop_assert_eq!(grid.steps_between(start, end), Ok(steps));
            prop_assert_eq!(grid.advance(end, -steps), start);
        }

        #[test]
        fn floor_is_the_last_step_before(
            grid in any_grid(), second in -2_000_000_000_i64..4_000_000_000, away in -90_000_000_i64..90_000_000
        ) {
            let through = grid.start_of_day(Timestamp::from_second(second).expect("in range"), 0);
            let at = Timestamp::from_second(second + away).expect("in range");
            let floor = grid.floor(through, at);
            prop_assert!(floor <= at && at < grid.advance(floor, 1));
            prop_assert!(grid.steps_between(through, floor).is_ok());
            prop_assert_eq!(grid.ceil(through, floor), floor);
        }
    }
}
