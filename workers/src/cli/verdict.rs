//! `gatecast verdict`

use clap::Args;
use forecasting::names::ModelName;

/// Which verdict, and what is done about it.
#[derive(Debug, Args)]
#[command(after_help = "\
First what was decided and why, in sentences; then the errors of both sides, what each leg of the gate computed and \
what it allowed, the mean error of each origin, the largest errors, and what the verdict rests on.

--replay loads both artifacts, the specifications of then and the history as of then, judges again as the gatekeeper \
did, and compares every bit of the record: `identical`, or what differs and exit code 1. --what-if lays keys of the \
table [gate] (but holdout_origins and max_holdout_share, which a training goes by) over the policy and judges under that: --what-if alpha=0.1 --what-if slices.series=true \
--what-if 'range=[0, 20000]'. Neither decides or records anything. An artifact that has expired \
(retention.artifacts_days) cannot be judged again.")]
pub struct Verdict {
    /// The model
    pub model: ModelName,
    /// The version, as `models show` numbers it
    #[arg(value_name = "VERSION")]
    pub number: u32,
    /// Which look at the candidate [default: the last one]
    #[arg(long, value_name = "N")]
    pub look: Option<u32>,
    /// Judge again from what was stored and compare every bit
    #[arg(long, conflicts_with = "what_if")]
    pub replay: bool,
    /// Judge under another policy, without deciding
    #[arg(long, value_name = "KEY=VALUE")]
    pub what_if: Vec<String>,
}
