//! Why a store could not be opened: each names what to fix.

use std::path::PathBuf;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder of the database file is not there.
    #[error("storage.path: the folder {0} does not exist; create it, or name another file")]
    NoFolder(PathBuf),
    /// The database file, or its folder, may not be written.
    #[error(
        "storage.path: {path} cannot be opened for writing ({reason}); give this user the right to write the file \
         and its folder"
    )]
    Permission {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The disk is full.
    #[error("storage.path: no space is left on the disk of {0}; free some, or name a file on another disk")]
    Full(PathBuf),
    /// The file is not an SQLite database, or is damaged.
    #[error(
        "storage.path: {path} is not a whole database ({reason}); put it aside and restore it from a backup"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The file system cannot share the file between processes.
    #[error(
        "storage.path: the file system of {0} has no shared memory, which WAL needs; name a file on a local disk"
    )]
    NoWal(PathBuf),
    /// The file belongs to another program.
    #[error("storage.path: {0} is a database of another program; name another file")]
    Foreign(PathBuf),
    /// The file was written by a newer version.
    #[error(
        "storage.path: {path} has schema {found}, and this version knows up to {known}; use the newer version"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The highest that this version knows.
        known: u32,
    },
    /// Another process holds the file for too long.
    #[error("storage.path: {0} is locked by another process for longer than 5 s; end that process")]
    Locked(PathBuf),
    /// SQLite failed in another way.
    #[error("storage.path: {path} cannot be opened: {reason}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// A file with a password cannot be read.
    #[error("storage.{setting}: {path} cannot be read: {reason}")]
    Password {
        /// Which setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file of the authorities cannot be read.
    #[error("storage.ca: {path} cannot be read: {reason}")]
    Authority {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// An address is not `host:port`.
    #[error("storage.addresses: {0:?} is not host:port")]
    Address(String),
    /// The client library does not take the settings.
    #[error("storage: Redis cannot be used with these settings: {0}")]
    Settings(String),
    /// A setting that cannot be.
    #[error("storage.{setting}: {reason}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Redis refuses the user or the password.
    #[error("storage.password_file: Redis refuses the log-in: {0}")]
    Refused(String),
    /// Redis cannot be reached.
    #[error("storage.addresses: Redis at {addresses} cannot be reached: {reason}")]
    Away {
        /// Where it was looked for.
        addresses: String,
        /// What went wrong.
        reason: String,
    },
    /// The thread of the store could not be started.
    #[error("the thread of the store could not be started: {0}")]
    Thread(std::io::Error),
}

impl StartError {
    /// Whether the same configuration may work later, without anybody fixing it.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Locked(_))
    }
}
