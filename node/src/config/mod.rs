//! The configuration: one TOML file, environment variables over it, every fault told at once.
//!
//! [`Config::load`] turns both into values that need no further checking; what it refuses names the file, the line
//! and the fix. `muster.toml` at the root documents every key.

mod check;
mod fault;
mod load;
mod origin;
mod secret;
mod sections;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use fault::{ConfigError, Fault};
pub use secret::{SecretError, read_secret};
pub use sections::{
    Admin, Auth, Cluster, Domain, Kind, Listener, ListenerTls, Log, LogFormat, Metrics, Node, Role, Tls,
    TlsVersion,
};

use muster_actors::Guards;
use muster_actors::storage::Config as Storage;
use muster_proto::options::{Limits, Options};

/// Everything that the administrator decides, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// Who this node is.
    pub node: Node,
    /// The domains, and what one user may cost.
    pub options: Options,
    /// Where it listens.
    pub listeners: Vec<Listener>,
    /// Certificates for clients.
    pub tls: Tls,
    /// How users prove who they are.
    pub auth: Auth,
    /// Where things are kept.
    pub storage: Storage,
    /// The other nodes.
    pub cluster: Cluster,
    /// What one address or account may try.
    pub guards: Guards,
    /// What is logged.
    pub log: Log,
    /// What is measured.
    pub metrics: Metrics,
    /// The admin API.
    pub admin: Admin,
}

impl Config {
    /// Reads a file and the environment.
    ///
    /// # Errors
    /// Every fault found, with its place and its fix.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let environment = std::env::vars().collect::<Vec<_>>();
        Self::load_with(file, &environment)
    }

    /// Reads a file and these variables.
    ///
    /// # Errors
    /// Every fault found, with its place and its fix.
    pub fn load_with(file: &Path, environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            ConfigError::one(Fault {
                place: file.display().to_string(),
                what: format!("cannot be read: {error}"),
                fix: "name an existing, readable file with --config".into(),
            })
        })?;
        Self::parse(file, &text, environment)
    }

    /// Reads this text as if it were in `file`: paths in it are relative to that file's folder.
    ///
    /// # Errors
    /// Every fault found, with its place and its fix.
    pub fn parse(file: &Path, text: &str, environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut faults = fault::Faults::new(file);
        let mut sections = load::sections(text, environment, &mut faults);
        sections.resolve_paths(file.parent().unwrap_or(Path::new(".")));
        let domains = check::check(&sections, &mut faults);
        faults.into_result()?;
        Ok(Self {
            file: file.to_path_buf(),
            node: sections.node,
            options: Options {
                domains,
                limits: sections.limits,
                sasl_iterations: sections.auth.iterations,
                ..Options::default()
            },
            listeners: sections.listener,
            tls: sections.tls,
            auth: sections.auth,
            storage: sections.storage,
            cluster: sections.cluster,
            guards: sections.guards,
            log: sections.log,
            metrics: sections.metrics,
            admin: sections.admin,
        })
    }

    /// The listeners of a kind.
    pub fn listeners(&self, kind: Kind) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().filter(move |listener| listener.kind == kind)
    }

    /// Where this node's admin API listens, if it does.
    pub fn admin_listener(&self) -> Option<&Listener> {
        self.listeners(Kind::Http).find(|listener| listener.has_admin())
    }

    /// The file that opens the admin API.
    pub fn admin_token_file(&self) -> PathBuf {
        self.node.data.join("admin-token")
    }

    /// What one user may cost.
    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }
}
