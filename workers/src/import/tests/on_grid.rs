//! The points of a series together: order, duplicates, frequency, grid, gaps.

use super::*;

#[test]
fn a_duplicate_is_an_error_unless_merged_by_name() {
    let rows = "a,2025-01-01T00:00:00Z,7\na,2025-01-01T01:00:00Z,1\na,2025-01-01T01:00:00Z,5\n";
    let problem = "line 4: ds = \"2025-01-01T01:00:00Z\": series a has 5 there and 1 on line 3 already \
                   (--on-duplicate sum, last, first or mean)";
    check_refused(rows, &ImportOptions::default(), problem);
    for (on_duplicate, y) in [
        (OnDuplicate::Sum, 6.0),
        (OnDuplicate::Last, 5.0),
        (OnDuplicate::First, 1.0),
        (OnDuplicate::Mean, 3.0),
    ] {
        let imported = read_rows(rows, &ImportOptions { on_duplicate, ..ImportOptions::default() });
        let imported = imported.expect("is merged");
        assert_eq!((imported.observations[1].y, imported.report.duplicates), (y, 1));
    }
}

/// The first 20 hours of a day without those that are named.
pub(super) fn hours_without(missing: &[i32]) -> String {
    let hours = (0..20).filter(|hour| !missing.contains(hour));
    hours.map(|hour| format!("a,2025-01-01T{hour:02}:00:00Z,1\n")).collect::<Vec<_>>().concat()
}

#[test]
fn the_sum_of_duplicates_is_within_the_limit_of_any_value() {
    let sum = ImportOptions { on_duplicate: OnDuplicate::Sum, ..ImportOptions::default() };
    let at = "2025-01-01T00:00:00Z";
    check_refused(
        &format!("a,{at},1e15\na,{at},1e15\n"),
        &sum,
        &format!(
            "line 3: y = \"2000000000000000\": is larger than 1e15: what series a comes to at {at}, with this row"
        ),
    );
    let imported = read_rows(&format!("a,{at},5e14\na,{at},5e14\n"), &sum).expect("is at the limit");
    assert_eq!(values(&imported), [(at.to_owned(), 1e15)]);
}

#[test]
fn small_gaps_are_reported_and_large_ones_refused_unless_allowed() {
    let fifth =
        read_rows(&hours_without(&[2, 3, 7, 11]), &ImportOptions::default()).expect("a fifth may be missing");
    assert_eq!((fifth.report.gaps, fifth.report.missing_steps), (3, 4));
    assert_eq!(fifth.report.first_gaps[0].to_string(), "a from 2025-01-01T02:00:00Z (2 steps)");
    let more = hours_without(&[2, 3, 7, 11, 13]);
    let problem = "series a lacks 5 of 20 steps, more than 20 % (--on-gap allow takes it as it is); first gaps: \
                   a from 2025-01-01T02:00:00Z (2 steps), a from 2025-01-01T07:00:00Z (1 steps), \
                   a from 2025-01-01T11:00:00Z (1 steps)";
    check_refused(&more, &ImportOptions::default(), problem);
    let allowed = read_rows(&more, &ImportOptions { on_gap: OnGap::Allow, ..ImportOptions::default() });
    assert_eq!(allowed.expect("is allowed").report.first_gaps.len(), 3);
}

#[test]
fn another_frequency_than_the_declared_one_is_named() {
    let half_hours = "a,2025-01-01T00:00:00Z,1\na,2025-01-01T00:30:00Z,1\na,2025-01-01T01:00:00Z,1\n";
    check_refused(half_hours, &ImportOptions::default(), "steps of PT30M, but the dataset declares PT1H");
    let days = "a,2025-01-01T00:00:00Z,1\na,2025-01-02T00:00:00Z,1\na,2025-01-03T00:00:00Z,1\n";
    check_refused(days, &ImportOptions::default(), "steps of P1D, but the dataset declares PT1H");
    let hours = format!("unique_id,ds,y\n{TWO_HOURS}");
    let error = refusal(read_bytes(hours.as_bytes(), &ImportOptions::default(), &dataset("P1D", "UTC")));
    assert_eq!(error, "steps of PT1H, but the dataset declares P1D");
}

#[test]
fn rows_between_the_steps_are_named() {
    let rows = format!("{}b,2025-01-01T05:00:01Z,1\n", hours_without(&[]));
    let problem = "1 rows are off the grid of PT1H steps in Europe/Berlin that the others are on; first: \
                   line 22 (b at 2025-01-01T05:00:01Z)";
    check_refused(&rows, &ImportOptions::default(), problem);
    let noons = "unique_id,ds,y\na,2025-01-01T12:00:00Z,1\na,2025-01-02T12:00:00Z,1\n";
    let error = refusal(read_bytes(noons.as_bytes(), &ImportOptions::default(), &dataset("P1D", "UTC")));
    assert!(error.starts_with("2 rows are off the grid of P1D steps in UTC"), "{error}");
}

#[test]
fn series_come_out_in_order_whatever_the_order_of_rows() {
    let rows = "b,2025-01-01T00:00:00Z,3\na,2025-01-01T00:00:00Z,1\nb,2025-01-01T01:00:00Z,4\na,2025-01-01T01:00:00Z,2\n";
    let imported = read_rows(rows, &ImportOptions::default()).expect("each series is in order");
    let all: Vec<_> = imported.observations.iter().map(|one| (one.series.as_str(), one.y)).collect();
    assert_eq!(all, [("a", 1.0), ("a", 2.0), ("b", 3.0), ("b", 4.0)]);
    assert_eq!(imported.report.unsorted_rows, 0);
}

#[test]
fn rows_out_of_order_are_an_error_unless_sorted_by_name() {
    let rows = "b,2025-01-01T01:00:00Z,4\na,2025-01-01T01:00:00Z,2\nb,2025-01-01T00:00:00Z,3\na,2025-01-01T00:00:00Z,1\n";
    let problem = "line 4: ds = \"2025-01-01T00:00:00Z\": is before 2025-01-01T01:00:00Z on line 2 of series b: \
                   not sorted by time (--on-unsorted sort)";
    check_refused(rows, &ImportOptions::default(), problem);
    let sort = ImportOptions { on_unsorted: OnUnsorted::Sort, ..ImportOptions::default() };
    let imported = read_rows(rows, &sort).expect("is sorted");
    let all: Vec<_> = imported.observations.iter().map(|one| (one.series.as_str(), one.y)).collect();
    assert_eq!(all, [("a", 1.0), ("a", 2.0), ("b", 3.0), ("b", 4.0)]);
    assert_eq!(imported.report.unsorted_rows, 2);
    assert!(imported.report.to_string().contains("out of order 2 rows"), "{}", imported.report);
}
