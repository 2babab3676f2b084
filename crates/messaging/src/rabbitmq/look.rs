//! Looks into queues without taking anything out.

use std::{ops::ControlFlow, time::Duration};

use jiff::Timestamp;
use lapin::{
    BasicProperties, Channel,
    message::Delivery,
    options::{BasicGetOptions, BasicNackOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use protocol::{Queue, WireMessage, headers};
use tokio::time::{Instant, sleep};

use super::{
    declare,
    ladder::Step,
    office::Office,
    topology::has_suspects,
    wire::{Identity, from_wire, whole_number},
    within::{TO_ANSWER, within},
};
use crate::{BoxError, DeadLetter, Depth, delivery::never_settled};

/// How many messages a queue holds, as far as AMQP tells.
pub(super) async fn depth(office: &Office, queue: Queue) -> Result<Depth, BoxError> {
    office.publisher.up_soon().await?;
    let connection = office.consuming.up_soon().await?;
    let channel = declare::open_channel(&connection).await?;
    let mut delayed = 0;
    for step in Step::ALL {
        delayed += ready(&channel, office.names.retry_queue(step)).await?;
    }
    let mut waiting = ready(&channel, office.names.queue(queue)).await?;
    if has_suspects(queue) {
        waiting += ready(&channel, office.names.suspects(queue)).await?;
    }
    Ok(Depth {
        ready: waiting,
        delayed,
        leased: office.leased.count(queue),
        dead: ready(&channel, office.names.dead(queue)).await?,
    })
}

pub(super) async fn ready(channel: &Channel, queue: ShortString) -> Result<u64, BoxError> {
    let passive = QueueDeclareOptions::default().passive();
    let asked = channel.queue_declare(queue, passive, FieldTable::default());
    let queue = within(TO_ANSWER, "asking for a queue's depth", asked).await?;
    Ok(queue.message_count().into())
}

/// The oldest dead letters, at most `limit`.
pub(super) async fn dead_letters(
    office: &Office,
    queue: Queue,
    limit: u32,
) -> Result<Vec<DeadLetter>, BoxError> {
    let mut letters = Vec::new();
    look_at_dead(office, queue, limit, |delivery| {
        letters.push(read(office, queue, delivery));
        ControlFlow::Continue(())
    })
    .await?;
    Ok(letters)
}

/// The oldest dead letter with this id. Only the letters before it are touched, and none is kept.
pub(super) async fn dead_letter(
    office: &Office,
    queue: Queue,
    message_id: &str,
) -> Result<Option<DeadLetter>, BoxError> {
    let mut found = None;
    look_at_dead(office, queue, u32::MAX, |delivery| {
        if Identity::of(&delivery.properties).message_id != message_id {
            return ControlFlow::Continue(());
        }
        found = Some(read(office, queue, delivery));
        ControlFlow::Break(())
    })
    .await?;
    Ok(found)
}

/// Shows dead letters, at most `limit`, oldest first and until it is enough, and puts them back.
async fn look_at_dead(
    office: &Office,
    queue: Queue,
    limit: u32,
    mut see: impl FnMut(Delivery) -> ControlFlow<()>,
) -> Result<(), BoxError> {
    office.publisher.up_soon().await?;
    let connection = office.consuming.up_soon().await?;
    let channel = declare::open_channel(&connection).await?;
    let name = office.names.dead(queue);
    let (mut held, mut last_held) = (0, None);
    for _ in 0..limit {
        let asked = channel.basic_get(name.clone(), BasicGetOptions::default());
        let Some(got) = within(TO_ANSWER, "getting a dead letter", asked).await? else {
            break;
        };
        (held, last_held) = (held + 1, Some(got.delivery.delivery_tag));
        if see(got.delivery).is_break() {
            break;
        }
    }
    if let Some(last) = last_held {
        put_back(&channel, name, last, held).await?;
    }
    Ok(())
}

/// Puts back the `count` messages that this channel holds, up to the one with this tag, and returns when they
/// are there: a quorum queue takes its time.
pub(super) async fn put_back(
    channel: &Channel,
    queue: ShortString,
    last_tag: u64,
    count: u64,
) -> Result<(), BoxError> {
    let wanted = ready(channel, queue.clone()).await? + count;
    let (multiple, requeue) = (true, true);
    let putting_back = channel.basic_nack(last_tag, BasicNackOptions { multiple, requeue });
    within(TO_ANSWER, "putting dead letters back", putting_back).await?;
    let give_up_at = Instant::now() + TO_ANSWER;
    while ready(channel, queue.clone()).await? < wanted && Instant::now() < give_up_at {
        sleep(Duration::from_millis(2)).await; // polls for the event it waits for
    }
    Ok(())
}

fn read(office: &Office, queue: Queue, delivery: Delivery) -> DeadLetter {
    let wire = &delivery.properties;
    let properties = match from_wire(wire, &office.names) {
        Ok(incoming) => incoming.properties,
        Err(hostile) => hostile.readable,
    };
    DeadLetter {
        message: WireMessage { properties, body: delivery.data.into() },
        reason: reason(wire, queue),
        died_at: died_at(wire),
    }
}

/// Our own reason, or else the server's.
fn reason(wire: &BasicProperties, queue: Queue) -> String {
    if let Some(AMQPValue::LongString(reason)) = header(wire, headers::REASON) {
        return reason.to_string();
    }
    let of_server = last_death(wire).and_then(|death| match death.inner().get("reason") {
        Some(AMQPValue::LongString(reason)) => Some(reason.to_string()),
        _ => None,
    });
    match of_server.as_deref() {
        Some("delivery_limit") => never_settled(queue.delivery_limit()),
        Some(other) => format!("the server gave it up: {other}"),
        None => "nobody says why".to_owned(),
    }
}

fn died_at(wire: &BasicProperties) -> Option<Timestamp> {
    if let Some(milliseconds) = header(wire, headers::DIED_AT).and_then(whole_number) {
        return Timestamp::from_millisecond(milliseconds).ok();
    }
    match last_death(wire)?.inner().get("time") {
        Some(AMQPValue::Timestamp(seconds)) => Timestamp::from_second(i64::try_from(*seconds).ok()?).ok(),
        _ => None,
    }
}

fn header<'a>(wire: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    wire.headers().as_ref()?.inner().get(name)
}

/// What the server wrote when it dead-lettered the message the last time.
fn last_death(wire: &BasicProperties) -> Option<&FieldTable> {
    let Some(AMQPValue::FieldArray(deaths)) = header(wire, "x-death") else {
        return None;
    };
    match deaths.as_slice().first() {
        Some(AMQPValue::FieldTable(death)) => Some(death),
        _ => None,
    }
}
