use jiff::civil::{Date, date};

use super::*;
use crate::names::HolidayName;

fn calendar(region: &str) -> HolidayCalendar {
    HolidayRegion::new(region).expect("is known").calendar().clone()
}

fn name(text: &str) -> HolidayName {
    HolidayName::new(text).expect("is a name")
}

/// What a date is called, with a mark on days in the place of a holiday.
fn called(calendar: &HolidayCalendar, date: &str) -> Vec<String> {
    let date: Date = date.parse().expect("is a date");
    calendar.on(date).map(|(name, observed)| format!("{name}{}", if observed { " *" } else { "" })).collect()
}

#[test]
fn well_known_days_are_holidays_where_they_are_and_nowhere_else() {
    for (region, date, expected) in [
        ("US", "2023-11-23", &["Thanksgiving Day"][..]),
        ("US-NY", "2023-11-23", &["Thanksgiving Day"]),
        ("US", "2023-02-13", &[]),
        ("US-NY", "2023-02-13", &["Lincoln's Birthday *"]),
        ("US", "2021-07-05", &["Independence Day *"]),
        ("US", "2020-06-19", &[]),
        ("US", "2022-06-19", &["Juneteenth National Independence Day"]),
        ("CA", "2024-05-20", &[]),
        ("CA-ON", "2024-05-20", &["Victoria Day"]),
        ("CA-QC", "2024-06-24", &["Saint Jean Baptiste Day"]),
        ("CA-ON", "2024-06-24", &[]),
        ("GB-ENG", "2023-05-08", &["Coronation of Charles III"]),
        ("GB-ENG", "2024-04-01", &["Easter Monday"]),
        ("GB-SCT", "2024-04-01", &[]),
        ("GB", "2022-12-27", &["Christmas Day *"]),
        ("DE", "2024-04-01", &["Easter Monday"]),
        ("DE", "2024-05-30", &[]),
        ("DE-BY", "2024-05-30", &["Corpus Christi"]),
        ("DE", "2017-10-31", &["Reformation Day"]),
        ("DE-BE", "2018-10-31", &[]),
        ("ES", "2022-12-25", &["Christmas Day"]),
        ("ES-CT", "2024-09-11", &["National Day of Catalonia"]),
        ("FR", "2024-07-14", &["National Day"]),
        ("FR-57", "2024-12-26", &["Saint Stephen's Day"]),
        ("FR", "2024-12-26", &[]),
        ("IT", "2024-06-02", &["Republic Day"]),
        ("IT-MI", "2024-12-07", &["Saint Ambrose's Day"]),
        ("NL", "2013-04-30", &["Queen's Day"]),
        ("NL", "2014-04-26", &["King's Day"]),
        ("NL", "2014-04-30", &[]),
        ("NZ", "2023-07-14", &["Matariki"]),
        ("NZ", "2021-07-14", &[]),
        ("NZ-AUK", "2024-01-29", &["Auckland Anniversary Day"]),
        ("NZ-WGN", "2024-01-29", &[]),
        ("AU", "2024-04-25", &["ANZAC Day"]),
        ("AU-VIC", "2023-11-07", &["Melbourne Cup Day"]),
        ("AU-NSW", "2023-11-07", &[]),
    ] {
        assert_eq!(called(&calendar(region), date), expected, "{region} {date}");
    }
}

#[test]
fn every_region_of_every_country_has_holidays_in_every_year_that_it_covers() {
    let mut regions = 0;
    for region in region::every_region() {
        let calendar = calendar(&region);
        assert_eq!(calendar.validate(), Ok(()), "{region}");
        let (first, last) = calendar.span();
        assert!(first.year() <= 2008 && last == date(2040, 12, 31), "{region} {first} {last}");
        for year in first.year()..=last.year() {
            let on = |month, day| calendar.on(date(year, month, day)).count();
            assert!(on(1, 1) >= 1 && on(12, 25) >= 1, "{region} {year}");
            let all = calendar.within(
                days_since_epoch(date(year, 1, 1)).into(),
                days_since_epoch(date(year, 12, 31)).into(),
            );
            assert!((5..40).contains(&all.len()), "{region} {year}: {}", all.len());
        }
        regions += 1;
    }
    assert_eq!(regions, 276);
}

#[test]
fn an_unknown_region_is_named_with_those_that_there_are() {
    let problem = |region: &str| HolidayRegion::new(region).expect_err(region).to_string();
    for region in ["", "us", "XX", "XX-NY", "UK", "-"] {
        let text = "is not one of the countries AU, CA, DE, ES, FR, GB, IT, NL, NZ, US or a part of one, such as US-NY";
        assert_eq!(problem(region), format!("{region:?}: {text}"));
    }
    assert_eq!(problem("GB-LND"), "\"GB-LND\": GB has the parts ENG, NIR, SCT, WLS");
    for region in ["GB-", "GB-GB", "GB-eng", "GB-ENG-NIR"] {
        assert!(problem(region).ends_with("GB has the parts ENG, NIR, SCT, WLS"), "{region}");
    }
    assert_eq!(problem("NL-NH"), "\"NL-NH\": NL has no parts");
    assert!(problem(&"x".repeat(1000)).len() < 250);
}

#[test]
fn a_table_of_ones_own_is_a_calendar_too() {
    let (first, last) = (date(2024, 1, 1), date(2025, 12, 31));
    let own = [
        (date(2025, 8, 4), name("Summer sale")),
        (date(2024, 8, 5), name("Summer sale")),
        (date(2024, 8, 6), name("Summer sale (observed)")),
        (date(2024, 8, 5), name("Founder's day")),
    ];
    let calendar = HolidayCalendar::new(first, last, own.clone()).expect("is a calendar");
    assert_eq!(calendar.validate(), Ok(()));
    assert_eq!(called(&calendar, "2024-08-05"), ["Summer sale", "Founder's day"]);
    assert_eq!(called(&calendar, "2024-08-06"), ["Summer sale *"]);
    assert_eq!(called(&calendar, "2023-08-06"), [""; 0]);
    let outside = HolidayCalendar::new(date(2024, 8, 6), last, own.clone()).expect_err("one is earlier");
    assert_eq!(
        outside.to_string(),
        "holiday Summer sale on 2024-08-05: is not from 2024-08-06 to 2025-12-31"
    );
    let nothing = HolidayCalendar::new(last, first, own).expect_err("ends first").to_string();
    assert_eq!(nothing, "holidays from 2025-12-31 to 2024-01-01: no day is covered");
}

#[test]
fn the_same_holiday_of_the_year_before_is_found_by_its_name() {
    for (region, date, expected) in [
        ("US", date(2023, 11, 23), date(2022, 11, 24)),
        ("GB-ENG", date(2024, 4, 1), date(2023, 4, 10)),
        // What was observed last December is not what this New Year's Day is compared with.
        ("US", date(2022, 1, 1), date(2021, 1, 1)),
        ("US", date(2021, 12, 31), date(2021, 1, 1)),
    ] {
        let calendar = calendar(region);
        let day = calendar.holiday(days_since_epoch(date).into()).expect("is one");
        assert_eq!(calendar.year_before(day), Some(days_since_epoch(expected).into()), "{region} {date}");
    }
    let first = calendar("DE").holiday(days_since_epoch(date(1991, 1, 1)).into()).expect("is one");
    assert_eq!(calendar("DE").year_before(first), None);
}

#[test]
fn a_day_can_be_made_a_holiday_or_a_day_like_others() {
    let new_york = calendar("US-NY");
    let (labor_day, day_after) = (date(2024, 9, 2), date(2024, 9, 3));
    let day = |date| i64::from(days_since_epoch(date));
    let place = new_york.place(&name("Labor Day"));
    let longer = new_york.with_day(day(day_after), place);
    assert_eq!(called(&longer, "2024-09-03"), ["Labor Day"]);
    assert_eq!(called(&longer, "2024-09-02"), ["Labor Day"], "the day before is as it was");
    assert_eq!(longer.with_day(day(day_after), None), new_york);
    let without = new_york.with_day(day(labor_day), None);
    assert_eq!(called(&without, "2024-09-02"), [""; 0]);
    assert_eq!([longer.validate(), without.validate()], [Ok(()), Ok(())]);
}
