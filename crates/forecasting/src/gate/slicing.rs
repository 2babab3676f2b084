//! Which rows are of which slice.
//!
//! A further kind of slice is a [`SliceName`], a key of the policy and a line in [`declared`].

use std::{collections::BTreeMap, ops::RangeInclusive};

use jiff::{Timestamp, ToSpan as _, civil::Date};

use super::{Slice, SliceName};
use crate::{
    evaluation::RowSet,
    holidays::{HolidayCalendar, HolidayRegion},
    names::{AttributeText, CovariateName, SeriesId},
    series::{Attribute, Covariates, Frequency, Grid},
    spec::{DatasetSpec, SlicePolicy},
};

/// What is known of the rows besides their values.
pub(super) struct Known<'a> {
    pub(super) dataset: &'a DatasetSpec,
    pub(super) covariates: &'a Covariates,
}

/// The slices of the policy. One without a point says that there is none.
pub(super) fn declared(rows: &RowSet<'_>, policy: &SlicePolicy, known: &Known<'_>) -> Vec<Slice> {
    let clocks = clocks(rows);
    let mut slices = if policy.series { of_series(rows) } else { Vec::new() };
    slices.extend(policy.attributes.iter().flat_map(|name| of_attribute(rows, known.covariates, name)));
    slices.extend(declared_by_clock(&clocks, policy));
    if policy.holidays {
        let calendar = known.dataset.holidays.as_ref().map(HolidayRegion::calendar);
        let days = step_days(&rows.frame().grid);
        let is_free =
            |clock: Clock| calendar.is_some_and(|calendar| holds_holiday(calendar, clock.date, days));
        slices.push(Slice { name: SliceName::Holidays, points: points(&clocks, is_free) });
    }
    slices
}

/// Those of the policy that a clock tells; `clocks` has one of each point.
pub(crate) fn declared_by_clock(clocks: &[Clock], policy: &SlicePolicy) -> Vec<Slice> {
    let mut slices = Vec::new();
    if policy.weekend {
        slices.push(Slice { name: SliceName::Weekend, points: points(clocks, Clock::is_weekend) });
    }
    if let Some([first, last]) = policy.peak_hours {
        let is_peak = |clock: Clock| within(clock.hour, first, last);
        slices.push(Slice { name: SliceName::PeakHours, points: points(clocks, is_peak) });
    }
    slices
}

/// Where a bad slice is searched: each series, weekends, and each three hours of the day.
pub(super) fn searched(rows: &RowSet<'_>) -> Vec<Slice> {
    searched_besides(of_series(rows), &clocks(rows), has_hours(&rows.frame().grid))
}

/// The same where the slices of series are made; `clocks` has one of each point.
pub(crate) fn searched_besides(of_series: Vec<Slice>, clocks: &[Clock], has_hours: bool) -> Vec<Slice> {
    let mut slices = of_series;
    slices.push(Slice { name: SliceName::Weekend, points: points(clocks, Clock::is_weekend) });
    if has_hours {
        slices.extend((0..24).step_by(3).map(|first| {
            let last = first + 2;
            let is_in = |clock: Clock| within(clock.hour, first, last);
            Slice { name: SliceName::Hours(first, last), points: points(clocks, is_in) }
        }));
    }
    slices.retain(|slice| !slice.points.is_empty());
    slices
}

/// Steps of days have no hours.
pub(crate) fn has_hours(grid: &Grid) -> bool {
    matches!(grid.frequency(), Frequency::Minutes(_))
}

/// Calendar days that a step begins or goes on in.
fn step_days(grid: &Grid) -> i64 {
    match grid.frequency() {
        Frequency::Minutes(_) => 1,
        Frequency::Days(days) => days.into(),
    }
}

fn holds_holiday(calendar: &HolidayCalendar, first: Date, days: i64) -> bool {
    (0..days).any(|later| calendar.on(first.saturating_add(later.days())).next().is_some())
}

/// From the first hour to the last, past midnight if the last is the smaller.
fn within(hour: u8, first: u8, last: u8) -> bool {
    let inside: RangeInclusive<u8> = first..=last;
    if first <= last { inside.contains(&hour) } else { hour >= first || hour <= last }
}

/// When a row's step begins, as people there say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) date: Date,
    pub(crate) hour: u8,
    /// 0 is Monday.
    pub(crate) weekday: u8,
}

impl Clock {
    pub(crate) fn of(step: Timestamp, grid: &Grid) -> Self {
        let local = grid.local(step);
        Self {
            date: local.date(),
            hour: local.hour().unsigned_abs(),
            weekday: local.weekday().to_monday_zero_offset().unsigned_abs(),
        }
    }

    pub(crate) fn is_weekend(self) -> bool {
        self.weekday >= 5
    }
}

/// One per row. All series share the steps of an origin, so each is looked up once.
fn clocks(rows: &RowSet<'_>) -> Vec<Clock> {
    let grid = &rows.frame().grid;
    let mut known = BTreeMap::new();
    let mut clock = |target| *known.entry(target).or_insert_with(|| Clock::of(target, grid));
    rows.rows().iter().map(|row| clock(row.target)).collect()
}

fn points(clocks: &[Clock], is_in: impl Fn(Clock) -> bool) -> Vec<u32> {
    let all = (0_u32..).zip(clocks);
    all.filter(|(_, clock)| is_in(**clock)).map(|(point, _)| point).collect()
}

fn of_series(rows: &RowSet<'_>) -> Vec<Slice> {
    let slice = |(id, points): (&SeriesId, _)| Slice { name: SliceName::Series(id.clone()), points };
    by_series(rows).into_iter().map(slice).collect()
}

/// The series that the attribute says the same of, in the order of what it says; those that it says nothing of first.
fn of_attribute(rows: &RowSet<'_>, covariates: &Covariates, name: &CovariateName) -> Vec<Slice> {
    let mut alike: BTreeMap<Option<AttributeText>, Vec<u32>> = BTreeMap::new();
    for (id, points) in by_series(rows) {
        alike.entry(said(covariates.of(id).attributes.get(name))).or_default().extend(points);
    }
    let slice = |(value, points)| Slice { name: SliceName::Attribute { name: name.clone(), value }, points };
    alike.into_iter().map(slice).collect()
}

/// A number is its own text; one that is none says nothing.
fn said(attribute: Option<&Attribute>) -> Option<AttributeText> {
    match attribute? {
        Attribute::Text(text) => Some(text.clone()),
        Attribute::Number(number) if number.is_finite() => AttributeText::new(number.to_string()).ok(),
        Attribute::Number(_) => None,
    }
}

/// The points of each series that has rows.
fn by_series<'a>(rows: &RowSet<'a>) -> Vec<(&'a SeriesId, Vec<u32>)> {
    let mut all: Vec<(&SeriesId, Vec<u32>)> = Vec::new();
    for (point, row) in (0_u32..).zip(rows.rows()) {
        let id = rows.series_of(row);
        match all.last_mut() {
            Some((last, points)) if *last == id => points.push(point),
            _ => all.push((id, vec![point])),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::{
        evaluation::holdout_origins,
        examples::{dataset, grid, history, id, start},
        names::DatasetName,
        series::{Frame, Series, SeriesCovariates},
    };

    /// Ten days from a Monday on, from the third day on.
    fn with_rows(check: impl Fn(&RowSet<'_>)) {
        let frame = history(10);
        let cut_off = grid().advance(grid().start_of_day(start(), 2), -1);
        let last = frame.last_target().expect("has values");
        let origins = holdout_origins(&frame.grid, cut_off, SignedDuration::ZERO, last, 24);
        check(&RowSet::new(&frame, origins, 24, SignedDuration::ZERO));
    }

    fn nothing_known(dataset: &DatasetSpec) -> Known<'_> {
        Known { dataset, covariates: Covariates::none() }
    }

    fn sizes(slices: &[Slice]) -> Vec<(String, usize)> {
        slices.iter().map(|slice| (slice.name.to_string(), slice.points.len())).collect()
    }

    #[test]
    fn slices_follow_the_clock_of_the_dataset() {
        with_rows(|rows| {
            let policy = SlicePolicy {
                series: true,
                weekend: true,
                peak_hours: Some([22, 1]),
                ..SlicePolicy::default()
            };
            let slices = declared(rows, &policy, &nothing_known(&dataset()));
            let expected = [
                ("series arcade", 8 * 24),
                ("series bridge", 8 * 24),
                ("series court", 8 * 24),
                ("weekends", 3 * 2 * 24),
                ("peak hours", 3 * 8 * 4),
            ];
            assert_eq!(sizes(&slices), expected.map(|(name, points)| (name.to_owned(), points)));
            let local = |point: &u32| rows.frame().grid.local(rows.rows()[*point as usize].target);
            assert!(slices[3].points.iter().all(|point| local(point).weekday().to_monday_zero_offset() > 4));
            assert!(slices[4].points.iter().all(|point| [22, 23, 0, 1].contains(&local(point).hour())));
        });
    }

    #[test]
    fn each_value_of_an_attribute_is_a_slice_and_so_are_the_series_without_one() {
        let attributes = |number: Option<f64>, text: Option<&str>| {
            let text = text.map(|text| Attribute::Text(AttributeText::new(text).expect("is a text")));
            let said = [("size", number.map(Attribute::Number)), ("city", text)].into_iter();
            let said = said.filter_map(|(name, said)| Some((covariate(name), said?)));
            SeriesCovariates { attributes: said.collect(), ..SeriesCovariates::none(start()) }
        };
        let covariates = Covariates::new(BTreeMap::from([
            (id("arcade"), attributes(Some(12.5), Some("Kiel"))),
            (id("bridge"), attributes(Some(f64::NAN), Some("Kiel"))),
        ]));
        with_rows(|rows| {
            let attributes = ["city", "size"].map(covariate).into();
            let policy = SlicePolicy { attributes, ..SlicePolicy::default() };
            let known = |covariates| declared(rows, &policy, &Known { dataset: &dataset(), covariates });
            let expected = [
                ("series without city", 8 * 24),
                ("city=Kiel", 2 * 8 * 24),
                ("series without size", 2 * 8 * 24),
                ("size=12.5", 8 * 24),
            ];
            let slices = known(&covariates);
            assert_eq!(sizes(&slices), expected.map(|(name, points)| (name.to_owned(), points)));
            let of = |point: &u32| rows.series_of(&rows.rows()[*point as usize]).as_str();
            assert!(slices[0].points.iter().all(|point| of(point) == "court"));
            // Declared, and nobody says it of any series.
            let nowhere = [("series without city", 3 * 8 * 24), ("series without size", 3 * 8 * 24)];
            assert_eq!(
                sizes(&known(Covariates::none())),
                nowhere.map(|(name, points)| (name.to_owned(), points))
            );
        });
    }

    fn covariate(name: &str) -> CovariateName {
        CovariateName::new(name).expect("is a name")
    }

    fn in_new_zealand(frequency: &str) -> DatasetSpec {
        let toml = "name = 'shops'\ntime_zone = 'Pacific/Auckland'\nholidays = 'NZ'";
        toml::from_str(&format!("{toml}\nfrequency = '{frequency}'")).expect("is a dataset")
    }

    /// The local dates of the rows on holidays, of a row per step from 2025-01-29 to the end of February.
    fn holidays(dataset: &DatasetSpec) -> Vec<String> {
        let grid = dataset.grid();
        let at = |text: &str| text.parse::<Timestamp>().expect("is a time");
        let (start, first) = (at("2025-01-27T00:00:00+13:00"), at("2025-01-29T00:00:00+13:00"));
        let end = at("2025-03-01T00:00:00+13:00");
        let steps = grid.steps_up_to(start, end);
        let values = vec![1.0; usize::try_from(steps).expect("goes forward")];
        let frame = Frame::new(grid, vec![Series { id: id("shop"), start, values }]).expect("one series");
        let origins =
            (0..steps).map(|step| frame.grid.advance(start, step)).filter(|origin| *origin >= first);
        let rows = RowSet::new(&frame, origins.collect(), 1, SignedDuration::ZERO);
        let policy = SlicePolicy { holidays: true, ..SlicePolicy::default() };
        let slices = declared(&rows, &policy, &nothing_known(dataset));
        let [slice] = slices.as_slice() else { panic!("{slices:?}") };
        assert_eq!(slice.name, SliceName::Holidays);
        let date = |point: &u32| frame.grid.local(rows.rows()[*point as usize].target).date().to_string();
        slice.points.iter().map(date).collect()
    }

    #[test]
    fn holidays_are_those_of_the_dataset_by_its_clock() {
        // Waitangi Day; as far as all of New Zealand has a day off.
        assert_eq!(holidays(&in_new_zealand("P1D")), ["2025-02-06"]);
        assert_eq!(holidays(&in_new_zealand("PT1H")), ["2025-02-06"; 24]);
        // A week that begins on a Monday and holds it.
        assert_eq!(holidays(&in_new_zealand("P7D")), ["2025-02-03"]);
        let name = DatasetName::new("elsewhere").expect("is a name");
        let nowhere = DatasetSpec { name, holidays: None, ..in_new_zealand("P1D") };
        assert_eq!(holidays(&nowhere), Vec::<String>::new(), "there is a slice, and no point in it");
    }

    #[test]
    fn nothing_is_declared_by_default_and_everything_is_searched() {
        with_rows(|rows| {
            assert_eq!(declared(rows, &SlicePolicy::default(), &nothing_known(&dataset())), []);
            let names: Vec<String> = sizes(&searched(rows)).into_iter().map(|(name, _)| name).collect();
            let expected = [
                "series arcade",
                "series bridge",
                "series court",
                "weekends",
                "hours 0 to 2",
                "hours 3 to 5",
                "hours 6 to 8",
                "hours 9 to 11",
                "hours 12 to 14",
                "hours 15 to 17",
                "hours 18 to 20",
                "hours 21 to 23",
            ];
            assert_eq!(names, expected);
        });
    }

    #[test]
    fn hours_may_reach_past_midnight() {
        let hours = |first, last| (0..24).filter(|&hour| within(hour, first, last)).collect::<Vec<u8>>();
        assert_eq!(hours(7, 9), [7, 8, 9]);
        assert_eq!(hours(22, 1), [0, 1, 22, 23]);
        assert_eq!(hours(5, 5), [5]);
    }
}
