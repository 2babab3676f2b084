//! Forecast requests at a steady rate, by one asker with many questions open, who asks once more where no
//! reply comes in time.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use messaging::Replies;
use protocol::{
    ContentType, Destination, Queue, WireMessage, decode,
    messages::{ForecastReply, ForecastRequest, Route},
};
use tokio::{sync::watch, task::JoinHandle, time};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workers::environment::Environment;

/// A question without a reply for so long is asked again, and has failed after twice as long.
const DEADLINE: Duration = Duration::from_secs(30);

/// A steady load of forecast requests.
pub(crate) struct Load {
    stop: CancellationToken,
    asking: JoinHandle<Outcome>,
    so_far: watch::Receiver<SoFar>,
}

/// What has come until now.
#[derive(Clone, Copy, Default)]
struct SoFar {
    answered: u64,
    /// When the question was first asked that was answered last.
    newest: Option<Instant>,
    /// When the question was first asked that waits the longest.
    oldest_open: Option<Instant>,
    /// Whether the newest reply said that the stores could not be looked at.
    is_stale: bool,
}

/// What became of the requests.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) asked: u64,
    pub(crate) asked_again: u64,
    /// Refused, answered by the fallback, or never answered.
    pub(crate) failures: Vec<String>,
    /// Replies that said that the forecaster could not look at its stores.
    pub(crate) stale: u64,
    /// The different points that were given out, as bits.
    pub(crate) answers: Vec<Vec<u64>>,
    latencies: Vec<Duration>,
    newest: Option<Instant>,
    is_stale: bool,
}

impl Load {
    /// Asks for the same forecast `per_second` times a second.
    pub(crate) fn start(environment: Arc<Environment>, request: ForecastRequest, per_second: u32) -> Self {
        let stop = CancellationToken::new();
        let (told, so_far) = watch::channel(SoFar::default());
        let asking = tokio::spawn(ask(Asker { environment, request, told }, per_second, stop.clone()));
        Self { stop, asking, so_far }
    }

    /// Waits until so many more requests were answered.
    pub(crate) async fn answered(&self, more: u64) {
        let enough = self.so_far.borrow().answered + more;
        self.so_far.clone().wait_for(|so_far| so_far.answered >= enough).await.expect("the asker runs");
    }

    /// Waits for the reply to a question that is first asked from now on.
    pub(crate) async fn answered_anew(&self) {
        let now = Instant::now();
        self.so_far.clone().wait_for(|so_far| so_far.newest > Some(now)).await.expect("the asker runs");
    }

    /// Waits until everything that was asked before now is answered, or has failed.
    pub(crate) async fn caught_up(&self) {
        let now = Instant::now();
        self.answered_anew().await;
        let caught_up = |so_far: &SoFar| so_far.oldest_open.is_none_or(|oldest| oldest > now);
        self.so_far.clone().wait_for(caught_up).await.expect("the asker runs");
    }

    /// Waits for a reply that is stale.
    pub(crate) async fn answered_stale(&self) {
        self.answered(1).await;
        self.so_far.clone().wait_for(|so_far| so_far.is_stale).await.expect("the asker runs");
    }

    /// Waits for a reply that is not stale.
    pub(crate) async fn answered_fresh(&self) {
        self.answered(1).await;
        self.so_far.clone().wait_for(|so_far| !so_far.is_stale).await.expect("the asker runs");
    }

    /// Asks nothing more, waits for the replies that are due, and says how it went.
    pub(crate) async fn finish(self) -> Outcome {
        self.stop.cancel();
        self.asking.await.expect("the asker does not panic")
    }
}

impl Outcome {
    /// Fails unless each request was answered by the incumbent's primary.
    #[track_caller]
    pub(crate) fn assert_all_primary(&self) {
        assert!(
            self.failures.is_empty(),
            "{} of {}: {:?}",
            self.failures.len(),
            self.asked,
            self.failures[0]
        );
        assert!(self.asked > 0, "nothing was asked");
    }

    fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = sorted.len() * percent / 100;
        sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {} asked again, {} failed, {} stale, {} distinct answers, p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
            self.asked,
            self.asked_again,
            self.failures.len(),
            self.stale,
            self.answers.len(),
            self.percentile(50),
            self.percentile(99),
            self.percentile(100),
        )
    }
}

/// A question without a reply.
struct Open {
    first_asked: Instant,
    asked: Instant,
    tries: u32,
}

async fn ask(asker: Asker, per_second: u32, stop: CancellationToken) -> Outcome {
    let mut outcome = Outcome::default();
    let mut open: HashMap<String, Open> = HashMap::new();
    let mut replies = asker.reply_queue().await;
    let mut ticks = time::interval(Duration::from_secs(1) / per_second);
    let mut looks = time::interval(Duration::from_millis(200));
    while !(stop.is_cancelled() && open.is_empty()) {
        tokio::select! {
            _ = ticks.tick(), if !stop.is_cancelled() => {
                let id = Uuid::now_v7().to_string();
                let now = Instant::now();
                open.insert(id.clone(), Open { first_asked: now, asked: now, tries: 1 });
                outcome.asked += 1;
                asker.publish(&id, &*replies);
            }
            reply = replies.next() => match reply {
                Ok(reply) => {
                    outcome.take(&mut open, &reply);
                    asker.told.send_replace(outcome.so_far(&open));
                }
                Err(_lost) => {
                    replies = asker.reply_queue().await;
                    outcome.ask_again(&asker, &mut open, &*replies, |_| true);
                }
            },
            _ = looks.tick() => {
                outcome.ask_again(&asker, &mut open, &*replies, |open| open.asked.elapsed() > DEADLINE);
                asker.told.send_replace(outcome.so_far(&open));
            }
        }
    }
    outcome
}

impl Outcome {
    fn so_far(&self, open: &HashMap<String, Open>) -> SoFar {
        SoFar {
            answered: self.latencies.len() as u64,
            newest: self.newest,
            oldest_open: open.values().map(|open| open.first_asked).min(),
            is_stale: self.is_stale,
        }
    }

    fn take(&mut self, open: &mut HashMap<String, Open>, reply: &WireMessage) {
        let id = reply.properties.correlation_id.clone().unwrap_or_default();
        // The second reply to a question that was asked twice.
        let Some(question) = open.remove(&id) else { return };
        self.latencies.push(question.first_asked.elapsed());
        self.newest = self.newest.max(Some(question.first_asked));
        match decode::<ForecastReply>(reply).expect("a forecast reply") {
            ForecastReply::Answered { forecasts, refused, stale_since, .. }
                if refused.is_empty() && forecasts.iter().all(|f| f.route == Route::Primary) =>
            {
                self.is_stale = stale_since.is_some();
                self.stale += u64::from(self.is_stale);
                let values = forecasts.iter().flat_map(|forecast| &forecast.points.values);
                let bits: Vec<u64> = values.map(|value| value.expect("a number").to_bits()).collect();
                if !self.answers.contains(&bits) {
                    self.answers.push(bits);
                }
            }
            other => self.failures.push(format!("{other:?}")),
        }
    }

    /// Repeats the open questions that `due` says, once each; those that were repeated already have failed.
    fn ask_again(
        &mut self,
        asker: &Asker,
        open: &mut HashMap<String, Open>,
        replies: &dyn Replies,
        due: impl Fn(&Open) -> bool,
    ) {
        let ids: Vec<String> = open.iter().filter(|(_, open)| due(open)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            let question = open.get_mut(&id).expect("it was there just now");
            if question.tries == 2 {
                open.remove(&id);
                self.failures.push("no reply to the second try".to_owned());
                continue;
            }
            (question.tries, question.asked) = (2, Instant::now());
            self.asked_again += 1;
            asker.publish(&id, replies);
        }
    }
}

/// What is asked, and where.
struct Asker {
    environment: Arc<Environment>,
    request: ForecastRequest,
    told: watch::Sender<SoFar>,
}

impl Asker {
    /// Opens a reply queue, however long the broker is away.
    async fn reply_queue(&self) -> Box<dyn Replies> {
        loop {
            match self.environment.broker.replies().await {
                Ok(replies) => return replies,
                Err(_away) => time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Publishes in the background, until the broker confirms: one that is away must not hold up the clock of the
    /// load.
    fn publish(&self, id: &str, replies: &dyn Replies) {
        let mut message =
            WireMessage::new(&self.request, ContentType::MessagePack, id).expect("a small body");
        message.properties.correlation_id = Some(id.to_owned());
        message.properties.reply_to = Some(replies.address().as_str().to_owned());
        let environment = self.environment.clone();
        tokio::spawn(async move {
            let to = Destination::Queue(Queue::ForecastRequests);
            while environment.broker.publish(&to, message.clone()).await.is_err() {
                time::sleep(Duration::from_millis(50)).await;
            }
        });
    }
}
