//! Which server this is. The client library reads the server's greeting and keeps it to itself, so a
//! connection of our own hears it, and hangs up.

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use lapin::{
    runtime,
    tcp::{AMQPUriTcpExt as _, OwnedTLSConfig},
    uri::AMQPUri,
};

use super::within::{TO_CONNECT, within};
use crate::BoxError;

/// How a client of AMQP 0-9-1 opens.
const GREETING: &[u8] = b"AMQP\0\0\x09\x01";
/// Type, channel and length of a frame.
const FRAME_HEADER_BYTES: usize = 7;
/// Far more than a server has to say about itself.
const MAX_START_BYTES: usize = 64 * 1024;

/// The server's version; `None` if it does not tell.
pub(super) async fn of_server(uri: &AMQPUri, tls: &OwnedTLSConfig) -> Option<String> {
    let asked = within(TO_CONNECT, "asking for the version", ask(uri, tls)).await;
    version_in(&asked.ok()?)
}

/// The first frame that the server sends.
async fn ask(uri: &AMQPUri, tls: &OwnedTLSConfig) -> Result<Vec<u8>, BoxError> {
    let runtime = runtime::default_runtime()?;
    let mut stream = uri.connect_with_config_async(tls.as_ref(), &runtime).await?;
    stream.write_all(GREETING).await?;
    stream.flush().await?;
    let mut header = [0; FRAME_HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    let length = u32::from_be_bytes([header[3], header[4], header[5], header[6]]);
    let length = usize::try_from(length)?.min(MAX_START_BYTES);
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

/// The long string under the key `version` in the table of the server's properties.
fn version_in(frame: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\x07versionS";
    let at = frame.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let length = u32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?);
    let text = frame.get(at + 4..)?.get(..usize::try_from(length).ok()?)?;
    let text = std::str::from_utf8(text).ok()?;
    let plain = text.len() <= 64 && text.chars().all(|c| c.is_ascii_graphic());
    plain.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_and_a_lie_about_its_length_is_not() {
        let frame = |length: u8| [b"..\x07versionS\0\0\0", &[length][..], b"3.10.8\x07product"].concat();
        assert_eq!(version_in(&frame(6)).as_deref(), Some("3.10.8"));
        assert_eq!(version_in(&frame(200)), None);
        assert_eq!(version_in(b"\x07versionS\0\0"), None);
        assert_eq!(version_in(b""), None);
    }
}
