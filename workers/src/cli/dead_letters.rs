//! `gatecast dead-letters`

use clap::{Args, Subcommand};
use protocol::Queue;

/// Commands on dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// List them with their reasons, oldest first
    List {
        /// Only those of this queue
        #[arg(value_parser = queue)]
        queue: Option<Queue>,
        /// At most this many of each queue
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one with its body
    Show {
        /// The queue that it died on
        #[arg(value_parser = queue)]
        queue: Queue,
        /// Its message id
        message_id: String,
    },
    /// Put them back to the end of their queue, as if they were published now
    Replay {
        /// The queue that they died on
        #[arg(value_parser = queue)]
        queue: Queue,
        /// Which
        #[command(flatten)]
        letters: Letters,
    },
    /// Delete them for good
    Drop {
        /// The queue that they died on
        #[arg(value_parser = queue)]
        queue: Queue,
        /// Which
        #[command(flatten)]
        letters: Letters,
    },
}

/// Which dead letters of a queue.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Letters {
    /// The one with this message id
    pub message_id: Option<String>,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

fn queue(name: &str) -> Result<Queue, String> {
    let known = || Queue::ALL.map(Queue::name).join(", ");
    Queue::from_name(name).ok_or_else(|| format!("the queues are {}", known()))
}
