//! How good forecasts are: which origins are held out, which points are scored, and with which numbers.
//!
//! A [`RowSet`] is made once, from the actuals alone, and every side of a comparison forecasts exactly its
//! rows. Losses are scaled by [`LossScales`], so that series of different size can be pooled.

mod backtest;
mod errors;
mod holdout;
mod losses;
mod rows;
mod scale;
mod scores;
mod shift;

pub use backtest::{Backtest, CannotBacktest};
pub(crate) use errors::quantile_of;
pub use errors::{Errors, Tail, average, worst_case};
pub use holdout::{FrameCoverage, HoldoutPlan, TooLittleHistory, holdout_origins, size_holdout};
pub use losses::{OriginLosses, PairedLosses, Unpaired};
pub use rows::{Fault, Forecasts, Row, RowSet, Unusable};
pub use scale::LossScales;
pub use scores::Scores;
pub use shift::{NoHoldoutSince, check_shift, size_holdout_since};
pub(crate) use shift::{older_half, origins_since};
