//! What a history does not keep for ever. Observations are: every verdict rests on them.

/// What is kept for a period only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgettable {
    /// Forecasts issued, by the instant at which they were.
    ForecastsIssued,
    /// Ids of messages whose observations were recorded. One that is delivered after its id was forgotten is
    /// recorded again.
    HandledMessages,
}
