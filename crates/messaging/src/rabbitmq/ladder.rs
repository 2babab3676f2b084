//! The steps of the delay. A message expires only at the head of its queue, so each delay has a queue of
//! its own, in which all messages wait equally long.

use std::time::Duration;

/// One step: a fanout exchange and a queue behind it. The routing key is the queue of origin; it survives
/// the fanout and the expiry, so that the message finds its way home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    OneSecond,
    TenSeconds,
    OneMinute,
}

impl Step {
    pub(super) const ALL: [Self; 3] = [Self::OneSecond, Self::TenSeconds, Self::OneMinute];

    /// How long messages wait.
    pub(super) fn delay(self) -> Duration {
        match self {
            Self::OneSecond => Duration::from_secs(1),
            Self::TenSeconds => Duration::from_secs(10),
            Self::OneMinute => Duration::from_mins(1),
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::OneSecond => "1s",
            Self::TenSeconds => "10s",
            Self::OneMinute => "60s",
        }
    }

    /// The step that comes nearest to the wished delay; `None` if no delay is wished.
    pub(super) fn nearest(wished: Duration) -> Option<Self> {
        if wished.is_zero() {
            return None;
        }
        Self::ALL.into_iter().min_by_key(|step| step.delay().abs_diff(wished))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_takes_the_nearest_step_and_none_takes_none() {
        assert_eq!(Step::nearest(Duration::ZERO), None);
        for (wished, expected) in [
            (Duration::from_nanos(1), Step::OneSecond),
            (Duration::from_secs(1), Step::OneSecond),
            (Duration::from_secs(5), Step::OneSecond),
            (Duration::from_secs(6), Step::TenSeconds),
            (Duration::from_secs(20), Step::TenSeconds),
            (Duration::from_secs(40), Step::OneMinute),
            (Duration::MAX, Step::OneMinute),
        ] {
            assert_eq!(Step::nearest(wished), Some(expected), "{wished:?}");
        }
    }
}
