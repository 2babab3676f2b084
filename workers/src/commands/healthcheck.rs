//! `gatecast healthcheck`

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, anyhow};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    config::Config,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    terminal::print,
};

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longer answers are cut.
const MOST_BYTES: u64 = 64 * 1024;

/// Asks the process of this configuration whether it is ready.
pub(super) async fn healthcheck(config: &Config) -> CommandResult {
    let address = config.health.listen.parse::<SocketAddr>().map_err(|_empty| {
        Failure::say(ExitCode::Invalid, "health.listen is not set, so there is nothing to ask")
    })?;
    let answer =
        tokio::time::timeout(PATIENCE, ask(address)).await.context("no answer").and_then(|answer| answer);
    let answer = answer.with_context(|| format!("http://{address}/readyz")).or_exit(ExitCode::Unreachable)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    print(body.trim_end());
    if head.split_whitespace().nth(1) == Some("200") {
        return Ok(());
    }
    Err(Failure::new(ExitCode::Failure, anyhow!("not ready: {}", head.lines().next().unwrap_or_default())))
}

async fn ask(address: SocketAddr) -> anyhow::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.take(MOST_BYTES).read_to_string(&mut answer).await?;
    Ok(answer)
}
