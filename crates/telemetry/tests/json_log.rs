//! A log for machines is one JSON object a line, also where something panics.

use std::process::Command;

use serde_json::Value;

/// Set in the process whose log is read.
const CHILD: &str = "GATECAST_TEST_JSON_LOG";

#[test]
fn every_line_of_a_json_log_is_an_object_and_a_panic_is_one_of_them() {
    let this = std::env::current_exe().expect("a path");
    let mut child = Command::new(this);
    child.args(["--exact", "--nocapture", "logs_and_panics"]).env(CHILD, "1");
    let log = String::from_utf8(child.output().expect("starts").stderr).expect("text");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let says = |line: &Value| line["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(lines.len(), 2, "{log}");
    assert_eq!(says(&lines[0]), "two\nlines");
    assert!(says(&lines[1]).contains("out of hand"), "{log}");
    assert_eq!(lines[1]["level"], "ERROR");
}

/// Does nothing but in the process that the test above starts.
#[test]
fn logs_and_panics() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let logs = telemetry::Logs { filter: "info", format: telemetry::LogFormat::Json };
    telemetry::start(&logs, None).expect("nothing logs yet");
    tracing::info!("two\nlines");
    let panicked = std::thread::spawn(|| panic!("out of hand")).join();
    assert!(panicked.is_err());
}
