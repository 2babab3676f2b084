//! A view gives each feature what it says, and nothing from after the origin.

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
        let grid = Grid::new(frequency.parse().expect("is a frequency"), "Europe/Berlin").expect("is a zone");
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
    let of = |holiday: HolidayFeature, step| cell_and_amount(&history, &Feature::Holiday(holiday), step).0;
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
