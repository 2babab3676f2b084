//! AMQP by hand, as much as it takes to ask a server for its version and to remove a message that the
//! client library cannot read.

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use lapin::{
    runtime,
    tcp::{AMQPUriTcpExt as _, OwnedTLSConfig},
    uri::AMQPUri,
};

use crate::BoxError;

/// How a client of AMQP 0-9-1 opens.
const GREETING: &[u8] = b"AMQP\0\0\x09\x01";
/// Type, channel and length of a frame.
const FRAME_HEADER_BYTES: usize = 7;
const FRAME_END: u8 = 0xCE;
const HEARTBEAT: u8 = 8;
/// Longer than any frame that we agree to.
const MAX_FRAME_BYTES: usize = 1024 * 1024;

const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;

/// Class and method.
pub(super) type Method = (u16, u16);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection without a client.
pub(super) struct RawConnection {
    stream: Box<dyn Stream>,
    /// What the server said first.
    pub(super) start: Vec<u8>,
}

impl RawConnection {
    /// Connects, and hears what the server says first.
    pub(super) async fn greet(uri: &AMQPUri, tls: &OwnedTLSConfig) -> Result<Self, BoxError> {
        let runtime = runtime::default_runtime()?;
        let stream = uri.connect_with_config_async(tls.as_ref(), &runtime).await?;
        let mut connection = Self { stream: Box::new(stream), start: Vec::new() };
        connection.stream.write_all(GREETING).await?;
        connection.stream.flush().await?;
        connection.start = connection.expect((10, 10)).await?;
        Ok(connection)
    }

    /// Logs in with the URL's password, and opens channel 1.
    pub(super) async fn log_in(&mut self, uri: &AMQPUri) -> Result<(), BoxError> {
        let user = &uri.authority.userinfo;
        let secret = format!("\0{}\0{}", user.username, user.password);
        let mut login = vec![0; 4]; // no properties
        login.extend(short("PLAIN")?);
        login.extend(u32::try_from(secret.len())?.to_be_bytes());
        login.extend(secret.as_bytes());
        login.extend(short("en_US")?);
        self.send(0, (10, 11), &login).await?;
        let tune = self.expect((10, 30)).await?;
        let mut agreed = tune.get(..6).ok_or("a tune without limits")?.to_vec();
        agreed.extend([0, 0]); // no heartbeats
        self.send(0, (10, 31), &agreed).await?;
        let mut vhost = short(&uri.vhost)?;
        vhost.extend([0, 0]);
        self.send(0, (10, 40), &vhost).await?;
        self.expect((10, 41)).await?;
        self.send(1, (20, 10), &[0]).await?;
        self.expect((20, 11)).await.map(drop)
    }

    /// Closes the channel, when everything before has been done, and the connection.
    pub(super) async fn close(mut self) -> Result<(), BoxError> {
        let normal = [&200_u16.to_be_bytes()[..], &[0; 5]].concat();
        self.send(1, (20, 40), &normal).await?;
        self.expect((20, 41)).await?;
        self.send(0, (10, 50), &normal).await?;
        self.expect((10, 51)).await.map(drop)
    }

    pub(super) async fn send(
        &mut self,
        channel: u8,
        method: Method,
        arguments: &[u8],
    ) -> Result<(), BoxError> {
        let length = u32::try_from(arguments.len() + 4)?;
        let mut frame = vec![METHOD, 0, channel];
        frame.extend(length.to_be_bytes());
        frame.extend(method.0.to_be_bytes());
        frame.extend(method.1.to_be_bytes());
        frame.extend(arguments);
        frame.push(FRAME_END);
        self.stream.write_all(&frame).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// The arguments of the one method that is expected.
    async fn expect(&mut self, expected: Method) -> Result<Vec<u8>, BoxError> {
        let (method, arguments) = self.method().await?;
        if method != expected {
            return Err(format!("the server says {method:?} instead of {expected:?}").into());
        }
        Ok(arguments)
    }

    /// The next method and its arguments.
    pub(super) async fn method(&mut self) -> Result<(Method, Vec<u8>), BoxError> {
        let mut payload = self.frame(METHOD).await?;
        if payload.len() < 4 {
            return Err("a method without a name".into());
        }
        let arguments = payload.split_off(4);
        let number = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
        Ok(((number(0), number(2)), arguments))
    }

    /// The payload of the next frame, which must be of this type.
    pub(super) async fn frame(&mut self, expected: u8) -> Result<Vec<u8>, BoxError> {
        loop {
            let mut header = [0; FRAME_HEADER_BYTES];
            self.stream.read_exact(&mut header).await?;
            let length = usize::try_from(u32::from_be_bytes([header[3], header[4], header[5], header[6]]))?;
            if length > MAX_FRAME_BYTES {
                return Err(format!("a frame of {length} bytes").into());
            }
            let mut payload = vec![0; length + 1];
            self.stream.read_exact(&mut payload).await?;
            payload.truncate(length);
            match header[0] {
                found if found == expected => return Ok(payload),
                HEARTBEAT => {}
                other => return Err(format!("a frame of type {other} instead of {expected}").into()),
            }
        }
    }
}

/// A short string with its length.
pub(super) fn short(text: &str) -> Result<Vec<u8>, BoxError> {
    let mut bytes = vec![u8::try_from(text.len())?];
    bytes.extend(text.as_bytes());
    Ok(bytes)
}
