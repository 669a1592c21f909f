//! How the server is reached: alone, by its sentinels, or as a cluster.

use std::fs;
use std::path::Path;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, RedisResult, TlsCertificates, TlsMode, cmd,
};
use tokio::sync::Mutex;
use tokio::time;

use super::super::config::{Config, Topology};
use super::super::error::StartError;
use super::reign::Reign;

/// What the client library can do with authorities of one's own.
const ONE_SERVER: &str = "goes with tls = true and a single server; with sentinels or a Redis Cluster, name the file in the \
                          environment variable SSL_CERT_FILE instead";

/// The server, and how it is reached.
pub(super) struct Server {
    config: Config,
    way: Way,
    reign: Reign,
}

enum Way {
    Alone(Client),
    Sentinels(Mutex<SentinelClient>),
    Cluster(ClusterClient),
}

/// A connection.
pub(super) enum Link {
    /// To one server.
    One(MultiplexedConnection),
    /// To every server of a cluster. It finds its way back by itself.
    Cluster(ClusterConnection),
}

impl Server {
    /// Reads the settings; connects to nothing.
    pub(super) fn new(config: &Config) -> Result<Self, StartError> {
        if config.prefix.is_empty() || config.prefix.contains(['{', '}']) {
            return Err(StartError::Setting {
                setting: "prefix",
                reason: "must be some text without braces",
            });
        }
        if config.topology == Topology::Cluster && config.database != 0 {
            return Err(StartError::Setting {
                setting: "database",
                reason: "must be 0 with a Redis Cluster",
            });
        }
        if config.ca.is_some() && (!config.tls || config.topology != Topology::Standalone) {
            return Err(StartError::Setting { setting: "ca", reason: ONE_SERVER });
        }
        let password = secret("password_file", config.password_file.as_deref())?;
        let servers = config
            .addresses
            .iter()
            .map(|address| server(address, config, password.as_deref()))
            .collect::<Result<Vec<_>, _>>()?;
        let first = match &servers[..] {
            [] => return Err(StartError::Setting { setting: "addresses", reason: "must name a server" }),
            [_, _, ..] if config.topology == Topology::Standalone => {
                let reason = "names several servers; set storage.topology to \"cluster\" or \"sentinel\"";
                return Err(StartError::Setting { setting: "addresses", reason });
            }
            [first, ..] => first.clone(),
        };
        let mut reign = Reign::default();
        let way = match config.topology {
            Topology::Standalone => Way::Alone(client(first, config)?),
            Topology::Cluster => Way::Cluster(cluster(servers, config.timeout()).map_err(invalid)?),
            Topology::Sentinel => {
                let secret = secret("sentinel_password_file", config.sentinel_password_file.as_deref())?;
                let client = || sentinels(&servers, config, secret.as_deref()).map_err(invalid);
                reign = Reign::watched_by(client()?);
                Way::Sentinels(Mutex::new(client()?))
            }
        };
        Ok(Self { config: config.clone(), way, reign })
    }

    /// Connects for the first time, and finds out whether a single address is one of a cluster.
    pub(super) async fn start(&mut self) -> Result<(), StartError> {
        let outcome = time::timeout(self.config.timeout(), self.look()).await;
        let outcome = outcome.unwrap_or_else(|_| Err(RedisError::from((ErrorKind::Io, "no answer in time"))));
        outcome.map_err(|error| refused(&self.config, &error))?;
        if self.is_cluster() && self.config.ca.is_some() {
            return Err(StartError::Setting { setting: "ca", reason: ONE_SERVER });
        }
        if self.is_cluster() && self.config.replicas_min > 0 {
            return Err(StartError::Setting {
                setting: "replicas_min",
                reason: "does not go with a Redis Cluster; set min-replicas-to-write on its servers",
            });
        }
        Ok(())
    }

    async fn look(&mut self) -> RedisResult<()> {
        if let Way::Alone(_) | Way::Sentinels(_) = self.way
            && let Link::One(mut connection) = self.connect().await?
        {
            let facts: String = cmd("INFO").query_async(&mut connection).await?;
            warn(&facts);
            if let (Way::Alone(client), true) = (&self.way, facts.contains("cluster_enabled:1")) {
                let seeds = vec![client.get_connection_info().clone()];
                self.way = Way::Cluster(cluster(seeds, self.config.timeout())?);
            }
        }
        if let Way::Cluster(client) = &self.way {
            client.get_async_connection().await?;
        }
        Ok(())
    }

    /// Whether keys of different slots may lie on different servers.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.way, Way::Cluster(..))
    }

    /// Whose reign it is.
    pub(super) fn reign(&self) -> &Reign {
        &self.reign
    }

    /// Its settings.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Connects; the caller bounds the time.
    pub(super) async fn connect(&self) -> RedisResult<Link> {
        // The lane has deadlines of its own, which include connecting.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.config.timeout()))
            .set_response_timeout(None);
        match &self.way {
            Way::Alone(client) => {
                client.get_multiplexed_async_connection_with_config(&config).await.map(Link::One)
            }
            Way::Sentinels(client) => {
                let master = client.lock().await.async_get_client().await?;
                self.reign.accept(&master);
                master.get_multiplexed_async_connection_with_config(&config).await.map(Link::One)
            }
            Way::Cluster(client) => client.get_async_connection().await.map(Link::Cluster),
        }
    }
}

/// A client of one server, which believes the authorities that the settings name, or those of the system.
fn client(server: ConnectionInfo, config: &Config) -> Result<Client, StartError> {
    let Some(path) = &config.ca else { return Client::open(server).map_err(invalid) };
    let root_cert = fs::read(path)
        .map_err(|error| StartError::Authority { path: path.clone(), reason: error.to_string() })?;
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
    Client::build_with_tls(server, certificates).map_err(invalid)
}

fn invalid(error: RedisError) -> StartError {
    StartError::Settings(error.to_string())
}

fn refused(config: &Config, error: &RedisError) -> StartError {
    let reason = error.to_string();
    let is_log_in = matches!(error.kind(), ErrorKind::AuthenticationFailed)
        || error.code().is_some_and(|code| matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM"));
    if is_log_in {
        StartError::Refused(reason)
    } else {
        StartError::Away { addresses: config.addresses.join(", "), reason }
    }
}

fn server(address: &str, config: &Config, password: Option<&str>) -> Result<ConnectionInfo, StartError> {
    let not_one = || StartError::Address(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(not_one)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = port.parse().map_err(|_| not_one())?;
    if host.is_empty() {
        return Err(not_one());
    }
    let place = if config.tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    let mut settings = RedisConnectionInfo::default().set_db(config.database.into());
    if let Some(user) = &config.username {
        settings = settings.set_username(user);
    }
    if let Some(password) = password {
        settings = settings.set_password(password);
    }
    place.into_connection_info().map(|info| info.set_redis_settings(settings)).map_err(invalid)
}

fn secret(setting: &'static str, path: Option<&Path>) -> Result<Option<String>, StartError> {
    let Some(path) = path else { return Ok(None) };
    let text = fs::read_to_string(path).map_err(|error| StartError::Password {
        setting,
        path: path.to_path_buf(),
        reason: error.to_string(),
    })?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn cluster(seeds: Vec<ConnectionInfo>, timeout: Duration) -> RedisResult<ClusterClient> {
    ClusterClientBuilder::new(seeds).connection_timeout(timeout).response_timeout(timeout).retries(3).build()
}

/// The addresses are those of the sentinels; user, password and database are for the servers.
fn sentinels(
    servers: &[ConnectionInfo],
    config: &Config,
    sentinel_password: Option<&str>,
) -> RedisResult<SentinelClient> {
    let addresses: Vec<ConnectionAddr> = servers.iter().map(|info| info.addr().clone()).collect();
    let master = &config.sentinel_master;
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?;
    builder = builder.set_client_to_redis_db(config.database.into());
    if let Some(user) = &config.username {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = servers.first().and_then(|info| info.redis_settings().password()) {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(password) = sentinel_password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if config.tls {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    builder.build()
}

/// Says what an operator should know about the server's settings.
fn warn(facts: &str) {
    if facts.contains("aof_enabled:0") {
        tracing::warn!(
            "Redis has appendonly off: what was acknowledged is lost when it restarts; set appendonly yes"
        );
    }
    let evicts = facts.lines().any(|line| {
        line.strip_prefix("maxmemory_policy:").is_some_and(|policy| policy.trim() != "noeviction")
    });
    if evicts && !facts.contains("maxmemory:0\r") {
        tracing::warn!("Redis may evict keys to save memory; set maxmemory-policy noeviction");
    }
}
