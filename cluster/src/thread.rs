//! The cluster's thread: binds, then lives one incarnation after the other until it is stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::council::Wish;
use crate::gossip::Seal;
use crate::life::{Bound, Command, End, Estate, Life};
use crate::link::Ends;
use crate::quiet::Quiet;
use crate::shared::{Addresses, Shared};
use crate::simulation::Ether;
use crate::{Config, Endpoint, Fate, Incarnation, Network, StartError, ViewRegister, priority};

/// Starts the thread and waits until it has bound its addresses.
///
/// # Errors
/// An address or the key cannot be used.
pub(crate) async fn start(
    config: Config,
    shared: Arc<Shared>,
    register: Arc<dyn ViewRegister>,
    ends: Ends,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> Result<Option<Addresses>, StartError> {
    let (started, answer) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let body = move || {
        // It has little to do, but a node whose pings are late is taken for dead.
        priority::go_first();
        // Its tasks share its one thread, so they need not be fit for others.
        LocalSet::new().block_on(&runtime, async move {
            // Told also if this thread panics.
            let end = Obituary(shared.clone());
            let bound = match bind(&config).await {
                Ok(bound) => bound,
                Err(error) => return drop(started.send(Err(error))),
            };
            let addresses =
                bound.as_ref().map(|b| Addresses { gossip: b.gossip_address, link: b.link_address });
            let _ = started.send(Ok(addresses));
            let quiet = Arc::new(Quiet::default());
            let estate = Estate { config, shared, register, ends, bound, ether: None, quiet };
            live(&estate, &mut commands).await;
            drop(estate);
            drop(end);
        });
        // A name that is being resolved must not hold up the end.
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name("muster-cluster".into()).spawn(body)?;
    answer.await.unwrap_or_else(|_| Err(StartError::Io(std::io::Error::other("its thread ended"))))
}

/// A node of a simulation, on the caller's own thread and in its local set; it ends with that.
pub(crate) fn simulate(
    config: Config,
    shared: Arc<Shared>,
    register: Arc<dyn ViewRegister>,
    ends: Ends,
    mut commands: mpsc::UnboundedReceiver<Command>,
    ether: Arc<dyn Ether>,
) {
    let quiet = Arc::new(Quiet::default());
    let estate =
        Estate { config, shared: shared.clone(), register, ends, bound: None, ether: Some(ether), quiet };
    tokio::task::spawn_local(async move {
        let _end = Obituary(shared);
        live(&estate, &mut commands).await;
    });
}

struct Obituary(Arc<Shared>);

impl Drop for Obituary {
    fn drop(&mut self) {
        self.0.ready.store(false, Ordering::Relaxed);
        self.0.remotes.store(Arc::default());
        self.0.fate.send_replace(Fate::Stopped);
    }
}

async fn live(estate: &Estate, commands: &mut mpsc::UnboundedReceiver<Command>) {
    let mut wish = Wish::Joining;
    loop {
        let life = Life::begin(estate, estate.shared.incarnation(), wish);
        match life.run(commands).await {
            End::Stop => return,
            End::Rejoin(reply, same) => {
                wish = same;
                let next = Incarnation::after(estate.shared.incarnation());
                estate.shared.incarnation.store(next.0, Ordering::Release);
                estate.shared.fate.send_replace(Fate::Member);
                // Whoever asked may have gone.
                let _ = reply.send(next);
            }
        }
    }
}

async fn bind(config: &Config) -> Result<Option<Bound>, StartError> {
    let Some(network) = &config.network else { return Ok(None) };
    let seal = Seal::new(&network.gossip_key, &network.cluster_id)?;
    let Network { link, gossip, .. } = network;
    let links = TcpListener::bind(link.bind).await.map_err(|error| refused("links", link.bind, error))?;
    let socket = UdpSocket::bind(gossip.bind).await.map_err(|error| refused("gossip", gossip.bind, error))?;
    Ok(Some(Bound {
        link_address: advertised("links", link, links.local_addr()?)?,
        gossip_address: advertised("gossip", gossip, socket.local_addr()?)?,
        links: Arc::new(links),
        gossip: Arc::new(socket),
        seal,
    }))
}

fn refused(purpose: &'static str, address: SocketAddr, error: std::io::Error) -> StartError {
    StartError::Bind { purpose, address, error }
}

fn advertised(
    purpose: &'static str,
    endpoint: &Endpoint,
    bound: SocketAddr,
) -> Result<SocketAddr, StartError> {
    let address = endpoint.advertise.unwrap_or(bound);
    if address.ip().is_unspecified() || address.port() == 0 {
        return Err(StartError::Advertise { purpose, address });
    }
    Ok(address)
}
