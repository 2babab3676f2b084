//! Stories that go through the whole system, one file each.
//!
//! Most run the real roles in this process on a [`stack::Stack`]: on in-memory parts by default, on the
//! embedded ones with `STACK=embedded`, on servers with `STACK=services`. Those about processes run the
//! binary itself.

mod stack;

mod fleet;

mod process;

mod desk;

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

mod acts;

mod judged_again;

mod bad_evidence;

mod drifted;

mod verdict_told;

mod followed;

mod fallback;

mod intervals;

mod scheduled;

mod kept_and_deleted;

mod recorded;

mod poison;

mod killed;

mod fleet_killed;

mod fleet_restarts;

mod fleet_probed;

mod fleet_traced;

mod fleet_canary;

mod fleet_foreign;

mod fleet_poison;

mod fleet_outages;

mod fleet_patience;

mod fleet_frozen;

mod fleet_locked;

mod fleet_faults;

mod fleet_bad_input;

mod fleet_overload;

mod fleet_gatekeepers;

mod fleet_schema;

mod command_line;

mod edge_cases;

mod backtested;

mod certified;

mod covered;

mod data_files;
