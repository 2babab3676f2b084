//! What becomes of dead letters: back to their queue, or gone.

use lapin::{
    Channel,
    options::{BasicAckOptions, BasicGetOptions},
};
use protocol::{Queue, WireMessage};

use super::{
    declare, look,
    office::Office,
    publisher::Undelivered,
    wire::{Identity, from_wire},
    within::{TO_ANSWER, within},
};
use crate::{BoxError, Chosen, delivery::renew};

/// What to do with a chosen letter before it is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Replay,
    Drop,
}

/// Puts dead letters back; each is confirmed on its queue before it leaves the dead letters. One whose
/// properties cannot be read stays.
pub(super) async fn replay(office: &Office, queue: Queue, which: &Chosen) -> Result<u64, BoxError> {
    go_through(office, queue, which, Fate::Replay).await
}

/// Deletes dead letters.
pub(super) async fn drop_dead(office: &Office, queue: Queue, which: &Chosen) -> Result<u64, BoxError> {
    go_through(office, queue, which, Fate::Drop).await
}

/// Takes every letter that is there now once. Those that are not chosen are held until the end, since a
/// letter that is put back comes first again; an error leaves them to the server, which puts them back.
async fn go_through(office: &Office, queue: Queue, which: &Chosen, fate: Fate) -> Result<u64, BoxError> {
    office.publisher.up_soon().await?;
    let connection = office.consuming.up_soon().await?;
    let channel = declare::open_channel(&connection).await?;
    let name = office.names.dead(queue);
    let mut done = 0;
    let (mut held, mut last_held) = (0, None);
    for _ in 0..look::ready(&channel, name.clone()).await? {
        let asked = channel.basic_get(name.clone(), BasicGetOptions::default());
        let Some(got) = within(TO_ANSWER, "getting a dead letter", asked).await? else {
            break;
        };
        let delivery = got.delivery;
        let tag = delivery.delivery_tag;
        let chosen = which.is(&Identity::of(&delivery.properties).message_id);
        if !chosen || (fate == Fate::Replay && !put_back(office, queue, delivery).await?) {
            (held, last_held) = (held + 1, Some(tag));
            continue;
        }
        acknowledge(&channel, tag).await?;
        done += 1;
    }
    if let Some(last) = last_held {
        look::put_back(&channel, name, last, held).await?; // what was acknowledged is not among them
    }
    Ok(done)
}

/// Whether it could be read, and is on its queue now.
async fn put_back(
    office: &Office,
    queue: Queue,
    delivery: lapin::message::Delivery,
) -> Result<bool, BoxError> {
    let Ok(incoming) = from_wire(&delivery.properties, &office.names) else {
        return Ok(false);
    };
    let mut message = WireMessage { properties: incoming.properties, body: delivery.data.into() };
    renew(&mut message.properties);
    match office.send_work(queue, &message).await {
        Ok(()) => Ok(true),
        Err(Undelivered::Unroutable) => Err(format!("{queue} does not exist").into()),
        Err(Undelivered::Unavailable(fault)) => Err(fault),
    }
}

async fn acknowledge(channel: &Channel, tag: u64) -> Result<(), BoxError> {
    let acknowledging = channel.basic_ack(tag, BasicAckOptions::default());
    within(TO_ANSWER, "acknowledging a dead letter", acknowledging).await?;
    Ok(())
}
