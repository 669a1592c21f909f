//! Secrets are files, never values: read once, and only if nobody else on the machine can read them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {error}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Anybody on this machine can read it.
    #[error("{path} can be read by every user of this machine (mode {mode:o})", path = path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Reads a file that holds a secret.
///
/// # Errors
/// It cannot be read, or it can be read by everybody.
pub fn read_secret(path: &Path) -> Result<Vec<u8>, SecretError> {
    let unreadable = |error| SecretError::Unreadable { path: path.to_path_buf(), error };
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(SecretError::Exposed { path: path.to_path_buf(), mode });
    }
    std::fs::read(path).map_err(unreadable)
}

/// What to do about it.
pub(super) fn fix(error: &SecretError) -> String {
    match error {
        SecretError::Unreadable { .. } => "create it, or let the user that runs muster read it".into(),
        SecretError::Exposed { path, .. } => format!("run: chmod 600 {}", path.display()),
    }
}
