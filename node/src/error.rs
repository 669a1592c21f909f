//! Why a node does not start: each reason names what to change.

use std::net::SocketAddr;

use crate::config::Kind;
use crate::setup::SetupError;
use crate::tls::TlsError;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {kind:?}: {error}{hint}", hint = hint(error))]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// For whom.
        kind: Kind,
        /// What the system says.
        error: std::io::Error,
    },
    /// The socket of the admin API cannot be listened on.
    #[error("admin.socket: cannot listen on {path}: {error}{hint}", path = path.display(), hint = socket_hint(error))]
    Socket {
        /// Which file.
        path: std::path::PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The certificate of clients.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file of the configuration.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The token of the admin API cannot be written.
    #[error("the data folder {folder} cannot be used: {error} (create it, and let the user that runs muster write to it)", folder = folder.display())]
    Data {
        /// Which folder.
        folder: std::path::PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The store, the cluster, or a thread.
    #[error(transparent)]
    Actors(#[from] muster_actors::StartError),
    /// A thread of this crate.
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
    /// It was told to stop before it was up.
    #[error("stopped while it was starting")]
    Stopped,
}

fn socket_hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => " (another muster answers there, or it is a file of another kind)",
        std::io::ErrorKind::NotFound => " (create its folder)",
        _ => "",
    }
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            " (another program uses this port, perhaps another muster: stop it, or change the address of the listener)"
        }
        std::io::ErrorKind::AddrNotAvailable => " (this machine does not have that address)",
        std::io::ErrorKind::PermissionDenied => " (ports below 1024 need CAP_NET_BIND_SERVICE)",
        _ => "",
    }
}
