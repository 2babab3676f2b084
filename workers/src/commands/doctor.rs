//! `gatecast doctor`

use std::{sync::Arc, time::Duration};

use clock::{Clock, SystemClock};
use database::PostgresError;
use messaging::{Access, Examined};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::{
    config::{Config, PartUrl},
    environment::{self, Environment},
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

/// Looks at every part that the configuration names, whatever the others are like. Exits with 5 unless all are
/// well.
pub(super) async fn doctor(config: &Config, json: bool) -> CommandResult {
    let mut findings = look_at_broker(config).await;
    findings.push(look("registry", &config.registry.url, look_at_registry(config)).await);
    findings.push(look("history", &config.history.url, look_at_history(config)).await);
    findings.push(look("artifacts", &config.artifacts.url, look_at_artifacts(config)).await);
    if !config.cache.url.is_empty() {
        findings.push(look("cache", &config.cache.url, look_at_cache(config)).await);
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

/// One line for the broker, and one for each thing on it that is not as it should be.
async fn look_at_broker(config: &Config) -> Vec<Finding> {
    let part = "broker";
    let began = Instant::now();
    match within(examine_broker(config)).await {
        Ok(Examined { broker, differences }) => {
            let says = format!("{broker} at {}", config.broker.url);
            let took_ms = began.elapsed().as_millis();
            let different = differences.into_iter().map(|difference| Finding {
                part,
                ok: false,
                says: format!("{}: {}", difference.name, difference.problem),
                mend: Some(difference.mend),
                took_ms,
            });
            std::iter::once(Finding { part, ok: true, says, mend: None, took_ms }).chain(different).collect()
        }
        Err(fault) => vec![failed(part, &fault, began)],
    }
}

async fn examine_broker(config: &Config) -> Result<Examined, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Environment::make_what_is_missing(config, &clock).await?;
    let opening = environment::open_broker(config, environment::COMMAND, Access::Guest, &clock);
    let broker = Box::pin(opening).await?;
    Ok(broker.examine().await?)
}

// On the heap in what follows: what connects to a database is large.
async fn look_at_registry(config: &Config) -> Result<(), Failure> {
    Box::pin(environment::open_registry(config)).await?.models().await?;
    Ok(())
}

async fn look_at_history(config: &Config) -> Result<(), Failure> {
    let any = "doctor".parse().expect("a name");
    Box::pin(environment::open_history(config)).await?.revision(&any).await?;
    Ok(())
}

async fn look_at_artifacts(config: &Config) -> Result<(), Failure> {
    environment::open_artifacts(config, None)?.check().await?;
    Ok(())
}

async fn look_at_cache(config: &Config) -> Result<(), Failure> {
    if let Some(cache) = environment::open_cache(config)? {
        cache.ping().await.map_err(|fault| anyhow::anyhow!("{fault}"))?;
    }
    Ok(())
}

async fn look(
    part: &'static str,
    url: &PartUrl,
    looking: impl Future<Output = Result<(), Failure>>,
) -> Finding {
    let began = Instant::now();
    match within(looking).await {
        Ok(()) => {
            let took_ms = began.elapsed().as_millis();
            Finding { part, ok: true, says: url.to_string(), mend: None, took_ms }
        }
        Err(fault) => failed(part, &fault, began),
    }
}

async fn within<T>(looking: impl Future<Output = Result<T, Failure>>) -> anyhow::Result<T> {
    let looked = timeout(PATIENCE, looking).await?;
    looked.map_err(|failure| failure.error.unwrap_or_else(|| anyhow::anyhow!("it cannot be used")))
}

fn failed(part: &'static str, fault: &anyhow::Error, began: Instant) -> Finding {
    let took_ms = began.elapsed().as_millis();
    Finding { part, ok: false, says: format!("{fault:#}"), mend: mend(fault), took_ms }
}

/// What would make it right, where that is known.
fn mend(fault: &anyhow::Error) -> Option<String> {
    match fault.downcast_ref::<PostgresError>()? {
        PostgresError::Older { .. } => Some("run `gatecast migrate`".to_owned()),
        PostgresError::Newer { .. } => {
            Some("use the gatecast that wrote the tables, or a newer one".to_owned())
        }
        PostgresError::Url | PostgresError::Migration { .. } | PostgresError::Unavailable(_) => None,
    }
}
