//! What covariates promise.

use std::{collections::BTreeMap, sync::Arc};

use forecasting::{
    names::{AttributeText, CovariateName, DatasetName},
    series::{Attribute, Covariates, SeriesCovariates},
    spec::CovariateSpec,
};
use jiff::{SignedDuration, Timestamp};

use super::{dataset, hour, hourly, known_at, late, minute, observed, only, read, series, told};
use crate::{History, Range, RecordError, RecordedRows, Rows};

fn name(text: &str) -> CovariateName {
    CovariateName::new(text).expect("is a name")
}

/// Prices in advance, visits afterwards, and a region.
fn declared() -> CovariateSpec {
    let names = |text| vec![name(text)];
    CovariateSpec::new(names("price"), names("visits"), names("region")).expect("each name once")
}

/// Prices of a series from hour `n` on.
fn prices(n: i64, prices: &[f64]) -> SeriesCovariates {
    SeriesCovariates { known: column("price", prices), ..SeriesCovariates::none(hour(n)) }
}

fn column(of: &str, numbers: &[f64]) -> BTreeMap<CovariateName, Vec<f64>> {
    BTreeMap::from([(name(of), numbers.to_vec())])
}

fn region(text: &str) -> BTreeMap<CovariateName, Attribute> {
    let text = AttributeText::new(text).expect("is a text");
    BTreeMap::from([(name("region"), Attribute::Text(text))])
}

fn of(all: &[(&str, SeriesCovariates)]) -> Covariates {
    Covariates::new(all.iter().map(|(id, covariates)| (series(id), covariates.clone())).collect())
}

async fn record(h: &dyn History, covariates: &Covariates, at: Timestamp) -> crate::Recorded {
    let rows = Rows { observations: &[], covariates };
    h.record_rows(&dataset(), &hourly(), rows, at).await.expect("can be recorded").covariates
}

async fn covariates(h: &dyn History, range: &Range) -> Covariates {
    h.covariates(&dataset(), &hourly(), &declared(), range).await.expect("can be read")
}

/// What is known of the prices of series "a": the hour of the first, and all of them, `None` where missing.
async fn price(h: &dyn History, range: &Range) -> Option<(i64, Vec<Option<f64>>)> {
    let all = covariates(h, range).await;
    let of_a = all.of(&series("a"));
    let numbers = of_a.known.get(&name("price")).filter(|numbers| !numbers.is_empty())?;
    let start = hourly().steps_between(hour(0), of_a.start).expect("on the grid");
    Some((start, numbers.iter().map(|number| (!number.is_nan()).then_some(*number)).collect()))
}

pub async fn covariates_come_back_as_they_are_declared(history: Arc<dyn History>, other: Arc<dyn History>) {
    let of_a = SeriesCovariates {
        known: column("price", &[1.0, 0.1 + 0.2, 3.0]),
        past: column("visits", &[7.0]),
        attributes: region("north"),
        start: hour(2),
    };
    let attributes = BTreeMap::from([(name("region"), Attribute::Number(4.5))]);
    let of_b = SeriesCovariates { attributes, ..prices(0, &[9.0]) };
    let all = of(&[("a", of_a), ("b", of_b)]);
    assert_eq!(record(&*history, &all, minute(0)).await, told(7, 0, 0));
    let read = covariates(&*other, &Range::default()).await;
    assert_eq!(read.of(&series("a")), all.of(&series("a")));
    let of_b = read.of(&series("b"));
    assert_eq!((&of_b.known, of_b.start), (&all.of(&series("b")).known, hour(0)));
    assert_eq!(of_b.attributes, all.of(&series("b")).attributes);
    // Kinds are a matter of declaration: the numbers are the same.
    let past = CovariateSpec::new(vec![], vec![name("price")], vec![]).expect("each name once");
    let read = other.covariates(&dataset(), &hourly(), &past, &Range::default()).await.expect("can be read");
    let of_a = read.of(&series("a"));
    assert_eq!((of_a.past.len(), of_a.known.len(), of_a.attributes.len()), (1, 0, 0));
    assert_eq!(of_a.past[&name("price")], [1.0, 0.1 + 0.2, 3.0]);
}

pub async fn a_number_of_a_covariate_is_corrected_and_never_overwritten(
    history: Arc<dyn History>,
    _: Arc<dyn History>,
) {
    assert_eq!(record(&*history, &of(&[("a", prices(0, &[1.0, 2.0]))]), minute(0)).await, told(2, 0, 0));
    assert_eq!(record(&*history, &of(&[("a", prices(0, &[1.0, 2.0]))]), minute(1)).await, told(0, 0, 2));
    assert_eq!(record(&*history, &of(&[("a", prices(1, &[5.0, 3.0]))]), minute(2)).await, told(1, 1, 0));
    let first = Some((0, vec![Some(1.0), Some(2.0)]));
    assert_eq!(price(&*history, &known_at(minute(-1))).await, None);
    assert_eq!(price(&*history, &known_at(minute(1))).await, first);
    let newest = Some((0, vec![Some(1.0), Some(5.0), Some(3.0)]));
    assert_eq!(price(&*history, &Range::default()).await, newest);
}

pub async fn a_static_attribute_is_corrected_and_never_overwritten(
    history: Arc<dyn History>,
    other: Arc<dyn History>,
) {
    let in_region =
        |text| of(&[("a", SeriesCovariates { attributes: region(text), ..SeriesCovariates::none(hour(0)) })]);
    assert_eq!(record(&*history, &in_region("north"), minute(0)).await, told(1, 0, 0));
    assert_eq!(record(&*other, &in_region("north"), minute(1)).await, told(0, 0, 1));
    assert_eq!(record(&*other, &in_region("south"), minute(1)).await, told(0, 1, 0));
    // The clock went back: what arrives later wins.
    assert_eq!(record(&*history, &in_region("east"), minute(0)).await, told(0, 1, 0));
    let said = async |range: &Range| {
        let all = covariates(&*history, range).await;
        all.of(&series("a")).attributes.clone()
    };
    assert_eq!(said(&known_at(minute(-1))).await, BTreeMap::new());
    assert_eq!(said(&known_at(minute(0))).await, region("north"));
    assert_eq!(said(&known_at(minute(1))).await, region("south"));
    assert_eq!(said(&Range::default()).await, region("east"));
}

pub async fn a_missing_number_says_nothing(history: Arc<dyn History>, _: Arc<dyn History>) {
    record(&*history, &of(&[("a", prices(0, &[1.0, 2.0, 3.0]))]), minute(0)).await;
    let with_hole = of(&[("a", prices(0, &[f64::NAN, f64::NAN, 4.0, f64::NAN, 6.0]))]);
    assert_eq!(record(&*history, &with_hole, minute(1)).await, told(1, 1, 0));
    let expected = vec![Some(1.0), Some(2.0), Some(4.0), None, Some(6.0)];
    assert_eq!(price(&*history, &Range::default()).await, Some((0, expected)));
}

pub async fn what_is_declared_and_was_never_recorded_is_missing(h: Arc<dyn History>, _: Arc<dyn History>) {
    assert!(covariates(&*h, &Range::default()).await.is_empty(), "there is no series");
    h.record(&dataset(), &hourly(), &[observed("a", 0, 1.0)], minute(0)).await.expect("can be recorded");
    let all = covariates(&*h, &Range::default()).await;
    assert_eq!((all.known().len(), all.past().len(), all.attributes().len()), (1, 1, 0));
    let a = series("a");
    let missing = all.check_horizons([(&a, hour(1))].into_iter(), &hourly(), 3).expect_err("is missing");
    assert_eq!((missing.covariate, missing.series, missing.at), (name("price"), a, hour(1)));
    let nothing = h.covariates(&dataset(), &hourly(), &CovariateSpec::default(), &Range::default()).await;
    assert!(nothing.expect("can be read").is_empty(), "nothing is declared");
}

pub async fn covariates_are_no_values(history: Arc<dyn History>, other: Arc<dyn History>) {
    history
        .record(&dataset(), &hourly(), &[observed("a", 0, 1.0)], minute(0))
        .await
        .expect("can be recorded");
    let before = history.revision(&dataset()).await.expect("can be read");
    let both = of(&[("a", prices(0, &[5.0, 6.0, 7.0])), ("new", prices(0, &[1.0]))]);
    record(&*history, &both, minute(1)).await;
    assert_eq!(read(&*other, &Range::default()).await, only(&[1.0]));
    assert_eq!(other.coverage(&dataset(), None).await.expect("can be read").map(|all| all.rows), Some(1));
    assert_eq!(other.newest(&dataset()).await.expect("can be read"), Some(hour(0)));
    let revision = other.revision(&dataset()).await.expect("can be read");
    assert!(revision > before, "whoever keeps a window must look again");
    record(&*history, &both, minute(2)).await;
    assert_eq!(other.revision(&dataset()).await.expect("can be read"), revision, "nothing is new");
    let bikes = DatasetName::new("bikes").expect("is a name");
    let foreign = history.covariates(&bikes, &hourly(), &declared(), &Range::default()).await;
    assert!(foreign.expect("can be read").is_empty());
}

pub async fn values_and_covariates_are_recorded_together_or_not_at_all(
    history: Arc<dyn History>,
    other: Arc<dyn History>,
) {
    let good = of(&[("a", prices(0, &[1.0, 2.0]))]);
    let values = [observed("a", 0, 1.0)];
    let infinite = of(&[("a", prices(0, &[1.0])), ("b", prices(3, &[f64::INFINITY]))]);
    let rows = [
        Rows { observations: &values, covariates: &infinite },
        Rows { observations: &[observed("a", 0, f64::INFINITY)], covariates: &good },
    ];
    for rows in rows {
        let refused = history.record_rows(&dataset(), &hourly(), rows, minute(0)).await;
        assert!(matches!(refused, Err(RecordError::NotFinite { .. })), "{refused:?}");
        assert_eq!(read(&*other, &Range::default()).await, vec![]);
        assert_eq!(price(&*other, &Range::default()).await, None);
        assert_eq!(other.revision(&dataset()).await.expect("can be read"), 0);
    }
    let rows = Rows { observations: &values, covariates: &good };
    let recorded = history.record_rows(&dataset(), &hourly(), rows, minute(0)).await;
    let expected = RecordedRows { values: told(1, 0, 0), covariates: told(2, 0, 0) };
    assert_eq!(recorded.expect("can be recorded"), expected);
    assert_eq!(read(&*other, &Range::default()).await, only(&[1.0]));
    assert!(price(&*other, &Range::default()).await.is_some());
}

pub async fn a_series_of_which_nothing_is_said_is_not_there(history: Arc<dyn History>, _: Arc<dyn History>) {
    assert_eq!(record(&*history, &of(&[("a", prices(0, &[f64::NAN]))]), minute(0)).await, told(0, 0, 0));
    assert!(covariates(&*history, &Range::default()).await.is_empty());
}

pub async fn covariates_lie_on_the_grid_of_their_values(history: Arc<dyn History>, _: Arc<dyn History>) {
    let half_past = |n| {
        let start = hour(n) + SignedDuration::from_mins(30);
        of(&[("a", SeriesCovariates { start, ..prices(n, &[1.0, 2.0]) })])
    };
    history
        .record(&dataset(), &hourly(), &[observed("a", 4, 1.0)], minute(0))
        .await
        .expect("can be recorded");
    let covariates = half_past(2);
    let rows = Rows { observations: &[], covariates: &covariates };
    let refused = history.record_rows(&dataset(), &hourly(), rows, minute(1)).await;
    let named = matches!(&refused, Err(RecordError::OffGrid { series, source })
                         if series.as_str() == "a" && source.at == late("a", 2, 30).ds && source.through == hour(4));
    assert!(named, "{refused:?}");
    // Without a value, through the first number.
    record(&*history, &of(&[("b", prices(0, &[1.0]))]), minute(1)).await;
    let start = hour(7) + SignedDuration::from_mins(30);
    let covariates = of(&[("b", SeriesCovariates { start, ..prices(7, &[1.0]) })]);
    let rows = Rows { observations: &[], covariates: &covariates };
    let refused = history.record_rows(&dataset(), &hourly(), rows, minute(2)).await;
    assert!(matches!(refused, Err(RecordError::OffGrid { .. })), "{refused:?}");
}

pub async fn a_range_cuts_covariates_as_it_cuts_values(history: Arc<dyn History>, _: Arc<dyn History>) {
    let numbers: Vec<f64> = (0..10_u8).map(f64::from).collect();
    record(&*history, &of(&[("a", prices(0, &numbers)), ("b", prices(0, &numbers))]), minute(0)).await;
    let range = Range { from: Some(hour(3)), until: Some(hour(5)), ..Range::default() };
    assert_eq!(price(&*history, &range).await, Some((3, vec![Some(3.0), Some(4.0)])));
    let range = Range { series: Some(vec![series("b")]), ..Range::default() };
    let ids: Vec<String> = covariates(&*history, &range).await.all().map(|(id, _)| id.to_string()).collect();
    assert_eq!(ids, ["b"]);
}
