//! What foreign clients may send, and what the server itself does with messages.

mod rabbit;
mod traffic;

#[path = "../../../tests/integration/proxy.rs"]
mod proxy;

use std::{sync::Arc, time::Duration};

use clock::SystemClock;
use futures::future::join_all;
use lapin::{
    BasicProperties, Channel,
    options::{
        BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
};
use messaging::{Broker, Chosen, PublishError, RabbitBroker, Settlement, contract::or_hangs};
use protocol::{Destination, Queue, ReplyAddress, RoutingKey};

use proxy::{Proxy, address_in};
use rabbit::Tenant;
use traffic::{dead, message, next, next_id, publish, take_and_die};

/// As a foreign client publishes.
async fn publish_foreign(tenant: &Tenant, channel: &Channel, queue: Queue, properties: BasicProperties) {
    let body = message("x").body;
    let sent = channel.basic_publish(
        tenant.name("gatecast.jobs").into(),
        tenant.name(queue.name()).into(),
        BasicPublishOptions::default(),
        &body,
        properties,
    );
    sent.await.expect("it is sent").await.expect("it has arrived");
}

fn with_header(id: &str, name: &str, value: AMQPValue) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(name.into(), value);
    BasicProperties::default().with_message_id(id.into()).with_headers(headers)
}

fn long_text() -> AMQPValue {
    AMQPValue::LongString("x".repeat(10 * 1024).into())
}

/// As a header it is short, and does not fit the property that it stands for.
fn one_too_long() -> AMQPValue {
    AMQPValue::LongString("x".repeat(256).into())
}

/// Name, value, and the reason that the dead letter gets.
fn hostile_headers() -> Vec<(&'static str, AMQPValue, &'static str)> {
    vec![
        ("traceparent", long_text(), "header traceparent of 10240 bytes: at most 2048 are allowed"),
        ("x-first-error", long_text(), "header x-first-error of 10240 bytes: at most 2048 are allowed"),
        ("x-type", one_too_long(), "header x-type of 256 bytes: at most 255 are allowed"),
        ("x-correlation-id", one_too_long(), "header x-correlation-id of 256 bytes: at most 255 are allowed"),
        ("tracestate", AMQPValue::LongString(vec![0xff, 0xfe].into()), "header tracestate is not UTF-8"),
        ("traceparent", AMQPValue::Boolean(true), "header traceparent is not a text"),
        ("x-attempt", AMQPValue::LongInt(-1), "header x-attempt is not a count"),
        ("x-attempt", long_text(), "header x-attempt is not a count"),
        ("x-unsettled", AMQPValue::Double(0.5), "header x-unsettled is not a count"),
        (
            "x-deadline",
            AMQPValue::LongLongInt(i64::MAX),
            "header x-deadline is not an instant in Unix milliseconds",
        ),
        (
            "x-deadline",
            AMQPValue::FieldTable(FieldTable::default()),
            "header x-deadline is not an instant in Unix milliseconds",
        ),
    ]
}

#[tokio::test]
async fn headers_that_say_something_impossible_lead_to_the_dead_letters_and_the_next_is_delivered() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let queue = Queue::ForecastRequests;
    let mut deliveries = broker.consume(queue, 4).await.expect("it consumes");
    let (_connection, channel) = tenant.channel().await;
    let hostile = hostile_headers();
    for (n, (name, value, _)) in hostile.iter().enumerate() {
        publish_foreign(&tenant, &channel, queue, with_header(&n.to_string(), name, value.clone())).await;
    }
    let elsewhere = BasicProperties::default()
        .with_message_id("elsewhere".into())
        .with_reply_to(format!("replies.{}", "x".repeat(240)).into());
    publish_foreign(&tenant, &channel, queue, elsewhere).await;
    publish_foreign(&tenant, &channel, queue, with_header("good", "unknown", long_text())).await;

    assert_eq!(next_id(&mut deliveries).await, "good");
    let mut expected: Vec<(String, String)> =
        hostile.iter().enumerate().map(|(n, (_, _, reason))| (n.to_string(), (*reason).to_owned())).collect();
    expected.push(("elsewhere".into(), "reply_to lacks the prefix of this server's queues".into()));
    assert_eq!(dead(&broker, queue).await, expected);
}

#[tokio::test]
async fn an_id_that_is_longer_than_amqp_knows_leads_to_the_dead_letters_and_the_next_is_delivered() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let (_connection, channel) = tenant.channel().await;
    let header = |name: &str, length| {
        let mut headers = FieldTable::default();
        headers.insert(name.into(), AMQPValue::LongString("x".repeat(length).into()));
        BasicProperties::default().with_headers(headers)
    };
    for queue in [Queue::ForecastRequests, Queue::TrainJobs] {
        let mut deliveries = broker.consume(queue, 4).await.expect("it consumes");
        for name in ["x-message-id", "x-type", "x-correlation-id"] {
            publish_foreign(&tenant, &channel, queue, header(name, 300)).await;
        }
        publish(&broker, queue, &["good"]).await;
        assert_eq!(next_id(&mut deliveries).await, "good");
        let letters = dead(&broker, queue).await;
        assert_eq!(letters[0].0, "x".repeat(255), "cut, so that it can be named");
        let reasons: Vec<String> = letters.into_iter().map(|(_id, reason)| reason).collect();
        let expected = ["x-message-id", "x-type", "x-correlation-id"]
            .map(|name| format!("header {name} of 300 bytes: at most 255 are allowed"));
        assert_eq!(reasons, expected);
    }
}

#[tokio::test]
async fn a_message_whose_copy_the_server_does_not_take_is_kept_until_it_does() {
    let tenant = Tenant::new();
    let (_connection, channel) = tenant.channel().await;
    // The queue of the delay is full for ever, as a server short of memory is for a while.
    let mut full = FieldTable::default();
    full.insert("x-max-length".into(), AMQPValue::LongInt(0));
    full.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let name = tenant.name("retry.1s");
    let declared = channel.queue_declare(name.as_str().into(), QueueDeclareOptions::durable(), full);
    declared.await.expect("it is declared");
    let broker = tenant.broker();
    let queue = Queue::ForecastBatches;
    publish(&broker, queue, &["a"]).await;
    let mut deliveries = broker.consume(queue, 2).await.expect("it consumes");
    let delay = Duration::from_secs(1);
    let mut settling = Box::pin(next(&mut deliveries).await.settle(Settlement::Postpone { delay }));
    let early = tokio::time::timeout(Duration::from_millis(500), &mut settling).await;
    assert!(early.is_err(), "it was given away: {early:?}");
    let again = tokio::time::timeout(Duration::from_millis(100), deliveries.next()).await;
    assert!(again.is_err(), "it came back at once");

    let deleted = channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await;
    deleted.expect("it is deleted");
    or_hangs(settling).await.expect("it is settled");
    assert_eq!(next_id(&mut deliveries).await, "a");
    assert_eq!(dead(&broker, queue).await, []);
}

#[tokio::test]
async fn a_message_whose_copy_nobody_takes_is_put_back_uncounted_when_its_worker_stops() {
    let tenant = Tenant::new();
    let (_connection, channel) = tenant.channel().await;
    let broker = tenant.broker();
    let queue = Queue::ForecastRequests; // counts nothing itself
    publish(&broker, queue, &["a"]).await;
    let mut full = FieldTable::default();
    full.insert("x-max-length".into(), AMQPValue::LongInt(0));
    full.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let name = tenant.name("retry.1s");
    channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.expect("it is deleted");
    let declared = channel.queue_declare(name.as_str().into(), QueueDeclareOptions::durable(), full);
    declared.await.expect("it is declared");
    let exchange = tenant.name("gatecast.retry.1s").into();
    let (options, none) = (lapin::options::QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(name.into(), exchange, "".into(), options, none).await.expect("it is bound");

    let mut deliveries = broker.consume(queue, 2).await.expect("it consumes");
    for _ in 0..queue.delivery_limit() {
        let delay = Duration::from_secs(1);
        let settling = next(&mut deliveries).await.settle(Settlement::Postpone { delay });
        let early = tokio::time::timeout(Duration::from_millis(300), settling).await;
        assert!(early.is_err(), "it was given away: {early:?}");
    }
    assert_eq!(next_id(&mut deliveries).await, "a");
    assert_eq!(dead(&broker, queue).await, []);
}

#[tokio::test]
async fn a_message_that_breaks_the_client_library_goes_to_the_dead_letters_and_stalls_nobody() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let server = tenant.url.split(['@', '/']).find(|part| part.contains("127.0.0.1"));
    let server = server.expect("the tests' server is on loopback");
    for queue in [Queue::ForecastRequests, Queue::TrainJobs] {
        publish(&broker, queue, &["before"]).await;
        for _ in 0..2 {
            let (exchange, key) = (tenant.name("gatecast.jobs"), tenant.name(queue.name()));
            rabbit::by_hand::publish_with_id(server, &exchange, &key, b"\xff\xfe");
        }
        publish(&broker, queue, &["after"]).await;
        let mut settled = Vec::new();
        let all = async {
            while settled.last().is_none_or(|last| last != "after") {
                let mut deliveries = broker.consume(queue, 2).await.expect("it consumes");
                while let Ok(delivery) = deliveries.next().await {
                    let id = delivery.message.properties.message_id.clone();
                    if delivery.settle(Settlement::Done).await.is_ok() {
                        settled.push(id.clone());
                    }
                    if id == "after" {
                        break;
                    }
                }
            }
        };
        or_hangs(all).await;
        settled.dedup();
        assert_eq!(settled, ["before", "after"]);
        let reason = "a property or the name of a header is not UTF-8".to_owned();
        let unreadable = (String::new(), reason);
        assert_eq!(dead(&broker, queue).await, [unreadable.clone(), unreadable]);
    }
}

#[tokio::test]
async fn numbers_may_be_as_wide_as_the_client_likes() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let mut deliveries = broker.consume(Queue::TrainJobs, 1).await.expect("it consumes");
    let (_connection, channel) = tenant.channel().await;
    for value in [AMQPValue::ShortShortInt(7), AMQPValue::LongInt(7), AMQPValue::LongLongInt(7)] {
        publish_foreign(&tenant, &channel, Queue::TrainJobs, with_header("a", "x-attempt", value)).await;
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.message.properties.attempt, 7);
        delivery.settle(Settlement::Done).await.expect("it is settled");
    }
}

#[tokio::test]
async fn a_dead_letter_of_a_client_that_sets_headers_only_is_chosen_by_its_id() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    broker.until_connected().await.expect("it connects");
    let (_connection, channel) = tenant.channel().await;
    let mut deliveries = broker.consume(Queue::Observations, 1).await.expect("it consumes");
    for id in ["one", "other"] {
        let mut headers = FieldTable::default();
        headers.insert("x-message-id".into(), AMQPValue::LongString(id.into()));
        let properties = BasicProperties::default().with_headers(headers);
        publish_foreign(&tenant, &channel, Queue::Observations, properties).await;
        let reason = "given up".to_owned();
        next(&mut deliveries).await.settle(Settlement::DeadLetter { reason }).await.expect("it is settled");
    }
    let one = Chosen::WithId("one".into());
    assert_eq!(broker.drop_dead_letters(Queue::Observations, &one).await.expect("it drops"), 1);
    assert_eq!(dead(&broker, Queue::Observations).await, [("other".to_owned(), "given up".to_owned())]);
}

#[tokio::test]
async fn a_dead_letter_of_a_client_without_properties_can_be_named() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let queue = Queue::ForecastBatches;
    broker.until_connected().await.expect("it connects");
    let (_connection, channel) = tenant.channel().await;
    for id in ["a", "b"] {
        let mut headers = FieldTable::default();
        headers.insert("x-message-id".into(), AMQPValue::LongString(id.into()));
        let by_header = BasicProperties::default().with_headers(headers);
        publish_foreign(&tenant, &channel, queue, by_header).await;
    }
    // The server buries them, as they are.
    for _ in 0..queue.delivery_limit() {
        take_and_die(&tenant, queue.name(), 2).await;
    }
    while broker.depth(queue).await.expect("a depth").dead < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await; // polls for the event it waits for
    }
    let found = broker.dead_letter(queue, "b").await.expect("looks").expect("it is there");
    assert_eq!(found.message.properties.message_id, "b");
    assert!(found.died_at.is_some(), "the server says when");
    let with_id = |id: &str| Chosen::WithId(id.to_owned());
    assert_eq!(broker.replay_dead_letters(queue, &with_id("b")).await.expect("replays"), 1);
    assert_eq!(broker.drop_dead_letters(queue, &with_id("a")).await.expect("drops"), 1);
    let mut deliveries = broker.consume(queue, 1).await.expect("it consumes");
    assert_eq!(next_id(&mut deliveries).await, "b");
}

#[tokio::test]
async fn a_dead_letter_whose_death_nobody_tells_has_no_time() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    broker.until_connected().await.expect("it connects");
    let (_connection, channel) = tenant.channel().await;
    let queue = tenant.name("train-jobs.dead").into();
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), queue, options, b"{}", BasicProperties::default());
    sent.await.expect("it is sent").await.expect("it has arrived");
    while broker.depth(Queue::TrainJobs).await.expect("a depth").dead < 1 {
        tokio::time::sleep(Duration::from_millis(20)).await; // polls for the event it waits for
    }
    let letters = broker.dead_letters(Queue::TrainJobs, 10).await.expect("looks");
    assert_eq!((letters.len(), letters[0].died_at), (1, None));
}

#[tokio::test]
async fn no_connection_waits_for_the_version_of_the_server() {
    let tenant = Tenant::new();
    let proxy = Proxy::to(address_in(&tenant.url)).await;
    let url = Proxy::in_front_of(&tenant.url, &proxy);
    let mut settings = tenant.settings();
    settings.url = url;
    let broker = RabbitBroker::start(settings, Arc::new(SystemClock)).expect("the settings are right");
    broker.until_connected().await.expect("it connects");
    // One to publish, one to consume, and in the background one that asks for the version.
    assert!(proxy.connections() <= 3, "{} connections", proxy.connections());
}

#[tokio::test]
async fn a_dead_letter_is_still_there_after_many_looks() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let queue = Queue::TrainJobs;
    publish(&broker, queue, &["a", "b", "c"]).await;
    let mut deliveries = broker.consume(queue, 1).await.expect("it consumes");
    for _ in 0..3 {
        let reason = "no good".to_owned();
        let settled = next(&mut deliveries).await.settle(Settlement::DeadLetter { reason }).await;
        settled.expect("it is settled");
    }
    for _ in 0..25 {
        let ids: Vec<String> = dead(&broker, queue).await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["a", "b", "c"]);
    }
}

#[tokio::test]
async fn each_of_many_publishers_learns_what_became_of_its_own_message() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let gone = ReplyAddress::new("replies.gone").expect("an address");
    let publishers = (0..200).map(|n| {
        let (broker, gone) = (&broker, gone.clone());
        async move {
            let to = if n % 3 == 0 {
                Destination::Asker(gone)
            } else {
                Destination::Queue(Queue::ForecastRequests)
            };
            let sent = broker.publish(&to, message(&n.to_string())).await;
            match (n % 3, sent) {
                (0, Err(PublishError::Unroutable(_))) | (1 | 2, Ok(())) => None,
                (_, sent) => Some((n, sent)),
            }
        }
    });
    let wrong: Vec<_> = join_all(publishers).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let depth = broker.depth(Queue::ForecastRequests).await.expect("a depth");
    assert_eq!(depth.ready, 200 - 67);
}

#[tokio::test]
async fn a_foreign_asker_gets_its_reply_through_direct_reply_to() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let queue = Queue::ForecastRequests;
    let mut deliveries = broker.consume(queue, 1).await.expect("it consumes");
    let (_connection, channel) = tenant.channel().await;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut replies = channel
        .basic_consume("amq.rabbitmq.reply-to".into(), "".into(), options, FieldTable::default())
        .await
        .expect("direct replies");
    let asking =
        BasicProperties::default().with_message_id("a".into()).with_reply_to("amq.rabbitmq.reply-to".into());
    publish_foreign(&tenant, &channel, queue, asking).await;

    let delivery = next(&mut deliveries).await;
    let address = delivery.message.properties.reply_to.clone().expect("an address");
    let asker = Destination::Asker(ReplyAddress::new(address).expect("a private queue"));
    broker.publish(&asker, message("answer")).await.expect("it is published");
    let reply = or_hangs(futures::StreamExt::next(&mut replies)).await;
    let reply = reply.expect("a reply").expect("a reply");
    assert_eq!(reply.properties.message_id().as_ref().map(ShortString::as_str), Some("answer"));
    delivery.settle(Settlement::Done).await.expect("it is settled");
}

#[tokio::test]
async fn an_event_carries_the_attributes_of_cloud_events_and_no_listener_is_needed() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let event = Destination::Event(RoutingKey::new("model-promoted", "bikes"));
    broker.publish(&event, message("unheard")).await.expect("it is published");
    let (_connection, channel) = tenant.channel().await;
    let queue = channel
        .queue_declare("".into(), QueueDeclareOptions::exclusive(), FieldTable::default())
        .await
        .expect("a queue");
    let exchange = tenant.name("gatecast.events").into();
    let bound = channel.queue_bind(
        queue.name().clone(),
        exchange,
        "#".into(),
        lapin::options::QueueBindOptions::default(),
        FieldTable::default(),
    );
    bound.await.expect("it is bound");
    broker.publish(&event, message("heard")).await.expect("it is published");
    let got = channel.basic_get(queue.name().clone(), BasicGetOptions::default()).await;
    let got = got.expect("an answer").expect("a message");
    let headers = got.delivery.properties.headers().clone().expect("headers");
    let text = |name: &str| match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(text("cloudEvents:id"), "heard");
    assert_eq!(text("cloudEvents:type"), "train-job.v1");
    assert_eq!(text("cloudEvents:specversion"), "1.0");
    assert_eq!(text("cloudEvents:source"), "/gatecast/test", "the component says who it is");
    let time: jiff::Timestamp = text("cloudEvents:time").parse().expect("an instant");
    assert!(time <= jiff::Timestamp::now());
}
