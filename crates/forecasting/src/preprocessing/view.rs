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
            Feature::Holiday(HolidayFeature::InLevel) => self.holidays_in_level(),
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

    /// The mean of [`Self::holidays_in`] over the span of the recent level, looked up once a day.
    fn holidays_in_level(&self) -> f64 {
        let (mut looked_up, mut holidays) = (None, f64::NAN);
        mean_of(self.level_span(self.known).map(|step| {
            let day = self.view.calendar.day(step);
            if looked_up.replace(day) != Some(day) {
                holidays = self.holidays_in(Some(step));
            }
            holidays
        }))
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
mod tests;
