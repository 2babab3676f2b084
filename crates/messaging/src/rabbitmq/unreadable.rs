//! Messages that the client library cannot read. A property or the name of a header that is not UTF-8
//! breaks the whole connection, before we see the message; it comes back, and breaks the next one. So
//! after such a break the head of the queue is read by hand, and what cannot be read is buried.

use lapin::{ErrorKind, protocol::basic::parse_properties};
use protocol::{MAX_BODY_BYTES, Properties, Queue, WireMessage};

use super::{
    office::{Death, Office},
    put_back::MessageKey,
    raw::{BODY, HEADER, RawConnection, short},
    topology::has_suspects,
    wire::from_wire,
    within::{TO_CONNECT, within},
};
use crate::BoxError;

/// Whether a consumer ended because something could not be read.
pub(super) fn caused(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ParsingError(_))
}

/// Buries what cannot be read at the head of a queue: where `prefetch` readable messages follow each other,
/// the culprit is behind us, or was another queue's.
pub(super) async fn bury_from(office: &Office, queue: Queue, prefetch: u16) -> Result<(), BoxError> {
    let looking = look_through(office, queue, prefetch);
    within(TO_CONNECT, "looking for an unreadable message", looking).await
}

async fn look_through(office: &Office, queue: Queue, prefetch: u16) -> Result<(), BoxError> {
    let mut connection = RawConnection::greet(&office.uri, &office.tls).await?;
    connection.log_in(&office.uri).await?;
    let mut readable_in_a_row = 0;
    while readable_in_a_row < prefetch {
        let Some(got) = get(&mut connection, office, queue).await? else {
            break;
        };
        readable_in_a_row += 1;
        match parse_properties(&got.properties[..]) {
            Ok((_, properties)) if has_suspects(queue) => {
                // Back to its place when we leave, and not counted.
                let key = MessageKey::new(queue, &properties);
                let unsettled =
                    from_wire(&properties, &office.names).map_or(0, |incoming| incoming.unsettled);
                let unsettled = office.put_back.take(&key).unwrap_or(unsettled);
                office.put_back.note(key, unsettled);
            }
            Ok(_) => {}
            Err(_) => {
                bury(office, queue, got.body).await?;
                let acknowledgement = [&got.tag[..], &[0]].concat();
                connection.send(1, (60, 80), &acknowledgement).await?;
                readable_in_a_row = 0;
            }
        }
    }
    connection.close().await
}

struct Got {
    tag: [u8; 8],
    properties: Vec<u8>,
    body: Vec<u8>,
}

/// The next message; `None` if the queue is empty.
async fn get(connection: &mut RawConnection, office: &Office, queue: Queue) -> Result<Option<Got>, BoxError> {
    let mut asked = vec![0; 2];
    asked.extend(short(office.names.queue(queue).as_str())?);
    asked.push(0); // to be acknowledged
    connection.send(1, (60, 70), &asked).await?;
    let tag = match connection.method().await? {
        ((60, 71), arguments) => arguments.first_chunk().copied().ok_or("a message without a tag")?,
        ((60, 72), _) => return Ok(None),
        (other, _) => return Err(format!("the server says {other:?} instead of a message").into()),
    };
    // Class, weight, size of the body, properties.
    let mut header = connection.frame(HEADER).await?;
    let size: [u8; 8] = header.get(4..12).ok_or("a message without a size")?.try_into()?;
    let size = u64::from_be_bytes(size);
    let properties = header.split_off(12);
    let (mut body, mut left) = (Vec::new(), size);
    while left > 0 {
        let part = connection.frame(BODY).await?;
        left = left.saturating_sub(part.len() as u64);
        if body.len() <= MAX_BODY_BYTES {
            body.extend(part); // what is longer is cut, nobody reads it
        }
    }
    Ok(Some(Got { tag, properties, body }))
}

async fn bury(office: &Office, queue: Queue, body: Vec<u8>) -> Result<(), BoxError> {
    let reason = "a property or the name of a header is not UTF-8";
    let properties = Properties {
        content_type: String::new(),
        content_encoding: None,
        kind: String::new(),
        message_id: String::new(),
        correlation_id: None,
        reply_to: None,
        deadline: None,
        traceparent: None,
        tracestate: None,
        attempt: 1,
        first_error: None,
    };
    let message = WireMessage { properties, body: body.into() };
    office.give_up(queue, &message, (Death::Unreadable, reason)).await
}
