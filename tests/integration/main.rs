//! Stories that go through the whole system, one file each.
//!
//! Most run the real roles in this process on a [`stack::Stack`]: on in-memory parts by default, on the
//! embedded ones with `STACK=embedded`, on servers with `STACK=services`. Those about processes run the
//! binary itself.

mod stack;

mod fleet;

mod process;

mod random;

mod books;

mod load;

mod proxy;

mod trace_receiver;

#[path = "../../crates/database/tests/fresh/mod.rs"]
mod fresh;

#[path = "../../crates/messaging/tests/rabbit/mod.rs"]
mod rabbit;

mod main_job;

mod old_event;

mod fallback;

mod intervals;

mod scheduled;

mod recorded;

mod poison;

mod killed;

mod fleet_killed;

mod fleet_restarts;

mod fleet_probed;

mod fleet_traced;

mod fleet_foreign;

mod fleet_poison;

mod fleet_outages;

mod fleet_gatekeepers;

mod command_line;

mod backtested;
