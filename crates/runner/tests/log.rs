//! What an operator reads when a message fails.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use clock::ManualClock;
use jiff::Timestamp;
use messaging::{Broker, MemoryBroker};
use protocol::{ContentType, Destination, Queue, WireMessage, messages::ObservationBatch};
use runner::{Counts, HandleError, Handler, JobContext, Limits, Worker};
use tokio_util::sync::CancellationToken;

/// The disk is full at the first attempt.
struct FullDisk;

impl Handler for FullDisk {
    type Message = ObservationBatch;
    type Reply = ();

    async fn handle(&self, _: ObservationBatch, job: &JobContext) -> Result<(), HandleError> {
        match job.attempt {
            1 => Err(HandleError::transient(io::Error::other("the disk is full"))),
            _ => Ok(()),
        }
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("no panic");
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_logged_once_with_queue_id_kind_and_attempt() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    let broker = MemoryBroker::new(clock.clone());
    let batch = ObservationBatch { dataset: "bikes".into(), series: vec![] };
    let mut message = WireMessage::new(&batch, ContentType::Json, "batch 7").expect("a small body");
    message.properties.tracestate = Some("secret".into());
    let to = Destination::Queue(Queue::Observations);
    broker.publish(&to, message).await.expect("it is published");
    let worker = Worker {
        broker: Arc::new(broker),
        clock,
        queue: Queue::Observations,
        handler: FullDisk,
        limits: Limits { prefetch: 1, time_limit: None, grace: Duration::ZERO },
        counts: Arc::default(),
    };
    let counts: Arc<Counts> = Arc::clone(&worker.counts);
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::join!(runner::run(worker, stop), async move {
        tokio::time::sleep(Duration::from_mins(1)).await; // on the paused timer: until nothing is left to do
        stopping.cancel();
    });

    assert_eq!(counts.so_far().done, 1);
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    for expected in [
        "WARN process{",
        "queue=observations",
        "message_id=\"batch 7\"",
        "kind=\"observation-batch.v1\"",
        "attempt=1",
        "attempt 1 of 5 failed, again in ",
        ": the disk is full",
    ] {
        assert!(lines[0].contains(expected), "{expected} is not in {}", lines[0]);
    }
    assert!(!lines[0].contains("secret"));
}
