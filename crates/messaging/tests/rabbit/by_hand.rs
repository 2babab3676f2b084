//! A client that says what no client library would.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

fn short(text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("it is short");
    [&[length][..], text].concat()
}

fn frame(kind: u8, channel: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
    [&[kind, 0, channel][..], &length, payload, &[0xCE]].concat()
}

struct ByHand(TcpStream);

impl ByHand {
    fn say(&mut self, channel: u8, class: u8, method: u8, arguments: &[u8]) {
        let payload = [&[0, class, 0, method][..], arguments].concat();
        self.0.write_all(&frame(1, channel, &payload)).expect("it is sent");
    }

    fn hear(&mut self) -> Vec<u8> {
        let mut header = [0; 7];
        self.0.read_exact(&mut header).expect("a frame");
        let length = u32::from_be_bytes([header[3], header[4], header[5], header[6]]);
        let mut payload = vec![0; length as usize + 1];
        self.0.read_exact(&mut payload).expect("a frame");
        payload
    }
}

/// Publishes, as the guest of `host:port`, a message whose id is these bytes, and waits for the confirm.
pub(crate) fn publish_with_id(server: &str, exchange: &str, key: &str, message_id: &[u8]) {
    let mut client = ByHand(TcpStream::connect(server).expect("it connects"));
    client.0.write_all(b"AMQP\0\0\x09\x01").expect("it is sent");
    client.hear();
    let secret = b"\0guest\0guest";
    let login = [&[0; 4][..], &short(b"PLAIN"), &[0, 0, 0, 12], secret, &short(b"en_US")].concat();
    client.say(0, 10, 11, &login);
    let tune = client.hear();
    client.say(0, 10, 31, &tune[4..12]);
    client.say(0, 10, 40, &[&short(b"/")[..], &[0, 0]].concat());
    client.hear();
    client.say(1, 20, 10, &[0]);
    client.hear();
    client.say(1, 85, 10, &[0]); // with confirms
    client.hear();
    let to = [&[0, 0][..], &short(exchange.as_bytes()), &short(key.as_bytes()), &[0]].concat();
    client.say(1, 60, 40, &to);
    let header = [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x80][..], &short(message_id)].concat();
    client.0.write_all(&frame(2, 1, &header)).expect("it is sent");
    client.0.write_all(&frame(3, 1, b"{}")).expect("it is sent");
    assert_eq!(client.hear()[..4], [0, 60, 0, 80], "it is confirmed");
}
