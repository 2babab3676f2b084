//! What a promotion rests on, and what it promises.

use super::*;

#[test]
fn a_promotion_says_in_a_few_sentences_what_it_rests_on() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let judgement = judge_on(&history(DAYS), &better, Some(&worse));
    let reasons = judgement.reasons();
    assert_eq!(reasons.len(), 5, "{reasons:?}");
    let starts = [
        "average error ",
        "worst-case error (mean of the worst 30 of 2160 points) ",
        "on none of 12 slices",
        "both",
        "promised: ",
    ];
    for (reason, start) in reasons.iter().zip(starts) {
        assert!(reason.starts_with(start), "{reason}");
    }
    assert!(reasons[0].ends_with("and luck does as well with a probability below 0.001"), "{reasons:?}");
    assert!(reasons[1].contains(" %), and with 96 % confidence at most 0."), "{reasons:?}");
    let statistics = judgement.statistics;
    let bootstrap = statistics.bootstrap.expect("ran");
    assert_eq!((bootstrap.resamples, bootstrap.block_origins, bootstrap.blocks), (2000, 7, 5));
    assert_eq!(statistics.average.map(|test| (test.origins, test.overlap)), Some((30, 1)));
}

#[test]
fn a_promotion_promises_less_than_it_measured_and_a_refusal_nothing() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let judgement = judge_on(&history(DAYS), &better, Some(&worse));
    let (candidate, incumbent) = (judgement.candidate.expect("scored"), judgement.incumbent.expect("scored"));
    let promised = judgement.promised.expect("is promoted");
    for (gain, ours, theirs) in [
        (promised.average, candidate.average, incumbent.average),
        (promised.worst_case, candidate.worst_case, incumbent.worst_case),
    ] {
        assert!((gain.measured - (1.0 - ours / theirs)).abs() < 1e-9, "{gain:?}");
        assert!(0.0 < gain.shrunken && gain.shrunken < gain.measured, "{gain:?}");
        assert!(gain.standard_error > 0.0, "{gain:?}");
    }
    assert_eq!(judge_on(&history(DAYS), &worse, Some(&better)).promised, None);
}
