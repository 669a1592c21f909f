//! A wire that can be cut: the link address that others dial leads through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_cluster::Config;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[derive(Default)]
struct Switch {
    blocked: AtomicBool,
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
}

async fn serve(front: TcpListener, back: SocketAddr, switch: Arc<Switch>) {
    while let Ok((mut near, _)) = front.accept().await {
        let switch = switch.clone();
        tokio::spawn(async move {
            if switch.blocked.load(Ordering::Relaxed) {
                return switch.cut.notified().await;
            }
            let Ok(mut far) = TcpStream::connect(back).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                () = switch.cut.notified() => {}
            }
        });
    }
}
