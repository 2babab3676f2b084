//! A TCP proxy that tests put between workers and a server, to cut it off, freeze it, or answer with garbage.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, copy, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What becomes of connections, new and old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They reach the server.
    Open,
    /// They are closed at once.
    Refused,
    /// They are accepted and never answered; those of before are cut when that ends.
    Frozen,
    /// The server is heard, but nothing reaches it.
    Deaf,
    /// They are accepted and never answered, and stay silent afterwards too: every packet is lost, and who had a
    /// connection must find out by himself.
    BlackHole,
    /// They are answered with bytes that mean nothing.
    Garbage,
}

/// A running proxy, gone with its last task when the test's runtime ends.
pub(crate) struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    connections: Arc<AtomicU32>,
}

impl Proxy {
    /// Listens on a free port for what is to reach `server`.
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (mode, now) = watch::channel(Mode::Open);
        let connections = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(client, server, now.clone()));
            }
        });
        Self { address, mode, connections }
    }

    /// From now on, for the connections that are there too.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How many were made until now.
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// The URL with this proxy in the place of the server's address.
    pub(crate) fn in_front_of(url: &str, proxy: &Self) -> String {
        url.replace(&address_in(url).to_string(), &proxy.address.to_string())
    }
}

/// `127.0.0.1:5432` of a URL.
pub(crate) fn address_in(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once("://").expect("a URL");
    let host = rest.rsplit('@').next().expect("there is one").split(['/', '?']).next().expect("there is one");
    host.parse().unwrap_or_else(|_| panic!("{host:?}: the tests' servers are named by address and port"))
}

async fn serve(mut client: TcpStream, server: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let now = *mode.borrow_and_update();
    let mut server = match now {
        Mode::Open => TcpStream::connect(server).await.ok(),
        Mode::Refused | Mode::Frozen | Mode::Deaf | Mode::BlackHole | Mode::Garbage => None,
    };
    let talking = async {
        match (now, &mut server) {
            (Mode::Open, Some(server)) => {
                let _ = server.set_nodelay(true);
                let _ = client.set_nodelay(true);
                let _ = copy_bidirectional(&mut client, server).await;
            }
            (Mode::Open | Mode::Refused, _) => {}
            (Mode::Frozen | Mode::Deaf | Mode::BlackHole, _) => swallow(&mut client).await,
            (Mode::Garbage, _) => {
                let _ = client.write_all(&[0xff; 512]).await;
                swallow(&mut client).await;
            }
        }
    };
    tokio::select! {
        () = talking => return,
        _ = mode.changed() => {}
    }
    let next = *mode.borrow();
    if now == Mode::BlackHole || next == Mode::BlackHole {
        swallow(&mut client).await; // nor does the server hear that its client has gone
        return drop(server);
    }
    match (next, server) {
        // A frozen server takes its old connections along, …
        (Mode::Frozen, _server) => swallow_until_change(client, mode).await,
        // … and a deaf one goes on talking. Any other change closes them.
        (Mode::Deaf, Some(mut server)) => {
            let (mut from_client, mut to_client) = client.split();
            tokio::select! {
                _ = copy(&mut server, &mut to_client) => {}
                () = swallow(&mut from_client) => {}
                _ = mode.changed() => {}
            }
        }
        _ => {}
    }
}

async fn swallow_until_change(mut client: TcpStream, mut mode: watch::Receiver<Mode>) {
    tokio::select! {
        () = swallow(&mut client) => {}
        _ = mode.changed() => {}
    }
}

/// Reads until the client gives up.
async fn swallow(client: &mut (impl AsyncRead + Unpin)) {
    let mut bytes = [0; 4096];
    while client.read(&mut bytes).await.is_ok_and(|length| length > 0) {}
}
