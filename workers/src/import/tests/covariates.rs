//! Columns beside the value: what may stand in them, and what becomes of it.

use std::{collections::BTreeMap, sync::Arc};

use arrow_array::{ArrayRef, BooleanArray, Float64Array, StringArray, TimestampMillisecondArray};
use forecasting::{
    names::CovariateName,
    series::{Attribute, SeriesCovariates},
};
use parquet::basic::Compression;

use super::{formats::parquet_with, *};

fn names(names: &[&str]) -> Vec<CovariateName> {
    names.iter().map(|name| CovariateName::new(*name).expect("is a name")).collect()
}

/// Reads `price` as known in advance, `visits` as past-only and `region` as static.
fn options() -> ImportOptions {
    let covariates =
        CovariateNames { known: names(&["price"]), past: names(&["visits"]), attributes: names(&["region"]) };
    ImportOptions {
        columns: ColumnNames { covariates, ..ColumnNames::default() },
        ..ImportOptions::default()
    }
}

const HEADER: &str = "unique_id,ds,y,price,visits,region\n";

fn read_rows(rows: &str, options: &ImportOptions) -> Result<Imported, ImportError> {
    read_bytes(format!("{HEADER}{rows}").as_bytes(), options, &hourly())
}

fn check_refused(rows: &str, text: &str) {
    assert_eq!(refusal(read_rows(rows, &options())), text, "{rows}");
}

fn of_series(imported: &Imported, id: &str) -> SeriesCovariates {
    imported.covariates.of(&SeriesId::new(id).expect("is an id")).clone()
}

/// A missing number is a 999, so that columns can be compared.
fn column(columns: &BTreeMap<CovariateName, Vec<f64>>, name: &str) -> Vec<f64> {
    let column = &columns[&CovariateName::new(name).expect("is a name")];
    column.iter().map(|number| if number.is_nan() { 999.0 } else { *number }).collect()
}

fn attribute(of_series: &SeriesCovariates, name: &str) -> Option<Attribute> {
    of_series.attributes.get(&CovariateName::new(name).expect("is a name")).cloned()
}

#[test]
fn covariates_are_laid_on_the_grid_of_their_series() {
    let rows = "a,2025-01-01T00:00:00Z,1,2.5,true,north\n\
                a,2025-01-01T01:00:00Z,2,,false,north\n\
                a,2025-01-01T03:00:00Z,4,3.5,70,north\n\
                b,2025-01-01T02:00:00Z,9,1,8,south\n";
    let options = ImportOptions { on_gap: OnGap::Allow, ..options() };
    let imported = read_rows(rows, &options).expect("is fine");
    let a = of_series(&imported, "a");
    assert_eq!(a.start, at("2025-01-01T00:00:00Z"));
    assert_eq!(column(&a.known, "price"), [2.5, 999.0, 999.0, 3.5]);
    assert_eq!(column(&a.past, "visits"), [1.0, 0.0, 999.0, 70.0]);
    let b = of_series(&imported, "b");
    assert_eq!((b.start, column(&b.known, "price")), (at("2025-01-01T02:00:00Z"), vec![1.0]));
    let said = [&a, &b].map(|series| attribute(series, "region"));
    let text = |text: &str| Some(Attribute::Text(text.parse().expect("is a text")));
    assert_eq!(said, [text("north"), text("south")]);
    assert_eq!(imported.report.ignored_columns, [""; 0]);
}

#[test]
fn a_row_without_a_value_may_be_there_for_its_covariates() {
    let row =
        |hour: usize| format!("a,2025-01-01T0{hour}:00:00Z,{},{hour},,\n", if hour == 2 { "" } else { "1" });
    let rows = (0..6).map(row).collect::<Vec<String>>().concat();
    let imported = read_rows(&rows, &options()).expect("is fine");
    assert_eq!(imported.observations.len(), 5);
    let a = of_series(&imported, "a");
    assert_eq!(column(&a.known, "price"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(attribute(&a, "region"), None, "nothing is said");
    let plain = read_rows(&rows, &ImportOptions::default());
    assert_eq!(refusal(plain), "line 4: y = \"\": is empty; leave out the row where no value is known");
}

#[test]
fn a_series_may_be_there_for_its_covariates_alone_and_years_ahead() {
    let row = |ds: &str, y: &str| format!("a,{ds},{y},2.5,,north\n");
    let ahead = read_rows(&row("2028-01-01T00:00:00Z", ""), &options()).expect("is known in advance");
    assert_eq!((ahead.observations.len(), ahead.report.series), (0, 1));
    let a = of_series(&ahead, "a");
    assert_eq!((a.start, column(&a.known, "price")), (at("2028-01-01T00:00:00Z"), vec![2.5]));
    let value = read_rows(&row("2028-01-01T00:00:00Z", "1"), &options());
    assert!(refusal(value).contains("lies in the future"), "nobody has counted it");
    let too_far = read_rows(&row("2100-01-01T00:00:00Z", ""), &options());
    assert!(refusal(too_far).contains("lies in the future"), "no forecast reaches there");
}

#[test]
fn an_attribute_is_a_number_if_it_is_one_everywhere() {
    let rows = |of_b: &str| {
        format!(
            "a,2025-01-01T00:00:00Z,1,,,7\na,2025-01-01T01:00:00Z,1,,,7.0\nb,2025-01-01T00:00:00Z,1,,,{of_b}\n"
        )
    };
    let of_a =
        |of_b: &str| attribute(&of_series(&read_rows(&rows(of_b), &options()).expect("fine"), "a"), "region");
    assert_eq!(of_a("8"), Some(Attribute::Number(7.0)));
    assert_eq!(of_a(""), Some(Attribute::Number(7.0)));
    assert_eq!(of_a("large"), Some(Attribute::Text("7".parse().expect("is a text"))));
}

#[test]
fn what_cannot_be_a_covariate_is_named_with_its_line() {
    let good = "a,2025-01-01T00:00:00Z,1,2,3,north\n";
    let second = |beside: &str| format!("{good}a,2025-01-01T01:00:00Z,1,{beside}\n");
    check_refused(
        &second("cheap,3,north"),
        "line 3: price = \"cheap\": is not a number; a covariate that changes is a number, or true or false",
    );
    check_refused(
        &second("2,inf,north"),
        "line 3: visits = \"inf\": is not a finite number; a covariate that changes is a number, or true or false",
    );
    check_refused(
        &second("2,3,south"),
        "line 3: region = \"south\": is \"north\" on line 2 of the same series: a static attribute never changes \
         (it is known in advance or past-only, if it does)",
    );
    check_refused(
        &second("2,3,"),
        "line 3: region = \"\": is \"north\" on line 2 of the same series: a static attribute never changes \
         (it is known in advance or past-only, if it does)",
    );
    check_refused(
        "a,2025-01-01T00:00:00Z,1,2,3,\u{202E}n\n",
        "line 2: region = \"\\u{202e}n\": must not contain control or bidirectional formatting characters",
    );
    check_refused(
        &format!("{good}a,2025-01-01T00:30:00Z,,2,3,north\n"),
        "line 3: ds = \"2025-01-01T00:30:00Z\": 2025-01-01T00:30:00Z is not on the grid of PT1H steps through \
         2025-01-01T00:00:00Z",
    );
}

#[test]
fn two_rows_of_a_time_say_the_same_or_the_chosen_one_counts() {
    let rows = "a,2025-01-01T00:00:00Z,1,2,3,north\na,2025-01-01T00:00:00Z,5,4,3,north\n";
    let read = |on_duplicate| read_rows(rows, &ImportOptions { on_duplicate, ..options() });
    for (on_duplicate, price) in [(OnDuplicate::First, 2.0), (OnDuplicate::Last, 4.0)] {
        let imported = read(on_duplicate).expect("one counts");
        assert_eq!(column(&of_series(&imported, "a").known, "price"), [price], "{on_duplicate:?}");
    }
    for on_duplicate in [OnDuplicate::Sum, OnDuplicate::Mean] {
        let problem = "line 3: price = \"4\": is \"2\" on line 2 of the same series and time (--on-duplicate last \
                       or first)";
        assert_eq!(refusal(read(on_duplicate)), problem);
    }
    let same = rows.replace(",5,4,", ",5,2,");
    let summed = read_rows(&same, &ImportOptions { on_duplicate: OnDuplicate::Sum, ..options() });
    assert_eq!(values(&summed.expect("prices agree"))[0].1, 6.0);
}

#[test]
fn columns_that_are_not_there_are_named_with_those_that_are() {
    let find = |known: &[&str], past: &[&str]| {
        let covariates =
            CovariateNames { known: names(known), past: names(past), ..CovariateNames::default() };
        let columns = ColumnNames { covariates, ..ColumnNames::default() };
        let options = ImportOptions { columns, ..ImportOptions::default() };
        refusal(read_rows("a,2025-01-01T00:00:00Z,1,2,3,north\n", &options))
    };
    let found = "; found unique_id, ds, y, price, visits, region";
    let cases: [(&[&str], &[&str], &str); 4] = [
        (&["prize"], &[], "header: no column prize (known in advance)"),
        (&[], &["Visits"], "header: no column Visits (past-only)"),
        (&["price"], &["price"], "header: column price is read as something else already (past-only)"),
        (&["y"], &[], "header: column y is read as something else already (known in advance)"),
    ];
    for (known, past, problem) in cases {
        assert_eq!(find(known, past), format!("{problem}{found}"));
    }
    let twice = "unique_id,ds,y,price,price\na,2025-01-01T00:00:00Z,1,2,3\n";
    let columns = ColumnNames {
        covariates: CovariateNames { known: names(&["price"]), ..CovariateNames::default() },
        ..ColumnNames::default()
    };
    let options = ImportOptions { columns, ..ImportOptions::default() };
    let problem =
        "header: more than one column price (known in advance); found unique_id, ds, y, price, price";
    assert_eq!(refusal(read_bytes(twice.as_bytes(), &options, &hourly())), problem);
}

#[test]
fn every_format_has_the_same_covariates() {
    let rows = "a,2025-01-01T00:00:00Z,1,2.5,true,7\na,2025-01-01T01:00:00Z,2,,false,7\n";
    let csv = read_rows(rows, &options()).expect("is fine");
    let json = "{\"unique_id\":\"a\",\"ds\":\"2025-01-01T00:00:00Z\",\"y\":1,\"price\":2.5,\"visits\":true,\"region\":7}\n\
                {\"unique_id\":\"a\",\"ds\":\"2025-01-01T01:00:00Z\",\"y\":2,\"price\":null,\"visits\":false,\"region\":7}\n";
    let json = read_bytes(json.as_bytes(), &options(), &hourly()).expect("is fine");
    let start = 1_735_689_600_000;
    let times = TimestampMillisecondArray::from(vec![start, start + 3_600_000]).with_timezone("UTC");
    let array = |array: ArrayRef| array;
    let parquet = parquet_with(
        vec![
            ("region", array(Arc::new(Float64Array::from(vec![7.0, 7.0])))),
            ("visits", array(Arc::new(BooleanArray::from(vec![true, false])))),
            ("unique_id", array(Arc::new(StringArray::from(vec!["a", "a"])))),
            ("price", array(Arc::new(Float64Array::from(vec![Some(2.5), None])))),
            ("ds", array(Arc::new(times))),
            ("y", array(Arc::new(Float64Array::from(vec![1.0, 2.0])))),
        ],
        Compression::SNAPPY,
    );
    let parquet = read_bytes(&parquet, &options(), &hourly()).expect("is fine");
    for (format, imported) in [("CSV", csv), ("JSON lines", json), ("Parquet", parquet)] {
        let a = of_series(&imported, "a");
        assert_eq!(column(&a.known, "price"), [2.5, 999.0], "{format}");
        assert_eq!(column(&a.past, "visits"), [1.0, 0.0], "{format}");
        assert_eq!(attribute(&a, "region"), Some(Attribute::Number(7.0)), "{format}");
        assert_eq!(imported.observations.len(), 2, "{format}");
    }
}

#[test]
fn covariates_far_apart_do_not_fill_the_memory() {
    let rows: Vec<String> = (0..60)
        .map(|series| {
            format!(
                "s{series},1900-01-01T00:00:00Z,,1,,\ns{series},2025-01-01T00:00:00Z,1,1,,\n\
                 s{series},2025-01-01T01:00:00Z,1,1,,\n"
            )
        })
        .collect();
    let error = refusal(read_rows(&rows.concat(), &options()));
    assert_eq!(error, "more than 100000000 numbers of covariates, gaps included");
}
