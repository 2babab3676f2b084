//! Which server this is. The client library reads the server's greeting and keeps it to itself, so a
//! connection of our own hears it, and hangs up.

use lapin::{tcp::OwnedTLSConfig, uri::AMQPUri};

use super::{
    raw::RawConnection,
    within::{TO_GREET, within},
};

/// The server's version; `None` if it does not tell.
pub(super) async fn of_server(uri: &AMQPUri, tls: &OwnedTLSConfig) -> Option<String> {
    let greeted = RawConnection::greet(uri, tls);
    let connection = within(TO_GREET, "asking for the version", greeted).await;
    version_in(&connection.ok()?.start)
}

/// The long string under the key `version` in the table of the server's properties.
fn version_in(start: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\x07versionS";
    let at = start.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let length = u32::from_be_bytes(start.get(at..at + 4)?.try_into().ok()?);
    let text = start.get(at + 4..)?.get(..usize::try_from(length).ok()?)?;
    let text = std::str::from_utf8(text).ok()?;
    let plain = text.len() <= 64 && text.chars().all(|c| c.is_ascii_graphic());
    plain.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_and_a_lie_about_its_length_is_not() {
        let start = |length: u8| [b"..\x07versionS\0\0\0", &[length][..], b"3.10.8\x07product"].concat();
        assert_eq!(version_in(&start(6)).as_deref(), Some("3.10.8"));
        assert_eq!(version_in(&start(200)), None);
        assert_eq!(version_in(b"\x07versionS\0\0"), None);
        assert_eq!(version_in(b""), None);
    }
}
