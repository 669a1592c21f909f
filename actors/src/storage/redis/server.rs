//! How the server is reached: alone, by its sentinels, or as a cluster.

use std::fs;
use std::path::Path;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError,
    RedisResult, TlsMode, cmd,
};
use tokio::sync::Mutex;
use tokio::time;

use super::super::config::RedisConfig;
use super::super::error::StartError;

/// The server, and how it is reached.
pub(super) struct Server {
    config: RedisConfig,
    way: Way,
}

enum Way {
    Alone(Client),
    Sentinels(Mutex<SentinelClient>),
    Cluster(ClusterClient, Option<ClusterConnection>),
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
    pub(super) fn new(config: &RedisConfig) -> Result<Self, StartError> {
        if config.prefix.is_empty() || config.prefix.contains(['{', '}']) {
            return Err(StartError::Setting {
                setting: "prefix",
                reason: "must be some text without braces",
            });
        }
        let password = secret("password_file", config.password_file.as_deref())?;
        let addresses =
            config.urls.iter().map(|url| address(url, password.as_deref())).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = addresses.first() else {
            return Err(StartError::Setting { setting: "urls", reason: "must name a server" });
        };
        let way = if let Some(master) = &config.sentinel_master {
            let secret = secret("sentinel_password_file", config.sentinel_password_file.as_deref())?;
            Way::Sentinels(Mutex::new(sentinels(&addresses, master, secret.as_deref()).map_err(invalid)?))
        } else if addresses.len() > 1 {
            Way::Cluster(cluster(addresses, config.timeout).map_err(invalid)?, None)
        } else {
            Way::Alone(Client::open(first.clone()).map_err(invalid)?)
        };
        Ok(Self { config: config.clone(), way })
    }

    /// Connects for the first time, and finds out whether a single address is one of a cluster.
    pub(super) async fn start(&mut self) -> Result<(), StartError> {
        let outcome = time::timeout(self.config.timeout, self.look()).await;
        let outcome = outcome.unwrap_or_else(|_| Err(RedisError::from((ErrorKind::Io, "no answer in time"))));
        outcome.map_err(|error| refused(&self.config, &error))?;
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
                self.way = Way::Cluster(cluster(seeds, self.config.timeout)?, None);
            }
        }
        if let Way::Cluster(client, connection) = &mut self.way {
            *connection = Some(client.get_async_connection().await?);
        }
        Ok(())
    }

    /// Whether keys of different slots may lie on different servers.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.way, Way::Cluster(..))
    }

    /// Its settings.
    pub(super) fn config(&self) -> &RedisConfig {
        &self.config
    }

    /// Connects; the caller bounds the time.
    pub(super) async fn connect(&self) -> RedisResult<Link> {
        // The lane has deadlines of its own, which include connecting.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.config.timeout))
            .set_response_timeout(None);
        match &self.way {
            Way::Alone(client) => {
                client.get_multiplexed_async_connection_with_config(&config).await.map(Link::One)
            }
            Way::Sentinels(client) => {
                client.lock().await.get_async_connection_with_config(&config).await.map(Link::One)
            }
            Way::Cluster(_, Some(connection)) => Ok(Link::Cluster(connection.clone())),
            Way::Cluster(client, None) => client.get_async_connection().await.map(Link::Cluster),
        }
    }
}

fn invalid(error: RedisError) -> StartError {
    StartError::Urls(error.to_string())
}

fn refused(config: &RedisConfig, error: &RedisError) -> StartError {
    let reason = error.to_string();
    let is_log_in = matches!(error.kind(), ErrorKind::AuthenticationFailed)
        || error.code().is_some_and(|code| matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM"));
    if is_log_in {
        StartError::Refused(reason)
    } else {
        StartError::Away { urls: config.urls.join(", "), reason }
    }
}

fn address(url: &str, password: Option<&str>) -> Result<ConnectionInfo, StartError> {
    let not_one = |reason: String| StartError::Url { url: url.to_owned(), reason };
    let info = url.into_connection_info().map_err(|error| not_one(error.to_string()))?;
    if info.redis_settings().password().is_some() {
        return Err(StartError::Setting {
            setting: "urls",
            reason: "must not hold a password; put it into a file and name that in storage.password_file",
        });
    }
    let settings = info.redis_settings().clone();
    Ok(match password {
        Some(password) => info.set_redis_settings(settings.set_password(password)),
        None => info,
    })
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

/// The sentinels' addresses are those of the settings; user, password and database are for the servers.
fn sentinels(
    addresses: &[ConnectionInfo],
    master: &str,
    sentinel_password: Option<&str>,
) -> RedisResult<SentinelClient> {
    let plain: Vec<ConnectionAddr> = addresses.iter().map(|info| info.addr().clone()).collect();
    let encrypted = plain.iter().any(|address| matches!(address, ConnectionAddr::TcpTls { .. }));
    let mut builder = SentinelClientBuilder::new(plain, master, SentinelServerType::Master)?;
    let settings = addresses[0].redis_settings();
    builder = builder.set_client_to_redis_db(settings.db());
    if let Some(user) = settings.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(password) = sentinel_password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if encrypted {
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
