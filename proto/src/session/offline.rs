//! Messages for someone who is not there (XEP-0160), each with the time at which it came (XEP-0203).

use serde::{Deserialize, Serialize};

/// What is known of the messages that wait in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offline {
    /// So many wait.
    pub count: u64,
    /// The greatest id given so far.
    pub id_last: u64,
    /// Those up to this id were handed over.
    pub taken: u64,
}
