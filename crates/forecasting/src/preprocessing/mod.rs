//! What a learner sees: one [`FeatureSpec`], shared by learning and forecasting and stored in the
//! artifact, turns the values before an origin and the calendar of a target into a row of numbers.
//!
//! Three rules hold for every feature, and tests prove them: it uses no value at or after the origin, and no
//! number of a past-only covariate either; it is the same whether computed from the whole history or from the
//! newest [`FeatureSpec::liked_steps`]; and amounts are divided by the recent level of the series, so that one
//! model serves many series.

mod calendar;
mod covariate_columns;
mod feature;
mod holiday_feature;
mod spec;
mod statistics;
mod stored_spec;
mod view;

pub use calendar::Calendar;
pub(crate) use calendar::{DAY, WEEK};
pub use covariate_columns::CovariateColumns;
pub use feature::{Clock, Feature};
pub use holiday_feature::HolidayFeature;
pub use spec::{FeatureSpec, InvalidFeatures};
pub(crate) use spec::{MOST_FEATURES, MOST_SERIES};
pub use view::{OriginView, View};
