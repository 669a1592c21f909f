//! Another process holds the write lock of the SQLite file: what is read is read, nothing is written.

use anyhow::Context;
use rusqlite::{Connection, TransactionBehavior};

use super::{Fault, Strike};
use crate::site::Store;

pub(super) const STORE_LOCKED: Fault = Fault {
    name: "store-locked",
    what: "another process holds the write lock of the SQLite file for some seconds",
    nodes_min: 1,
    store: Some(Store::Sqlite),
    strike,
};

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    let file = strike.site.folder().join("muster.db");
    let mut connection = Connection::open(&file).with_context(|| file.display().to_string())?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    let lock = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    strike.step("the SQLite file is locked by another process");
    strike.last()?;
    lock.rollback()?;
    strike.step("the lock is given up");
    strike.healed();
    Ok(())
}
