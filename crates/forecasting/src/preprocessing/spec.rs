//! Which features, over which spans, for which series.

use super::{
    Clock, Feature, HolidayFeature,
    calendar::{DAY, WEEK},
    stored_spec::need_holidays,
};
use crate::{
    holidays::HolidayCalendar,
    names::SeriesId,
    series::{Covariates, Grid},
};

/// The features of one model, in the order of its columns, with everything that turns them into numbers.
/// It travels inside the artifact, so that a forecaster computes exactly what the learner saw; how it is written
/// there stands in `stored_spec.rs`.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSpec {
    /// The columns.
    pub features: Vec<Feature>,
    /// The series of the training data, in ascending order.
    pub series: Vec<SeriesId>,
    /// Length of a step on a day without clock change, in minutes.
    pub step_minutes: u32,
    /// The recent level of a series is the mean size of its values over this many newest known steps.
    pub level_steps: u32,
    /// Values arrive this late: the newest steps before an origin are taken as unknown.
    pub delay_steps: u32,
    /// The days that features of holidays are about: as they were known when the model was fitted, for ever.
    pub holidays: Option<HolidayCalendar>,
}

/// A feature specification that no learner here writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("feature specification: {problem}")]
pub struct InvalidFeatures {
    problem: &'static str,
}

/// More features, or longer spans, than any model here has: bounds the work for a row from outside.
pub(crate) const MOST_FEATURES: usize = 256;
/// Further series are forecast like those that training did not see.
pub(crate) const MOST_SERIES: usize = 250_000;
const MOST_SPAN_MINUTES: i64 = 100 * WEEK;

impl FeatureSpec {
    /// The features for series on `grid`; time of year only where training saw a year (`knows_year`),
    /// because under a year it could only be extrapolated.
    pub fn for_grid(grid: &Grid, series: Vec<SeriesId>, delay_steps: u32, knows_year: bool) -> Self {
        let step_minutes = grid.frequency().nominal().as_mins();
        let within_days = step_minutes < DAY;
        let mut features = vec![Feature::Series, Feature::Step, Feature::LogLevel, Feature::LevelTrend];
        features.extend([1, 2].map(Feature::EarlierLevel));
        features.extend([0, 1, 2, 3].map(Feature::SameTimeOfWeek));
        features.extend([Feature::ProfileMean, Feature::ProfileMedian, Feature::ProfileSpread]);
        features.extend([Feature::ProfileLowest, Feature::ProfileHighest]);
        if step_minutes <= DAY {
            features.extend((0..7).map(Feature::SameTimeOfDay));
            features.extend([Feature::DaysMean, Feature::SameKindOfDayMean, Feature::SameTimeDeviation]);
        }
        if within_days {
            features.extend([-1, 1].map(Feature::AroundSameTimeOfDay));
            features.push(Feature::DayOverWeekBefore);
        }
        features.extend((0..4).map(Feature::Newest));
        features.extend(deviation_spans(step_minutes).map(|steps| Feature::RecentDeviation { steps }));
        features.extend(clock_features(step_minutes, knows_year).into_iter().map(Feature::Clock));
        let level_minutes = if within_days { WEEK } else { 4 * WEEK.max(step_minutes) };
        Self {
            features,
            series,
            step_minutes: u32::try_from(step_minutes).expect("a step is at most a week"),
            level_steps: steps_in(level_minutes, step_minutes).into(),
            delay_steps,
            holidays: None,
        }
    }

    /// These features and those that are made of `covariates`: of each that is known in advance its number at
    /// the target and its recent mean, of a past-only one what was newest and usual, of a static attribute its
    /// number, or a column for each text that it says.
    #[must_use]
    pub fn with_covariates(mut self, covariates: &Covariates) -> Self {
        for name in covariates.known() {
            self.features.extend([Feature::Known(name.clone()), Feature::KnownRecently(name.clone())]);
        }
        for name in covariates.past() {
            self.features.extend([Feature::PastNewest(name.clone()), Feature::PastRecently(name.clone())]);
            if i64::from(self.step_minutes) < WEEK {
                self.features.push(Feature::PastSameTimeOfWeek(name.clone()));
            }
        }
        self.features.extend(covariates.attributes().into_iter().map(|(name, said)| match said {
            None => Feature::Attribute(name.clone()),
            Some(text) => Feature::AttributeIs(name.clone(), text.clone()),
        }));
        self
    }

    /// These features and those of holidays; of the year before only where training saw a year (`knows_year`).
    #[must_use]
    pub fn with_holidays(mut self, holidays: &HolidayCalendar, knows_year: bool) -> Self {
        let of_holidays = HolidayFeature::all(holidays, self.step_minutes.into(), knows_year);
        self.features.extend(of_holidays.into_iter().map(Feature::Holiday));
        self.holidays = Some(holidays.clone());
        self
    }

    /// Whether any feature is made of a covariate.
    pub fn needs_covariates(&self) -> bool {
        self.features.iter().any(|feature| feature.covariate().is_some())
    }

    /// The column of the feature with this name, as features are displayed.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.features.iter().position(|feature| feature.to_string() == name)
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.features.len()
    }

    /// The fewest steps before an origin, counted from the first known value, that make a forecast worth
    /// more than the fallback's: one level span, and the delay.
    pub fn required_steps(&self) -> usize {
        (self.level_steps + self.delay_steps) as usize
    }

    /// The steps before an origin that features can reach; what lies further back changes nothing.
    pub fn liked_steps(&self) -> usize {
        // Five weeks of profile behind the deviation of a week, a day for clock changes; or four level spans.
        let deviation = self.features.iter().map(|feature| match feature {
            Feature::RecentDeviation { steps } => i64::from(*steps),
            _ => 0,
        });
        let step = i64::from(self.step_minutes);
        let profile = deviation.max().unwrap_or(0).max(WEEK / step + 1) + (5 * WEEK + DAY) / step + 1;
        let levels = 4 * i64::from(self.level_steps);
        let year = self.features.iter().map(|feature| match feature {
            Feature::Holiday(holiday) => holiday.reach_days() * DAY / step + 1,
            _ => 0,
        });
        let reach = profile.max(levels).max(year.max().unwrap_or(0)) + i64::from(self.delay_steps) + 8;
        usize::try_from(reach).expect("spans are positive and bounded")
    }

    /// Checks what computing a row relies on.
    pub(crate) fn validate(&self) -> Result<(), InvalidFeatures> {
        let refuse = |problem| Err(InvalidFeatures { problem });
        let step = i64::from(self.step_minutes);
        if self.features.is_empty() || self.features.len() > MOST_FEATURES {
            return refuse("must have 1 to 256 features");
        }
        if !(1..=WEEK).contains(&step) {
            return refuse("a step must be a minute to a week long");
        }
        let most_steps = MOST_SPAN_MINUTES / step;
        if self.level_steps < 1 || i64::from(self.level_steps) > most_steps {
            return refuse("the level must be taken over one step to 100 weeks");
        }
        if i64::from(self.delay_steps) > most_steps {
            return refuse("the delay must be at most 100 weeks");
        }
        if need_holidays(&self.features) && self.holidays.is_none() {
            return refuse("features of holidays need their days");
        }
        if let Some(Err(problem)) = self.holidays.as_ref().map(HolidayCalendar::validate) {
            return refuse(problem);
        }
        if self.series.windows(2).any(|pair| pair[0] >= pair[1]) {
            return refuse("series must be in ascending order, each once");
        }
        Ok(())
    }
}

/// Within days: 3 hours to a week. From days on: 2 to 28 steps.
fn deviation_spans(step_minutes: i64) -> impl Iterator<Item = u16> {
    let mut spans: Vec<u16> = if step_minutes < DAY {
        [180, 360, DAY, 3 * DAY, WEEK].map(|minutes| steps_in(minutes, step_minutes)).to_vec()
    } else {
        vec![2, 4, 7, 14, 28]
    };
    spans.dedup();
    spans.into_iter()
}

fn clock_features(step_minutes: i64, knows_year: bool) -> Vec<Clock> {
    let mut clocks = Vec::new();
    if step_minutes < DAY {
        clocks.extend([Clock::HourOfDay, Clock::HourOfWeek]);
    }
    if step_minutes < WEEK {
        clocks.push(Clock::DayOfWeek);
    }
    if knows_year {
        clocks.extend(
            [1, 2].into_iter().flat_map(|periods| [Clock::YearSine(periods), Clock::YearCosine(periods)]),
        );
    }
    clocks
}

fn steps_in(minutes: i64, step_minutes: i64) -> u16 {
    u16::try_from((minutes / step_minutes).max(1)).expect("four weeks of minutes are under 65,536 steps")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holidays::HolidayRegion;

    fn spec(frequency: &str) -> FeatureSpec {
        let grid = Grid::new(frequency.parse().expect("is a frequency"), "UTC").expect("is a zone");
        FeatureSpec::for_grid(&grid, Vec::new(), 0, false)
    }

    #[test]
    fn every_frequency_has_its_features_each_once() {
        for frequency in ["PT1M", "PT15M", "PT1H", "PT12H", "P1D", "P2D", "P7D"] {
            let spec = spec(frequency);
            assert_eq!(spec.validate(), Ok(()), "{frequency}");
            let mut names: Vec<String> = spec.features.iter().map(ToString::to_string).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), spec.width(), "{frequency}");
            assert!(spec.required_steps() <= spec.liked_steps());
        }
    }

    #[test]
    fn an_hourly_model_needs_a_week_and_likes_six() {
        let hourly = spec("PT1H");
        assert_eq!(hourly.required_steps(), 168);
        assert!((6 * 168..7 * 168).contains(&hourly.liked_steps()), "{}", hourly.liked_steps());
    }

    #[test]
    fn with_holidays_a_model_that_knows_a_year_likes_one() {
        let holidays = HolidayRegion::new("NZ-AUK").expect("is known");
        for (frequency, of_year) in
            [("PT1M", false), ("PT15M", true), ("PT1H", true), ("P1D", true), ("P7D", false)]
        {
            let plain = spec(frequency);
            for knows_year in [false, true] {
                let with = plain.clone().with_holidays(holidays.calendar(), knows_year);
                assert_eq!(with.validate(), Ok(()), "{frequency}");
                assert_eq!(with.required_steps(), plain.required_steps(), "{frequency}");
                let further = with.liked_steps() > plain.liked_steps();
                assert_eq!(further, of_year && knows_year, "{frequency}");
                let days = with.liked_steps() * plain.step_minutes as usize / 1440;
                assert!(!further || (430..445).contains(&days), "{frequency}: {days} days");
            }
        }
    }

    #[test]
    fn a_specification_from_outside_is_bounded() {
        let mut features = spec("PT1H");
        features.features = vec![Feature::Step; 257];
        assert!(features.validate().is_err());
        let mut step = spec("PT1H");
        step.step_minutes = 0;
        assert!(step.validate().is_err());
        let mut delay = spec("PT1H");
        delay.delay_steps = u32::MAX;
        assert!(delay.validate().is_err());
        let mut level = spec("PT1H");
        level.level_steps = u32::MAX;
        assert!(level.validate().is_err());
        let mut series = spec("PT1H");
        series.series = vec![SeriesId::new("b").expect("is an id"), SeriesId::new("a").expect("is an id")];
        assert!(series.validate().is_err());
        let mut holidays = spec("PT1H");
        holidays.features.push(Feature::Holiday(HolidayFeature::Name));
        assert!(holidays.validate().is_err(), "without its days");
    }
}
