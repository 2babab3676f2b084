//! From values, covariates and a calendar to rows of numbers.

use std::ops::Range;

use super::{
    Calendar, Clock, CovariateColumns, Feature, FeatureSpec, HolidayFeature,
    calendar::{DAY, WEEK},
    statistics::{mean, mean_of, median, spread},
};
use crate::{holidays::HolidayCalendar, names::SeriesId};

/// One series as a learner or a forecaster sees it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What to compute.
    pub spec: &'a FeatureSpec,
    /// The wall clock of the values and of the targets after them.
    pub calendar: &'a Calendar,
    /// The values, `NaN` where unknown; those at and after an origin are not looked at.
    pub values: &'a [f64],
    /// What is known besides, with its first step at the first of the values.
    pub covariates: &'a CovariateColumns<'a>,
    /// Place of the series in [`FeatureSpec::series`].
    pub place: Option<usize>,
}

impl<'a> View<'a> {
    /// What is known at `origin`, the index of the first step to forecast; `None` without a single value
    /// in the newest four level spans, because then nothing can be said relative to a level.
    pub fn at_origin(self, origin: usize) -> Option<OriginView<'a>> {
        let known = origin.checked_sub(self.spec.delay_steps as usize)?.min(self.values.len());
        let mut at_origin = OriginView { view: self, origin, known, level: f64::NAN, fixed: Vec::new() };
        at_origin.level = at_origin.recent_level()?;
        let fixed = (0..self.spec.width()).map(|column| at_origin.fixed_value(column).map(cell));
        at_origin.fixed = fixed.collect();
        Some(at_origin)
    }
}

impl FeatureSpec {
    /// The place of a series among those that training saw.
    pub fn place(&self, series: &SeriesId) -> Option<usize> {
        self.series.binary_search(series).ok()
    }
}

/// One series as known at one origin.
#[derive(Debug, Clone)]
pub struct OriginView<'a> {
    view: View<'a>,
    origin: usize,
    /// Values before this index are known.
    known: usize,
    level: f64,
    /// The features that are the same for every step; `None` for the others.
    fixed: Vec<Option<f32>>,
}

/// The values at the same time of earlier weeks and days, seen from one target.
struct Target {
    index: usize,
    weeks: [f64; 5],
    days: [f64; 7],
    /// How many days before the target the newest known day lies.
    days_ago: i64,
}

impl OriginView<'_> {
    /// The recent level, in the unit of the values: what amounts are divided by. 0 only where every recent
    /// value is 0.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// Fills `row` with the features of the target `step` steps after the origin (the first is step 0).
    ///
    /// The calendar must reach that far, and `row` must be [`FeatureSpec::width`] long.
    pub fn fill_row(&self, step: usize, row: &mut [f32]) {
        let target = self.target(self.origin + step);
        for (column, (slot, &fixed)) in row.iter_mut().zip(&self.fixed).enumerate() {
            *slot = fixed.unwrap_or_else(|| cell(self.target_value(column, step, &target)));
        }
    }

    fn fixed_value(&self, column: usize) -> Option<f64> {
        Some(match self.view.spec.features[column] {
            Feature::Series => self.view.place.map_or(f64::NAN, |place| place as f64),
            Feature::LogLevel => self.level.max(f64::MIN_POSITIVE).ln(),
            Feature::LevelTrend => self.level / self.size_of_newest(0, 4 * self.level_steps()),
            Feature::EarlierLevel(spans) => {
                let level_steps = self.level_steps();
                self.amount(self.size_of_newest(usize::from(spans) * level_steps, level_steps))
            }
            Feature::Newest(n) => self.amount(self.newest(usize::from(n))),
            Feature::RecentDeviation { steps } => self.amount(self.recent_deviation(steps.into())),
            Feature::DayOverWeekBefore => self.day_over_week_before(),
            Feature::KnownRecently(_) => {
                mean_of(self.level_span(self.origin).map(|step| self.view.covariates.at(column, step)))
            }
            Feature::PastNewest(_) => {
                let mut newest = self.level_span(self.known).rev().map(|step| self.past(column, Some(step)));
                newest.find(|number| !number.is_nan()).unwrap_or(f64::NAN)
            }
            Feature::PastRecently(_) => {
                mean_of(self.level_span(self.known).map(|step| self.past(column, Some(step))))
            }
            Feature::Attribute(_) | Feature::AttributeIs(..) => self.view.covariates.at(column, self.origin),
            Feature::Holiday(HolidayFeature::InLevel) => {
                mean_of(self.level_span(self.known).map(|step| self.holidays_in(Some(step))))
            }
            _ => return None,
        })
    }

    fn target_value(&self, column: usize, step: usize, target: &Target) -> f64 {
        match &self.view.spec.features[column] {
            Feature::Step => (step + 1) as f64,
            Feature::SameTimeOfWeek(week) => {
                self.amount(*target.weeks.get(usize::from(*week)).unwrap_or(&f64::NAN))
            }
            Feature::ProfileMean => self.amount(mean(&target.weeks[..4])),
            Feature::ProfileMedian => self.amount(median(target.weeks)),
            Feature::ProfileSpread => self.amount(spread(&target.weeks)),
            // `f64::min` and `max` skip missing values.
            Feature::ProfileLowest => self.amount(target.weeks.iter().copied().fold(f64::NAN, f64::min)),
            Feature::ProfileHighest => self.amount(target.weeks.iter().copied().fold(f64::NAN, f64::max)),
            Feature::SameTimeOfDay(day) => {
                self.amount(*target.days.get(usize::from(*day)).unwrap_or(&f64::NAN))
            }
            Feature::AroundSameTimeOfDay(steps) => {
                let around = self.newest_day(target).and_then(|day| day.checked_add_signed((*steps).into()));
                self.amount(self.value(around))
            }
            Feature::DaysMean => self.amount(mean(&target.days)),
            Feature::SameKindOfDayMean => self.amount(self.same_kind_of_day_mean(target)),
            Feature::SameTimeDeviation => self.amount(self.same_time_deviation(target)),
            Feature::Clock(clock) => self.clock(*clock, target.index),
            Feature::Known(_) => self.view.covariates.at(column, target.index),
            Feature::PastSameTimeOfWeek(_) => {
                let mut weeks = self.view.calendar.newest_same_times(target.index, self.known, WEEK);
                self.past(column, weeks.next().flatten())
            }
            Feature::Holiday(holiday) => {
                let holidays = self.view.spec.holidays.as_ref();
                holidays.map_or(f64::NAN, |holidays| self.holiday(holiday, holidays, target))
            }
            _ => f64::NAN,
        }
    }

    fn holiday(&self, feature: &HolidayFeature, holidays: &HolidayCalendar, target: &Target) -> f64 {
        let calendar = self.view.calendar;
        let weeks = || calendar.newest_same_times(target.index, self.known, WEEK);
        match feature {
            HolidayFeature::OnSameTimeOfWeek(week) => self.holidays_in(weeks().nth((*week).into()).flatten()),
            HolidayFeature::InProfile => mean_of(weeks().take(4).map(|step| self.holidays_in(step))),
            HolidayFeature::SameLastYear => self.amount(self.value(self.same_holiday(holidays, target))),
            HolidayFeature::SameLastYearOverProfile => {
                let same = self.same_holiday(holidays, target);
                same.map_or(f64::NAN, |index| self.value(Some(index)) / self.profile(index))
            }
            of_day => of_day.on(calendar.day(target.index), holidays, calendar.step_minutes()),
        }
    }

    /// How many days of a step are holidays: 0 or 1 where it is not longer than a day.
    fn holidays_in(&self, step: Option<usize>) -> f64 {
        let (calendar, holidays) = (self.view.calendar, self.view.spec.holidays.as_ref());
        holidays.zip(step).map_or(f64::NAN, |(holidays, step)| {
            HolidayFeature::OnDay(0).on(calendar.day(step), holidays, calendar.step_minutes())
        })
    }

    /// The step with the target's wall-clock time on the day of the same holiday of the year before.
    fn same_holiday(&self, holidays: &HolidayCalendar, target: &Target) -> Option<usize> {
        let day = self.view.calendar.day(target.index);
        let (holiday, days_after) = HolidayFeature::nearest(day, holidays)?;
        let then = holidays.year_before(holiday)? + days_after;
        self.view.calendar.back(target.index, (day - then) * DAY)
    }

    /// The only way to a value: nothing at or after the origin, or not arrived by then, can be read.
    fn value(&self, index: Option<usize>) -> f64 {
        match index {
            Some(index) if index < self.known => self.view.values[index],
            _ => f64::NAN,
        }
    }

    /// The only way to a number of a past-only covariate: it arrives as late as the values do.
    fn past(&self, column: usize, step: Option<usize>) -> f64 {
        match step {
            Some(step) if step < self.known => self.view.covariates.at(column, step),
            _ => f64::NAN,
        }
    }

    /// The steps of one level span before `end`.
    fn level_span(&self, end: usize) -> Range<usize> {
        end.saturating_sub(self.level_steps())..end
    }

    fn amount(&self, value: f64) -> f64 {
        if self.level > 0.0 { value / self.level } else { 0.0 * value }
    }

    fn level_steps(&self) -> usize {
        self.view.spec.level_steps as usize
    }

    /// The mean size of the newest values; no less than a twentieth of the mean size over four times that
    /// span, so that a closed week does not turn ratios into explosions.
    fn recent_level(&self) -> Option<f64> {
        let recent = self.size_of_newest(0, self.level_steps());
        let longer = self.size_of_newest(0, 4 * self.level_steps());
        let level = recent.max(longer / 20.0);
        level.is_finite().then_some(level)
    }

    /// Mean of the absolute values of `steps` steps, `skip` steps before the newest known one.
    fn size_of_newest(&self, skip: usize, steps: usize) -> f64 {
        let end = self.known.saturating_sub(skip);
        let start = end.saturating_sub(steps);
        let sizes = self.view.values[start..end].iter().map(|value| value.abs());
        mean_of(sizes)
    }

    fn newest(&self, n: usize) -> f64 {
        self.value(self.known.checked_sub(n + 1))
    }

    fn recent_deviation(&self, steps: usize) -> f64 {
        let start = self.known.saturating_sub(steps);
        mean_of((start..self.known).map(|index| self.deviation(index)))
    }

    /// How far a known value is above its weekly profile.
    fn deviation(&self, index: usize) -> f64 {
        self.value(Some(index)) - self.profile(index)
    }

    /// The mean of the same time in the four weeks before a step.
    fn profile(&self, index: usize) -> f64 {
        let weeks = [1, 2, 3, 4].map(|week| self.value(self.view.calendar.back(index, week * WEEK)));
        mean(&weeks)
    }

    fn day_over_week_before(&self) -> f64 {
        let day_steps = (1440 / self.view.spec.step_minutes).max(1) as usize;
        let newest = self.known.saturating_sub(day_steps)..self.known;
        let week_before = newest.clone().map(|index| self.value(self.view.calendar.back(index, WEEK)));
        mean_of(newest.map(|index| self.value(Some(index)))) / mean_of(week_before)
    }

    fn target(&self, index: usize) -> Target {
        let calendar = self.view.calendar;
        let mut weeks = [f64::NAN; 5];
        for (step, value) in calendar.newest_same_times(index, self.known, WEEK).zip(&mut weeks) {
            *value = self.value(step);
        }
        let days_ago = calendar.newest_before(index, self.known, DAY);
        let mut days = [f64::NAN; 7];
        for (step, value) in calendar.newest_same_times(index, self.known, DAY).zip(&mut days) {
            *value = self.value(step);
        }
        Target { index, weeks, days, days_ago }
    }

    fn newest_day(&self, target: &Target) -> Option<usize> {
        self.view.calendar.back(target.index, target.days_ago * DAY)
    }

    fn same_time_deviation(&self, target: &Target) -> f64 {
        self.newest_day(target).map_or(f64::NAN, |day| self.deviation(day))
    }

    fn same_kind_of_day_mean(&self, target: &Target) -> f64 {
        let weekday = self.view.calendar.day_of_week(target.index);
        let weekend = self.view.calendar.is_weekend(target.index);
        let same_kind = (target.days_ago..).zip(target.days).filter(|(days_ago, _)| {
            let was_weekend = (weekday - days_ago).rem_euclid(7) >= 5;
            was_weekend == weekend
        });
        mean_of(same_kind.map(|(_, value)| value))
    }

    fn clock(&self, clock: Clock, index: usize) -> f64 {
        let calendar = self.view.calendar;
        let hour_of_day = || calendar.minute_of_day(index) as f64 / 60.0;
        let turns = |periods: u8| std::f64::consts::TAU * f64::from(periods) * calendar.share_of_year(index);
        match clock {
            Clock::HourOfDay => hour_of_day(),
            Clock::DayOfWeek => calendar.day_of_week(index) as f64,
            Clock::HourOfWeek => 24.0 * calendar.day_of_week(index) as f64 + hour_of_day(),
            Clock::YearSine(periods) => turns(periods).sin(),
            Clock::YearCosine(periods) => turns(periods).cos(),
        }
    }
}

/// What cannot be divided is missing.
#[expect(
    clippy::cast_possible_truncation,
    reason = "features are single precision on purpose: half the memory"
)]
fn cell(value: f64) -> f32 {
    let value = value as f32;
    if value.is_finite() { value } else { f32::NAN }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        holidays::HolidayRegion,
        names::{AttributeText, CovariateName},
        series::{Attribute, Covariates, Grid, SeriesCovariates},
    };

    const HORIZON: usize = 30;

    #[derive(Debug)]
    struct History {
        spec: FeatureSpec,
        grid: Grid,
        start: Timestamp,
        values: Vec<f64>,
        covariates: SeriesCovariates,
    }

    fn covariate(name: &str) -> CovariateName {
        CovariateName::new(name).expect("is a name")
    }

    impl History {
        fn new(frequency: &str, delay_steps: u32, values: Vec<f64>) -> Self {
            let grid =
                Grid::new(frequency.parse().expect("is a frequency"), "Europe/Berlin").expect("is a zone");
            let start = grid.start_of_day("2025-01-20T12:00:00Z".parse().expect("is a time"), 0);
            let series = vec![SeriesId::new("a").expect("is an id")];
            let spec = FeatureSpec::for_grid(&grid, series, delay_steps, true);
            let berlin = HolidayRegion::new("DE-BE").expect("is known");
            let spec = spec.with_holidays(berlin.calendar(), true);
            Self { spec, grid, start, values, covariates: SeriesCovariates::none(start) }
        }

        /// With features of covariates that begin `steps` before the values (after, if negative).
        fn beside(mut self, covariates: SeriesCovariates, steps: i64) -> Self {
            self.covariates = SeriesCovariates { start: self.grid.advance(self.start, -steps), ..covariates };
            let of_a = [(self.spec.series[0].clone(), self.covariates.clone())];
            self.spec = self.spec.with_covariates(&Covariates::new(of_a.into()));
            self
        }

        /// The bits of every feature of every step, seen from `origin` with `values` from step `from` on.
        fn rows(&self, from: usize, values: &[f64], origin: usize) -> Option<Vec<u32>> {
            let start = self.grid.advance(self.start, i64::try_from(from).expect("is small"));
            let calendar = Calendar::new(&self.grid, start, origin - from + HORIZON);
            let columns = CovariateColumns::of(&self.spec, &self.covariates, &self.grid, start);
            let view =
                View { spec: &self.spec, calendar: &calendar, values, covariates: &columns, place: Some(0) };
            let at_origin = view.at_origin(origin - from)?;
            let mut rows = vec![0.0_f32; HORIZON * self.spec.width()];
            for (step, row) in rows.chunks_exact_mut(self.spec.width()).enumerate() {
                at_origin.fill_row(step, row);
            }
            // Missing is missing, whatever its sign bit.
            Some(rows.iter().map(|cell| if cell.is_nan() { u32::MAX } else { cell.to_bits() }).collect())
        }
    }

    /// Histories of 500 to 2,000 steps with gaps and zeros, across a clock change where steps are hours, beside
    /// covariates of both kinds that begin and end elsewhere.
    fn any_history() -> impl Strategy<Value = History> {
        let frequencies = prop::sample::select(vec!["PT30M", "PT1H", "PT6H", "P1D", "P2D", "P7D"]);
        let value = || prop_oneof![8 => 0.0_f64..1e4, 1 => Just(f64::NAN), 1 => Just(0.0)];
        let numbers = prop::collection::vec((value(), value()), 400..2200);
        let history = (frequencies, 0_u32..60, prop::collection::vec(value(), 500..2000));
        (history, numbers, -50_i64..50).prop_map(|((frequency, delay, values), numbers, steps)| {
            let (known, past) = numbers.into_iter().unzip();
            let covariates = SeriesCovariates {
                known: [(covariate("price"), known)].into(),
                past: [(covariate("visits"), past)].into(),
                ..SeriesCovariates::none(Timestamp::UNIX_EPOCH)
            };
            History::new(frequency, delay, values).beside(covariates, steps)
        })
    }

    /// The same with other numbers of past-only covariates from a step of the values on.
    fn other_past(history: &History, from: usize, numbers: &[f64]) -> SeriesCovariates {
        let before = history.grid.steps_between(history.covariates.start, history.start);
        let first = i64::try_from(from).expect("is small") + before.expect("are on one grid");
        let first = usize::try_from(first).unwrap_or(0);
        let mut covariates = history.covariates.clone();
        for column in covariates.past.values_mut() {
            column.iter_mut().skip(first).zip(numbers).for_each(|(number, other)| *number = *other);
        }
        covariates
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn nothing_at_or_after_the_origin_changes_a_feature(
            history in any_history(), part in 0.1_f64..1.0, scrambled in prop::collection::vec(-1e9_f64..1e9, 2000)
        ) {
            let origin = place(part, history.values.len());
            let known = origin.saturating_sub(history.spec.delay_steps as usize);
            let mut other = history.values.clone();
            other[known..].copy_from_slice(&scrambled[known..history.values.len()]);
            let rows = history.rows(0, &history.values, origin);
            let covariates = other_past(&history, known, &scrambled);
            let history = History { covariates, ..history };
            prop_assert_eq!(rows, history.rows(0, &other, origin));
        }

        #[test]
        fn what_lies_further_back_than_liked_changes_no_feature(history in any_history(), part in 0.1_f64..1.0) {
            let origin = place(part, history.values.len());
            let from = origin.saturating_sub(history.spec.liked_steps());
            let newest = history.rows(from, &history.values[from..], origin);
            prop_assert_eq!(history.rows(0, &history.values, origin), newest);
        }

        #[test]
        fn a_series_twice_as_large_looks_the_same_but_for_its_level(history in any_history(), part in 0.1_f64..1.0) {
            let origin = place(part, history.values.len());
            let doubled: Vec<f64> = history.values.iter().map(|value| 2.0 * value).collect();
            let log_level = history.spec.features.iter().position(|feature| *feature == Feature::LogLevel);
            let without_level = |rows: Option<Vec<u32>>| rows.map(|rows| {
                let width = history.spec.width();
                let other = |(cell, _): &(usize, u32)| Some(cell % width) != log_level;
                rows.into_iter().enumerate().filter(other).map(|(_, bits)| bits).collect::<Vec<_>>()
            });
            prop_assert_eq!(
                without_level(history.rows(0, &history.values, origin)),
                without_level(history.rows(0, &doubled, origin))
            );
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
    fn place(part: f64, len: usize) -> usize {
        (part * len as f64) as usize
    }

    /// Hour of the week + 1000 × week, so that every value says where it comes from; week 5 begins at 840.
    fn numbered_hours() -> History {
        let values = (0..840).map(|hour| f64::from(hour % 168) + 1000.0 * f64::from(hour / 168)).collect();
        History::new("PT1H", 0, values)
    }

    /// The feature as it is and multiplied by the level, as an amount is meant.
    fn cell_and_amount(history: &History, feature: &Feature, step: usize) -> (f64, f64) {
        let calendar = Calendar::new(&history.grid, history.start, history.values.len() + HORIZON);
        let columns = CovariateColumns::of(&history.spec, &history.covariates, &history.grid, history.start);
        let view = View {
            spec: &history.spec,
            calendar: &calendar,
            values: &history.values,
            covariates: &columns,
            place: Some(0),
        };
        let at_origin = view.at_origin(history.values.len()).expect("has a level");
        let mut row = vec![0.0; history.spec.width()];
        at_origin.fill_row(step, &mut row);
        let column = history.spec.features.iter().position(|other| other == feature);
        let cell = f64::from(row[column.expect("is a feature")]);
        (cell, cell * at_origin.level())
    }

    fn feature(history: &History, feature: &Feature, step: usize) -> f64 {
        cell_and_amount(history, feature, step).1
    }

    #[test]
    fn features_are_what_their_names_say() {
        let history = numbered_hours();
        // The history begins and ends on Monday 0:00; step 3 is Monday 3:00.
        let cases = [
            (Feature::SameTimeOfWeek(0), 4003.0),
            (Feature::SameTimeOfWeek(3), 1003.0),
            (Feature::ProfileMean, 2503.0),
            (Feature::ProfileMedian, 2003.0),
            (Feature::ProfileLowest, 3.0),
            (Feature::ProfileHighest, 4003.0),
            (Feature::ProfileSpread, 2_000_000.0_f64.sqrt()),
            (Feature::SameTimeOfDay(0), 4000.0 + 147.0),
            (Feature::AroundSameTimeOfDay(-1), 4000.0 + 146.0),
            (Feature::SameTimeOfDay(6), 4003.0),
            (Feature::DaysMean, 4000.0 + 3.0 + 72.0),
            // Monday to Friday: without Saturday (123) and Sunday (147).
            (Feature::SameKindOfDayMean, 4000.0 + 3.0 + 48.0),
            (Feature::SameTimeDeviation, 4000.0 - 1500.0),
            (Feature::Newest(0), 4167.0),
            (Feature::Newest(3), 4164.0),
            (Feature::RecentDeviation { steps: 24 }, 4000.0 - 1500.0),
            (Feature::EarlierLevel(1), 3000.0 + 83.5),
        ];
        for (name, expected) in cases {
            let found = feature(&history, &name, 3);
            assert!((found - expected).abs() < 0.01, "{name}: {found} instead of {expected}");
        }
        for (name, expected) in [(Feature::Step, 4.0), (Feature::Clock(Clock::HourOfWeek), 3.0)] {
            let level = 4083.5;
            assert!((feature(&history, &name, 3) / level - expected).abs() < 1e-6, "{name}");
        }
    }

    #[test]
    fn features_of_covariates_are_what_their_names_say() {
        // Hour 840 is the origin; covariates begin two hours before the values.
        let hours = |from: i32, until: i32| (from..until).map(f64::from).collect::<Vec<f64>>();
        let mut visits = hours(-2, 870);
        visits[2 + 839] = f64::NAN;
        let says = |text: &str| Attribute::Text(AttributeText::new(text).expect("is a text"));
        let covariates = SeriesCovariates {
            known: [(covariate("price"), hours(-2, 870))].into(),
            past: [(covariate("visits"), visits)].into(),
            attributes: [(covariate("size"), Attribute::Number(7.0)), (covariate("region"), says("north"))]
                .into(),
            ..SeriesCovariates::none(Timestamp::UNIX_EPOCH)
        };
        let mut history = numbered_hours().beside(covariates, 2);
        let south = AttributeText::new("south").expect("is a text");
        history.spec.features.push(Feature::AttributeIs(covariate("region"), south));
        history.spec.features.push(Feature::Known(covariate("nothing")));
        let names: Vec<String> = history.spec.features.iter().map(ToString::to_string).collect();
        let of = |name: &str| names.iter().position(|other| other == name).expect(name);
        for (name, expected) in [
            ("known-price", 843.0),
            ("known-price-recently", 839.0 - 83.5),
            ("past-visits-newest", 838.0),
            ("past-visits-recently", 838.0 - 83.0),
            ("past-visits-same-time-of-week", 843.0 - 168.0),
            ("static-size", 7.0),
            ("static-region-is-north", 1.0),
            ("static-region-is-south", 0.0),
            ("known-nothing", f64::NAN),
        ] {
            let found = cell_and_amount(&history, &history.spec.features[of(name)], 3).0;
            assert!(found == expected || (found.is_nan() && expected.is_nan()), "{name}: {found}");
        }
    }

    #[test]
    fn the_same_holiday_of_the_year_before_is_found_across_calendars_and_clocks() {
        // From 2025-01-20 to the morning of 2026-04-05, Easter Sunday.
        let history = History::new("PT1H", 0, (0..440 * 24 + 5).map(f64::from).collect());
        let step = |time: &str| {
            let steps = history.grid.steps_between(history.start, time.parse().expect("is a time"));
            usize::try_from(steps.expect("is on the grid")).expect("is later")
        };
        for (target, then) in [
            // Two days after Good Friday and one before Easter Monday: the nearer one counts.
            ("2026-04-05T18:00:00+02:00", "2025-04-20T18:00:00+02:00"),
            ("2026-04-06T09:00:00+02:00", "2025-04-21T09:00:00+02:00"),
        ] {
            let same = Feature::Holiday(HolidayFeature::SameLastYear);
            let found = feature(&history, &same, step(target) - history.values.len());
            assert!((found - step(then) as f64).abs() < 1.0, "{target}: {found} instead of {then}");
            let over_profile = Feature::Holiday(HolidayFeature::SameLastYearOverProfile);
            let found = cell_and_amount(&history, &over_profile, step(target) - history.values.len()).0;
            // Values are hours since the start; the profile is 2.5 weeks older on average.
            let expected = step(then) as f64 / (step(then) as f64 - 2.5 * 168.0);
            assert!((found - expected).abs() < 0.01 * expected, "{target}: {found} instead of {expected}");
        }
    }

    #[test]
    fn what_was_learned_from_a_holiday_is_marked() {
        // Monday 2025-03-03 is the origin; Saturday the 8th is Women's Day in Berlin.
        let history = History::new("P1D", 0, (0..42).map(f64::from).collect());
        let of =
            |holiday: HolidayFeature, step| cell_and_amount(&history, &Feature::Holiday(holiday), step).0;
        let holidays = [2, 3, 4, 5, 6, 7].map(|step| of(HolidayFeature::OnDay(0), step).to_bits());
        assert_eq!(holidays, [0.0_f64, 0.0, 0.0, 1.0, 0.0, 0.0].map(f64::to_bits));
        assert_eq!(of(HolidayFeature::InProfile, 5).to_bits(), 0.0_f64.to_bits());
        let later = History::new("P1D", 0, (0..49).map(f64::from).collect());
        let of = |holiday: HolidayFeature| cell_and_amount(&later, &Feature::Holiday(holiday), 5).0;
        assert_eq!(of(HolidayFeature::OnSameTimeOfWeek(0)).to_bits(), 1.0_f64.to_bits());
        assert_eq!(of(HolidayFeature::InProfile).to_bits(), 0.25_f64.to_bits());
        assert!((of(HolidayFeature::InLevel) - 1.0 / 28.0).abs() < 1e-6);
    }

    #[test]
    fn gaps_are_skipped_in_means_and_missing_elsewhere() {
        let mut history = numbered_hours();
        history.values[4 * 168 + 3] = f64::NAN;
        assert!(feature(&history, &Feature::SameTimeOfWeek(0), 3).is_nan());
        assert!((feature(&history, &Feature::ProfileMean, 3) - 2003.0).abs() < 0.01, "of three weeks");
    }

    #[test]
    fn without_a_recent_value_there_is_no_level() {
        let mut values = vec![5.0; 100];
        values.extend([f64::NAN; 672]);
        let history = History::new("PT1H", 0, values);
        assert_eq!(history.rows(0, &history.values, 772), None);
        assert!(history.rows(0, &history.values, 771).is_some(), "the last value is four weeks old");
    }

    #[test]
    fn a_closed_week_does_not_make_ratios_explode() {
        let mut values = vec![100.0; 4 * 168];
        values[3 * 168..].fill(0.0);
        let history = History::new("PT1H", 0, values);
        let calendar = Calendar::new(&history.grid, history.start, 700);
        let columns = CovariateColumns::default();
        let view = View {
            spec: &history.spec,
            calendar: &calendar,
            values: &history.values,
            covariates: &columns,
            place: None,
        };
        let level = view.at_origin(672).expect("has a level").level();
        assert!((level - 75.0 / 20.0).abs() < 1e-9, "{level}");
    }
}
