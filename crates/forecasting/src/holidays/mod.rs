//! Which days are holidays: the [`HolidayCalendar`] of a [`HolidayRegion`], from the tables in `data/holidays`.
//!
//! A model keeps the calendar that it was fitted with: its answers stay the same when a table changes.

mod calendar;
mod region;
mod table;

pub use calendar::{HolidayCalendar, InvalidCalendar};
pub(crate) use calendar::{HolidayDay, days_since_epoch};
pub use region::{HolidayRegion, UnknownRegion};

#[cfg(test)]
mod tests;
