use std::collections::BTreeMap;

use jiff::civil::date;

use super::*;
use crate::{
    artifact::Bundle,
    examples::{
        contest, dataset, history, id, judgement_of, level_times, long_mean, model, seasonal_naive, start,
        version,
    },
    gate::Verdict,
    holidays::HolidayRegion,
    learners::Algorithm,
    learning::{StopFlag, TrainingRequest, fit_alone},
    models::{BoostedTrees, Forest, Model, Node},
    names::CovariateName,
    series::{Covariates, Frame, SeriesCovariates},
    spec::{DatasetSpec, ModelSpec},
};

/// Those with features; the others look at values alone.
const USERS: [&str; 3] = ["boosted-trees", "elastic-net", "blend"];

/// A history of which candidates learn from the days up to the cut-off.
struct Case {
    model: ModelSpec,
    dataset: DatasetSpec,
    frame: Frame,
    covariates: Covariates,
    cut_off: Timestamp,
}

impl Case {
    /// Of the example, without covariates.
    fn plain(days: i64, trained: i64) -> Self {
        let frame = history(days);
        let cut_off = frame.grid.advance(frame.grid.start_of_day(start(), trained), -1);
        Self { model: model(), dataset: dataset(), frame, covariates: Covariates::default(), cut_off }
    }

    /// Each day has a price that the calendar does not tell; demand is that of the example times what `of_price` says.
    fn priced(of_price: fn(f64) -> f64) -> Self {
        let mut case = Self::plain(90, 60);
        let price = |hour: usize| {
            let day = hour / 24;
            0.5 + 0.1 * (day * day % 11) as f64
        };
        for series in &mut case.frame.series {
            for (hour, value) in series.values.iter_mut().enumerate() {
                *value *= of_price(price(hour));
            }
        }
        let prices: Vec<f64> = (0..case.frame.series[0].values.len()).map(price).collect();
        let known = BTreeMap::from([(price_name(), prices)]);
        let of_series = SeriesCovariates { known, ..SeriesCovariates::none(start()) };
        let all = ["arcade", "bridge", "court"].map(|series| (id(series), of_series.clone()));
        case.covariates = Covariates::new(BTreeMap::from(all));
        case
    }

    /// Four years of days of two shops; on holidays of New York they sell `times` as much.
    fn of_holidays(times: f64) -> Self {
        let dataset =
            "name = 'footfall'\nfrequency = 'P1D'\ntime_zone = 'America/New_York'\nholidays = 'US-NY'";
        let dataset: DatasetSpec = toml::from_str(dataset).expect("is a dataset");
        let grid = dataset.grid();
        let new_york = HolidayRegion::new("US-NY").expect("is known");
        let first = date(2021, 1, 4);
        let start = first.to_zoned(grid.time_zone().clone()).expect("is a day").timestamp();
        let of_day = |day: i64| {
            let date = first + jiff::Span::new().days(day);
            let usual = 100.0 + 20.0 * (day % 7) as f64 + (day * day % 11) as f64;
            if new_york.calendar().on(date).count() > 0 { usual * times } else { usual }
        };
        let series = ["north", "south"].map(|shop| Series {
            id: id(shop),
            start,
            values: (0..4 * 365).map(|day| of_day(day) * if shop == "north" { 1.0 } else { 3.0 }).collect(),
        });
        let frame = Frame::new(grid, series.to_vec()).expect("the ids differ");
        let cut_off = frame.grid.advance(start, 4 * 365 - 60);
        let model = ModelSpec { horizon_steps: 7, ..model() };
        Self { model, dataset, frame, covariates: Covariates::default(), cut_off }
    }

    fn fitted(&self, learner: &str) -> Bundle {
        let has_trees = matches!(learner, "boosted-trees" | "blend");
        let settings = if has_trees { "trees = 60\nleaves = 15" } else { "" };
        let learner = toml::from_str(&format!("learner = '{learner}'\n{settings}")).expect("is a learner");
        let stop = StopFlag::default();
        let request = TrainingRequest {
            dataset: &self.dataset,
            model: &self.model,
            spec_hash: "hash",
            frame: &self.frame,
            covariates: &self.covariates,
            as_of: self.cut_off,
            cut_off: self.cut_off,
            learners: &[],
            stop: &stop,
        };
        fit_alone(&request, &learner).expect("has history")
    }

    fn fitted_with(self, learner: &str) -> (Self, Bundle) {
        let bundle = self.fitted(learner);
        (self, bundle)
    }

    fn judged(&self, candidate: &Bundle, incumbent: Option<&Bundle>, contract: Contract) -> Judgement {
        let model = ModelSpec { contracts: vec![contract], ..self.model.clone() };
        let stop = StopFlag::default();
        judgement_of(&self.contest(&model, candidate, incumbent, &stop))
    }

    fn contest<'a>(
        &'a self,
        model: &'a ModelSpec,
        candidate: &'a Bundle,
        incumbent: Option<&'a Bundle>,
        stop: &'a StopFlag,
    ) -> Contest<'a> {
        let (dataset, covariates) = (&self.dataset, &self.covariates);
        Contest { model, dataset, covariates, stop, ..contest(candidate, incumbent, &self.frame) }
    }

    fn examined(&self, candidate: &Bundle, contract: Contract) -> Examined {
        let model = ModelSpec { contracts: vec![contract], ..self.model.clone() };
        let stop = StopFlag::default();
        let contest = self.contest(&model, candidate, None, &stop);
        let rows = contest.rows(self.frame.last_target().expect("has values"));
        examine(&contest, &rows).expect("nobody stops it")
    }

    /// How far the worst probe is off; nothing may speak against the candidate.
    #[track_caller]
    fn kept(&self, candidate: &Bundle, contract: Contract) -> f64 {
        let examined = self.examined(candidate, contract);
        let name = &candidate.learner;
        assert!(examined.objections.is_empty(), "{name}: {examined:?}");
        let [test] = &examined.tests[..] else { panic!("{name}: {examined:?}") };
        assert!(test.holds && test.untested.is_none() && test.probes <= 64, "{name}: {test:?}");
        test.worst.expect("was tested")
    }

    /// The one sentence against the candidate.
    #[track_caller]
    fn broken(&self, candidate: &Bundle, contract: Contract) -> String {
        let examined = self.examined(candidate, contract);
        let name = &candidate.learner;
        let [test] = &examined.tests[..] else { panic!("{name}: {examined:?}") };
        assert!(!test.holds, "{name}: {test:?}");
        let [objection] = &examined.objections[..] else { panic!("{name}: {examined:?}") };
        objection.to_string()
    }

    #[track_caller]
    fn untested(&self, candidate: &Bundle, contract: Contract, why: &str) {
        let examined = self.examined(candidate, contract);
        assert!(examined.objections.is_empty(), "{}: {examined:?}", candidate.learner);
        let [test] = &examined.tests[..] else { panic!("{examined:?}") };
        let found = (test.holds, test.probes, test.worst, test.untested.as_deref());
        assert_eq!(found, (true, 0, None, Some(why)), "{}", candidate.learner);
    }
}

fn price_name() -> CovariateName {
    CovariateName::new("price").expect("is a name")
}

fn falling() -> Case {
    Case::priced(|price| 2.0 - price)
}

fn rising() -> Case {
    Case::priced(|price| price)
}

const INCREASING: Direction = Direction::Increasing;
const DECREASING: Direction = Direction::Decreasing;

fn coefficient(feature: &str, least: Option<f64>, most: Option<f64>) -> Contract {
    Contract::Coefficient { feature: feature.to_owned(), least, most }
}

fn feature(name: &str, direction: Direction) -> Contract {
    Contract::FeatureEffect { feature: name.to_owned(), direction, tolerance: 0.1 }
}

fn price(direction: Direction) -> Contract {
    Contract::CovariateEffect { covariate: price_name(), direction, tolerance: 0.1 }
}

fn holiday(direction: Direction) -> Contract {
    Contract::HolidayEffect { direction, tolerance: 0.1 }
}

fn scaling(factor: f64, tolerance: f64) -> Contract {
    Contract::Scaling { factor, tolerance }
}

/// Trees that ask one question about one feature: below the threshold the forecast is `low` times the level, else
/// `high` times.
fn asking(feature: &str, threshold: f32, low: f32, high: f32) -> Bundle {
    let Model::BoostedTrees(trees) = level_times(0.0) else { unreachable!("level_times is a forest") };
    let column = trees.features.column(feature).expect("is a feature");
    let column = u16::try_from(column).expect("there are few");
    let split = Node::Split { feature: column, threshold, right: 2, missing_goes_left: true };
    let tree = vec![split, Node::Leaf { value: low }, Node::Leaf { value: high }];
    let forest = Forest::new(0.0, &[tree], trees.features.width()).expect("is a tree");
    version(Model::BoostedTrees(BoostedTrees { forests: vec![forest], ..trees }), 30)
}

#[test]
fn coefficients_of_a_line_have_the_signs_and_ranges_that_are_declared() {
    let (falling, rising) = (falling().fitted_with("elastic-net"), rising().fitted_with("elastic-net"));
    let of_price = |least, most| coefficient("known-price", least, most);
    for ((case, line), kept, broken) in [
        (&falling, of_price(Some(-5.0), Some(0.0)), of_price(Some(0.0), None)),
        (&rising, of_price(Some(0.0), None), of_price(None, Some(0.0))),
    ] {
        assert_eq!(case.kept(line, kept), 0.0);
        let sentence = case.broken(line, broken.clone());
        let start = format!("contract: {broken}; the candidate's is ");
        assert!(sentence.starts_with(&start), "{sentence}");
        let coefficient: f64 = sentence[start.len()..].parse().expect("ends with the number");
        assert!((0.3..3.0).contains(&coefficient.abs()), "{sentence}");
    }
    let (case, line) = &falling;
    let sentence =
        "contract: the coefficient of known-rain is at most 0; the candidate has no feature known-rain";
    assert_eq!(case.broken(line, coefficient("known-rain", None, Some(0.0))), sentence);
}

#[test]
fn only_a_line_has_coefficients() {
    let case = rising();
    let no_more = coefficient("known-price", None, Some(0.0));
    for (learner, why) in [
        ("boosted-trees", "is not linear"),
        ("blend", "is not linear"),
        ("weekly-mean", "looks at no features"),
        ("mstl", "looks at no features"),
        ("croston", "looks at no features"),
    ] {
        case.untested(&case.fitted(learner), no_more.clone(), why);
    }
}

#[test]
fn what_every_learner_with_features_made_of_a_price_goes_the_way_of_the_data() {
    for learner in USERS {
        let (case, falls) = falling().fitted_with(learner);
        case.kept(&falls, feature("known-price", DECREASING));
        case.kept(&falls, price(DECREASING));
        let sentence = case.broken(&falls, price(INCREASING));
        let start = "contract: forecasts do not fall with price; with price up from ";
        assert!(sentence.starts_with(start) && sentence.contains(" falls by "), "{learner}: {sentence}");

        let (case, rises) = rising().fitted_with(learner);
        case.kept(&rises, feature("known-price", INCREASING));
        case.kept(&rises, price(INCREASING));
        let sentence = case.broken(&rises, feature("known-price", DECREASING));
        let start = "contract: forecasts do not rise with known-price; with known-price up from ";
        assert!(sentence.starts_with(start) && sentence.contains(" rises by "), "{learner}: {sentence}");
    }
}

#[test]
fn a_line_rises_most_from_the_lowest_number_to_the_highest() {
    let (case, rises) = rising().fitted_with("elastic-net");
    let sentences =
        [price(DECREASING), feature("known-price", DECREASING)].map(|contract| case.broken(&rises, contract));
    for (sentence, name) in sentences.iter().zip(["price", "known-price"]) {
        let change = format!("; with {name} up from 0.5 to 1.4, the candidate's forecast of series ");
        assert!(sentence.contains(&change), "{sentence}");
    }
}

#[test]
fn a_single_question_of_a_tree_is_found() {
    let case = Case::plain(60, 30);
    // At midnight the newest value is about 1.3 of the level, at weekends 1.1.
    let falls = asking("newest-0", 1.2, 1.2, 0.8);
    assert_eq!(case.kept(&falls, feature("newest-0", DECREASING)), 0.0);
    let sentence = case.broken(&falls, feature("newest-0", INCREASING));
    assert!(sentence.contains("the candidate's forecast of series "), "{sentence}");
    assert!(sentence.ends_with(" % (10.00 % allowed); 63 other forecasts break it too"), "{sentence}");
    let examined = case.examined(&falls, feature("newest-0", INCREASING));
    let worst = examined.tests[0].worst.expect("was tested");
    assert!((0.4 / 1.2..0.4 / 0.8).contains(&worst), "{worst}");
    // Whatever the newest value is, nothing else is looked at.
    assert_eq!(case.kept(&falls, feature("newest-1", INCREASING)), 0.0);
}

#[test]
fn a_feature_that_is_not_there_is_said_and_one_that_nobody_looks_at_is_no_reason() {
    let case = Case::plain(60, 30);
    let sentence =
        "contract: forecasts do not fall with year-sine-1; the candidate has no feature year-sine-1";
    assert_eq!(case.broken(&version(level_times(1.0), 30), feature("year-sine-1", INCREASING)), sentence);
    case.untested(&version(long_mean(), 30), feature("year-sine-1", INCREASING), "looks at no features");
    let trees = version(level_times(1.0), 30);
    case.untested(&trees, price(INCREASING), "looks at no covariates");
    case.untested(&trees, holiday(INCREASING), "knows no holidays");
    case.untested(&version(long_mean(), 30), holiday(INCREASING), "looks at no features");
}

#[test]
fn a_price_that_never_changes_tells_nothing() {
    let (mut case, line) = rising().fitted_with("elastic-net");
    let same = SeriesCovariates {
        known: BTreeMap::from([(price_name(), vec![1.0; 100 * 24])]),
        ..SeriesCovariates::none(start())
    };
    let all = ["arcade", "bridge", "court"].map(|series| (id(series), same.clone()));
    case.covariates = Covariates::new(BTreeMap::from(all));
    case.untested(&line, price(DECREASING), "sees no two values of price in the holdout");
    let why = "sees no two values of known-price in the holdout";
    case.untested(&line, feature("known-price", DECREASING), why);
}

#[test]
fn a_working_day_that_becomes_a_holiday_moves_forecasts_the_way_of_the_data() {
    for learner in USERS {
        let (case, quiet) = Case::of_holidays(0.5).fitted_with(learner);
        case.kept(&quiet, holiday(DECREASING));
        let sentence = case.broken(&quiet, holiday(INCREASING));
        let start = "contract: forecasts do not fall on a holiday; with a holiday on its first day, the \
                     candidate's forecast of series ";
        assert!(sentence.starts_with(start) && sentence.contains(" falls by "), "{learner}: {sentence}");
        let (case, busy) = Case::of_holidays(2.0).fitted_with(learner);
        case.kept(&busy, holiday(INCREASING));
        let sentence = case.broken(&busy, holiday(DECREASING));
        assert!(sentence.contains(" rises by "), "{learner}: {sentence}");
    }
}

#[test]
fn every_learner_that_forecasts_relative_to_the_level_scales_with_its_history() {
    let case = Case::plain(90, 60);
    for learner in Algorithm::NAMES {
        let bundle = case.fitted(learner);
        // Trees know the level itself, too.
        let tolerance = if matches!(*learner, "boosted-trees" | "blend") { 0.1 } else { 1e-3 };
        for factor in [0.3, 2.0, 7.0] {
            case.kept(&bundle, scaling(factor, tolerance));
        }
    }
}

#[test]
fn a_model_that_knows_large_series_from_small_ones_does_not_scale() {
    let case = Case::plain(60, 30);
    // The level is about 130, its logarithm 4.9.
    let asking = asking("log-level", 5.2, 0.9, 2.0);
    let sentence = case.broken(&asking, scaling(2.0, 0.1));
    let start = "contract: a history times 2 has forecasts times 2; with its history times 2, the candidate's \
                 forecast of series ";
    let end = " is off by 55.00 % (10.00 % allowed); 63 other forecasts break it too";
    assert!(sentence.starts_with(start) && sentence.ends_with(end), "{sentence}");
    assert!(case.kept(&asking, scaling(0.5, 0.1)) < 1e-6, "a smaller one is on the same side");
}

#[test]
fn a_forecast_that_is_no_number_once_its_history_is_scaled_is_refused() {
    let case = Case::plain(60, 30);
    // As it is the forecast is enormous, and just a number.
    let sentence = case.broken(&version(level_times(1e305), 30), scaling(100.0, 0.1));
    let start = "the candidate's forecast of series ";
    let end = " is no number with its history times 100; 63 other forecasts cannot be used either";
    assert!(sentence.starts_with(start) && sentence.ends_with(end), "{sentence}");
}

#[test]
fn a_candidate_that_breaks_a_contract_is_refused_however_good_it_is() {
    let case = Case::plain(60, 30);
    let (candidate, worse) = (asking("log-level", 5.2, 0.9, 2.0), version(level_times(25.0), 30));
    let judgement = case.judged(&candidate, Some(&worse), scaling(0.5, 0.1));
    assert_eq!(judgement.verdict, Verdict::Promote);
    let reasons = judgement.reasons();
    let says = |sentence: &str| reasons.iter().any(|reason| reason == sentence);
    assert!(says("it keeps the contracts of its model (1 tested)"), "{reasons:?}");

    let (mean, naive) = (version(long_mean(), 30), version(seasonal_naive(), 30));
    let reasons = case.judged(&mean, Some(&naive), feature("newest-0", INCREASING)).reasons();
    let says = |sentence: &str| reasons.iter().any(|reason| reason == sentence);
    assert!(says("it keeps the contracts of its model (0 tested, 1 that could not be)"), "{reasons:?}");

    let judgement = case.judged(&candidate, Some(&worse), scaling(2.0, 0.1));
    let reasons = judgement.verdict.reasons();
    assert_eq!((judgement.verdict.name(), reasons.len()), ("keep-incumbent", 1), "{reasons:?}");
    assert!(reasons[0].starts_with("contract: a history times 2 has forecasts times 2; "), "{reasons:?}");
    // What the legs found is told all the same.
    let statistics = &judgement.statistics;
    assert!(statistics.average.is_some() && statistics.worst_case.is_some(), "{statistics:?}");
    assert_eq!(statistics.contracts.iter().map(|test| test.holds).collect::<Vec<_>>(), [false]);
    let json = serde_json::to_string(&judgement).expect("is JSON");
    assert_eq!(serde_json::from_str::<Judgement>(&json).expect("was just written"), judgement);
}

#[test]
fn a_broken_contract_counts_where_little_else_is_known() {
    let case = Case::plain(40, 30);
    let judgement = case.judged(&asking("log-level", 5.2, 0.9, 2.0), None, scaling(2.0, 0.1));
    let reasons = judgement.verdict.reasons();
    assert_eq!((judgement.verdict.name(), reasons.len()), ("keep-incumbent", 1), "{reasons:?}");
    let judgement = case.judged(&version(long_mean(), 30), None, scaling(2.0, 0.1));
    assert_eq!(judgement.verdict.name(), "not-enough-evidence");
    assert_eq!(judgement.statistics.contracts.len(), 1);
}

#[test]
fn a_candidate_that_is_worse_and_breaks_a_contract_is_told_both() {
    let case = Case::plain(60, 30);
    let (candidate, better) = (asking("log-level", 5.2, 0.9, 2.0), version(seasonal_naive(), 30));
    let reasons = case.judged(&candidate, Some(&better), scaling(2.0, 0.1)).verdict.reasons();
    assert!(reasons[0].starts_with("average error "), "{reasons:?}");
    assert!(reasons.last().is_some_and(|last| last.starts_with("contract: ")), "{reasons:?}");
}

#[test]
fn an_examination_stops_when_asked() {
    let case = Case::plain(60, 30);
    let candidate = version(level_times(1.0), 30);
    for contract in [scaling(2.0, 0.1), feature("newest-0", INCREASING)] {
        let model = ModelSpec { contracts: vec![contract], ..case.model.clone() };
        let stop = StopFlag::default();
        let contest = case.contest(&model, &candidate, None, &stop);
        let rows = contest.rows(case.frame.last_target().expect("has values"));
        stop.stop();
        assert_eq!(examine(&contest, &rows).err(), Some(Stopped));
    }
}
