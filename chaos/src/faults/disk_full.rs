//! No file of the store can grow, as on a full disk: a quota on the size of files that the nodes' processes may write
//! (setrlimit(2), RLIMIT_FSIZE). Logs share it, as they share a disk.

use super::{Fault, Strike};
use crate::site::Store;

pub(super) const DISK_FULL: Fault = Fault {
    name: "disk-full",
    what: "no node can make a file longer than 4 KiB for some seconds: writes to the SQLite file fail",
    nodes_min: 1,
    store: Some(Store::Sqlite),
    strike,
};

/// Less than a page and a frame of its log: nothing of the store can be written.
const FILE_BYTES_MAX: u64 = 4096;

fn strike(strike: &mut Strike<'_>) -> anyhow::Result<()> {
    strike.step("the disk is full");
    for node in strike.site.running() {
        strike.site.nodes[node].limit_files(Some(FILE_BYTES_MAX))?;
    }
    strike.last()?;
    strike.step("there is room again");
    for node in strike.site.running() {
        strike.site.nodes[node].limit_files(None)?;
    }
    strike.healed();
    Ok(())
}
