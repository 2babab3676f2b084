//! What a file tells about itself, before anyone has described it.

use forecasting::series::Frequency;

use super::*;

fn look_at(text: &str, options: &ImportOptions) -> Result<Look, ImportError> {
    look(text.as_bytes(), options, now())
}

fn columns_of(text: &str) -> Result<ColumnNames, ImportError> {
    guess_columns(&sample(text.as_bytes(), None)?, &ColumnNames::default())
}

#[test]
fn columns_are_guessed_by_what_they_hold() {
    for (text, id, time, value) in [
        ("unique_id,ds,y\na,2025-01-01,1\n", Some("unique_id"), "ds", "y"),
        ("Day,Shop,Sold\n2025-01-01,x,1\n", Some("Shop"), "Day", "Sold"),
        ("date,sales,price\n2025-01-01,3,1.5\n", None, "date", "sales"),
        ("{\"at\":\"2025-01-01T00:00:00Z\",\"n\":5}\n", None, "at", "n"),
        ("ds,opened,city,y\n2025-01-01,1999-01-01,x,1\n", Some("city"), "ds", "y"),
        ("unique_id,ds,y\n1,2025-01-01,5\n2,2025-01-01,7\n", Some("unique_id"), "ds", "y"),
        ("Series,date,sold\n1,2025-01-01,5\n", Some("Series"), "date", "sold"),
        ("id,date,sold\n1,2025-01-01,5\n", Some("id"), "date", "sold"),
        ("id,shop,date,sold\n1,x,2025-01-01,5\n", Some("shop"), "date", "sold"),
    ] {
        let names = columns_of(text).expect(text);
        assert_eq!(
            (names.id.as_deref(), names.time.as_deref(), names.value.as_deref()),
            (id, Some(time), Some(value))
        );
    }
}

#[test]
fn what_cannot_be_guessed_is_asked() {
    for (text, says) in [
        ("when,city,a,b\n2025-01-01,x,1,2\n", "--value must name one of a, b"),
        ("when,city,shop,y\n2025-01-01,x,z,1\n", "--id must name one of city, shop"),
        ("from,until,city,y\n2025-01-01,2025-01-02,z,1\n", "--time must name one of from, until"),
        ("city,y\nx,1\n", "no column holds times"),
        ("when,city\n2025-01-01,x\n", "no column holds numbers"),
    ] {
        let error = columns_of(text).expect_err(text).to_string();
        assert!(error.contains(says), "{error}");
    }
    let wide = columns_of("day,berlin,paris\n2025-01-01,1,2\n");
    assert!(matches!(wide, Err(ImportError::Wide { .. })), "{wide:?}");
}

#[test]
fn rows_to_come_without_a_value_are_no_fault_of_a_file_that_nobody_has_described() {
    let rows = "unique_id,ds,y,price\na,2025-01-01,0,1\na,2025-01-02,1,1\na,2025-01-03,,2\n";
    let look = look_at(rows, &ImportOptions::default()).expect("is daily");
    assert_eq!((look.rows, look.zero_share, look.ignored_columns), (3, 0.5, vec!["price".to_owned()]));
    assert_eq!(look.last, at("2025-01-02T00:00:00Z"), "the last value");
}

#[test]
fn the_frequency_is_the_most_common_distance_of_rows() {
    let rows = "unique_id,ds,y\na,2025-01-01,0\na,2025-01-02,1\na,2025-01-03,0\na,2025-01-05,1\n";
    let look = look_at(rows, &ImportOptions::default()).expect("is daily");
    assert_eq!((look.frequency, look.clock.clone()), (Frequency::Days(1), WrittenBy::Unknown));
    assert_eq!((look.frequency_share, look.zero_share, look.rows), (2.0 / 3.0, 0.5, 4));
    let months = "unique_id,ds,y\na,2025-01-01,0\na,2025-02-01,1\n";
    let error = look_at(months, &ImportOptions::default()).expect_err("is monthly").to_string();
    assert_eq!(
        error,
        "rows are PT744H apart; steps of minutes that divide a day, or of 1 to 7 days, are possible"
    );
    let one = look_at("unique_id,ds,y\na,2025-01-01,0\n", &ImportOptions::default()).expect_err("is one row");
    assert!(one.to_string().contains("no series has two rows"));
}

#[test]
fn the_zone_is_one_that_has_the_offsets() {
    let rows = "unique_id,ds,y\na,2025-03-30T01:00:00+01:00,1\na,2025-03-30T03:00:00+02:00,2\n\
                a,2025-10-26T02:00:00+02:00,1\na,2025-10-26T02:00:00+01:00,2\n";
    let look = look_at(rows, &ImportOptions::default()).expect("is hourly");
    let WrittenBy::Zones(zones) = look.clock else { panic!("{:?}", look.clock) };
    assert_eq!(zones[0], "Europe/Berlin");
    assert!(zones.contains(&"Europe/Paris".to_owned()) && !zones.contains(&"Europe/London".to_owned()));
    let utc = look_at(
        "unique_id,ds,y\na,2025-01-01T00:00:00Z,1\na,2025-01-01T01:00:00Z,1\n",
        &ImportOptions::default(),
    );
    assert_eq!(utc.expect("is hourly").clock, WrittenBy::Utc);
}

#[test]
fn what_an_import_would_refuse_is_counted() {
    let rows =
        "unique_id,ds,y\na,2025-01-01,0\na,2025-01-03,1\na,2025-01-02,1\na,2025-01-02,1\na,2025-01-04,1\n";
    let look = look_at(rows, &ImportOptions::default()).expect("is daily");
    assert_eq!((look.duplicates, look.unsorted_rows), (1, 1));
}

#[test]
fn series_told_apart_by_an_unnamed_column_are_not_taken_for_one() {
    let whole = ColumnNames {
        series: Some(SeriesId::new("whole").expect("is an id")),
        time: Some("date".to_owned()),
        value: Some("sales".to_owned()),
        ..ColumnNames::default()
    };
    let options = ImportOptions { columns: whole, ..ImportOptions::default() };
    let check = |text: &str| {
        let sample = sample(text.as_bytes(), None).expect("has rows");
        sample.check_one_series(&look_at(text, &options).expect("is daily"))
    };
    let shops = "store_id,date,sales\n1,2025-01-01,5\n1,2025-01-02,6\n2,2025-01-01,7\n2,2025-01-02,8\n";
    let error = check(shops).expect_err("are two").to_string();
    assert!(error.contains("2 rows have the time of another one: --id must name one of store_id"), "{error}");
    let prices = "price,date,sales\n1,2025-01-01,5\n2,2025-01-02,6\n";
    assert!(check(prices).is_ok(), "no time is there twice");
    assert!(check("date,sales\n2025-01-01,5\n2025-01-01,6\n2025-01-02,6\n").is_ok(), "nothing could tell");
}
