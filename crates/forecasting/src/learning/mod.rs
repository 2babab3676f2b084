//! How models are fitted.

mod stop;

pub use stop::{StopFlag, Stopped};
