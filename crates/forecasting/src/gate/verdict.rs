//! What a judgement says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    AverageTest, Grounds, Looks, Measured, Objection, Promised, SliceTest, Statistics, WorstCaseTest,
    sentence::{beside, confidence, date},
};
use crate::{evaluation::Errors, intervals::Coverage};

/// A verdict with everything that it rests on. Kept in the registry, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// What was found.
    pub verdict: Verdict,
    /// Errors of the candidate; `None` if it could not be scored.
    pub candidate: Option<Errors>,
    /// Errors of the version in use (of the fallback, for a first candidate); `None` if it could not be
    /// scored.
    pub incumbent: Option<Errors>,
    /// What both were scored on.
    pub evidence: Evidence,
    /// What the legs computed; empty where they were not asked, and in judgements from before they were there.
    #[serde(default)]
    pub statistics: Statistics,
    /// What it was found from, as whoever loaded that says; `None` where nothing was judged, and in judgements from
    /// before it was noted.
    #[serde(default)]
    pub grounds: Option<Grounds>,
    /// How often its rows were looked at.
    #[serde(default)]
    pub looks: Looks,
    /// What a promotion promises, for the monitor to hold against what is delivered; `None` for any other verdict, where
    /// bets decided (so few origins promise nothing), and in judgements from before promises were made.
    #[serde(default)]
    pub promised: Option<Promised>,
}

/// What was found about a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "because", rename_all = "kebab-case")]
pub enum Verdict {
    /// It goes live.
    Promote,
    /// It does not; at least one objection.
    KeepIncumbent(Vec<Objection>),
    /// It waits, and is judged again.
    NotEnoughEvidence(Shortage),
    /// There is none, and why.
    NoCandidate(String),
}

/// How much evidence is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shortage {
    /// Paired origins that are there.
    pub origins: u32,
    /// Paired origins that are needed.
    pub needed_origins: u32,
    /// About when there will be enough, if data keeps coming; `None` if there is no data at all.
    pub expected: Option<Timestamp>,
    /// What may be luck so far; empty where there are too few origins to compare anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsure: Vec<Objection>,
}

/// What both sides were scored on. All zero, empty or `None` where nothing was scored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Paired origins with at least half as many points as origins have on average.
    pub origins: u32,
    /// Scored points of each side.
    pub rows: u64,
    /// Series among them.
    pub series: u32,
    /// The declared shift that all origins lie after; `None` if none was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Timestamp>,
    /// The first origin with a row.
    pub first_origin: Option<Timestamp>,
    /// The last target of a row.
    pub last_target: Option<Timestamp>,
    /// Points in the tail that the worst-case error is the mean of.
    pub tail_points: u32,
    /// The tail's part of the rows, from 0 to 1: 0.01, or more where 1 % would be fewer than 30 points.
    pub tail_share: f64,
    /// Series whose losses are scaled by the median of the others' scales, for want of their own.
    pub pooled_scale_series: u32,
    /// Forecasts (of one series from one origin) that the candidate left to its fallback.
    pub candidate_fallback_forecasts: u64,
    /// Forecasts that the version in use left to its fallback.
    pub incumbent_fallback_forecasts: u64,
    /// How many of the actuals the candidate's intervals held; empty where it has none.
    #[serde(default)]
    pub candidate_coverage: Vec<Coverage>,
    /// What the candidate costs a forecaster; `None` if nobody measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// SHA-256 in hex over series, origin, target and actual of every row.
    pub rows_hash: String,
}

impl Judgement {
    /// The judgement on a training that ended without a candidate.
    pub fn no_candidate(reason: impl Into<String>) -> Self {
        Self::without_evidence(Verdict::NoCandidate(reason.into()))
    }

    /// The verdict in sentences with numbers: what speaks for a promotion and what it promises, or everything against
    /// it; and how often its rows were looked at before.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = self.found();
        reasons.extend(self.promised.as_ref().map(Promised::sentence));
        reasons.extend(self.looks.sentence());
        reasons
    }

    fn found(&self) -> Vec<String> {
        let (Verdict::Promote, Some(candidate), Some(opponent)) =
            (&self.verdict, &self.candidate, &self.incumbent)
        else {
            return match self.on_bets() {
                Some(bets) => vec![bets],
                None => self.verdict.reasons(),
            };
        };
        let Evidence { origins, rows, series, tail_points, .. } = &self.evidence;
        let mut reasons = vec![
            format!(
                "average error {}{}",
                below(candidate.average, opponent.average),
                self.statistics.average.as_ref().map(luck).unwrap_or_default()
            ),
            format!(
                "worst-case error (mean of the worst {tail_points} of {rows} points) {}{}",
                below(candidate.worst_case, opponent.worst_case),
                self.at_most().unwrap_or_default()
            ),
        ];
        reasons.extend(self.on_bets());
        reasons.extend(self.on_slices());
        reasons.extend(self.on_nothing());
        reasons.push(format!(
            "both were scored on the same {rows} points of {series} series from {origins} origins"
        ));
        let held = |coverage: &Coverage| {
            format!("its {} % intervals held {:.1} %", coverage.level, 100.0 * coverage.held)
        };
        let held: Vec<String> = self.evidence.candidate_coverage.iter().map(held).collect();
        if !held.is_empty() {
            reasons.push(format!("{} of the actuals", held.join(" and ")));
        }
        reasons.extend(self.on_edge_cases());
        reasons.extend(self.on_contracts());
        reasons
    }

    fn at_most(&self) -> Option<String> {
        let WorstCaseTest { upper, allowed, alpha, .. } = self.statistics.worst_case.as_ref()?;
        let (upper, confidence) = (beside(*upper, *allowed), confidence(*alpha));
        Some(format!(", and with {confidence} confidence at most {upper} × as large ({allowed:.2} allowed)"))
    }

    /// None where there is no slice.
    fn on_slices(&self) -> Option<String> {
        let Statistics { slices, searched, .. } = &self.statistics;
        let judged = || slices.iter().filter(|test| test.is_judged());
        let looked_at = judged().count() + searched.as_ref().map_or(0, |searched| searched.slices as usize);
        let worst = searched.iter().map(|searched| &searched.worst).chain(judged());
        let worst = worst.max_by(|one, other| one.ratio.total_cmp(&other.ratio));
        let found = worst.map(|SliceTest { slice, ratio, allowed, .. }| {
            let ratio = beside(*ratio, 1.0);
            let slices = if looked_at == 1 { "slice" } else { "slices" };
            format!(
                "on none of {looked_at} {slices} is the error more than {allowed:.2} × as large with confidence; most \
                 on {slice}, measured {ratio} ×"
            )
        });
        let not_judged = |count: usize, why: &str| (count > 0).then(|| format!("slices {why}: {count}"));
        let small = slices.iter().filter(|test| test.is_small()).count();
        let harmless = slices.len() - judged().count() - small;
        let parts = [
            found,
            not_judged(small, "too small to be judged"),
            not_judged(harmless, "with hardly any error"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// None where every declared slice has points.
    fn on_nothing(&self) -> Option<String> {
        let absent: Vec<String> = self.statistics.absent.iter().map(ToString::to_string).collect();
        (!absent.is_empty()).then(|| format!("there were no points to judge on {}", absent.join(" and on ")))
    }

    /// None where there is no edge case.
    fn on_edge_cases(&self) -> Option<String> {
        let tests = &self.statistics.edge_cases;
        let passed = match tests.len() {
            0 => return None,
            1 => "the edge case is passed".to_owned(),
            cases => format!("all {cases} edge cases are passed"),
        };
        let seen = match tests.iter().filter(|test| test.seen_in_training).count() {
            0 => return Some(passed),
            1 if tests.len() == 1 => "it".to_owned(),
            seen => format!("{seen} of them"),
        };
        let tells = "which tests for a relapse and is no evidence";
        Some(format!("{passed}; its training has seen {seen}, {tells}"))
    }

    /// None where the model declares no contract.
    fn on_contracts(&self) -> Option<String> {
        let contracts = &self.statistics.contracts;
        let untested = contracts.iter().filter(|test| test.untested.is_some()).count();
        let tested = contracts.len() - untested;
        match (tested, untested) {
            (0, 0) => None,
            (_, 0) => Some(format!("it keeps the contracts of its model ({tested} tested)")),
            _ => {
                let how_many = format!("{tested} tested, {untested} that could not be");
                Some(format!("it keeps the contracts of its model ({how_many})"))
            }
        }
    }

    /// The judgement on sides of which one cannot even be loaded: what is in use stays.
    pub fn not_comparable(problem: impl Into<String>) -> Self {
        Self::without_evidence(Verdict::KeepIncumbent(vec![Objection::NotComparable {
            problem: problem.into(),
        }]))
    }

    pub(super) fn without_evidence(verdict: Verdict) -> Self {
        Self {
            verdict,
            candidate: None,
            incumbent: None,
            evidence: Evidence::default(),
            statistics: Statistics::default(),
            grounds: None,
            looks: Looks::default(),
            promised: None,
        }
    }
}

fn below(candidate: f64, opponent: f64) -> String {
    format!("{candidate:.4} is below {opponent:.4} ({:+.1} %)", 100.0 * (candidate / opponent - 1.0))
}

fn luck(test: &AverageTest) -> String {
    match test.p {
        Some(p) if p < 0.001 => ", and luck does as well with a probability below 0.001".to_owned(),
        Some(p) => format!(", and luck does as well with a probability of {p:.3}"),
        None => String::new(),
    }
}

impl Verdict {
    /// `promote`, `keep-incumbent`, `not-enough-evidence` or `no-candidate`.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Promote => "promote",
            Verdict::KeepIncumbent(_) => "keep-incumbent",
            Verdict::NotEnoughEvidence(_) => "not-enough-evidence",
            Verdict::NoCandidate(_) => "no-candidate",
        }
    }

    /// Adds hard facts: they count however good the candidate is, and however little else is known.
    pub(super) fn hold_against(&mut self, facts: Vec<Objection>) {
        match self {
            _ if facts.is_empty() => {}
            Verdict::KeepIncumbent(objections) => objections.extend(facts),
            verdict => *verdict = Verdict::KeepIncumbent(facts),
        }
    }

    /// Why not, in sentences with numbers; empty for a promotion.
    pub fn reasons(&self) -> Vec<String> {
        match self {
            Verdict::Promote => Vec::new(),
            Verdict::KeepIncumbent(objections) => objections.iter().map(ToString::to_string).collect(),
            Verdict::NotEnoughEvidence(shortage) => shortage.reasons(),
            Verdict::NoCandidate(reason) => vec![reason.clone()],
        }
    }
}

impl Shortage {
    fn reasons(&self) -> Vec<String> {
        if self.unsure.is_empty() {
            return vec![self.sentence()];
        }
        let about = self.expected.map(|at| format!(", about {}", date(at))).unwrap_or_default();
        let waits = format!(
            "nothing else speaks against the candidate: it waits, and is judged again with {} origins{about}",
            self.needed_origins
        );
        self.unsure.iter().map(ToString::to_string).chain([waits]).collect()
    }

    fn sentence(&self) -> String {
        let Self { origins, needed_origins, expected, .. } = self;
        let missing = needed_origins.saturating_sub(*origins);
        let there = format!("{needed_origins} origins after the cut-off are needed and {origins} are there");
        match expected {
            Some(at) => format!("{there}; the missing {missing} are expected by about {}", date(*at)),
            None => format!("{there}; the history has no values"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{PromisedGain, Prospect, SearchedTest, Side, SliceName};

    #[test]
    fn a_judgement_survives_the_registry() {
        let objection =
            Objection::AverageNotBetter { candidate: 0.5, opponent: 0.4, against: Side::Incumbent };
        let expected = Some("2025-03-01T00:00:00Z".parse().expect("is a time"));
        for verdict in [
            Verdict::Promote,
            Verdict::KeepIncumbent(vec![objection]),
            Verdict::NotEnoughEvidence(Shortage {
                origins: 3,
                needed_origins: 28,
                expected,
                unsure: Vec::new(),
            }),
            Verdict::NotEnoughEvidence(Shortage {
                origins: 28,
                needed_origins: 47,
                expected,
                unsure: vec![may_be_luck()],
            }),
            Verdict::NoCandidate("too little history".to_owned()),
        ] {
            let judgement = Judgement::without_evidence(verdict);
            let json = serde_json::to_string(&judgement).expect("is JSON");
            assert_eq!(serde_json::from_str::<Judgement>(&json).expect("was just written"), judgement);
            assert!(json.contains(judgement.verdict.name()), "{json}");
        }
    }

    #[test]
    fn a_judgement_from_before_there_were_statistics_and_grounds_is_read() {
        let judgement = Judgement::without_evidence(Verdict::Promote);
        let mut json = serde_json::to_value(&judgement).expect("is JSON");
        for field in ["statistics", "grounds", "looks", "promised"] {
            json.as_object_mut().and_then(|fields| fields.remove(field)).expect("is a field");
        }
        assert_eq!(serde_json::from_value::<Judgement>(json).expect("is a judgement"), judgement);
    }

    fn may_be_luck() -> Objection {
        let expected = Some("2025-03-01T23:00:00Z".parse().expect("is a time"));
        Objection::AverageMayBeLuck {
            candidate: 0.8,
            opponent: 0.85,
            against: Side::Incumbent,
            p: 0.0431,
            alpha: 0.04,
            prospect: Some(Prospect { origins: 28, needed_origins: 47, expected }),
        }
    }

    #[test]
    fn who_waits_for_luck_to_be_told_says_what_is_unsure_and_until_when() {
        let Verdict::NotEnoughEvidence(shortage) = Verdict::of(vec![may_be_luck()]) else { panic!("waits") };
        assert_eq!(
            Judgement::without_evidence(Verdict::NotEnoughEvidence(shortage)).reasons(),
            [
                "average error 0.8000 is below the incumbent's 0.8500 (-5.9 %), but luck alone does as well with a \
                 probability of 0.043 (0.04 allowed); 19 more origins would tell, about 2025-03-01",
                "nothing else speaks against the candidate: it waits, and is judged again with 47 origins, about \
                 2025-03-01",
            ]
        );
    }

    #[test]
    fn a_promotion_says_what_it_promises_and_any_verdict_how_often_its_rows_were_looked_at() {
        let gain = |measured, shrunken| PromisedGain { measured, shrunken, standard_error: 0.01 };
        let promised = Some(Promised { average: gain(0.059, 0.041), worst_case: gain(0.082, 0.03) });
        let looks = Looks { at_these_rows: 3, expected_by_luck: 0.12, left: 22, ..Looks::default() };
        let verdict = Verdict::NoCandidate("none".to_owned());
        let mut judgement = Judgement { looks, promised, ..Judgement::without_evidence(verdict) };
        let reasons = judgement.reasons();
        assert_eq!(reasons.len(), 3, "{reasons:?}");
        assert_eq!(
            reasons[1],
            "promised: 4.1 % lower average error (measured 5.9 %), 3.0 % lower worst-case error (measured 8.2 %)"
        );
        assert!(reasons[2].starts_with("this is look 3 at these rows"), "{reasons:?}");
        let json = serde_json::to_string(&judgement).expect("is JSON");
        assert_eq!(serde_json::from_str::<Judgement>(&json).expect("was just written"), judgement);
        (judgement.looks.at_these_rows, judgement.promised) = (1, None);
        assert_eq!(judgement.reasons(), ["none"]);
    }

    #[test]
    fn what_is_said_on_slices_is_said_of_those_that_were_judged() {
        let test = |slice, ratio, lower, is_negligible| {
            let (points, origins, upper, allowed) = (96, 28, lower, 1.1);
            SliceTest { slice, points, origins, ratio, lower, upper, allowed, is_negligible }
        };
        let small = test(SliceName::Small(2), 3.0, None, false);
        let night = test(SliceName::Hours(0, 2), 1e6, Some(1e6), true);
        let said = |slices, worst: Option<SliceTest>| {
            let searched =
                worst.map(|worst| SearchedTest { slices: 9, worst, statistic: -1.0, critical: 2.5 });
            let statistics = Statistics { slices, searched, ..Statistics::default() };
            Judgement { statistics, ..Judgement::without_evidence(Verdict::Promote) }.on_slices()
        };
        let weekend = test(SliceName::Weekend, 0.9, Some(0.8), false);
        let peak = test(SliceName::PeakHours, 1.05, Some(0.97), false);
        assert_eq!(
            said(vec![small.clone(), night.clone(), weekend.clone()], Some(peak)).as_deref(),
            Some(
                "on none of 10 slices is the error more than 1.10 × as large with confidence; most on peak hours, \
                 measured 1.05 ×; slices too small to be judged: 1; slices with hardly any error: 1"
            )
        );
        assert_eq!(said(vec![night], None).as_deref(), Some("slices with hardly any error: 1"));
        assert_eq!(said(vec![small], None).as_deref(), Some("slices too small to be judged: 1"));
        assert_eq!(said(Vec::new(), None), None);
        let alone = said(vec![weekend], None);
        assert!(alone.is_some_and(|said| said.ends_with("most on weekends, measured 0.90 ×")));
    }

    #[test]
    fn a_shortage_says_how_much_is_missing_and_until_when() {
        let expected = Some("2025-03-01T00:00:00Z".parse().expect("is a time"));
        let shortage = Shortage { origins: 12, needed_origins: 28, expected, unsure: Vec::new() };
        let text = "28 origins after the cut-off are needed and 12 are there; the missing 16 are expected by \
                    about 2025-03-01";
        assert_eq!(Verdict::NotEnoughEvidence(shortage).reasons(), [text]);
    }
}
