//! What the embedded queue costs: small messages, published, delivered and settled.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use clock::SystemClock;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use messaging::{Access, Broker, Deliveries, Settlement, SqliteBroker};
use protocol::{ContentType, Destination, Queue, WireMessage, messages::ForecastRequest};
use tokio::{runtime::Runtime, task::JoinSet};
use uuid::Uuid;

/// Messages in flight in the benchmark of throughput.
const IN_FLIGHT: u16 = 64;

fn message() -> WireMessage {
    let request = ForecastRequest {
        model: "pedestrians".into(),
        series: vec![],
        horizon: Some(24),
        origin: None,
        levels: Vec::new(),
        history: vec![],
    };
    WireMessage::new(&request, ContentType::MessagePack, Uuid::now_v7()).expect("a small body")
}

async fn publish(broker: &dyn Broker, queue: Queue) {
    let sent = broker.publish(&Destination::Queue(queue), message()).await;
    sent.expect("it is published");
}

async fn settle_next(deliveries: &mut dyn Deliveries) {
    let delivery = deliveries.next().await.expect("a delivery");
    let settled = black_box(delivery).settle(Settlement::Done).await;
    settled.expect("it is settled");
}

/// One message after the other.
async fn one_by_one(broker: &SqliteBroker, queue: Queue, count: u64) -> Duration {
    let mut deliveries = broker.consume(queue, 1).await.expect("it consumes");
    let start = Instant::now();
    for _ in 0..count {
        publish(broker, queue).await;
        settle_next(deliveries.as_mut()).await;
    }
    start.elapsed()
}

/// Publishers and one task per delivery at the same time.
async fn many_at_once(broker: &Arc<SqliteBroker>, queue: Queue, count: u64) -> Duration {
    let mut deliveries = broker.consume(queue, IN_FLIGHT).await.expect("it consumes");
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    let publisher = Arc::clone(broker);
    tasks.spawn(async move {
        for _ in 0..count {
            publish(publisher.as_ref(), queue).await;
        }
    });
    for _ in 0..count {
        let delivery = deliveries.next().await.expect("a delivery");
        tasks.spawn(async move { delivery.settle(Settlement::Done).await.expect("it is settled") });
    }
    tasks.join_all().await;
    start.elapsed()
}

fn benchmarks(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("queues.sqlite");
    let opening = SqliteBroker::open(path, Access::Owner, Arc::new(SystemClock));
    let broker = Arc::new(runtime.block_on(opening).expect("it opens"));

    let mut group = criterion.benchmark_group("publish, deliver, settle");
    group.throughput(Throughput::Elements(1));
    for queue in [Queue::ForecastRequests, Queue::TrainJobs] {
        group.bench_function(format!("{queue}, one by one"), |bencher| {
            bencher.iter_custom(|count| runtime.block_on(one_by_one(&broker, queue, count)));
        });
        group.bench_function(format!("{queue}, {IN_FLIGHT} in flight"), |bencher| {
            bencher.iter_custom(|count| runtime.block_on(many_at_once(&broker, queue, count)));
        });
    }
    group.finish();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
