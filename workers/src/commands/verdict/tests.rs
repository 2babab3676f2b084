//! How a verdict reads.

use forecasting::{
    artifact::ArtifactName,
    evaluation::Errors,
    gate::{
        AverageTest, Bootstrap, ContractTest, CoverageTest, EdgeCase, EdgeCaseTest, ErrorBound, Evidence,
        Exceedances, Grounds, Judgement, Largest, Looks, Measured, Objection, SearchedTest, Shortage, Side,
        SinceShift, SliceName, SliceTest, Statistics, Timed, Verdict, WorstCaseTest,
    },
    names::{LearnerName, SeriesId},
};
use jiff::{SignedDuration, Timestamp};
use registry::{Act, ActKind, JobId, Proposal, StoredObject, VersionState};
use unicode_width::UnicodeWidthStr as _;

use super::{charts::Charts, *};
use crate::{scored_rows::KeptRow, terminal::WIDTH};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn errors(average: f64) -> Errors {
    Errors {
        average,
        worst_case: 5.0 * average,
        mae: 123_456.7 * average,
        wape: Some(0.2),
        rmse: 234_567.8,
        mase: average,
        bias: Some(-0.03),
        p999: 1e6,
        max: 2e6,
    }
}

fn slice(name: SliceName, ratio: f64) -> SliceTest {
    SliceTest {
        slice: name,
        points: 288,
        origins: 28,
        ratio,
        lower: Some(ratio - 0.05),
        upper: Some(ratio + 0.05),
        allowed: 1.1,
        is_negligible: false,
    }
}

fn statistics() -> Statistics {
    let long = SliceName::Series(SeriesId::new("a series with a name that is far too long").expect("an id"));
    Statistics {
        average: Some(AverageTest {
            origins: 28,
            mean_gain: 0.08,
            standard_error: 0.02,
            overlap: 1,
            bandwidth: 5,
            statistic: Some(4.0),
            degrees_of_freedom: 14.2,
            critical: 1.77,
            p: Some(0.0006),
            alpha: 0.05,
        }),
        worst_case: Some(WorstCaseTest {
            tail_points: 30,
            points: 672,
            ratio: 0.9,
            upper: 1.05,
            allowed: 1.1,
            alpha: 0.04,
            standard_error: 0.06,
        }),
        bootstrap: Some(Bootstrap {
            resamples: 2_000,
            seed: u64::MAX,
            alpha: 0.05,
            block_origins: 7,
            blocks: 4,
            stretch: 1.1,
        }),
        slices: vec![slice(long, 0.8), slice(SliceName::Weekend, 1.3)],
        searched: Some(SearchedTest {
            slices: 12,
            worst: slice(SliceName::Hours(0, 2), 1.3),
            statistic: 1.9,
            critical: 2.8,
        }),
        largest: Some(Largest { candidate: 9.0, opponent: 8.0, allowed_ratio: 2.0 }),
        exceedances: Some(Exceedances {
            above: 6.5,
            candidate_alone: 9,
            opponent_alone: 1,
            both: 2,
            p: 0.011,
        }),
        coverage: vec![CoverageTest { level: 80, held: 0.79, reach: 0.03, tolerance: 0.1 }],
        ..Statistics::default()
    }
}

/// Better everywhere but at weekends.
fn worse_at_weekends() -> Judgement {
    let objection = Objection::WorseOnSlice {
        slice: SliceName::Weekend,
        ratio: 1.3,
        lower: 1.25,
        allowed: 1.1,
        alpha: 0.05,
        against: Side::Incumbent,
        searched: None,
    };
    let evidence = Evidence {
        origins: 28,
        rows: 672,
        series: 2,
        first_origin: Some(NOW),
        last_target: Some(NOW + SignedDuration::from_hours(672)),
        tail_points: 30,
        tail_share: 30.0 / 672.0,
        rows_hash: "70".repeat(32),
        ..Evidence::default()
    };
    let artifact = ArtifactName::of(b"a model");
    let grounds = Grounds {
        gate_version: 1,
        spec_hash: "5b".repeat(32),
        dataset_hash: "da".repeat(32),
        candidate: artifact,
        incumbent: Some(artifact),
    };
    Judgement {
        verdict: Verdict::KeepIncumbent(vec![objection]),
        candidate: Some(errors(0.5)),
        incumbent: Some(errors(0.6)),
        evidence,
        statistics: statistics(),
        grounds: Some(grounds),
        looks: Looks::default(),
        promised: None,
    }
}

fn told(judgement: Judgement, looks: usize) -> Told {
    let job = JobId::new("j2").expect("an id");
    let model: forecasting::names::ModelName = "bike-demand".parse().expect("a name");
    let artifact = ArtifactName::of(b"a model");
    let proposal = Proposal {
        job: job.clone(),
        model: model.clone(),
        learner: LearnerName::new("weekly-mean").expect("a name"),
        artifact,
        size_bytes: 7,
        cut_off: NOW,
        as_of: NOW,
        spec_hash: String::new(),
        data_hash: String::new(),
        seed: 7,
        code_version: String::new(),
        competed: Value::Null,
    };
    let state = VersionState::Refused;
    let version = Version { version: 2, proposal, proposed_at: NOW, state, state_since: NOW };
    let decision = Decision {
        id: 2,
        job,
        model: model.clone(),
        version: Some(2),
        judged_against: Some(1),
        look: 1,
        as_of: NOW,
        judgement,
        scored_rows: Some(StoredObject { name: artifact, size_bytes: 7 }),
        decided_at: NOW,
        promoted: None,
        barred_by: None,
    };
    let incumbent = Incumbent {
        model,
        version: 1,
        generation: 1,
        artifact,
        size_bytes: 7,
        since: NOW,
        previous_version: None,
        made_by: registry::MadeBy::Decision(1),
    };
    Told { version, decision, looks, incumbents: vec![incumbent] }
}

/// The page as a pipe gets it.
fn page(told: &Told, charts: Option<&Charts>) -> String {
    let lines = page::lines(told, charts);
    let plain: Vec<String> =
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
    let wide: Vec<&String> = plain.iter().filter(|line| line.width() > WIDTH).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    plain.join("\n")
}

/// A page that says all of this, however it is broken into lines.
#[track_caller]
fn says(page: &str, expected: &[&str]) {
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in expected {
        assert!(words.contains(text), "{text:?} is not on the page\n{page}");
    }
}

fn rows() -> impl Iterator<Item = KeptRow> {
    (0..672).map(|hour: i32| {
        let at = NOW + SignedDuration::from_hours(i64::from(hour));
        KeptRow {
            series: SeriesId::new("a series with a name that is far too long").expect("an id"),
            origin: NOW + SignedDuration::from_hours(i64::from(hour / 24 * 24)),
            target: at,
            actual: 1_000_000.0,
            candidate: (hour != 5).then_some(1_000_000.0 + f64::from(hour)),
            incumbent: Some(1_000_000.0 - f64::from(hour) / 2.0),
            scale: 100.0,
        }
    })
}

#[test]
fn a_page_says_at_once_what_was_decided_and_then_all_that_it_follows_from() {
    let charts = Charts::of(rows().map(Ok), 30).expect("are rows");
    let page = page(&told(worse_at_weekends(), 1), Some(&charts));
    assert!(page.starts_with("bike-demand, version 2: REFUSED\n"), "{page}");
    says(
        &page,
        &["verdict: keep incumbent (look 1 of 1, 1970-01-01 00:00Z); against version 1, in use since"],
    );
    says(
        &page,
        &["- on weekends, error 1.30 × the incumbent's (at least 1.25 × with 95 % confidence; 1.10 allowed)"],
    );
    says(&page, &["average (scaled) 0.5000 0.6000 -16.7 %", "WAPE in % 20.0000 20.0000 +0.0 %"]);
    says(
        &page,
        &["average passes gain 0.0800 ± 0.0200 per origin", "t = 4.00, above 1.77 needed", "p = 0.0006"],
    );
    says(&page, &["worst case passes ratio 0.90, at most 1.05 with 96 % confidence; below 1.10 allowed"]);
    says(&page, &["series a series wit… passes ratio 0.80", "weekends fails ratio 1.30, 1.25 to 1.35"]);
    says(&page, &["searched passes the worst of 12 slices is hours 0 to 2", "t = 1.90 of 2.80"]);
    says(&page, &["huge errors counted", "80 % intervals passes held 79.0 % ± 3.0 %; 80 ± 10.0 % allowed"]);
    says(&page, &["Mean error of each origin, 1970-01-01 to 1970-01-28 candidate ▁", "at most 6.7100"]);
    says(&page, &["known as of 1970-01-01T00:00:00Z", "gate version 1"]);
    for hash in ["70", "5b", "da"] {
        says(&page, &[&hash.repeat(32)]);
    }
    says(&page, &["18446744073709551615", "`gatecast verdict bike-demand 2 --replay`"]);
}

#[test]
fn a_promotion_by_bets_promises_nothing_and_the_page_says_so() {
    let words = "no gain is promised";
    let of = |since_shift| {
        let statistics = Statistics { since_shift, ..Statistics::default() };
        page(&told(Judgement { verdict: Verdict::Promote, statistics, ..worse_at_weekends() }, 1), None)
    };
    let bets = SinceShift { wealth: 68.3, needed_wealth: 40.0, decided_after: Some(8), origins: 8 };
    says(&of(Some(bets)), &[words]);
    assert!(!of(None).contains(words));
}

#[test]
fn a_candidate_that_failed_as_measured_was_not_resampled_and_the_page_says_so() {
    let (candidate, opponent, against) = (3.0, 2.5, Side::Incumbent);
    let floor = Objection::WorstCaseNotBetter { candidate, opponent, against, tail_points: 30, points: 672 };
    let Statistics { average, largest, .. } = statistics();
    let failed = Judgement {
        verdict: Verdict::KeepIncumbent(vec![floor]),
        statistics: Statistics { average, largest, ..Statistics::default() },
        ..worse_at_weekends()
    };
    let page = page(&told(failed, 1), None);
    says(&page, &["worst case fails not below as measured", "slices not asked"]);
    let because =
        "- worst-case error (mean of the worst 30 of 672 points) 3.0000 is not below the incumbent's";
    says(&page, &[because]);
}

/// Judged by bets, which rule luck out after so many of six origins, or do not.
fn by_bets(decided_after: Option<u32>, wealth: f64, verdict: Verdict) -> Judgement {
    let bets = SinceShift { wealth, needed_wealth: 20.0, decided_after, origins: 6 };
    let Statistics { largest, exceedances, .. } = statistics();
    let statistics = Statistics { since_shift: Some(bets), largest, exceedances, ..Statistics::default() };
    Judgement { verdict, statistics, ..worse_at_weekends() }
}

#[test]
fn after_a_shift_a_page_shows_the_bets_that_decided_and_why_nothing_was_resampled() {
    let few = "not asked so few origins do not bound it: bets since the shift judge";
    let promoted = page(&told(by_bets(Some(5), 25.3, Verdict::Promote), 1), None);
    says(&promoted, &["bets passes worth up to 25.30 after 6 origins; 20.0 needed"]);
    says(&promoted, &[&format!("worst case {few}"), &format!("slices {few}")]);
    says(&promoted, &["largest error passes", "huge errors counted"]);

    let shortage = Shortage { origins: 6, needed_origins: 28, expected: None, unsure: Vec::new() };
    let waits = by_bets(None, 4.3, Verdict::NotEnoughEvidence(shortage));
    says(&page(&told(waits, 1), None), &["bets unsure worth up to 4.30 after 6 origins; 20.0 needed"]);
    let nothing = by_bets(None, f64::MAX, Verdict::KeepIncumbent(Vec::new()));
    says(&page(&told(nothing, 1), None), &["bets not asked worth up to a million or more after 6 origins"]);
}

fn contract(worst: Option<f64>, holds: bool, untested: Option<&str>) -> ContractTest {
    let contract = "forecasts do not rise with price".to_owned();
    ContractTest { contract, probes: 64, worst, holds, untested: untested.map(str::to_owned) }
}

fn edge_case(number: u32, error: Option<f64>, passed: bool) -> EdgeCaseTest {
    let series = vec![SeriesId::new("berlin").expect("an id")];
    let bound = ErrorBound { series, from: NOW, to: NOW + SignedDuration::from_hours(24), limit: 400.0 };
    EdgeCaseTest {
        case: EdgeCase { number, bound },
        points: 24,
        error,
        seen_in_training: number == 1,
        passed,
    }
}

#[test]
fn every_fact_about_a_candidate_is_a_leg() {
    let slow = Objection::TooSlow { timed: Timed::Loading, seconds: 31.0, allowed_seconds: 30.0 };
    let (load, answer) = (SignedDuration::from_secs(31), SignedDuration::from_millis(15));
    let measured = Measured { size_bytes: 1_234, load, answer, series: 21 };
    let statistics = Statistics {
        contracts: vec![
            contract(Some(0.0), true, None),
            contract(Some(0.125), false, None),
            contract(None, true, Some("has no coefficients")),
        ],
        edge_cases: vec![
            edge_case(1, Some(3.0), true),
            edge_case(2, Some(400.001), false),
            edge_case(3, Some(3.0), false),
            edge_case(4, None, false),
        ],
        ..Statistics::default()
    };
    let evidence = Evidence { measured: Some(measured), ..Evidence::default() };
    let verdict = Verdict::KeepIncumbent(vec![slow, Objection::NoIntervals]);
    let judgement = Judgement { verdict, evidence, statistics, ..worse_at_weekends() };
    let legs: Vec<String> = legs::of(&judgement)
        .iter()
        .map(|leg| format!("{} {}: {}", leg.name, leg.outcome.word(), leg.told))
        .collect();
    assert_eq!(
        legs,
        [
            "cost fails: 1234 bytes, loaded in 31.000 s; 21 series answered in 0.015 s",
            "intervals fails: none, and what is in use has some",
            "contract passes: forecasts do not rise with price: 64 forecasts tried, at worst by 0.00 %",
            "contract fails: forecasts do not rise with price: 64 forecasts tried, at worst by 12.50 %",
            "contract not asked: forecasts do not rise with price: the candidate has no coefficients",
            "edge case 1 passes: off by 3.00 at most, 400 allowed; 24 points; seen in training",
            "edge case 2 fails: off by 400.001 at most, 400 allowed; 24 points",
            "edge case 3 fails: off by 3.00 at most, 400 allowed; 24 points; a forecast or a value is missing",
            "edge case 4 fails: nothing to compare; 24 points; a forecast or a value is missing",
        ]
    );
}

#[test]
fn a_verdict_of_one_look_of_several_says_so() {
    let shortage = Shortage { origins: 3, needed_origins: 28, expected: None, unsure: Vec::new() };
    let waits = Judgement {
        verdict: Verdict::NotEnoughEvidence(shortage),
        statistics: Statistics::default(),
        ..worse_at_weekends()
    };
    let page = page(&told(waits, 2), None);
    assert!(page.starts_with("bike-demand, version 2: UNDECIDED\n"), "{page}");
    says(&page, &["verdict: not enough evidence (look 1 of 2", "looked at 2 times", "2 --look 1 --replay"]);
    assert!(!page.contains("what it computed"), "no leg was asked: {page}");
}

#[test]
fn a_winner_that_a_person_keeps_out_is_not_called_refused() {
    let mut winner = told(Judgement { verdict: Verdict::Promote, ..worse_at_weekends() }, 1);
    let forced = page(&winner, None);
    assert!(forced.starts_with("bike-demand, version 2: IN USE before, by an act of a person\n"), "{forced}");
    winner.decision.barred_by = Some(Act {
        id: 1,
        message_id: "freeze".to_owned(),
        model: winner.decision.model.clone(),
        kind: ActKind::Freeze,
        by: "ann".to_owned(),
        reason: "the fair".to_owned(),
        expires: None,
        acted_at: NOW,
        refusal: None,
    });
    let frozen = page(&winner, None);
    assert!(frozen.starts_with("bike-demand, version 2: OVERRULED by a person\n"), "{frozen}");
    says(&frozen, &["verdict: promote (look 1 of 1"]);
}

#[test]
fn a_verdict_that_does_not_name_its_grounds_is_told_and_cannot_be_found_again() {
    let old = told(Judgement { grounds: None, ..worse_at_weekends() }, 1);
    assert!(!page(&old, None).contains("--replay"));
    let refused = again::grounds(&old.decision).expect_err("there are none");
    assert_eq!(refused.code, ExitCode::NotFound);
    let says = refused.error.expect("says why").to_string();
    let missing = "the specification of the dataset and the version of the gate";
    assert!(says.contains("train job j2") && says.contains(missing), "{says}");
}

#[test]
fn charts_need_no_more_than_what_was_scored() {
    let nothing = Charts::of(std::iter::empty(), 30).expect("are no rows");
    assert!(nothing.lines("fallback").iter().all(|line| line.width() <= WIDTH));
    let charts = Charts::of(rows().map(Ok), 30).expect("are rows");
    let lines = charts.lines("fallback");
    let worst = lines.iter().filter(|line| line.contains("a series")).collect::<Vec<_>>();
    assert_eq!(worst.len(), 3, "{lines:#?}");
    assert!(worst[0].contains("1970-01-28 23:00Z") && worst[0].contains("1000671.0"), "{worst:#?}");
}
