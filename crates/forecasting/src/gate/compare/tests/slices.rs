//! Who may not be much worse on a slice, however small it is.

use super::*;

#[test]
fn a_slice_that_is_worse_with_confidence_keeps_the_incumbent() {
    let harbour = |point: u32| point % POINTS < 4;
    let slices = || {
        let points =
            |is_in: &dyn Fn(u32) -> bool| (0..ORIGINS * POINTS).filter(|&point| is_in(point)).collect();
        vec![
            Slice { name: series("harbour"), points: points(&harbour) },
            Slice { name: series("others"), points: points(&|point| !harbour(point)) },
        ]
    };
    let case = Case { declared: slices(), ..Case::default() };
    // Nobody is far off in the harbour, so the worst case lies elsewhere.
    let (candidate, incumbent) =
        (multiplied(&noisy(1, 0.8), 0.25, harbour), multiplied(&noisy(2, 1.0), 0.25, harbour));
    assert_eq!(case.sentences(&candidate, &incumbent), [""; 0]);
    // There losses are now 1.6 times as large, in all still smaller.
    let worse = multiplied(&candidate, 2.0, harbour);
    let sentences = case.sentences(&worse, &incumbent);
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    assert!(sentences[0].starts_with("on series harbour, error 1.6"), "{sentences:?}");
    assert!(sentences[0].ends_with("with 95 % confidence; 1.10 allowed)"), "{sentences:?}");
    let statistics = case.compare(&worse, &incumbent).statistics;
    let [harbour, others] = &statistics.slices[..] else { panic!("{statistics:?}") };
    assert_eq!((harbour.points, harbour.origins, others.points), (112, 28, 560));
    assert!(harbour.lower < Some(harbour.ratio) && Some(harbour.ratio) < harbour.upper, "{harbour:?}");
    // Searched slices are held against it too, and say among how many.
    let searched = Case { searched: slices(), ..Case::default() };
    let sentences = searched.sentences(&worse, &incumbent);
    assert!(
        sentences[0].ends_with("1.10 allowed), the worst of 2 slices that were searched"),
        "{sentences:?}"
    );
    let lenient = GatePolicy { slice_margin: 2.0, ..GatePolicy::default() };
    assert!(Case { policy: lenient, declared: slices(), ..Case::default() }.promotes(&worse, &incumbent));
}

#[test]
fn the_worst_of_many_slices_must_be_worse_than_the_worst_of_many_by_luck() {
    let (candidate, incumbent) = (noisy(1, 0.8), noisy(2, 1.0));
    let part = |hour: u8| {
        let points = (0..ORIGINS * POINTS).filter(move |point| point % POINTS == u32::from(hour));
        slice(SliceName::Hours(hour, hour), points)
    };
    let bound = |slices: u8| {
        let case = Case { searched: (0..slices).map(part).collect(), ..Case::default() };
        let searched = case.compare(&candidate, &incumbent).statistics.searched.expect("was searched");
        assert_eq!(searched.slices, u32::from(slices));
        searched.critical
    };
    assert!(bound(1) < bound(4) && bound(4) < bound(24), "{} {} {}", bound(1), bound(4), bound(24));
}

#[test]
fn small_slices_are_judged_together_and_never_dropped() {
    // Each of them is an hour of one weekday, the last one has three points.
    let monday = |hour: u8| (0..ORIGINS).step_by(7).map(move |day| day * POINTS + u32::from(hour));
    let mut declared: Vec<Slice> =
        (0..8).map(|hour| slice(SliceName::Hours(hour, hour), monday(hour))).collect();
    declared.push(slice(series("young"), [24, 48, 72].into_iter()));
    declared.push(slice(series("empty"), [].into_iter()));
    let small = Case { declared, ..Case::default() };
    let statistics = small.compare(&losses(0.9, 9.0), &losses(1.0, 10.0)).statistics;
    let [merged] = &statistics.slices[..] else { panic!("{statistics:?}") };
    assert_eq!((&merged.slice, merged.points, merged.origins), (&SliceName::Small(9), 35, 7));
    assert_eq!((merged.lower, merged.upper), (None, None), "seven origins are still too few");
    assert_eq!(statistics.absent, [series("empty")]);

    let tuesday = slice(
        series("tuesday"),
        (0..ORIGINS).step_by(7).flat_map(|day| (0..6).map(move |hour| (day + 1) * POINTS + hour)),
    );
    let case = Case { declared: [small.declared, vec![tuesday]].concat(), ..Case::default() };
    let worse = multiplied(&losses(0.9, 9.0), 2.0, |point| point / POINTS % 7 < 2 && point % POINTS < 8);
    let sentences = case.sentences(&worse, &losses(1.0, 10.0));
    assert!(sentences[0].starts_with("on 10 small slices together, error 1.77 ×"), "{sentences:?}");
}

#[test]
fn a_slice_with_hardly_any_error_harms_nobody() {
    let night = |point: u32| point % POINTS < 4;
    let points = (0..ORIGINS * POINTS).filter(|&point| night(point)).collect();
    let case = Case { declared: vec![Slice { name: series("night"), points }], ..Case::default() };
    let incumbent = multiplied(&losses(1.0, 10.0), 0.0, night);
    let candidate: Vec<f64> = (0..ORIGINS * POINTS)
        .zip(losses(0.9, 9.0))
        .map(|(point, loss)| if night(point) { 0.001 } else { loss })
        .collect();
    assert_eq!(case.sentences(&candidate, &incumbent), [""; 0]);
    let larger = multiplied(&candidate, 500.0, night);
    let sentence = "on series night, error 1000000.00 × the incumbent's (at least 1000000.00 × with 95 % \
                    confidence; 1.10 allowed)";
    assert_eq!(case.sentences(&larger, &incumbent), [sentence]);
}

#[test]
fn a_slice_with_hardly_any_error_hides_none_that_is_worse() {
    let (night, harbour) =
        (|point: u32| point % POINTS < 4, |point: u32| (4..10).contains(&(point % POINTS)));
    let points = |is_in: &dyn Fn(u32) -> bool| (0..ORIGINS * POINTS).filter(|&point| is_in(point)).collect();
    let searched = vec![
        Slice { name: series("night"), points: points(&night) },
        Slice { name: series("harbour"), points: points(&harbour) },
        Slice { name: series("others"), points: points(&|point| !night(point) && !harbour(point)) },
    ];
    let case = Case { searched, ..Case::default() };
    let incumbent = multiplied(&losses(1.0, 10.0), 0.0, night);
    // At night a thousandth against nothing: a million times as large, as far as that can be told.
    let better = multiplied(&losses(0.9, 9.0), 0.001, night);
    let findings = case.compare(&better, &incumbent);
    assert_eq!(findings.objections, []);
    assert_eq!(findings.statistics.searched.map(|test| test.slices), Some(2), "nights are not judged");
    let sentence = "on series harbour, error 1.35 × the incumbent's (at least 1.35 × with 95 % confidence; 1.10 \
                    allowed), the worst of 2 slices that were searched";
    assert_eq!(case.sentences(&multiplied(&better, 1.5, harbour), &incumbent), [sentence]);
}

#[test]
fn what_is_declared_is_not_searched_too() {
    let hours = |first: u8| {
        let points = (0..ORIGINS * POINTS).filter(move |point| point % POINTS / 6 == u32::from(first) / 6);
        slice(SliceName::Hours(first, first + 5), points)
    };
    let searched: Vec<Slice> = [0, 6, 12, 18].map(hours).into();
    let case = |declared| Case { declared, searched: searched.clone(), ..Case::default() };
    let counts = |declared| {
        let statistics = case(declared).compare(&noisy(1, 0.8), &noisy(2, 1.0)).statistics;
        (statistics.slices.len(), statistics.searched.map(|test| test.slices))
    };
    assert_eq!(counts(Vec::new()), (0, Some(4)));
    assert_eq!(counts(vec![hours(6)]), (1, Some(3)));
    assert_eq!(counts(searched.clone()), (4, None));
}
