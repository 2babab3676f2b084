//! Three times as many requests as a forecaster can answer: what nobody waits for any more is dropped before it is
//! computed, and counted; the rest is answered as fast as ever, in bounded memory.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use lapin::{
    BasicProperties, Channel,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};
use protocol::{ContentType, Queue, WireMessage, messages::ForecastRequest};
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;
use workers::{asker::ask, environment::Environment};

use crate::{
    fleet::Fleet,
    fleet_probed::{answers, free_port, get},
    process::Process,
    stack::{PATIENCE, in_time},
};

/// Steps of a request that is dear to compute and cheap to ask.
const STEPS: u32 = 10_000;
/// Requests that show what the forecaster can do.
const SAMPLE: u64 = 1_000;
const TIMES_CAPACITY: f64 = 3.0;
const LASTS: Duration = Duration::from_secs(10);
/// How long an asker waits.
const DEADLINE: SignedDuration = SignedDuration::from_millis(500);
const MOST_RESIDENT_BYTES: u64 = 512 << 20;
/// Requests leave in bursts of what this time is worth.
const TICK: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_shed_before_it_is_computed() {
    let fleet = Fleet::with_bikes().await;
    let environment = fleet.environment_now().await;
    let port = free_port();
    let mut forecaster = Process::start_probed(&fleet, "forecaster", port);
    in_time(answers(port, "/readyz", 200)).await;
    let flood = Flood::new(&fleet).await;

    let began = Instant::now();
    flood.burst(SAMPLE, None).await;
    in_time(until(port, SAMPLE)).await;
    let capacity = SAMPLE as f64 / began.elapsed().as_secs_f64();

    let (asked, took) = flood.open_loop(&environment, capacity * TIMES_CAPACITY).await;
    let at_its_end = Counted::of(port).done - SAMPLE;
    in_time(until(port, SAMPLE + asked)).await;
    let counted = Counted::of(port);
    let (done, expired) = (counted.done - SAMPLE, counted.expired);
    let resident = forecaster.resident_bytes();
    println!(
        "{capacity:.0} requests/s alone; {asked} asked in {took:.1?} ({:.1} times as many): {:.0}/s answered meanwhile, \
         {done} in all, {expired} expired, {} MiB resident",
        asked as f64 / took.as_secs_f64() / capacity,
        at_its_end as f64 / took.as_secs_f64(),
        resident >> 20,
    );
    assert_eq!(done + expired, asked, "each is answered or counted as expired");
    assert!(expired > 0, "it was no overload");
    assert!(done > 0, "nothing was answered under overload");
    assert_eq!(counted.computed, counted.done, "what had expired was not computed");
    assert!(resident < MOST_RESIDENT_BYTES, "{resident} bytes");

    let mut asked =
        ask(&*environment.broker, Queue::ForecastRequests, &Fleet::request()).await.expect("asks");
    asked.reply(PATIENCE).await.expect("it is answered as ever");
    forecaster.terminate();
}

/// Publishes requests past our own publisher, which waits for each confirm.
struct Flood {
    _connection: lapin::Connection,
    channel: Channel,
    exchange: String,
    key: String,
}

impl Flood {
    async fn new(fleet: &Fleet) -> Self {
        let (connection, channel) = fleet.channel().await;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        confirms.await.expect("confirms");
        let (_url, prefix) = fleet.broker();
        let exchange = format!("{prefix}gatecast.jobs");
        let key = format!("{prefix}{}", Queue::ForecastRequests);
        Self { _connection: connection, channel, exchange, key }
    }

    async fn burst(&self, count: u64, deadline: Option<jiff::Timestamp>) {
        let mut confirms = Vec::new();
        for _request in 0..count {
            let request = ForecastRequest { horizon: Some(STEPS), ..Fleet::request() };
            let id = Uuid::now_v7().to_string();
            let message = WireMessage::new(&request, ContentType::MessagePack, id).expect("a small body");
            let mut headers = FieldTable::default();
            if let Some(deadline) = deadline {
                headers.insert("x-deadline".into(), AMQPValue::LongLongInt(deadline.as_millisecond()));
            }
            let properties = BasicProperties::default()
                .with_type(message.properties.kind.as_str().into())
                .with_content_type(message.properties.content_type.as_str().into())
                .with_message_id(message.properties.message_id.as_str().into())
                .with_headers(headers);
            let (exchange, key) = (self.exchange.as_str().into(), self.key.as_str().into());
            let sent = self.channel.basic_publish(
                exchange,
                key,
                BasicPublishOptions::default(),
                &message.body,
                properties,
            );
            confirms.push(sent.await.expect("is sent"));
        }
        for confirm in confirms {
            assert!(confirm.await.expect("is confirmed").is_ack());
        }
    }

    /// Asks at this rate, whatever becomes of it; returns how much was asked, and in which time.
    async fn open_loop(&self, environment: &Environment, per_second: f64) -> (u64, Duration) {
        let began = Instant::now();
        let mut asked = 0;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while began.elapsed() < LASTS {
            ticks.tick().await;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small number of requests"
            )]
            let due = (began.elapsed().as_secs_f64() * per_second) as u64 - asked;
            self.burst(due, Some(environment.clock.now() + DEADLINE)).await;
            asked += due;
        }
        (asked, began.elapsed())
    }
}

/// Waits until so many requests were answered or dropped.
async fn until(port: u16, settled: u64) {
    loop {
        let Counted { done, expired, .. } = Counted::of(port);
        if done + expired >= settled {
            return;
        }
        sleep(Duration::from_millis(20)).await; // polls for the event it waits for
    }
}

/// What the forecaster has counted so far.
struct Counted {
    done: u64,
    expired: u64,
    /// Series forecast, by whomever.
    computed: u64,
}

impl Counted {
    fn of(port: u16) -> Self {
        let text = get(port, "/metrics").expect("an answer");
        let sum = |name: &str| {
            let values = text.lines().filter(|line| line.starts_with(name));
            values
                .map(|line| line.rsplit(' ').next().and_then(|n| n.parse::<u64>().ok()).expect("a count"))
                .sum()
        };
        let deliveries = |outcome: &str| {
            sum(&format!("gatecast_deliveries_total{{queue=\"forecast-requests\",outcome=\"{outcome}\"}}"))
        };
        Self {
            done: deliveries("done"),
            expired: deliveries("expired"),
            computed: sum("gatecast_route_total{"),
        }
    }
}
