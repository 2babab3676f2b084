//! `gatecast models freeze`, `unfreeze`, `force`, `veto`, `roll-back`

use clap::{Args, Subcommand};
use forecasting::names::ModelName;
use jiff::Timestamp;

/// Acts of people. The gatekeeper carries them out and records them, with who, why and until when.
#[derive(Debug, Subcommand)]
pub enum ActCommand {
    /// Keep every candidate out, whatever the gate finds
    Freeze {
        /// The model
        model: ModelName,
        /// Until then, RFC 3339 [default: until it is unfrozen]
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
        /// Who and why
        #[command(flatten)]
        signed: Signed,
    },
    /// Let candidates in again
    Unfreeze {
        /// The model
        model: ModelName,
        /// Who and why
        #[command(flatten)]
        signed: Signed,
    },
    /// Put a version into use, whatever the gate found; only an artifact that is not sound stops that
    Force {
        /// The model
        model: ModelName,
        /// The version, as `models show` numbers it
        #[arg(value_name = "VERSION")]
        number: u32,
        /// Keep it in use until then, RFC 3339 [default: until a candidate beats it]
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
        /// Who and why
        #[command(flatten)]
        signed: Signed,
    },
    /// Never let a version in; a later veto of the same version takes the place of an earlier one
    Veto {
        /// The model
        model: ModelName,
        /// The version, as `models show` numbers it; not the one in use
        #[arg(value_name = "VERSION")]
        number: u32,
        /// Until then, RFC 3339 [default: for good]
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
        /// Who and why
        #[command(flatten)]
        signed: Signed,
    },
    /// Put a version into use again
    RollBack {
        /// The model
        model: ModelName,
        /// The version [default: the last one before that is neither vetoed nor unusable]
        #[arg(value_name = "VERSION")]
        number: Option<u32>,
        /// Keep it in use until then, RFC 3339 [default: until a candidate beats it]
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
        /// Who and why
        #[command(flatten)]
        signed: Signed,
    },
}

/// Who does something, and why.
#[derive(Debug, Args)]
pub struct Signed {
    /// Why; shown wherever it has an effect
    #[arg(long)]
    pub reason: String,
    /// Who [default: the user that this machine knows]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}
