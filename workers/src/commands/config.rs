//! `gatecast config`

use serde_json::json;

use crate::{
    cli::ConfigCommand,
    config::Setting,
    failure::CommandResult,
    terminal::{Table, print, print_json},
};

/// Checks or shows the configuration, which was loaded and checked before.
pub(super) fn config(command: ConfigCommand, settings: &[Setting], json: bool) -> CommandResult {
    match command {
        ConfigCommand::Check if json => print_json(&json!({ "ok": true }))?,
        ConfigCommand::Check => print("the configuration can be used"),
        ConfigCommand::Show { .. } if json => print_json(&settings)?,
        ConfigCommand::Show { origin: true } => {
            let mut table = Table::new(["key", "value", "origin"]);
            for Setting { key, value, origin } in settings {
                table.row([key.clone(), value.clone(), origin.clone()]);
            }
            table.print();
        }
        ConfigCommand::Show { origin: false } => {
            let mut table = Table::new(["key", "value"]);
            for Setting { key, value, .. } in settings {
                table.row([key.clone(), value.clone()]);
            }
            table.print();
        }
    }
    Ok(())
}
