//! Time stamps: offsets, zones, hours that the clock skips or repeats.

use super::*;

#[test]
fn every_impossible_time_is_named_with_its_line() {
    let no_time = "is not a time such as 2025-01-31T13:00:00+01:00 or 2025-01-31T12:00:00Z";
    let range = "lies outside the years 1900 to 2200";
    let cases = [
        ("2025-13-01T00:00:00Z", no_time),
        ("yesterday", no_time),
        ("", no_time),
        ("10000-01-01T00:00:00Z", no_time),
        ("2025-01-01T00:00:60Z", "has a second 60"),
        ("1899-12-31T23:00:00Z", range),
        ("2201-01-01T00:00:00Z", range),
        ("2026-01-02T01:00:00Z", "lies in the future: the latest possible is 2026-01-02T00:00:00Z"),
        ("1735689600000", "is a number; if it counts milliseconds since 1970, write 2025-01-01T00:00:00Z"),
        ("1735689600000000", "is a number; if it counts microseconds since 1970, write 2025-01-01T00:00:00Z"),
        (
            "1735689600000000000",
            "is a number; if it counts nanoseconds since 1970, write 2025-01-01T00:00:00Z",
        ),
        ("2025-02-29T00:00:00Z", no_time),
        ("2025-06-30T23:59:60Z", "has a second 60"),
        ("1735689600", "is a number; if it counts seconds since 1970, write 2025-01-01T00:00:00Z"),
        ("2025-01-01T00:00:00", "has no offset; --tz says in which zone it is (none: a plain grid in UTC)"),
    ];
    for (time, problem) in cases {
        check_row_refused(&format!("a,{time},1"), &format!("ds = \"{time}\": {problem}"));
    }
}

#[test]
fn naive_times_are_wall_clock_of_the_named_zone() {
    let rows = "a,2025-01-01T00:00:00,1\na,2025-01-01 01:00,2\n";
    let imported = read_rows(rows, &berlin()).expect("is fine");
    assert_eq!(imported.observations[0].ds, at("2025-01-01T00:00:00+01:00"));
    let unknown = ImportOptions { time_zone: Some("Mars/Olympus".to_owned()), ..ImportOptions::default() };
    let text = "--tz: time zone \"Mars/Olympus\" is not an IANA name such as Europe/Berlin or UTC";
    check_refused(rows, &unknown, text);
}

#[test]
fn a_plain_grid_needs_a_dataset_in_utc() {
    let plain = ImportOptions { time_zone: Some("none".to_owned()), ..ImportOptions::default() };
    let text = "unique_id,ds,y\na,2025-01-01T00:00:00,1\n";
    let imported = read_bytes(text.as_bytes(), &plain, &dataset("PT1H", "UTC")).expect("is in UTC");
    assert_eq!(imported.observations[0].ds, at("2025-01-01T00:00:00Z"));
    let error = refusal(read_bytes(text.as_bytes(), &plain, &hourly()));
    assert_eq!(error, "--tz none: a plain grid needs a dataset in UTC, this one is in Europe/Berlin");
}

#[test]
fn an_hour_that_the_clock_skips_is_an_error_unless_dropped_or_shifted() {
    let rows = "a,2025-03-30T01:00:00,1\na,2025-03-30T02:00:00,2\na,2025-03-30T03:00:00,3\n";
    let problem =
        "line 3: ds = \"2025-03-30T02:00:00\": does not exist: the clock skips it (--dst drop or shift)";
    check_refused(rows, &berlin(), problem);
    let drop = ImportOptions { on_daylight_saving: OnDaylightSaving::Drop, ..berlin() };
    let imported = read_rows(rows, &drop).expect("is dropped");
    assert_eq!(
        values(&imported),
        [("2025-03-30T00:00:00Z".to_owned(), 1.0), ("2025-03-30T01:00:00Z".to_owned(), 3.0)]
    );
    assert_eq!(imported.report.daylight_saving, DaylightSavingRepairs { dropped: 1, shifted: 0 });
    let shift = ImportOptions { on_daylight_saving: OnDaylightSaving::Shift, ..berlin() };
    let error = refusal(read_rows(rows, &shift));
    assert!(error.contains("--on-duplicate"), "a shifted row meets the one that is there: {error}");
    let merged =
        read_rows(rows, &ImportOptions { on_duplicate: OnDuplicate::Sum, ..shift }).expect("is merged");
    assert_eq!(merged.observations[1].y, 5.0);
}

#[test]
fn the_hour_that_the_clock_repeats_is_an_error_unless_dropped_or_shifted() {
    let hours = ["01:00", "02:00", "02:00", "03:00"].map(|hour| format!("a,2025-10-26T{hour}:00,1\n"));
    let rows = hours.concat();
    assert!(
        refusal(read_rows(&rows, &berlin()))
            .starts_with("line 3: ds = \"2025-10-26T02:00:00\": exists twice")
    );
    let shift = ImportOptions { on_daylight_saving: OnDaylightSaving::Shift, ..berlin() };
    let imported = read_rows(&rows, &shift).expect("is shifted");
    let first = at("2025-10-26T01:00:00+02:00");
    let grid = hourly().grid();
    let steps =
        imported.observations.iter().map(|one| grid.steps_between(first, one.ds).expect("is on the grid"));
    assert_eq!(steps.collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!((imported.report.gaps, imported.report.daylight_saving.shifted), (0, 2));
    let drop = ImportOptions { on_daylight_saving: OnDaylightSaving::Drop, on_gap: OnGap::Allow, ..berlin() };
    let imported = read_rows(&rows, &drop).expect("is dropped");
    assert_eq!((imported.observations.len(), imported.report.missing_steps), (2, 2));
}

#[test]
fn days_mean_local_days_even_those_without_a_midnight() {
    let daily = dataset("P1D", "America/Sao_Paulo");
    let options =
        ImportOptions { time_zone: Some("America/Sao_Paulo".to_owned()), ..ImportOptions::default() };
    for rows in [
        "a,2018-11-03,1\na,2018-11-04,2\na,2018-11-05,3\n",
        "a,2018-11-03T00:00:00,1\na,2018-11-04T00:00:00,2\n",
    ] {
        let text = format!("unique_id,ds,y\n{rows}");
        let imported = read_bytes(text.as_bytes(), &options, &daily).expect("is daily");
        assert_eq!(imported.observations[1].ds, at("2018-11-04T01:00:00-02:00"));
        assert_eq!(imported.report.frequency.as_deref(), Some("P1D"));
    }
}
