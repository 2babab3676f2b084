//! What every broker promises, as tests. Each adapter runs the whole suite through
//! [`broker_contract!`](crate::broker_contract):
//!
//! ```ignore
//! messaging::broker_contract!(open_one, #[tokio::test]);
//! ```
//!
//! where `open_one` is an async function without arguments that opens an empty broker and returns a
//! [`Stage`].
//!
//! One long file: the whole contract can be read from top to bottom.

#![expect(missing_docs, reason = "the names of the promises are sentences")]

use std::{any::Any, sync::Arc, task::Poll, time::Duration};

use jiff::Timestamp;
use protocol::{Destination, MAX_BODY_BYTES, Properties, Queue, RoutingKey, WireMessage};
use tokio::time::Instant;

use crate::{Broker, Chosen, Deliveries, Delivery, Depth, PublishError, Settlement};

const HOUR: Duration = Duration::from_hours(1);
/// Long enough to be noticed, short enough to wait for.
const SOON: Duration = Duration::from_millis(5);

/// An empty broker, what it can and cannot do, and what must live as long as it does.
pub struct Stage {
    /// The broker under test.
    pub broker: Arc<dyn Broker>,
    /// The shortest delay that it can keep; a shorter one, unless it is zero, takes this long.
    pub shortest_delay: Duration,
    /// Whether it can tell that a message is on its queue already.
    pub knows_repeats: bool,
    /// For example its temporary folder.
    pub keep: Box<dyn Any + Send>,
}

impl Stage {
    /// A broker that can do everything, with delays as exact as the machine's clock.
    pub fn exact(broker: Arc<dyn Broker>, keep: Box<dyn Any + Send>) -> Self {
        Self { broker, shortest_delay: SOON, knows_repeats: true, keep }
    }
}

/// Runs the contract: one test for each promise.
#[macro_export]
macro_rules! broker_contract {
    ($open:path, #[$test:meta]) => {
        $crate::broker_contract! { @each $open, #[$test]:
            a_published_message_is_delivered_whole_and_gone_once_settled
            messages_come_in_the_order_in_which_they_were_published
            a_queue_delivers_its_own_messages_only
            a_consumer_that_waits_is_woken
            at_most_prefetch_deliveries_are_out
            two_consumers_share_a_queue_and_no_message_goes_to_both
            a_dropped_delivery_comes_back
            a_delivery_given_back_keeps_its_place_and_is_not_counted
            what_is_never_settled_ends_in_the_dead_letters
            a_retry_comes_later_with_its_attempt_counted_and_its_first_error_kept
            a_retry_does_not_hold_up_the_messages_behind_it
            a_postponed_message_comes_later_unchanged
            a_delivery_says_since_when_it_could_have_been_made
            a_settled_failure_starts_the_count_of_unsettled_deliveries_anew
            a_dead_letter_keeps_message_and_reason
            a_dead_letter_can_be_replayed_or_dropped_alone
            all_dead_letters_can_be_replayed_or_dropped
            a_message_that_is_already_there_is_not_added_again
            an_oversized_body_is_refused_and_one_of_the_largest_size_is_not
            a_consumer_that_is_dropped_takes_nothing_with_it
            a_consumer_that_stops_leaves_untouched_what_it_had_taken_ahead
            a_cancelled_wait_loses_nothing
            events_reach_every_listener_whose_pattern_matches
            events_from_before_are_not_heard
            a_reply_reaches_the_asker_and_nobody_else
            a_reply_to_an_asker_who_has_gone_does_no_harm
        }
    };
    (@each $open:path, #[$test:meta]: $($promise:ident)+) => {
        $(
            #[$test]
            async fn $promise() {
                let stage = $open().await;
                let promise = $crate::contract::$promise(&stage);
                $crate::contract::or_hangs(promise).await;
            }
        )+
    };
}

/// A promise that is not kept often shows by waiting for ever.
pub async fn or_hangs<T>(promise: impl Future<Output = T>) -> T {
    let kept = tokio::time::timeout(Duration::from_mins(1), promise).await;
    kept.expect("it ends")
}

fn message(id: &str) -> WireMessage {
    WireMessage {
        properties: Properties {
            content_type: "application/json".into(),
            content_encoding: None,
            kind: "train-job.v1".into(),
            message_id: id.into(),
            correlation_id: Some("c-1".into()),
            reply_to: Some("replies.1".into()),
            deadline: Some(Timestamp::UNIX_EPOCH),
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
            tracestate: Some("vendor=\"ü\0\"".into()),
            attempt: 1,
            first_error: None,
        },
        body: vec![0, 159, 146, 150].into(),
    }
}

async fn publish(broker: &dyn Broker, queue: Queue, ids: &[&str]) {
    for id in ids {
        let sent = broker.publish(&Destination::Queue(queue), message(id)).await;
        sent.expect("it is published");
    }
}

async fn consume(broker: &dyn Broker, queue: Queue, prefetch: u16) -> Box<dyn Deliveries> {
    broker.consume(queue, prefetch).await.expect("it consumes")
}

async fn next(deliveries: &mut Box<dyn Deliveries>) -> Delivery {
    deliveries.next().await.expect("a delivery")
}

async fn next_id(deliveries: &mut Box<dyn Deliveries>) -> String {
    let delivery = next(deliveries).await;
    let id = delivery.message.properties.message_id.clone();
    settle(delivery, Settlement::Done).await;
    id
}

async fn settle(delivery: Delivery, settlement: Settlement) {
    delivery.settle(settlement).await.expect("it is settled");
}

async fn depth(broker: &dyn Broker, queue: Queue) -> Depth {
    broker.depth(queue).await.expect("a depth")
}

fn retry(delay: Duration, error: &str) -> Settlement {
    let error = error.to_owned();
    Settlement::RetryAfter { delay, error }
}

/// The broker's clock may be coarser than ours.
fn assert_has_waited(stage: &Stage, since: Instant) {
    let waited = since.elapsed();
    assert!(waited >= stage.shortest_delay.mul_f64(0.9), "it waited {waited:?} only");
}

pub async fn a_published_message_is_delivered_whole_and_gone_once_settled(stage: &Stage) {
    let broker = stage.broker.as_ref();
    for queue in Queue::ALL {
        publish(broker, queue, &["a"]).await;
        let mut deliveries = consume(broker, queue, 1).await;
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.message, message("a"));
        settle(delivery, Settlement::Done).await;
        assert_eq!(depth(broker, queue).await, Depth::default());
    }
}

pub async fn messages_come_in_the_order_in_which_they_were_published(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let ids = ["c", "a", "b", "0", "z"];
    publish(broker, Queue::TrainJobs, &ids).await;
    let mut deliveries = consume(broker, Queue::TrainJobs, 3).await;
    for id in ids {
        assert_eq!(next_id(&mut deliveries).await, id);
    }
}

pub async fn a_queue_delivers_its_own_messages_only(stage: &Stage) {
    let broker = stage.broker.as_ref();
    publish(broker, Queue::TrainJobs, &["job"]).await;
    publish(broker, Queue::ForecastRequests, &["request"]).await;
    let mut deliveries = consume(broker, Queue::ForecastRequests, 5).await;
    assert_eq!(next_id(&mut deliveries).await, "request");
    assert_eq!(depth(broker, Queue::TrainJobs).await.ready, 1);
}

pub async fn a_consumer_that_waits_is_woken(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let mut deliveries = consume(broker, Queue::TrainJobs, 1).await;
    let (id, ()) = tokio::join!(next_id(&mut deliveries), publish(broker, Queue::TrainJobs, &["a"]));
    assert_eq!(id, "a");
}

pub async fn at_most_prefetch_deliveries_are_out(stage: &Stage) {
    let broker = stage.broker.as_ref();
    publish(broker, Queue::TrainJobs, &["a", "b", "c"]).await;
    let mut deliveries = consume(broker, Queue::TrainJobs, 2).await;
    let first = next(&mut deliveries).await;
    let _second = next(&mut deliveries).await;
    let now = depth(broker, Queue::TrainJobs).await;
    assert_eq!((now.leased, now.ready), (2, 1));
    {
        let mut third = deliveries.next();
        assert!(futures::poll!(&mut third).is_pending());
        settle(first, Settlement::Done).await;
        let third = third.await.expect("a delivery");
        assert_eq!(third.message.properties.message_id, "c");
    }
}

pub async fn two_consumers_share_a_queue_and_no_message_goes_to_both(stage: &Stage) {
    let broker = stage.broker.as_ref();
    publish(broker, Queue::TrainJobs, &["a", "b"]).await;
    let mut one = consume(broker, Queue::TrainJobs, 1).await;
    let mut other = consume(broker, Queue::TrainJobs, 1).await;
    let (first, second) = (next(&mut one).await, next(&mut other).await);
    let mut ids = [first, second].map(|delivery| delivery.message.properties.message_id.clone());
    ids.sort();
    assert_eq!(ids, ["a", "b"]);
}

pub async fn a_dropped_delivery_comes_back(stage: &Stage) {
    let broker = stage.broker.as_ref();
    publish(broker, Queue::TrainJobs, &["a"]).await;
    let mut deliveries = consume(broker, Queue::TrainJobs, 1).await;
    drop(next(&mut deliveries).await);
    let again = next(&mut deliveries).await;
    assert_eq!(again.message, message("a"));
}

pub async fn a_delivery_given_back_keeps_its_place_and_is_not_counted(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let queue = Queue::ForecastRequests;
    publish(broker, queue, &["a", "b"]).await;
    let mut deliveries = consume(broker, queue, 1).await;
    for _ in 0..=queue.delivery_limit() {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.message, message("a"));
        settle(delivery, Settlement::GiveBack).await;
    }
    drop(next(&mut deliveries).await); // the only one that counts
    assert_eq!(next_id(&mut deliveries).await, "a");
}

pub async fn what_is_never_settled_ends_in_the_dead_letters(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let queue = Queue::ForecastRequests;
    publish(broker, queue, &["poison", "good"]).await;
    let mut deliveries = consume(broker, queue, 1).await;
    for _ in 0..queue.delivery_limit() {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.message.properties.message_id, "poison");
    }
    assert_eq!(next_id(&mut deliveries).await, "good");
    let dead = broker.dead_letters(queue, 10).await.expect("dead letters");
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].message, message("poison"));
    assert_eq!(dead[0].reason, "delivered 3 times without being settled");
}

pub async fn a_retry_comes_later_with_its_attempt_counted_and_its_first_error_kept(stage: &Stage) {
    let broker = stage.broker.as_ref();
    publish(broker, Queue::TrainJobs, &["a"]).await;
    let mut deliveries = consume(broker, Queue::TrainJobs, 1).await;
    let first = next(&mut deliveries).await;
    let failed_at = Instant::now();
    settle(first, retry(stage.shortest_delay, "out of ink")).await;
    let second = next(&mut deliveries).await;
    assert_has_waited(stage, failed_at);
    settle(second, retry(Duration::ZERO, "out of paper")).await;
    let third = next(&mut deliveries).await;
    let mut expected = message("a");
    expected.properties.attempt = 3;
    expected.properties.first_error = Some("out of ink".into());
    assert_eq!(third.message, expected);
    settle(third, retry(HOUR, "out of patience")).await;
    let now = depth(broker, Queue::TrainJobs).await;
    assert_eq!((now.ready, now.delayed, now.leased), (0, 1, 0));
}

pub async fn a_retry_does_not_hold_up_the_messages_behind_it(stage: &Stage) {
    let broker = stage.broker.as_ref();
    publish(broker, Queue::TrainJobs, &["a", "b"]).await;
    let mut deliveries = consume(broker, Queue::TrainJobs, 1).await;
    settle(next(&mut deliveries).await, retry(Duration::ZERO, "no")).await;
    assert_eq!(next_id(&mut deliveries).await, "b");
    assert_eq!(next_id(&mut deliveries).await, "a");
}

pub async fn a_postponed_message_comes_later_unchanged(stage: &Stage) {
    let broker = stage.broker.as_ref();
    publish(broker, Queue::TrainJobs, &["a", "b"]).await;
    let mut deliveries = consume(broker, Queue::TrainJobs, 1).await;
    let postpone = |delay| Settlement::Postpone { delay };
    let first = next(&mut deliveries).await;
    let postponed_at = Instant::now();
    settle(first, postpone(stage.shortest_delay)).await;
    settle(next(&mut deliveries).await, postpone(Duration::MAX)).await;
    let again = next(&mut deliveries).await;
    assert_has_waited(stage, postponed_at);
    assert_eq!(again.message, message("a"));
    assert_eq!(depth(broker, Queue::TrainJobs).await.delayed, 1);
}

pub async fn a_delivery_says_since_when_it_could_have_been_made(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let queue = Queue::TrainJobs;
    publish(broker, queue, &["a"]).await;
    let mut deliveries = consume(broker, queue, 1).await;
    let first = next(&mut deliveries).await;
    let published = first.queued_at.expect("it was published here");
    settle(first, Settlement::Postpone { delay: stage.shortest_delay }).await;
    let second = next(&mut deliveries).await;
    let waited = second.queued_at.expect("it was sent back here").duration_since(published);
    let waited = waited.unsigned_abs();
    assert!(waited >= stage.shortest_delay.mul_f64(0.9), "its delay counts as waiting: {waited:?}");
    settle(second, Settlement::Done).await;
}

pub async fn a_settled_failure_starts_the_count_of_unsettled_deliveries_anew(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let queue = Queue::ForecastRequests;
    publish(broker, queue, &["a"]).await;
    let mut deliveries = consume(broker, queue, 1).await;
    for _ in 1..queue.delivery_limit() {
        drop(next(&mut deliveries).await);
    }
    settle(next(&mut deliveries).await, retry(Duration::ZERO, "no")).await;
    drop(next(&mut deliveries).await);
    assert_eq!(next_id(&mut deliveries).await, "a");
}

pub async fn a_dead_letter_keeps_message_and_reason(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let queue = Queue::Observations;
    publish(broker, queue, &["a", "b", "c"]).await;
    let mut deliveries = consume(broker, queue, 1).await;
    for reason in ["no such field: ä", "too late", "too early"] {
        let reason = reason.to_owned();
        settle(next(&mut deliveries).await, Settlement::DeadLetter { reason }).await;
    }
    assert_eq!(depth(broker, queue).await, Depth { dead: 3, ..Depth::default() });
    let oldest = broker.dead_letters(queue, 2).await.expect("dead letters");
    let reasons: Vec<&str> = oldest.iter().map(|dead| dead.reason.as_str()).collect();
    assert_eq!(reasons, ["no such field: ä", "too late"]);
    assert_eq!(oldest[0].message, message("a"));
    let elsewhere = broker.dead_letters(Queue::TrainJobs, 2).await;
    assert_eq!(elsewhere.expect("dead letters"), []);
}

/// Publishes these messages and gives each up after a failure.
async fn give_up(broker: &dyn Broker, queue: Queue, ids: &[&str]) {
    publish(broker, queue, ids).await;
    let mut deliveries = consume(broker, queue, 1).await;
    for _ in ids {
        settle(next(&mut deliveries).await, retry(Duration::ZERO, "at first")).await;
    }
    for _ in ids {
        settle(next(&mut deliveries).await, Settlement::DeadLetter { reason: "no".into() }).await;
    }
    deliveries.stop().await;
}

pub async fn a_dead_letter_can_be_replayed_or_dropped_alone(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let queue = Queue::TrainResults;
    give_up(broker, queue, &["a", "b", "c"]).await;
    let with_id = |id: &str| Chosen::WithId(id.to_owned());
    let found = broker.dead_letter(queue, "b").await.expect("looks").expect("it is there");
    assert_eq!((found.message.properties.message_id.as_str(), found.reason.as_str()), ("b", "no"));
    assert_eq!(broker.dead_letter(queue, "nobody").await.expect("looks"), None);
    assert_eq!(depth(broker, queue).await, Depth { dead: 3, ..Depth::default() }, "they stay where they are");
    assert_eq!(broker.replay_dead_letters(queue, &with_id("nobody")).await.expect("looks"), 0);
    assert_eq!(broker.replay_dead_letters(queue, &with_id("b")).await.expect("replays"), 1);
    assert_eq!(broker.drop_dead_letters(queue, &with_id("a")).await.expect("drops"), 1);
    let left = broker.dead_letters(queue, 10).await.expect("looks");
    assert_eq!(
        left.iter().map(|letter| letter.message.properties.message_id.as_str()).collect::<Vec<_>>(),
        ["c"]
    );
    let mut deliveries = consume(broker, queue, 1).await;
    let delivery = next(&mut deliveries).await;
    let mut renewed = message("b");
    renewed.properties.deadline = None;
    assert_eq!(delivery.message, renewed, "as if it were published now");
    settle(delivery, Settlement::Done).await;
}

pub async fn all_dead_letters_can_be_replayed_or_dropped(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let queue = Queue::Observations;
    give_up(broker, queue, &["a", "b", "c"]).await;
    assert_eq!(broker.replay_dead_letters(queue, &Chosen::All).await.expect("replays"), 3);
    assert_eq!(depth(broker, queue).await, Depth { ready: 3, ..Depth::default() });
    let mut deliveries = consume(broker, queue, 3).await;
    for expected in ["a", "b", "c"] {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.message.properties.message_id, expected);
        settle(delivery, Settlement::DeadLetter { reason: "again".into() }).await;
    }
    assert_eq!(broker.drop_dead_letters(queue, &Chosen::All).await.expect("drops"), 3);
    assert_eq!(depth(broker, queue).await, Depth::default());
}

pub async fn a_message_that_is_already_there_is_not_added_again(stage: &Stage) {
    if !stage.knows_repeats {
        return; // its consumers have to know
    }
    let broker = stage.broker.as_ref();
    let queue = Queue::TrainJobs;
    publish(broker, queue, &["a", "a", "b"]).await;
    let mut deliveries = consume(broker, queue, 1).await;
    let first = next(&mut deliveries).await;
    publish(broker, queue, &["a"]).await; // out for delivery
    settle(first, retry(HOUR, "no")).await;
    publish(broker, queue, &["a"]).await; // delayed
    let mut other_kind = message("a");
    other_kind.properties.kind = "train-job.v2".into();
    let sent = broker.publish(&Destination::Queue(queue), other_kind).await;
    sent.expect("it is published");
    let now = depth(broker, queue).await;
    assert_eq!((now.ready + now.leased, now.delayed), (2, 1), "b, and a of another kind");
}

pub async fn an_oversized_body_is_refused_and_one_of_the_largest_size_is_not(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let to = Destination::Queue(Queue::Observations);
    let mut large = message("a");
    large.body = vec![7; MAX_BODY_BYTES + 1].into();
    let error = broker.publish(&to, large.clone()).await.expect_err("too large");
    assert!(matches!(error, PublishError::TooLarge { size_bytes } if size_bytes == MAX_BODY_BYTES + 1));
    large.body.truncate(MAX_BODY_BYTES);
    broker.publish(&to, large.clone()).await.expect("it is published");
    let mut deliveries = consume(broker, Queue::Observations, 1).await;
    assert_eq!(next(&mut deliveries).await.message, large);
}

pub async fn a_consumer_that_is_dropped_takes_nothing_with_it(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let queue = Queue::ForecastRequests;
    publish(broker, queue, &["a", "b", "c"]).await;
    for _ in 0..=queue.delivery_limit() {
        let mut deliveries = consume(broker, queue, 3).await;
        settle(next(&mut deliveries).await, Settlement::GiveBack).await;
    }
    let mut deliveries = consume(broker, queue, 1).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(next_id(&mut deliveries).await);
    }
    ids.sort(); // the three may come back one by one
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(depth(broker, queue).await, Depth::default());
}

pub async fn a_consumer_that_stops_leaves_untouched_what_it_had_taken_ahead(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let queue = Queue::ForecastRequests;
    publish(broker, queue, &["a", "b", "c"]).await;
    for _ in 0..=queue.delivery_limit() {
        let mut deliveries = consume(broker, queue, 2).await;
        let out = next(&mut deliveries).await;
        assert_eq!(out.message, message("a"));
        deliveries.stop().await;
        let now = depth(broker, queue).await;
        assert_eq!((now.ready, now.leased), (2, 1), "what is out stays out");
        settle(out, Settlement::GiveBack).await;
    }
    let all_ready = Depth { ready: 3, ..Depth::default() };
    assert_eq!(depth(broker, queue).await, all_ready);
    let mut deliveries = consume(broker, queue, 1).await;
    for id in ["a", "b", "c"] {
        drop(next(&mut deliveries).await); // the only one that counts
        assert_eq!(next_id(&mut deliveries).await, id);
    }
}

pub async fn a_cancelled_wait_loses_nothing(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let mut deliveries = consume(broker, Queue::TrainJobs, 1).await;
    let mut replies = broker.replies().await.expect("a private queue");
    let asker = Destination::Asker(replies.address().clone());
    for _ in 0..20 {
        assert!(futures::poll!(deliveries.next()).is_pending());
        assert!(futures::poll!(replies.next()).is_pending());
        publish(broker, Queue::TrainJobs, &["a"]).await;
        broker.publish(&asker, message("r")).await.expect("it is published");
        // Each wait is begun, given up if it would take longer, and begun again.
        let delivery = match futures::poll!(deliveries.next()) {
            Poll::Ready(delivery) => delivery.expect("a delivery"),
            Poll::Pending => next(&mut deliveries).await,
        };
        settle(delivery, Settlement::Done).await;
        let reply = match futures::poll!(replies.next()) {
            Poll::Ready(reply) => reply,
            Poll::Pending => replies.next().await,
        };
        assert_eq!(reply.expect("a reply"), message("r"));
    }
}

pub async fn events_reach_every_listener_whose_pattern_matches(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let mut bikes = broker.listen(&["*.bikes"]).await.expect("it listens");
    let mut refusals = broker.listen(&["x", "candidate-refused.*"]).await.expect("it listens");
    let mut everything = broker.listen(&["#"]).await.expect("it listens");
    for (kind, model) in
        [("model-promoted", "feet"), ("model-promoted", "bikes"), ("candidate-refused", "bikes")]
    {
        let key = RoutingKey::new(kind, model);
        let sent = broker.publish(&Destination::Event(key.clone()), message(key.as_str())).await;
        sent.expect("it is published");
    }
    for (listener, expected) in [
        (&mut bikes, &["model-promoted.bikes", "candidate-refused.bikes"][..]),
        (&mut refusals, &["candidate-refused.bikes"]),
        (&mut everything, &["model-promoted.feet", "model-promoted.bikes", "candidate-refused.bikes"]),
    ] {
        for &expected in expected {
            assert_eq!(listener.next().await.expect("an event"), message(expected));
        }
    }
}

pub async fn events_from_before_are_not_heard(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let event = Destination::Event(RoutingKey::new("model-promoted", "bikes"));
    broker.publish(&event, message("before")).await.expect("it is published");
    let mut listener = broker.listen(&["#"]).await.expect("it listens");
    broker.publish(&event, message("after")).await.expect("it is published");
    assert_eq!(listener.next().await.expect("an event"), message("after"));
}

pub async fn a_reply_reaches_the_asker_and_nobody_else(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let mut one = broker.replies().await.expect("a private queue");
    let mut other = broker.replies().await.expect("a private queue");
    assert_ne!(one.address(), other.address());
    for (replies, id) in [(&one, "1"), (&other, "2"), (&one, "3")] {
        let asker = Destination::Asker(replies.address().clone());
        broker.publish(&asker, message(id)).await.expect("it is published");
    }
    assert_eq!(one.next().await.expect("a reply"), message("1"));
    assert_eq!(one.next().await.expect("a reply"), message("3"));
    assert_eq!(other.next().await.expect("a reply"), message("2"));
}

pub async fn a_reply_to_an_asker_who_has_gone_does_no_harm(stage: &Stage) {
    let broker = stage.broker.as_ref();
    let replies = broker.replies().await.expect("a private queue");
    let asker = Destination::Asker(replies.address().clone());
    drop(replies);
    let sent = broker.publish(&asker, message("a")).await;
    assert!(matches!(sent, Ok(()) | Err(PublishError::Unroutable(_))), "{sent:?}");
    publish(broker, Queue::TrainJobs, &["a"]).await;
}
