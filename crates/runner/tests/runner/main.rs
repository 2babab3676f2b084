//! What the runner does with each message, on the in-memory broker, a clock that stands still, and a
//! timer that jumps to the next thing to happen.

mod stage;

mod replies;

mod failures;

mod turns;

mod stopping;

mod measured;
