//! Where messages are decoded.

use std::{
    sync::Arc,
    thread::{self, ThreadId},
    time::Duration,
};

use clock::SystemClock;
use messaging::{Broker, MemoryBroker};
use protocol::{ContentType, Destination, Message, Queue, WireMessage};
use runner::{HandleError, Handler, JobContext, Limits, Worker};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A message that knows which thread decoded it.
#[derive(Serialize, Deserialize)]
struct Padded {
    padding: String,
    #[serde(skip, default = "here")]
    decoded_on: Option<ThreadId>,
}

impl Message for Padded {
    const KIND: &'static str = "padded";
}

#[expect(clippy::unnecessary_wraps, reason = "the field is none until it was decoded")]
fn here() -> Option<ThreadId> {
    Some(thread::current().id())
}

struct Tells(mpsc::UnboundedSender<Option<ThreadId>>);

impl Handler for Tells {
    type Message = Padded;
    type Reply = ();

    async fn handle(&self, message: Padded, _: &JobContext) -> Result<(), HandleError> {
        self.0.send(message.decoded_on).expect("the test listens");
        Ok(())
    }
}

#[tokio::test]
async fn a_large_or_compressed_body_is_decoded_away_from_the_threads_of_connections() {
    let broker = MemoryBroker::new(Arc::new(SystemClock));
    let (told, mut heard) = mpsc::unbounded_channel();
    let worker = Worker {
        broker: Arc::new(broker.clone()),
        clock: Arc::new(SystemClock),
        queue: Queue::Observations,
        handler: Tells(told),
        limits: Limits { prefetch: 1, time_limit: None, grace: Duration::ZERO },
        counts: Arc::default(),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(runner::run(worker, stop.clone()));
    for (length, is_compressed, is_inline) in [(10, false, true), (70_000, false, false), (10, true, false)] {
        let padded = Padded { padding: "x".repeat(length), decoded_on: None };
        let mut message = WireMessage::new(&padded, ContentType::Json, "id").expect("small enough");
        if is_compressed {
            message.properties.content_encoding = Some("zstd".into());
            message.body = zstd::encode_all(&message.body[..], 3).expect("compresses").into();
        }
        broker.publish(&Destination::Queue(Queue::Observations), message).await.expect("is published");
        let decoded_on = heard.recv().await.expect("the worker runs");
        assert_eq!(decoded_on == here(), is_inline, "{length} letters, compressed: {is_compressed}");
    }
    stop.cancel();
    running.await.expect("no panic");
}
