//! A wire that can be cut: the link address that others dial leads through it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use muster_cluster::Config;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[derive(Default)]
struct Switch {
    blocked: AtomicBool,
    /// What the dialling side says is lost on the way.
    deaf: AtomicBool,
    /// What the accepting side says is.
    mute: AtomicBool,
    /// Connections that stand, by number, and the one on which everything is lost.
    standing: Mutex<BTreeSet<usize>>,
    hung: Mutex<Option<usize>>,
    cut: Notify,
}

pub(crate) struct Proxy {
    switch: Arc<Switch>,
}

impl Proxy {
    /// Puts itself between the node's link listener and all who dial it.
    pub(crate) async fn before(config: &mut Config) -> Proxy {
        let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let network = config.network.as_mut().unwrap();
        // A free port that the node then binds.
        let back = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        network.link.bind = back;
        network.link.advertise = Some(front.local_addr().unwrap());
        let switch = Arc::<Switch>::default();
        tokio::spawn(serve(front, back, switch.clone()));
        Proxy { switch }
    }

    /// Breaks all connections; new ones are possible.
    pub(crate) fn cut(&self) {
        self.switch.cut.notify_waiters();
    }

    /// Breaks all connections, and takes new ones without ever passing a byte.
    pub(crate) fn block(&self, blocked: bool) {
        self.switch.blocked.store(blocked, Ordering::Relaxed);
        self.cut();
    }

    /// Breaks nothing, but loses what is said towards the node, or what it says, or both.
    pub(crate) fn lose(&self, towards: bool, from: bool) {
        self.switch.deaf.store(towards, Ordering::Relaxed);
        self.switch.mute.store(from, Ordering::Relaxed);
    }

    /// Breaks nothing, but loses what is said on the connection that was made last.
    pub(crate) fn hang_youngest(&self) {
        *self.switch.hung.lock().unwrap() = self.switch.standing.lock().unwrap().last().copied();
    }
}

async fn serve(front: TcpListener, back: SocketAddr, switch: Arc<Switch>) {
    for number in 0.. {
        let Ok((near, _)) = front.accept().await else { return };
        let switch = switch.clone();
        tokio::spawn(async move {
            if switch.blocked.load(Ordering::Relaxed) {
                return switch.cut.notified().await;
            }
            let Ok(far) = TcpStream::connect(back).await else { return };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            let is_lost = |lost: &AtomicBool| {
                lost.load(Ordering::Relaxed) || *switch.hung.lock().unwrap() == Some(number)
            };
            switch.standing.lock().unwrap().insert(number);
            tokio::select! {
                () = pass(near_in, far_out, || is_lost(&switch.deaf)) => {}
                () = pass(far_in, near_out, || is_lost(&switch.mute)) => {}
                () = switch.cut.notified() => {}
            }
            switch.standing.lock().unwrap().remove(&number);
        });
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, is_lost: impl Fn() -> bool) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if !is_lost() && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
