//! What every [`History`] promises, as tests that any adapter runs: see [`history_contract!`](crate::history_contract).
//!
//! Each test gets an empty history that was opened twice, as by two processes (an adapter that cannot be
//! gives the same one twice).
//!
//! One long file: the whole contract can be read from top to bottom.

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

mod covariates;
mod messages;

use std::{sync::Arc, time::Duration};

use forecasting::{
    names::{DatasetName, ModelName, SeriesId},
    series::{Frequency, Grid},
};
use jiff::{SignedDuration, Timestamp};

pub use covariates::*;
pub use messages::*;

use crate::{History, IssuedForecast, MAX_STEPS, Observation, Range, ReadError, RecordError, Recorded};

/// Makes a test of every promise. `$open` is an async function that returns one empty history opened
/// twice, as two `Arc<dyn History>`, and something to keep until the test ends (its folder, its schema).
#[macro_export]
macro_rules! history_contract {
    ($open:path) => {
        $crate::history_contract!($open:
            what_is_known_already_changes_nothing
            a_correction_is_kept_beside_what_it_corrects
            a_correction_wins_even_if_the_clock_stood_still_or_went_back
            a_value_declared_missing_takes_back_the_one_before
            a_bad_batch_changes_nothing
            a_value_given_twice_counts_once
            a_read_gives_what_its_range_asks_for
            gaps_are_missing_values_and_ends_are_values
            days_follow_the_local_calendar
            values_of_one_batch_share_a_grid
            values_fit_the_grid_through_the_first_known_one
            an_earlier_step_on_the_same_grid_is_welcome
            days_that_do_not_begin_at_local_midnight_are_refused
            a_series_is_never_too_long_to_be_read
            a_stray_value_can_be_taken_back
            what_does_not_fit_the_grid_is_named
            a_stray_time_stamp_does_not_fill_the_memory
            datasets_do_not_touch
            coverage_counts_values_as_of_an_instant
            values_come_back_to_the_bit
            zero_has_no_sign
            the_newest_value_is_the_last_one_that_was_not_taken_back
            the_revision_grows_with_news_only
            the_same_changes_at_another_time_are_another_revision
            recorders_that_race_lose_nothing
            a_forecast_is_recorded_once
            forecasts_come_back_latest_first
            a_forecast_without_a_number_is_refused
            a_message_is_recorded_once
            a_bad_message_spoils_no_other
            what_is_forgotten_is_gone_and_nothing_else
            covariates_come_back_as_they_are_declared
            a_number_of_a_covariate_is_corrected_and_never_overwritten
            a_static_attribute_is_corrected_and_never_overwritten
            a_missing_number_says_nothing
            what_is_declared_and_was_never_recorded_is_missing
            covariates_are_no_values
            values_and_covariates_are_recorded_together_or_not_at_all
            covariates_lie_on_the_grid_of_their_values
            a_series_of_which_nothing_is_said_is_not_there
            a_range_cuts_covariates_as_it_cuts_values
        );
    };
    ($open:path: $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let (first, second, _keep) = $crate::contract::or_hangs($open()).await;
                $crate::contract::or_hangs($crate::contract::$promise(first, second)).await;
            }
        )*
    };
}

/// A promise that is not kept may show by waiting for ever.
pub async fn or_hangs<T>(promise: impl Future<Output = T>) -> T {
    let kept = tokio::time::timeout(Duration::from_mins(1), promise).await;
    kept.expect("it ends")
}

fn dataset() -> DatasetName {
    DatasetName::new("pedestrians").expect("is a name")
}

fn series(id: &str) -> SeriesId {
    SeriesId::new(id).expect("is an id")
}

fn every(minutes: u16) -> Grid {
    Grid::new(Frequency::Minutes(minutes), "UTC").expect("UTC is known")
}

fn daily() -> Grid {
    Grid::new(Frequency::Days(1), "Europe/Berlin").expect("is a zone")
}

fn hourly() -> Grid {
    every(60)
}

/// Hour `n` of what is observed.
fn hour(n: i64) -> Timestamp {
    "2025-01-01T00:00:00Z".parse::<Timestamp>().expect("is a timestamp") + SignedDuration::from_hours(n)
}

/// Minute `n` of those who record, long after.
fn minute(n: i64) -> Timestamp {
    "2025-06-01T12:00:00Z".parse::<Timestamp>().expect("is a timestamp") + SignedDuration::from_mins(n)
}

fn observed(id: &str, n: i64, y: f64) -> Observation {
    Observation { series: series(id), ds: hour(n), y }
}

fn known_at(as_of: Timestamp) -> Range {
    Range { as_of: Some(as_of), ..Range::default() }
}

async fn record(history: &dyn History, observations: &[Observation], at: Timestamp) -> Recorded {
    history.record(&dataset(), &hourly(), observations, at).await.expect("can be recorded")
}

/// Why a batch is refused; it must have changed nothing.
async fn refusal(history: &dyn History, grid: &Grid, observations: &[Observation]) -> RecordError {
    let state = async || {
        let coverage = history.coverage(&dataset(), None).await.expect("can be read");
        (coverage, history.revision(&dataset()).await.expect("can be read"))
    };
    let before = state().await;
    let recorded = history.record(&dataset(), grid, observations, minute(100)).await;
    assert_eq!(state().await, before);
    recorded.expect_err("is refused")
}

/// A value `minutes` after hour `n`.
fn late(id: &str, n: i64, minutes: i64) -> Observation {
    Observation { ds: hour(n) + SignedDuration::from_mins(minutes), ..observed(id, n, 1.0) }
}

#[track_caller]
fn is_off_grid(refusal: &RecordError, off: &Observation, through: Timestamp) {
    let named = matches!(refusal, RecordError::OffGrid { series, source }
                         if *series == off.series && source.at == off.ds && source.through == through);
    assert!(named, "{refusal:?}");
}

/// Each series that was read: its id, the hour it starts at, its values, `None` where missing.
type Read = Vec<(String, i64, Vec<Option<f64>>)>;

async fn read(history: &dyn History, range: &Range) -> Read {
    let frame = history.read(&dataset(), &hourly(), range).await.expect("can be read");
    let series = frame.series.into_iter().map(|series| {
        let start = hourly().steps_between(hour(0), series.start).expect("on the grid");
        let values = series.values.into_iter().map(|y| (!y.is_nan()).then_some(y));
        (series.id.to_string(), start, values.collect())
    });
    series.collect()
}

/// One series "a" from hour 0 on.
fn only(values: &[f64]) -> Read {
    vec![("a".to_owned(), 0, values.iter().copied().map(Some).collect())]
}

const fn told(new: u64, corrected: u64, unchanged: u64) -> Recorded {
    Recorded { new, corrected, unchanged }
}

pub async fn what_is_known_already_changes_nothing(history: Arc<dyn History>, _: Arc<dyn History>) {
    let both = [observed("a", 0, 1.0), observed("a", 1, 2.0)];
    assert_eq!(record(&*history, &both, minute(0)).await, told(2, 0, 0));
    assert_eq!(record(&*history, &both, minute(1)).await, told(0, 0, 2));
    let more = [observed("a", 1, 2.0), observed("a", 2, 3.0), observed("b", 0, 9.0)];
    assert_eq!(record(&*history, &more, minute(2)).await, told(2, 0, 1));
    assert_eq!(read(&*history, &known_at(minute(1))).await, only(&[1.0, 2.0]));
}

pub async fn a_correction_is_kept_beside_what_it_corrects(h: Arc<dyn History>, _: Arc<dyn History>) {
    record(&*h, &[observed("a", 0, 1.0), observed("a", 1, 2.0)], minute(0)).await;
    assert_eq!(record(&*h, &[observed("a", 1, 5.0)], minute(10)).await, told(0, 1, 0));
    assert_eq!(record(&*h, &[observed("a", 1, 2.0)], minute(20)).await, told(0, 1, 0));
    assert_eq!(read(&*h, &known_at(minute(-1))).await, vec![]);
    assert_eq!(read(&*h, &known_at(minute(0))).await, only(&[1.0, 2.0]));
    assert_eq!(read(&*h, &known_at(minute(9))).await, only(&[1.0, 2.0]));
    assert_eq!(read(&*h, &known_at(minute(10))).await, only(&[1.0, 5.0]));
    assert_eq!(read(&*h, &Range::default()).await, only(&[1.0, 2.0]));
}

pub async fn a_correction_wins_even_if_the_clock_stood_still_or_went_back(
    history: Arc<dyn History>,
    _: Arc<dyn History>,
) {
    record(&*history, &[observed("a", 0, 1.0)], minute(5)).await;
    assert_eq!(record(&*history, &[observed("a", 0, 2.0)], minute(5)).await, told(0, 1, 0));
    assert_eq!(record(&*history, &[observed("a", 0, 3.0)], minute(0)).await, told(0, 1, 0));
    assert_eq!(read(&*history, &Range::default()).await, only(&[3.0]));
    assert_eq!(read(&*history, &known_at(minute(5))).await, only(&[1.0]), "what was read stays");
    let a_microsecond_later = minute(5) + SignedDuration::from_micros(1);
    assert_eq!(read(&*history, &known_at(a_microsecond_later)).await, only(&[2.0]));
    assert_eq!(read(&*history, &known_at(minute(6))).await, only(&[3.0]));
}

pub async fn a_value_declared_missing_takes_back_the_one_before(h: Arc<dyn History>, _: Arc<dyn History>) {
    let missing = [observed("a", 1, f64::NAN)];
    record(&*h, &[observed("a", 0, 1.0), observed("a", 1, 2.0)], minute(0)).await;
    assert_eq!(record(&*h, &missing, minute(1)).await, told(0, 1, 0));
    assert_eq!(record(&*h, &missing, minute(2)).await, told(0, 0, 1));
    assert_eq!(read(&*h, &Range::default()).await, only(&[1.0]));
    assert_eq!(read(&*h, &known_at(minute(0))).await, only(&[1.0, 2.0]));
    record(&*h, &[observed("a", 1, 4.0)], minute(3)).await;
    assert_eq!(read(&*h, &Range::default()).await, only(&[1.0, 4.0]));
}

pub async fn a_bad_batch_changes_nothing(history: Arc<dyn History>, _: Arc<dyn History>) {
    let infinite = [observed("a", 0, 1.0), observed("b", 3, f64::NEG_INFINITY)];
    let refused = refusal(&*history, &hourly(), &infinite).await;
    let named = matches!(&refused, RecordError::NotFinite { series, ds }
                         if series.as_str() == "b" && *ds == hour(3));
    assert!(named, "{refused:?}");
    let contradiction = [observed("b", 0, 1.0), observed("a", 7, 2.0), observed("a", 7, 3.0)];
    let refused = refusal(&*history, &hourly(), &contradiction).await;
    let text = "series a is given twice at 2025-01-01T07:00:00Z: as 2 and as 3";
    assert_eq!(refused.to_string(), text);
    assert_eq!(read(&*history, &Range::default()).await, vec![]);
    assert_eq!(history.revision(&dataset()).await.expect("can be read"), 0);
}

pub async fn a_value_given_twice_counts_once(history: Arc<dyn History>, _: Arc<dyn History>) {
    let twice = [observed("a", 1, f64::NAN), observed("a", 0, 1.0), observed("a", 1, f64::NAN)];
    assert_eq!(record(&*history, &twice, minute(0)).await, told(2, 0, 1));
    assert_eq!(read(&*history, &Range::default()).await, only(&[1.0]));
}

pub async fn a_read_gives_what_its_range_asks_for(history: Arc<dyn History>, _: Arc<dyn History>) {
    let a = (0..10).map(|n| observed("a", n, n as f64));
    let b = (0..10).map(|n| observed("b", n, 10.0));
    record(&*history, &a.chain(b).collect::<Vec<_>>(), minute(0)).await;
    let range = Range {
        series: Some(vec![series("nobody"), series("a")]),
        from: Some(hour(3)),
        until: Some(hour(5)),
        as_of: None,
    };
    let expected = vec![("a".to_owned(), 3, vec![Some(3.0), Some(4.0)])];
    assert_eq!(read(&*history, &range).await, expected, "from the start on, before the end");
    let none = Range { series: Some(vec![]), ..Range::default() };
    assert_eq!(read(&*history, &none).await, vec![]);
    let backwards = Range { from: Some(hour(5)), until: Some(hour(3)), ..Range::default() };
    assert_eq!(read(&*history, &backwards).await, vec![]);
}

pub async fn gaps_are_missing_values_and_ends_are_values(h: Arc<dyn History>, _: Arc<dyn History>) {
    let b = [(2, f64::NAN), (3, 1.0), (5, 2.0), (6, f64::NAN)].map(|(n, y)| observed("b", n, y));
    record(&*h, &b, minute(0)).await;
    record(&*h, &[observed("c", 0, f64::NAN), observed("a", 0, 7.0)], minute(0)).await;
    let expected =
        vec![("a".to_owned(), 0, vec![Some(7.0)]), ("b".to_owned(), 3, vec![Some(1.0), None, Some(2.0)])];
    assert_eq!(read(&*h, &Range::default()).await, expected);
}

pub async fn days_follow_the_local_calendar(history: Arc<dyn History>, _: Arc<dyn History>) {
    let midnights = ["2025-03-29T00:00+01:00", "2025-03-30T00:00+01:00", "2025-03-31T00:00+02:00"];
    let days = midnights.map(|midnight| Observation {
        series: series("a"),
        ds: midnight.parse().expect("is a timestamp"),
        y: 1.0,
    });
    let berlin = daily();
    for days in [&days[2..], &days] {
        history.record(&dataset(), &berlin, days, minute(0)).await.expect("are midnights");
    }
    let frame = history.read(&dataset(), &berlin, &Range::default()).await.expect("can be read");
    assert_eq!(frame.grid, berlin);
    assert_eq!(frame.series[0].values, [1.0, 1.0, 1.0], "the second day has 23 hours");
}

pub async fn values_of_one_batch_share_a_grid(history: Arc<dyn History>, _: Arc<dyn History>) {
    let off = late("b", 3, 30);
    let batch = [observed("a", 0, 1.0), off.clone(), observed("b", 1, 1.0), observed("b", 5, 1.0)];
    is_off_grid(&refusal(&*history, &hourly(), &batch).await, &off, hour(1));
    assert_eq!(read(&*history, &Range::default()).await, vec![]);
    // Series need not share a phase.
    record(&*history, &[observed("a", 0, 1.0), late("b", 1, 30), late("b", 2, 30)], minute(0)).await;
    assert_eq!(history.coverage(&dataset(), None).await.expect("can be read").map(|all| all.rows), Some(3));
}

pub async fn values_fit_the_grid_through_the_first_known_one(one: Arc<dyn History>, other: Arc<dyn History>) {
    record(&*one, &[observed("a", 2, 1.0), observed("a", 3, 1.0), observed("b", 0, 1.0)], minute(0)).await;
    for off in [late("a", 7, 1), late("a", 0, 59), late("a", 2, 30)] {
        let batch = [observed("a", 4, 1.0), observed("b", 1, 1.0), off.clone()];
        is_off_grid(&refusal(&*other, &hourly(), &batch).await, &off, hour(2));
    }
    let alone = late("a", 7, 30);
    let refused = refusal(&*other, &hourly(), std::slice::from_ref(&alone)).await;
    is_off_grid(&refused, &alone, hour(2));
    assert_eq!(refused.to_string(), "series a does not fit the dataset's grid");
    assert_eq!(record(&*other, &[observed("a", 4, 1.0)], minute(1)).await, told(1, 0, 0));
}

pub async fn an_earlier_step_on_the_same_grid_is_welcome(h: Arc<dyn History>, other: Arc<dyn History>) {
    record(&*h, &[observed("a", 2, 3.0)], minute(0)).await;
    assert_eq!(
        record(&*other, &[observed("a", 0, 1.0), observed("a", 1, 2.0)], minute(1)).await,
        told(2, 0, 0)
    );
    assert_eq!(read(&*h, &Range::default()).await, only(&[1.0, 2.0, 3.0]));
}

pub async fn days_that_do_not_begin_at_local_midnight_are_refused(h: Arc<dyn History>, _: Arc<dyn History>) {
    let day = |text: &str| Observation { ds: text.parse().expect("is a timestamp"), ..observed("a", 0, 1.0) };
    let noon = day("2025-03-29T12:00+01:00");
    is_off_grid(&refusal(&*h, &daily(), std::slice::from_ref(&noon)).await, &noon, noon.ds);
    let saturday = day("2025-03-29T00:00+01:00");
    // 24 hours after the midnight before the clocks change is no midnight.
    let off = day("2025-03-31T01:00+02:00");
    let refused =
        refusal(&*h, &daily(), &[saturday.clone(), day("2025-03-30T00:00+01:00"), off.clone()]).await;
    is_off_grid(&refused, &off, saturday.ds);
    h.record(&dataset(), &daily(), std::slice::from_ref(&saturday), minute(0)).await.expect("is a midnight");
    is_off_grid(&refusal(&*h, &daily(), std::slice::from_ref(&off)).await, &off, saturday.ds);
    let monday = day("2025-03-31T00:00+02:00");
    h.record(&dataset(), &daily(), &[monday], minute(0)).await.expect("is a midnight");
    let weekly = Grid::new(Frequency::Days(7), "Europe/Berlin").expect("is a zone");
    let sunday = day("2025-04-06T00:00+02:00");
    is_off_grid(&refusal(&*h, &weekly, std::slice::from_ref(&sunday)).await, &sunday, saturday.ds);
}

pub async fn a_series_is_never_too_long_to_be_read(history: Arc<dyn History>, other: Arc<dyn History>) {
    let most = i64::try_from(MAX_STEPS).expect("fits");
    let after = |id: &str, steps: i64| Observation {
        ds: hour(0) + SignedDuration::from_mins(steps),
        ..observed(id, 0, 1.0)
    };
    let is_too_long = |refused: &RecordError, stray: &Observation, span: i64| {
        let named = matches!(refused, RecordError::TooLong { series, ds, steps }
                             if *series == stray.series && *ds == stray.ds && *steps == span);
        assert!(named, "{refused:?}");
    };
    let batch = [after("a", 0), after("b", 0), after("b", most)];
    is_too_long(&refusal(&*history, &every(1), &batch).await, &batch[2], most + 1);
    history.record(&dataset(), &every(1), &batch[..2], minute(0)).await.expect("is short");
    for (steps, span) in [(most, most + 1), (-most, most + 2), (2 * most, 2 * most + 1)] {
        let stray = after("b", steps);
        let refused = refusal(&*other, &every(1), &[after("b", 1), stray.clone()]).await;
        is_too_long(&refused, &stray, span);
    }
    let longest = [after("b", 1 - most)];
    other.record(&dataset(), &every(1), &longest, minute(1)).await.expect("is just short enough");
    is_too_long(&refusal(&*history, &every(1), &[after("b", 1)]).await, &after("b", 1), most + 1);
    let frame = history.read(&dataset(), &every(1), &Range::default()).await.expect("can be read");
    assert_eq!(frame.series[1].values.len(), MAX_STEPS);
}

pub async fn a_stray_value_can_be_taken_back(history: Arc<dyn History>, _: Arc<dyn History>) {
    let stray = late("a", -1_000_000, 30);
    record(&*history, std::slice::from_ref(&stray), minute(0)).await;
    is_off_grid(
        &refusal(&*history, &hourly(), &[observed("a", 0, 1.0)]).await,
        &observed("a", 0, 1.0),
        stray.ds,
    );
    record(&*history, &[Observation { y: f64::NAN, ..stray.clone() }], minute(1)).await;
    assert_eq!(record(&*history, &[observed("a", 0, 1.0)], minute(2)).await, told(1, 0, 0));
    is_off_grid(&refusal(&*history, &hourly(), std::slice::from_ref(&stray)).await, &stray, hour(0));
    assert_eq!(read(&*history, &Range::default()).await, only(&[1.0]));
}

pub async fn what_does_not_fit_the_grid_is_named(history: Arc<dyn History>, _: Arc<dyn History>) {
    let (half_hourly, off) = (every(30), late("b", 3, 30));
    let batch = [observed("a", 0, 1.0), observed("b", 0, 1.0), off.clone()];
    history.record(&dataset(), &half_hourly, &batch, minute(0)).await.expect("fits half-hours");
    let refused = history.read(&dataset(), &hourly(), &Range::default()).await;
    let named = matches!(&refused, Err(ReadError::OffGrid { series, source })
                         if *series == off.series && source.at == off.ds);
    assert!(named, "{refused:?}");
}

pub async fn a_stray_time_stamp_does_not_fill_the_memory(h: Arc<dyn History>, _: Arc<dyn History>) {
    let far = i64::try_from(MAX_STEPS / 60 + 1).expect("fits");
    record(&*h, &[observed("a", 0, 1.0), observed("a", far, 1.0)], minute(0)).await;
    let refused = h.read(&dataset(), &every(1), &Range::default()).await;
    assert!(matches!(refused, Err(ReadError::TooLong { steps, .. }) if steps == far * 60 + 1), "{refused:?}");
}

pub async fn datasets_do_not_touch(history: Arc<dyn History>, _: Arc<dyn History>) {
    record(&*history, &[observed("a", 0, 1.0)], minute(0)).await;
    let other = DatasetName::new("bikes").expect("is a name");
    let frame = history.read(&other, &hourly(), &Range::default()).await.expect("can be read");
    assert!(frame.series.is_empty());
    assert_eq!(history.coverage(&other, None).await.expect("can be read"), None);
    let recorded = history.record(&other, &hourly(), &[observed("a", 0, 2.0)], minute(0)).await;
    assert_eq!(recorded.expect("can be recorded"), told(1, 0, 0));
    assert_eq!(read(&*history, &Range::default()).await, only(&[1.0]));
}

pub async fn coverage_counts_values_as_of_an_instant(h: Arc<dyn History>, _: Arc<dyn History>) {
    let coverage = async |as_of| {
        let covered = h.coverage(&dataset(), as_of).await.expect("can be read")?;
        let series = covered.series.into_iter();
        let series = series.map(|series| (series.id.to_string(), series.first, series.last, series.rows));
        Some((series.collect::<Vec<_>>(), covered.rows))
    };
    assert_eq!(coverage(None).await, None);
    record(&*h, &[observed("b", 0, 1.0), observed("b", 4, 1.0)], minute(0)).await;
    let b = || ("b".to_owned(), hour(0), hour(4), 2);
    record(&*h, &[observed("a", 1, 1.0), observed("a", 2, 1.0), observed("b", 0, 9.0)], minute(1)).await;
    record(&*h, &[observed("a", 2, f64::NAN), observed("c", 0, f64::NAN)], minute(2)).await;
    assert_eq!(coverage(Some(minute(-1))).await, None);
    assert_eq!(coverage(Some(minute(0))).await, Some((vec![b()], 2)));
    let a = |last, rows| ("a".to_owned(), hour(1), hour(last), rows);
    assert_eq!(coverage(Some(minute(1))).await, Some((vec![a(2, 2), b()], 4)));
    assert_eq!(coverage(None).await, Some((vec![a(1, 1), b()], 3)));
}

pub async fn values_come_back_to_the_bit(history: Arc<dyn History>, _: Arc<dyn History>) {
    let values = [0.1 + 0.2, f64::MIN_POSITIVE / 8.0, f64::MAX, 1e15 + 0.3, std::f64::consts::PI];
    let rows: Vec<_> = values.iter().zip(0..).map(|(y, n)| observed("a", n, *y)).collect();
    record(&*history, &rows, minute(0)).await;
    let frame = history.read(&dataset(), &hourly(), &Range::default()).await.expect("can be read");
    assert_eq!(frame.series[0].values.map_bits(), values.map_bits());
}

pub async fn zero_has_no_sign(history: Arc<dyn History>, _: Arc<dyn History>) {
    record(&*history, &[observed("a", 0, -0.0)], minute(0)).await;
    assert_eq!(record(&*history, &[observed("a", 0, 0.0)], minute(1)).await, told(0, 0, 1));
    let frame = history.read(&dataset(), &hourly(), &Range::default()).await.expect("can be read");
    assert_eq!(frame.series[0].values.map_bits(), [0.0].map_bits());
}

pub async fn the_revision_grows_with_news_only(history: Arc<dyn History>, other: Arc<dyn History>) {
    let revision = async || other.revision(&dataset()).await.expect("can be read");
    assert_eq!(revision().await, 0);
    record(&*history, &[], minute(0)).await;
    assert_eq!(revision().await, 0);
    record(&*history, &[observed("a", 0, 1.0)], minute(0)).await;
    let first = revision().await;
    record(&*history, &[observed("a", 0, 1.0)], minute(1)).await;
    assert_eq!(revision().await, first);
    record(&*history, &[observed("a", 0, 2.0)], minute(2)).await;
    assert!(0 < first && first < revision().await);
}

pub async fn the_same_changes_at_another_time_are_another_revision(
    history: Arc<dyn History>,
    _: Arc<dyn History>,
) {
    let mut revisions = Vec::new();
    for (later, name) in [(0, "one"), (10, "another")] {
        let dataset = DatasetName::new(name).expect("is a name");
        for change in 0..2_u8 {
            let now = minute(i64::from(change)) + SignedDuration::from_micros(later);
            let rows = [observed("a", 0, f64::from(change))];
            history.record(&dataset, &hourly(), &rows, now).await.expect("can be recorded");
        }
        revisions.push(history.revision(&dataset).await.expect("can be read"));
    }
    assert_ne!(revisions[0], revisions[1]);
}

pub async fn the_newest_value_is_the_last_one_that_was_not_taken_back(
    history: Arc<dyn History>,
    other: Arc<dyn History>,
) {
    let newest = async || other.newest(&dataset()).await.expect("can be read");
    assert_eq!(newest().await, None);
    record(&*history, &[observed("a", 3, 1.0), observed("b", 5, 2.0)], minute(0)).await;
    assert_eq!(newest().await, Some(hour(5)));
    // A stray value of the far future, and one that was declared missing from the start.
    record(&*history, &[observed("a", 900, 1.0), observed("b", 901, f64::NAN)], minute(1)).await;
    assert_eq!(newest().await, Some(hour(900)));
    record(&*history, &[observed("a", 900, f64::NAN), observed("b", 5, f64::NAN)], minute(2)).await;
    assert_eq!(newest().await, Some(hour(3)));
    record(&*history, &[observed("a", 3, f64::NAN)], minute(3)).await;
    assert_eq!(newest().await, None, "a series without a value");
    record(&*history, &[observed("b", 5, 7.0)], minute(4)).await;
    assert_eq!(newest().await, Some(hour(5)), "a value that came back");
}

pub async fn recorders_that_race_lose_nothing(one: Arc<dyn History>, other: Arc<dyn History>) {
    let recording: Vec<_> = (0..8)
        .map(|task| {
            let history = if task % 2 == 0 { one.clone() } else { other.clone() };
            // Neighbours overlap by half.
            let rows: Vec<_> = (task * 50..task * 50 + 100).map(|n| observed("a", n, n as f64)).collect();
            tokio::spawn(async move { record(&*history, &rows, minute(task)).await })
        })
        .collect();
    let mut all = Recorded::default();
    for task in recording {
        let recorded = task.await.expect("does not panic");
        all.new += recorded.new;
        all.corrected += recorded.corrected;
        all.unchanged += recorded.unchanged;
    }
    assert_eq!(all, told(450, 0, 350), "each value is new to exactly one of its recorders");
    let expected: Vec<f64> = (0..450).map(f64::from).collect();
    assert_eq!(read(&*other, &Range::default()).await, only(&expected));
}

pub async fn a_forecast_is_recorded_once(history: Arc<dyn History>, other: Arc<dyn History>) {
    let both = [issued("r1", "a", 0), issued("r1", "b", 0)];
    assert_eq!(history.record_forecasts(&both, minute(1)).await.expect("is new"), 2);
    let again = [issued("r1", "b", 0), issued("r2", "b", 0), issued("r2", "b", 0)];
    assert_eq!(other.record_forecasts(&again, minute(2)).await.expect("is partly new"), 1);
    let found = history.forecasts_issued(&model(), 10).await.expect("can be read");
    assert_eq!(found.len(), 3);
}

pub async fn forecasts_come_back_latest_first(history: Arc<dyn History>, _: Arc<dyn History>) {
    let fallback = IssuedForecast {
        version: None,
        generation: 0,
        route: "fallback".to_owned(),
        reason: Some("the history is too short".to_owned()),
        ..issued("r1", "a", 1)
    };
    let foreign =
        IssuedForecast { model: ModelName::new("other").expect("is a name"), ..issued("r3", "a", 9) };
    let batch = [issued("r2", "a", 2), fallback.clone(), issued("r4", "a", 0), foreign];
    history.record_forecasts(&batch, minute(1)).await.expect("is new");
    let found = history.forecasts_issued(&model(), 2).await.expect("can be read");
    assert_eq!(found, [issued("r2", "a", 2), fallback]);
    assert_eq!(found[0].values.map_bits(), issued("r2", "a", 2).values.map_bits());
}

pub async fn a_forecast_without_a_number_is_refused(history: Arc<dyn History>, _: Arc<dyn History>) {
    let mut bad = issued("r1", "b", 0);
    bad.values[1] = f64::NAN;
    let refused = history.record_forecasts(&[issued("r1", "a", 0), bad], minute(0)).await;
    assert!(matches!(refused, Err(RecordError::NotFinite { .. })), "{refused:?}");
    assert_eq!(history.forecasts_issued(&model(), 10).await.expect("can be read"), []);
}

fn model() -> ModelName {
    ModelName::new("crowd").expect("is a name")
}

fn issued(request: &str, id: &str, issued_minute: i64) -> IssuedForecast {
    IssuedForecast {
        request_id: request.to_owned(),
        model: model(),
        series: series(id),
        origin: hour(24),
        issued_at: minute(issued_minute),
        version: Some(3),
        generation: 2,
        route: "primary".to_owned(),
        reason: None,
        values: vec![0.1 + 0.2, -0.0, 1e-300, f64::MAX],
    }
}

/// Equality of floating-point numbers that also tells the two zeros apart.
trait Bits {
    fn map_bits(&self) -> Vec<u64>;
}

impl<T: AsRef<[f64]>> Bits for T {
    fn map_bits(&self) -> Vec<u64> {
        self.as_ref().iter().map(|value| value.to_bits()).collect()
    }
}
