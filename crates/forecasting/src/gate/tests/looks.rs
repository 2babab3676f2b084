//! How looks at one candidate, and at the same rows, are counted.

use super::*;
use crate::examples::start;

#[test]
fn looks_at_the_same_rows_are_counted_and_nothing_else_follows_from_them() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let frame = history(DAYS);
    let judged = |earlier: &[PastLook], look| {
        let given = &Given { look, earlier: earlier.to_vec(), ..Given::default() };
        judgement_of(&Contest { given, ..contest(&better, Some(&worse), &frame) })
    };
    let alone = judged(&[], Look::FIRST);
    let first =
        Looks { at_candidate: 1, at_these_rows: 1, expected_by_luck: 0.04, left: 24, ..Looks::default() };
    assert_eq!(alone.looks, first);
    let same = alone.as_past_look().expect("compared losses");
    let before = PastLook { first_origin: start(), last_target: version(long_mean(), 20).cut_off, ..same };
    let among = judged(&[same, before, same], Look::FIRST);
    assert_eq!((among.looks.at_these_rows, among.looks.left), (3, 22));
    assert!(among.reasons().iter().any(|reason| reason.starts_with("this is look 3 at these rows")));
    assert_eq!(Judgement { looks: alone.looks, ..among }, alone);
    // A further look has less of alpha, and counts on.
    let again = judged(&[same], Look { number: 2, compared_before: 1, bets_before: 0 });
    assert_eq!((again.looks.at_candidate, again.looks.at_these_rows), (2, 2));
    assert!((again.looks.expected_by_luck - 0.045).abs() < 1e-12, "{again:?}");
}

#[test]
fn a_look_that_came_too_early_to_compare_spends_nothing_and_forgets_nothing() {
    let (frame, candidate) = (history(40), version(long_mean(), TRAINED));
    let mut empty = frame.clone();
    empty.series.iter_mut().for_each(|series| series.values.fill(f64::NAN));
    for (frame, compared_before) in [(&frame, 0), (&frame, 1), (&empty, 1)] {
        let given = &Given { look: Look { number: 2, compared_before, bets_before: 0 }, ..Given::default() };
        let contest = Contest { given, ..contest(&candidate, None, frame) };
        let judgement = judgement_of(&contest);
        assert_eq!(judgement.verdict.name(), "not-enough-evidence");
        assert_eq!(judgement.looks, Looks { at_candidate: compared_before, ..Looks::default() });
        let day_after = frame.last_target().map(|last| frame.grid.advance(last, 24));
        assert_eq!(contest.expected(1), day_after);
    }
}
