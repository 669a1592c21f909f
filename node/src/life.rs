//! A node's life, in order: ports, health, certificates, actors; then connections, until it is told to stop.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use muster_actors::{ClientListener, System};
use muster_cluster::priority;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::config::{Config, Kind, Listener, ListenerTls};
use crate::error::StartError;
use crate::pace::Pace;
use crate::running::Command;
use crate::shared::Shared;
use crate::{drain, http, listen, log, metrics, setup, tls};

type Orders = mpsc::UnboundedReceiver<Command>;
type Bound = oneshot::Sender<Vec<(Kind, SocketAddr)>>;

/// Lives.
pub(crate) async fn live(
    config: Config,
    shared: Arc<Shared>,
    mut orders: Orders,
    bound: Bound,
) -> Result<(), StartError> {
    listen::raise_descriptor_limit();
    metrics::start(&config.metrics.buckets_seconds);
    let clients = Clients::bind(&config)?;
    let admin = bind_http(&config)?;
    let mut addresses = clients.addresses();
    addresses.extend(admin.iter().filter_map(|(_, socket)| Some((Kind::Http, socket.local_addr().ok()?))));
    let socket = config.admin.socket.as_deref().map(listen::bind_unix).transpose()?;
    let health = http::serve(admin, socket, &shared).map_err(StartError::Thread)?;
    actix_rt::spawn(heartbeat(shared.clone()));
    actix_rt::spawn(metrics::upkeep());
    let setup = setup::setup(&config)?;
    // Whoever started it may have gone already.
    let _ = bound.send(addresses);

    let system = tokio::select! {
        system = System::start(setup) => system?,
        () = until_stop(&mut orders) => return Err(StartError::Stopped),
    };
    shared.run(system.clone());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "the node runs");
    // From now on this thread accepts, all who wait at once. Those that it has started are as they were.
    priority::give_way();
    let listeners = clients.accept(&system);
    follow(&config, &listeners, &system, &mut orders).await;
    for server in health {
        server.stop(false).await;
    }
    Ok(())
}

/// Does as told until the end.
async fn follow(config: &Config, listeners: &[Arc<ClientListener>], system: &System, orders: &mut Orders) {
    let mut seen = tls::changed_at(config);
    let mut look = tokio::time::interval(Duration::from_secs(config.tls.reload_seconds));
    loop {
        tokio::select! {
            _ = look.tick() => {
                let now = tls::changed_at(config);
                if now != seen {
                    seen = now;
                    reload_certificates(config, listeners, system);
                }
            }
            order = orders.recv() => match order {
                Some(Command::Reload) => {
                    reload_certificates(config, listeners, system);
                    reload_log(config);
                }
                Some(Command::Stop) => {
                    let more = async { while orders.recv().await.is_some_and(|more| more == Command::Reload) {} };
                    return drain::leave(system, Duration::from_secs(config.node.drain_seconds_max), more).await;
                }
                Some(Command::Kill) | None => return system.kill(),
            },
        }
    }
}

fn reload_certificates(config: &Config, listeners: &[Arc<ClientListener>], system: &System) {
    if config.tls.certificate.is_some() {
        match tls::context(&config.tls) {
            Ok(context) => {
                listeners.iter().for_each(|listener| listener.reload(context.clone()));
                tracing::info!("certificates read again: new connections use them");
            }
            Err(error) => tracing::error!(%error, "the new certificate is not used; the old one stays"),
        }
        tls::concerns(config).iter().for_each(|concern| tracing::error!("{concern}"));
    }
    let links = setup::links(config).map_err(StartError::from);
    match links.and_then(|links| Ok(links.map(|links| system.reload_links(&links)).transpose()?)) {
        Ok(None) => {}
        Ok(Some(())) => tracing::info!("certificates of links read again: new links use them"),
        Err(error) => tracing::error!(%error, "the new certificate of links is not used; the old one stays"),
    }
}

fn reload_log(config: &Config) {
    match Config::load(&config.file) {
        Ok(config) => log::set_level(&config.log.level),
        Err(error) => tracing::error!("the configuration is not read again:\n{error}"),
    }
}

async fn until_stop(orders: &mut Orders) {
    while orders.recv().await == Some(Command::Reload) {}
}

async fn heartbeat(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    loop {
        tick.tick().await;
        shared.beat();
    }
}

fn bind(listener: &Listener) -> Result<TcpListener, StartError> {
    let failed = |error| StartError::Bind { address: listener.address, kind: listener.kind, error };
    listen::bind(listener.address).map_err(failed)
}

fn bind_http(config: &Config) -> Result<Vec<(bool, StdListener)>, StartError> {
    let bound = config.listeners(Kind::Http).map(|listener| {
        let failed = |error| StartError::Bind { address: listener.address, kind: listener.kind, error };
        Ok((listener.has_admin(), bind(listener)?.into_std().map_err(failed)?))
    });
    bound.collect()
}

/// The listeners of clients, bound and not yet accepting.
struct Clients(Vec<(TcpListener, Arc<ClientListener>)>);

impl Clients {
    fn bind(config: &Config) -> Result<Self, StartError> {
        let encrypted = |listener: &Listener| listener.tls != ListenerTls::None;
        let context = match config.listeners(Kind::Client).any(encrypted) {
            true => Some(tls::context(&config.tls)?),
            false => None,
        };
        tls::concerns(config).iter().for_each(|concern| tracing::error!("{concern}"));
        let bound = config.listeners(Kind::Client).map(|listener| {
            let tls = match listener.tls {
                ListenerTls::StartTls => muster_actors::ListenerTls::StartTls,
                ListenerTls::Direct => muster_actors::ListenerTls::Direct,
                ListenerTls::None => muster_actors::ListenerTls::None,
            };
            let facts = ClientListener::new(tls, listener.guarded, context.clone());
            Ok((bind(listener)?, Arc::new(facts)))
        });
        bound.collect::<Result<_, _>>().map(Self)
    }

    fn addresses(&self) -> Vec<(Kind, SocketAddr)> {
        self.0.iter().filter_map(|(socket, _)| Some((Kind::Client, socket.local_addr().ok()?))).collect()
    }

    /// Starts to accept.
    fn accept(self, system: &System) -> Vec<Arc<ClientListener>> {
        let most = listen::connections_max();
        let pace = Arc::new(Pace::new(system.log_ins_per_second()));
        let mut listeners = Vec::new();
        for (socket, listener) in self.0 {
            let pace = listener.guarded.then(|| pace.clone());
            listeners.push(listener.clone());
            let system = system.clone();
            let counted = system.clone();
            let is_full = move || counted.connections() >= most;
            let take = move |tcp, peer| system.accept(tcp, peer, &listener);
            actix_rt::spawn(listen::accept_all(socket, pace, is_full, take));
        }
        listeners
    }
}
