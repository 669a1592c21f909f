//! What SQLite's errors mean to us.

use std::io;
use std::path::Path;

use muster_proto::store::StoreError;
use rusqlite::ErrorCode;

use super::super::error::StartError;

/// An error while opening the file.
pub(super) fn at_start(path: &Path, error: &rusqlite::Error) -> StartError {
    let path = path.to_path_buf();
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            StartError::Permission { path, reason }
        }
        Some(ErrorCode::DiskFull) => StartError::Full(path),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StartError::Corrupt { path, reason },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StartError::Locked(path),
        _ => StartError::Sqlite { path, reason },
    }
}

/// An error while creating the file.
pub(super) fn at_creation(path: &Path, error: &io::Error) -> StartError {
    let path = path.to_path_buf();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StartError::Full(path),
        _ => StartError::Permission { path, reason: error.to_string() },
    }
}

/// An error while serving.
pub(super) fn at_work(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Away("the database file is locked by another process".to_owned())
        }
        Some(ErrorCode::DiskFull) => {
            StoreError::Away("no space is left on the disk of the database file; free some".to_owned())
        }
        Some(ErrorCode::SystemIoFailure) => StoreError::Away(format!(
            "the disk of the database file fails, or a quota is reached; see the system's log ({error})"
        )),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            StoreError::Failed(format!(
                "the database file cannot be written; restore its permissions ({error})"
            ))
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Failed(format!(
            "the database file is damaged; stop all nodes and restore it from a backup ({error})"
        )),
        _ => StoreError::Failed(error.to_string()),
    }
}

/// Whether the same error would meet every other request too.
pub(super) fn concerns_all(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        None | Some(
            ErrorCode::TooBig
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::ParameterOutOfRange
        )
    )
}
