//! `gatecast migrate`

use serde_json::json;

use crate::{
    config::Config,
    environment,
    failure::CommandResult,
    terminal::{print, print_json},
};

/// Brings the tables in PostgreSQL up to date.
pub(super) async fn migrate(config: &Config, json: bool) -> CommandResult {
    let done = environment::migrate(config).await?;
    if json {
        let line = |(schema, migrated): &(&str, database::Migrated)| json!({ "schema": schema, "from": migrated.from, "to": migrated.to });
        return Ok(print_json(&done.iter().map(line).collect::<Vec<_>>())?);
    }
    if done.is_empty() {
        print("registry and history are embedded: their tables are brought up to date when they are opened");
    }
    for (schema, migrated) in done {
        if migrated.from == migrated.to {
            print(format_args!("schema {schema} is up to date (version {})", migrated.to));
        } else {
            print(format_args!("schema {schema}: from version {} to {}", migrated.from, migrated.to));
        }
    }
    Ok(())
}
