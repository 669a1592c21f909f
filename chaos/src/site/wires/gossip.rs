//! Gossip between nodes: a socket at the address that others see of each node. A datagram leaves by the socket of its sender,
//! so that an answer takes the same way back.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::{Ends, Flow, State};

/// Largest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 65_536;

#[derive(Clone)]
pub(super) struct Exchange {
    real: Arc<[SocketAddr]>,
    sockets: Arc<[Arc<UdpSocket>]>,
}

impl Exchange {
    pub(super) fn bind(ends: &[Ends]) -> std::io::Result<Self> {
        let sockets: Result<Vec<_>, std::io::Error> = ends
            .iter()
            .map(|ends| {
                let socket = std::net::UdpSocket::bind(ends.gossip_shown)?;
                socket.set_nonblocking(true)?;
                Ok(Arc::new(UdpSocket::from_std(socket)?))
            })
            .collect();
        Ok(Self { real: ends.iter().map(|ends| ends.gossip).collect(), sockets: sockets?.into() })
    }

    /// Passes on what is sent to one node.
    pub(super) async fn serve(self, to: usize, state: watch::Receiver<State>) {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            // A node that has just died answers with an error for the one before; the next may be good.
            let Ok((length, from)) = self.sockets[to].recv_from(&mut datagram).await else {
                tokio::task::yield_now().await;
                continue;
            };
            let Some(from) = self.real.iter().position(|real| *real == from) else { continue };
            let flow = state.borrow().flow(from, to);
            let (socket, real) = (self.sockets[from].clone(), self.real[to]);
            match flow {
                Flow::Held => {}
                // What is lost on the way is lost: it is gossip.
                Flow::Open => drop(socket.send_to(&datagram[..length], real).await),
                Flow::Slow(late) => {
                    let datagram = datagram[..length].to_vec();
                    tokio::spawn(async move {
                        tokio::time::sleep(late).await;
                        let _ = socket.send_to(&datagram, real).await;
                    });
                }
            }
        }
    }
}
