//! `deploy/rabbitmq/definitions.json` declares what every process declares.

use std::{fs, path::PathBuf};

/// Set to anything, the file is written instead of compared.
const WRITE: &str = "GATECAST_WRITE_DEFINITIONS";

#[test]
fn the_shipped_definitions_are_the_topology_of_the_code() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rabbitmq/definitions.json");
    let expected = format!("{:#}\n", messaging::rabbitmq::definitions());
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &expected).expect("it is written");
    }
    let shipped = fs::read_to_string(&path).expect("the file is there");
    assert!(shipped == expected, "they differ: run this test with {WRITE}=1 and read the change");
}
