//! `gatecast doctor`

use std::{sync::Arc, time::Duration};

use clock::SystemClock;
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::{
    config::Config,
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure},
    terminal::{print, print_json},
};

/// Longest that one part may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What was found about one part, or one thing in it.
#[derive(Debug, Serialize)]
struct Finding {
    part: &'static str,
    ok: bool,
    says: String,
    /// What would make it right.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
    took_ms: u128,
}

/// Looks at every part that the configuration names. Exits with 5 unless all are well.
pub(super) async fn doctor(config: Config, json: bool) -> CommandResult {
    let mut findings = Vec::new();
    match Environment::visit(config, Arc::new(SystemClock)).await {
        Ok(environment) => examine(&environment, &mut findings).await,
        // What cannot be opened is told, and with it the part.
        Err(Failure { error, .. }) => findings.push(Finding {
            part: "environment",
            ok: false,
            says: error.map(|error| format!("{error:#}")).unwrap_or_default(),
            mend: None,
            took_ms: 0,
        }),
    }
    if json {
        print_json(&findings)?;
    } else {
        findings.iter().for_each(show);
    }
    if findings.iter().all(|finding| finding.ok) {
        return Ok(());
    }
    Err(Failure::silent(ExitCode::Unreachable))
}

fn show(finding: &Finding) {
    let sign = if finding.ok { "ok    " } else { "failed" };
    print(format_args!("{sign} {:<10} {} ({} ms)", finding.part, finding.says, finding.took_ms));
    if let Some(mend) = &finding.mend {
        print(format_args!("       mend: {mend}"));
    }
}

async fn examine(environment: &Environment, findings: &mut Vec<Finding>) {
    let config = &environment.config;
    let began = Instant::now();
    match within(environment.broker.examine()).await {
        Ok(examined) => {
            let says = format!("{} at {}", examined.broker, config.broker.url);
            let took_ms = began.elapsed().as_millis();
            findings.push(Finding { part: "broker", ok: true, says, mend: None, took_ms });
            findings.extend(examined.differences.into_iter().map(|difference| Finding {
                part: "broker",
                ok: false,
                says: format!("{}: {}", difference.name, difference.problem),
                mend: Some(difference.mend),
                took_ms,
            }));
        }
        Err(fault) => findings.push(failed("broker", &fault, began)),
    }
    let asked = async |part, url: String, outcome: anyhow::Result<()>, began| match outcome {
        Ok(()) => {
            Finding { part, ok: true, says: url, mend: None, took_ms: Instant::elapsed(&began).as_millis() }
        }
        Err(fault) => failed(part, &fault, began),
    };
    let began = Instant::now();
    let models = within(environment.registry.models()).await.map(drop);
    findings.push(asked("registry", config.registry.url.to_string(), models, began).await);
    let began = Instant::now();
    let dataset = "doctor".parse().expect("a name");
    let revision = within(environment.history.revision(&dataset)).await.map(drop);
    findings.push(asked("history", config.history.url.to_string(), revision, began).await);
    let began = Instant::now();
    let stored = within(environment.artifacts.check()).await;
    findings.push(asked("artifacts", config.artifacts.url.to_string(), stored, began).await);
    if let Some(cache) = &environment.cache {
        let began = Instant::now();
        let pinged = timeout(PATIENCE, cache.ping()).await;
        let pinged = match pinged {
            Ok(answer) => answer.map_err(|fault| anyhow::anyhow!("{fault}")),
            Err(silence) => Err(silence.into()),
        };
        findings.push(asked("cache", config.cache.url.to_string(), pinged, began).await);
    }
}

async fn within<T, E: Into<anyhow::Error>>(asked: impl Future<Output = Result<T, E>>) -> anyhow::Result<T> {
    timeout(PATIENCE, asked).await?.map_err(Into::into)
}

fn failed(part: &'static str, fault: &anyhow::Error, began: Instant) -> Finding {
    Finding { part, ok: false, says: format!("{fault:#}"), mend: None, took_ms: began.elapsed().as_millis() }
}
