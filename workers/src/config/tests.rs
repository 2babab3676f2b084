//! What is read, what is refused, and what is shown.

use std::{collections::HashMap, path::Path};

use super::*;

fn load(text: &str) -> Result<(Config, Vec<Setting>), ConfigError> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.toml");
    std::fs::write(&file, text).expect("writes");
    Config::load(&Flags { file: Some(file), data_folder: None })
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = load(text).expect_err("must be refused").to_string();
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(load("").expect("loads").0, Config::default());
}

#[test]
fn a_file_overrides_the_defaults_and_is_named_as_their_origin() {
    let (config, settings) =
        load("[forecaster]\npoll = \"2s\"\n[artifacts]\nmemory = \"1MiB\"").expect("loads");
    assert_eq!(config.forecaster.poll, Duration::from_secs(2));
    assert_eq!(config.artifacts.memory, ByteSize::mib(1));
    let origin = |key: &str| settings.iter().find(|s| s.key == key).map(|s| s.origin.clone());
    assert!(origin("forecaster.poll").expect("there").ends_with("c.toml"));
    assert_eq!(origin("trainer.slots").as_deref(), Some("default"));
}

#[test]
fn an_unknown_key_is_refused_and_the_nearest_one_named() {
    refused("[forecaster]\nprefetsh = 3", "unknown configuration key \"forecaster.prefetsh\"");
    refused("[forecaster]\nprefetsh = 3", "did you mean \"forecaster.prefetch\"?");
}

#[test]
fn a_mistake_in_a_line_with_a_password_is_told_without_the_line() {
    let error = load("[broker]\nurl = \"amqp://u:canary@host").expect_err("must be refused").to_string();
    assert!(error.contains("c.toml, line 2, column "), "{error}");
    assert!(!error.contains("canary"), "{error}");
    let error = load("[broker]\nurl = \"amqp:u:canary@host\"").expect_err("must be refused").to_string();
    assert!(error.contains("broker.url = (not shown, 18 characters): must be"), "{error}");
}

#[test]
fn a_value_that_cannot_work_is_refused() {
    refused(
        "[broker]\nurl = \"http://localhost\"",
        "broker.url = \"http://localhost\": must be sqlite:FILE, amqp://",
    );
    refused("[registry]\nurl = \"amqp://localhost\"", "registry.url");
    refused("[registry]\nurl = \"postgres:host/db\"", "registry.url = (not shown, 16 characters)");
    refused("[traces]\nurl = \"localhost:4317\"", "traces.url = (not shown, 14 characters): must be http://");
    refused("[traces]\nshare = 1.5", "traces.share = 1.5: must be between 0 and 1");
    refused("[broker]\nurl = \"amqp://\"", "broker.url = \"amqp://\"");
    refused("[broker]\nforecast_requests = \"fast\"", "fast");
    refused("[cache]\nurl = \"memcached://host\"", "must be redis://host");
    refused("[retention]\nhandled_messages_days = 0", "retention.handled_messages_days = 0: must be between");
    refused(
        "[retention]\nscored_rows_days = 0",
        "retention.scored_rows_days = 0: must be between 1 and 36600",
    );
    refused("[retention]\nartifacts_days = 36601", "retention.artifacts_days = 36601: must be between");
    refused("[health]\nlisten = \"9464\"", "health.listen = 9464: must be an address");
    refused("[trainer]\nslots = 0", "trainer.slots = 0: must be at least 1");
    refused("[forecaster]\npoll = \"soon\"", "forecaster.poll");
    refused("[forecaster]\npoll = \"10ms\"", "must be at least 1s");
    refused("[trainer]\nslots = \"many\"", "trainer.slots");
    refused("[trainer]\ntime_limit = \"0s\"", "trainer.time_limit = 0ns: must be between 1s and 24h");
    refused("[trainer]\ntime_limit = \"25h\"", "trainer.time_limit = 90000s: must be between 1s and 24h");
    refused("[gatekeeper]\ntime_limit = \"0s\"", "gatekeeper.time_limit = 0ns: must be between 1s and 24h");
    refused(
        "[gatekeeper]\ntime_limit = \"25h\"",
        "gatekeeper.time_limit = 90000s: must be between 1s and 24h",
    );
    refused("[runner]\ngrace = \"99999999999h\"", "runner.grace");
    refused("[runner]\ngrace = \"61m\"", "runner.grace = 3660s: must be at most 1h");
    load("[runner]\ngrace = \"0s\"\n[trainer]\ntime_limit = \"1s\"").expect("the limits are allowed");
    refused("x = [", "c.toml");
}

#[test]
fn a_cause_is_told_once() {
    let error = load("x = [").expect_err("must be refused");
    let told = error.to_string();
    assert_eq!(format!("{:#}", anyhow::Error::from(error)), told);
}

#[cfg(unix)]
#[test]
fn a_data_folder_that_is_not_text_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let folder = PathBuf::from(std::ffi::OsString::from_vec(b"data\xff".to_vec()));
    let error = Config::load(&Flags { file: None, data_folder: Some(folder) }).expect_err("must be refused");
    assert_eq!(error.to_string(), "configuration key data_folder = data\u{fffd}: must be UTF-8 text");
}

#[test]
fn the_example_file_shows_every_key_with_its_default() {
    let (config, settings) =
        Config::load(&Flags { file: Some(example()), data_folder: None }).expect("loads");
    assert_eq!(config, Config::default());
    let missing: Vec<_> = settings.iter().filter(|s| s.origin == "default").map(|s| &s.key).collect();
    assert_eq!(missing, Vec::<&String>::new(), "keys that examples/gatecast.toml does not show");
}

fn load_with(variables: &[(&str, &str)]) -> Result<(Config, Vec<Setting>), ConfigError> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let nowhere = Flags { file: Some(example()), data_folder: None };
    Config::load_from(&nowhere, &variables.iter().map(own).collect::<HashMap<_, _>>())
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/gatecast.toml")
}

#[test]
fn a_secret_may_lie_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("broker-url");
    std::fs::write(&file, "amqp://gatecast:canary@host/%2f\n").expect("writes");
    let path = file.to_str().expect("text");
    let (config, settings) = load_with(&[("GATECAST__BROKER__URL_FILE", path)]).expect("loads");
    assert_eq!(config.broker.url.with_password(), "amqp://gatecast:canary@host/%2f");
    assert!(!format!("{config:?} {settings:?}").contains("canary"));
    let shown = settings.iter().find(|setting| setting.key == "broker.url").expect("there");
    assert_eq!(shown.value, "amqp://gatecast:***@host/%2f");
}

#[test]
fn a_secret_file_that_is_not_there_or_not_alone_is_refused() {
    let error = load_with(&[("GATECAST__BROKER__URL_FILE", "/nowhere")]).expect_err("no such file");
    assert!(error.to_string().contains("the file /nowhere that GATECAST__BROKER__URL_FILE names"), "{error}");
    let both = [("GATECAST__BROKER__URL_FILE", "/nowhere"), ("GATECAST__BROKER__URL", "amqp://host")];
    let error = load_with(&both).expect_err("two values").to_string();
    assert!(error.contains("GATECAST__BROKER__URL and GATECAST__BROKER__URL_FILE are both set"), "{error}");
}

#[track_caller]
fn hides_the_canary(outcome: Result<(Config, Vec<Setting>), ConfigError>, expected: &str) {
    let error = outcome.expect_err("must be refused");
    let told = format!("{error:?} {error}");
    let told = format!("{told} {:#}", anyhow::Error::from(error));
    assert!(!told.contains("canary"), "{told}");
    assert!(told.contains(expected), "{told:?} does not say {expected:?}");
}

#[test]
fn a_refused_url_does_not_show_its_password() {
    let url = |value| load_with(&[("GATECAST__REGISTRY__URL", value)]);
    hides_the_canary(url("mysql://u:canary@host"), "registry.url = \"mysql://u:***@host\"");
    hides_the_canary(url("canary"), "registry.url = (not shown, 6 characters): must be sqlite:FILE");
    hides_the_canary(url("u:canary@host"), "registry.url = (not shown, 13 characters)");
    hides_the_canary(load_with(&[("GATECAST__BROKER", "amqp://u:canary@host")]), "broker");
    hides_the_canary(load_with(&[("GATECAST__BROKER__URL_FILE", "amqp://u:canary@host")]), "cannot be read");
    hides_the_canary(load("[broker]\nurl = \"amqp://u:canary@host"), "line 2");
    hides_the_canary(load("[broker]\nurl = [\"amqp://u:canary@host\"]"), "broker.url");
    hides_the_canary(load("broker = \"amqp://u:canary@host\""), "broker");
}
