//! What Redis' errors mean to us.

use muster_proto::store::StoreError;
use redis::{ErrorKind, RedisError, ServerErrorKind, Value};

/// What to do about an answer that is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Send the scripts' texts along.
    SendScripts,
    /// Look for the server again, and try once more.
    Reconnect,
    /// Try once more, a little later.
    Wait,
    /// Tell who asked.
    None,
}

/// What to do about this answer.
pub(super) fn remedy(value: &Value) -> Remedy {
    let Value::ServerError(error) = value else { return Remedy::None };
    match error.kind() {
        Some(ServerErrorKind::NoScript) => Remedy::SendScripts,
        // The server is no longer the master, or the slot is no longer there.
        Some(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::Moved) => {
            Remedy::Reconnect
        }
        Some(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::TryAgain
            | ServerErrorKind::Ask,
        ) => Remedy::Wait,
        // The one is said by a replica, the other from inside a script.
        _ if error.to_string().contains("READONLY") => Remedy::Reconnect,
        _ => Remedy::None,
    }
}

/// An answer that is an error, or not what the command yields.
pub(super) fn refusal(value: &Value) -> StoreError {
    let Value::ServerError(error) = value else { return unexpected() };
    let text = error.to_string();
    if text.contains("OOM ") || error.code() == "OOM" {
        StoreError::Away("Redis is out of memory; raise its maxmemory".to_owned())
    } else if text.contains("MISCONF") {
        StoreError::Away(format!("Redis cannot write to its disk; free some space ({text})"))
    } else if text.contains("NOREPLICAS") {
        StoreError::Away("Redis has too few replicas to write to".to_owned())
    } else {
        StoreError::Failed(text)
    }
}

/// An answer that no version of Redis gives.
pub(super) fn unexpected() -> StoreError {
    StoreError::Failed("Redis gave an answer that its command does not have".to_owned())
}

/// Whether the same command may succeed later, perhaps on another connection.
pub(super) fn is_temporary(error: &RedisError) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::AuthenticationFailed
            | ErrorKind::InvalidClientConfig
            | ErrorKind::Server(ServerErrorKind::NoPerm | ServerErrorKind::CrossSlot)
    )
}
