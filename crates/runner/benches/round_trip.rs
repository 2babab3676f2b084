//! What queue, codec and runner add to a forecast: a request for 21 series of 24 steps, answered at once.

use std::{sync::Arc, time::Duration};

use clock::SystemClock;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use messaging::{Access, Broker, Replies, SqliteBroker};
use protocol::{
    ContentType, Destination, Queue, WireMessage, decode,
    messages::{ForecastReply, ForecastRequest, Route, SeriesForecast, SeriesValues},
};
use runner::{Counts, HandleError, Handler, JobContext, Limits, Worker};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const SERIES: usize = 21;
const STEPS: usize = 24;

/// Knows the answer already.
struct Instantly;

impl Handler for Instantly {
    type Message = ForecastRequest;
    type Reply = ForecastReply;

    async fn handle(&self, request: ForecastRequest, _: &JobContext) -> Result<ForecastReply, HandleError> {
        let forecast = |n: usize| SeriesForecast {
            points: SeriesValues {
                id: format!("series-{n}"),
                start: Timestamp::UNIX_EPOCH,
                frequency: "PT1H".into(),
                tz: "Australia/Melbourne".into(),
                values: (0..STEPS).map(|step| Some(step as f64 * 17.3)).collect(),
            },
            intervals: Vec::new(),
            version: Some(3),
            generation: 2,
            route: Route::Primary,
            reason: None,
        };
        Ok(ForecastReply::Answered {
            model: request.model,
            forecasts: (0..SERIES).map(forecast).collect(),
            refused: vec![],
            stale_since: None,
        })
    }
}

async fn ask(broker: &SqliteBroker, replies: &mut dyn Replies, number: u64) {
    let request = ForecastRequest {
        model: "pedestrians".into(),
        series: vec![],
        horizon: Some(24),
        origin: None,
        levels: Vec::new(),
        history: vec![],
    };
    let mut message = WireMessage::new(&request, ContentType::MessagePack, format!("request-{number}"))
        .expect("a small body");
    message.properties.reply_to = Some(replies.address().as_str().to_owned());
    let sent = broker.publish(&Destination::Queue(Queue::ForecastRequests), message).await;
    sent.expect("it is published");
    let reply = replies.next().await.expect("a reply");
    decode::<ForecastReply>(&reply).expect("a forecast");
}

fn benchmarks(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("queues.sqlite");
    let opening = SqliteBroker::open(path, Access::Owner, Arc::new(SystemClock));
    let broker = Arc::new(runtime.block_on(opening).expect("it opens"));
    let worker = Worker {
        broker: broker.clone(),
        clock: Arc::new(SystemClock),
        queue: Queue::ForecastRequests,
        handler: Instantly,
        limits: Limits { prefetch: 64, time_limit: None, grace: Duration::from_secs(1) },
        counts: Arc::new(Counts::default()),
    };
    let stop = CancellationToken::new();
    let running = runtime.spawn(runner::run(worker, stop.clone()));
    let mut replies = runtime.block_on(broker.replies()).expect("a private queue");

    let mut number = 0;
    criterion.bench_function("forecast round trip, 21 series x 24 steps", |bencher| {
        bencher.iter(|| {
            number += 1;
            runtime.block_on(ask(&broker, replies.as_mut(), number));
        });
    });
    stop.cancel();
    runtime.block_on(running).expect("no panic");
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
