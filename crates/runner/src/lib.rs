//! The straight line of every worker: decode → handle → publish the reply → settle.
//!
//! A handler turns a message into a reply and knows no broker. Everything else happens here, once:
//! deadlines, retries with growing delay, dead letters, time limits, panics, the span and the log line of
//! a failure, and the drain when the process is told to stop. What a message means is the handler's
//! business, how messages are kept the broker's.

mod handler;

mod worker;

mod delivery;

mod failure;

mod back_off;

mod counts;

mod metrics;

mod cpu_pool;

pub use counts::{Counts, CountsSoFar};
pub use cpu_pool::{CpuPool, CpuPoolError};
pub use handler::{HandleError, Handler, JobContext};
pub use metrics::describe_metrics;
pub use worker::{Limits, Worker, run};
