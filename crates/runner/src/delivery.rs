//! One delivery, from the broker's hand to its settlement.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use messaging::{Delivery, PublishError, Settlement, count_dead_letter};
use protocol::{
    DecodeError, Destination, Message, Properties, Publication, Reply, ReplyAddress, WireMessage,
};
use telemetry::{
    TraceContext,
    message_span::{self, MessageSpan, Operation},
};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, debug, error, field::Empty, info_span, warn};

use crate::{
    HandleError, Handler, JobContext, Worker,
    back_off::{self, MAX_ATTEMPTS},
    failure::{chain, panic_text},
    metrics,
};

/// A reply is published this often before the message goes back to be handled again.
const MAX_PUBLISH_TRIES: u32 = 4;

/// A larger body, or one that grows when it is unpacked, takes more than half a millisecond to decode.
const MAX_INLINE_BYTES: usize = 64 * 1024;
/// What is given back at the end may take this long.
const TO_GIVE_BACK: Duration = Duration::from_secs(2);

/// How a delivery ended.
enum Outcome {
    /// Handled, and the reply is published.
    Done,
    /// Its deadline had passed.
    Expired,
    /// Another attempt may succeed.
    Failed(String),
    /// Handled, but the broker does not take the reply. Not the message's fault, so it uses up no attempt.
    Unpublished(String),
    /// No attempt will ever succeed.
    Dead(Death, String),
    /// What it takes is away. Not the message's fault either.
    Away(String),
    /// Not its turn.
    Postponed(Duration),
    /// The worker stops and cannot wait for it.
    GivenBack,
}

impl Outcome {
    /// As a label of the metric.
    fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Expired => "expired",
            Self::Failed(_) | Self::Dead(Death::Failed, _) => "failed",
            Self::Unpublished(_) => "unpublished",
            Self::Dead(..) => "rejected",
            Self::Away(_) => "away",
            Self::Postponed(_) => "postponed",
            Self::GivenBack => "given_back",
        }
    }

    /// Whether something went wrong.
    fn is_fault(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Unpublished(_) | Self::Away(_) | Self::Dead(..) => true,
            Self::Done | Self::Expired | Self::Postponed(_) | Self::GivenBack => false,
        }
    }

    /// The same, unless it was the last attempt that failed.
    fn given_up_after(self, attempt: u32) -> Self {
        match self {
            Self::Failed(error) if attempt >= MAX_ATTEMPTS => {
                Self::Dead(Death::Failed, format!("failed {attempt} times, at last: {error}"))
            }
            other => other,
        }
    }

    fn death(&self) -> Option<Death> {
        match self {
            Self::Dead(death, _) => Some(*death),
            _ => None,
        }
    }
}

/// Why a message is given up, as a label of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    Undecodable,
    ReplyTo,
    Rejected,
    Unsendable,
    Failed,
}

impl Death {
    fn label(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::ReplyTo => "reply_to",
            Self::Rejected => "rejected",
            Self::Unsendable => "reply_too_large",
            Self::Failed => "failed",
        }
    }
}

/// Handles, publishes and settles.
pub(crate) async fn process<H: Handler>(
    worker: Arc<Worker<H>>,
    delivery: Delivery,
    give_back: CancellationToken,
) {
    let span = span(&worker, &delivery.message.properties);
    let began = Instant::now();
    metrics::waited(worker.queue, &delivery, worker.clock.now());
    let work = async {
        let outcome = tokio::select! {
            biased;
            outcome = handle_and_publish(&worker, &delivery.message) => outcome,
            () = give_back.cancelled() => Outcome::GivenBack,
        };
        let outcome = outcome.given_up_after(delivery.message.properties.attempt);
        let death = outcome.death();
        metrics::delivered(worker.queue, outcome.label(), began.elapsed());
        message_span::ended(&Span::current(), outcome.label(), outcome.is_fault());
        let settlement = settlement(outcome, &delivery.message.properties, &worker);
        if let Err(problem) = settle(delivery, settlement, &give_back).await {
            warn!("the message comes back, it could not be settled: {problem}");
        } else if let Some(death) = death {
            worker.counts.dead_lettered.add_one();
            count_dead_letter(worker.queue, death.label());
        }
    };
    work.instrument(span).await;
}

/// Settles, however long the broker takes; from the moment on at which everything is given back, only for as long
/// as a broker that answers needs.
async fn settle(
    delivery: Delivery,
    settlement: Settlement,
    give_back: &CancellationToken,
) -> Result<(), String> {
    let out_of_time = async {
        give_back.cancelled().await;
        time::sleep(TO_GIVE_BACK).await;
    };
    tokio::select! {
        biased;
        settled = delivery.settle(settlement) => settled.map_err(|error| chain(&error)),
        () = out_of_time => Err("the broker has not answered in time".to_owned()),
    }
}

fn span<H>(worker: &Worker<H>, properties: &Properties) -> Span {
    let queue = worker.queue;
    let span = info_span!(
        "process",
        otel.name = %format_args!("process {queue}"),
        otel.kind = "consumer",
        %queue,
        message_id = cut(&properties.message_id, 64),
        kind = cut(&properties.kind, 64),
        attempt = properties.attempt,
        trace_id = Empty,
    );
    let message_id = cut(&properties.message_id, 64);
    if let Some(traceparent) = properties.traceparent.clone() {
        TraceContext { traceparent, tracestate: properties.tracestate.clone() }.continue_in(&span);
    }
    MessageSpan { system: worker.broker.system(), destination: queue.name(), message_id }
        .describe(Operation::Process, &span);
    span
}

async fn handle_and_publish<H: Handler>(worker: &Worker<H>, message: &WireMessage) -> Outcome {
    let expired = message.properties.deadline.is_some_and(|at| at <= worker.clock.now());
    if expired {
        return Outcome::Expired;
    }
    let answering = AssertUnwindSafe(answer_in_time(worker, message)).catch_unwind();
    let publications = match answering.await {
        Ok(Ok(publications)) => publications,
        Ok(Err(outcome)) => return outcome,
        Err(payload) => return Outcome::Failed(format!("the handler {}", panic_text(payload.as_ref()))),
    };
    for publication in publications {
        if let Err(outcome) = publish(worker, publication).await {
            return outcome;
        }
    }
    Outcome::Done
}

async fn answer_in_time<H: Handler>(
    worker: &Worker<H>,
    message: &WireMessage,
) -> Result<Vec<Publication>, Outcome> {
    match worker.limits.time_limit {
        None => answer(worker, message).await,
        Some(limit) => time::timeout(limit, answer(worker, message))
            .await
            .unwrap_or_else(|_| Err(Outcome::Failed(format!("not finished within {limit:?}")))),
    }
}

/// Decodes, handles, and encodes the reply.
async fn answer<H: Handler>(worker: &Worker<H>, message: &WireMessage) -> Result<Vec<Publication>, Outcome> {
    let properties = &message.properties;
    let decoded = decode(message).await.map_err(|e| Outcome::Dead(Death::Undecodable, chain(&e)))?;
    if let Some(address) = &properties.reply_to {
        ReplyAddress::new(address).map_err(|e| Outcome::Dead(Death::ReplyTo, chain(&e)))?;
    }
    let stop = CancellationToken::new();
    let _stop_when_dropped = stop.clone().drop_guard(); // nobody waits for the result any more
    let job = JobContext::new(properties, worker.clock.clone(), stop);
    let reply = worker.handler.handle(decoded, &job).await.map_err(not_handled)?;
    reply
        .publications(properties)
        .map_err(|e| Outcome::Dead(Death::Unsendable, format!("the reply cannot be sent: {}", chain(&e))))
}

/// Decodes; what takes long, away from the threads that keep connections alive.
async fn decode<M: Message>(message: &WireMessage) -> Result<M, DecodeError> {
    if message.body.len() <= MAX_INLINE_BYTES && message.properties.content_encoding.is_none() {
        return protocol::decode(message);
    }
    let message = message.clone();
    let decoding = tokio::task::spawn_blocking(move || protocol::decode(&message));
    decoding.await.expect("decoding does not panic and is not aborted")
}

fn not_handled(error: HandleError) -> Outcome {
    match error {
        HandleError::Rejected(cause) => Outcome::Dead(Death::Rejected, chain(cause.as_ref())),
        HandleError::Transient(cause) => Outcome::Failed(chain(cause.as_ref())),
        HandleError::Away(cause) => Outcome::Away(chain(cause.as_ref())),
        HandleError::Expired => Outcome::Expired,
        HandleError::Postponed { after } => Outcome::Postponed(after),
    }
}

/// Publishes one message of the reply, again if the broker is away for a moment.
async fn publish<H>(worker: &Worker<H>, publication: Publication) -> Result<(), Outcome> {
    let Publication { destination, message } = publication;
    let mut tries = 1;
    loop {
        let error = match worker.broker.publish(&destination, message.clone()).await {
            Ok(()) => return Ok(()),
            Err(PublishError::Unroutable(Destination::Asker(asker))) => {
                worker.counts.askers_gone.add_one();
                metrics::asker_gone(worker.queue);
                debug!("the asker at {asker} has gone");
                return Ok(());
            }
            Err(error @ PublishError::TooLarge { .. }) => {
                return Err(Outcome::Dead(
                    Death::Unsendable,
                    format!("the reply cannot be sent: {}", chain(&error)),
                ));
            }
            Err(error @ (PublishError::Unavailable(_) | PublishError::Unroutable(_))) => error,
        };
        if tries == MAX_PUBLISH_TRIES {
            let problem = format!("the reply to {destination} cannot be sent: {}", chain(&error));
            return Err(Outcome::Unpublished(problem));
        }
        time::sleep(back_off::before_publishing_again(&message.properties.message_id, tries)).await;
        tries += 1;
    }
}

/// Counts the outcome, logs it if it is a fault, and says what becomes of the message.
fn settlement<H>(outcome: Outcome, properties: &Properties, worker: &Worker<H>) -> Settlement {
    let counts = &worker.counts;
    let error = match outcome {
        Outcome::Done => {
            counts.done.add_one();
            return Settlement::Done;
        }
        Outcome::Expired => {
            counts.expired.add_one();
            debug!("dropped, its deadline has passed");
            return Settlement::Done;
        }
        Outcome::Postponed(delay) => {
            counts.postponed.add_one();
            return Settlement::Postpone { delay };
        }
        Outcome::GivenBack => {
            counts.given_back.add_one();
            return Settlement::GiveBack;
        }
        Outcome::Dead(_, reason) => return dead_letter(&reason),
        Outcome::Unpublished(error) => {
            counts.retried.add_one();
            let delay = back_off::before_trying_uncounted(&properties.message_id);
            warn!("handled, but to be handled again in {delay:.1?}: {error}");
            return Settlement::Postpone { delay };
        }
        Outcome::Away(error) => {
            counts.postponed.add_one();
            let delay = back_off::before_trying_uncounted(&properties.message_id);
            warn!("not handled, again in {delay:.1?} and no attempt is counted: {error}");
            return Settlement::Postpone { delay };
        }
        Outcome::Failed(error) => error,
    };
    let attempt = properties.attempt;
    counts.retried.add_one();
    let delay = back_off::before_retry(&properties.message_id, attempt);
    warn!("attempt {attempt} of {MAX_ATTEMPTS} failed, again in {delay:.1?}: {error}");
    Settlement::RetryAfter { delay, error }
}

fn dead_letter(reason: &str) -> Settlement {
    const MAX_CHARS: usize = 2_000; // a panic may quote its whole input
    let reason = cut(reason, MAX_CHARS).to_owned();
    error!("given up, to the dead letters: {reason}");
    Settlement::DeadLetter { reason }
}

/// At most the first `max_chars` characters.
fn cut(text: &str, max_chars: usize) -> &str {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
