//! What holds whatever the losses are.

use proptest::prelude::*;

use super::*;

#[test]
fn a_comparison_repeats_bit_by_bit() {
    let (candidate, incumbent) = (noisy(1, 0.9), noisy(2, 1.0));
    let once = Case::default().compare(&candidate, &incumbent);
    assert_eq!(once, Case::default().compare(&candidate, &incumbent));
    assert!(once.statistics.worst_case.is_some(), "it was resampled: {:?}", once.objections);
}

/// A registry refuses what does not come back as it was, and an infinite number does not.
#[test]
fn whatever_is_compared_its_statistics_can_be_stored() {
    let points = (0..ORIGINS * POINTS).filter(|point| point.is_multiple_of(2)).collect();
    let searched = vec![Slice { name: SliceName::PeakHours, points }];
    let case = Case { searched, ..Case::default() };
    let nothing = vec![0.0; 672];
    let sides =
        [nothing, losses(1.0, 10.0), losses(0.9, 9.0), noisy(1, 0.9), noisy(2, 1e200), losses(0.5, f64::MAX)];
    for (candidate, incumbent) in sides.iter().flat_map(|one| sides.iter().map(move |other| (one, other))) {
        let statistics = case.compare(candidate, incumbent).statistics;
        let json = serde_json::to_string(&statistics).expect("is JSON");
        assert_eq!(serde_json::from_str::<Statistics>(&json).expect("was just written"), statistics);
    }
}

/// The t statistic knows no such rule: who loses an outlier in his favour loses mean and noise. The floor does.
#[test]
fn being_worse_on_a_day_may_make_a_gain_more_certain() {
    let incumbent = losses(2.0, 10.0);
    let lucky_day = multiplied(&losses(1.875, 9.5), 0.0, |point| point < POINTS - 2);
    let p = |candidate: &[f64]| {
        let statistics = Case::default().compare(candidate, &incumbent).statistics;
        statistics.average.expect("was tested").p
    };
    assert!(p(&lucky_day).is_some_and(|p| p > 1e-6));
    assert_eq!(p(&losses(1.875, 9.5)), None, "the same gain every day is certain");
}

fn any_losses() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let origins = ORIGINS as usize;
    prop::collection::vec((0.0_f64..100.0, 0.0_f64..100.0), origins..origins * 8).prop_map(|pairs| {
        let whole = pairs.len() / ORIGINS as usize * ORIGINS as usize;
        pairs.into_iter().take(whole).unzip()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn swapping_the_sides_never_promotes_both((one, other) in any_losses()) {
        prop_assert!(!(promotes(&one, &other) && promotes(&other, &one)));
    }

    #[test]
    fn a_tie_never_promotes((one, _) in any_losses(), turn in 0_usize..500) {
        let mut other = one.clone();
        other.rotate_left(turn % one.len());
        prop_assert!(!promotes(&one, &other));
    }

    #[test]
    fn whoever_is_worse_on_every_point_never_promotes((one, more) in any_losses()) {
        let worse: Vec<f64> = one.iter().zip(&more).map(|(loss, more)| loss + more).collect();
        prop_assert!(!promotes(&worse, &one));
    }

    #[test]
    fn whoever_is_worse_than_one_that_fails_the_floor_fails_it_too((one, more) in any_losses()) {
        let worse: Vec<f64> = one.iter().zip(&more).map(|(loss, more)| loss + more).collect();
        let floor = |candidate: &[f64], incumbent: &[f64]| {
            Case::default().compare(candidate, incumbent).objections.iter().any(|objection| {
                matches!(objection, Objection::AverageNotBetter { .. } | Objection::WorstCaseNotBetter { .. })
            })
        };
        prop_assert!(!floor(&one, &more) || floor(&worse, &more));
    }

    #[test]
    fn whoever_is_better_by_a_tenth_everywhere_promotes((one, _) in any_losses()) {
        let better: Vec<f64> = one.iter().map(|loss| 0.9 * loss).collect();
        prop_assert!(promotes(&better, &one));
    }

    #[test]
    fn a_unit_of_losses_decides_nothing((one, other) in any_losses(), scale in 0.01_f64..100.0) {
        let scaled = |losses: &[f64]| losses.iter().map(|loss| loss * 4.0_f64.powf(scale.log2().round())).collect::<Vec<_>>();
        prop_assert_eq!(promotes(&one, &other), promotes(&scaled(&one), &scaled(&other)));
    }
}
