//! Muster, started with `muster up`, its accounts imported.

use std::path::Path;

use super::super::DOMAIN;
use super::{Kind, Server, Site, Stop, version};
use crate::measure::Processes;
use crate::nodes::Nodes;

pub(super) fn start(
    kind: Kind,
    count: u16,
    folder: &Path,
    site: &Site,
    fresh: bool,
) -> anyhow::Result<Server> {
    let nodes = Nodes::start(&site.muster, folder, count, DOMAIN, &[])?;
    if fresh {
        eprintln!("{}: making {} accounts", kind.name(), site.accounts_count);
        Nodes::import(&site.muster, folder, &site.accounts, site.accounts_count)?;
    }
    Ok(Server {
        kind,
        version: version(&site.muster.to_string_lossy(), &["--version"]),
        plain: nodes.plain.clone(),
        direct: nodes.direct.clone(),
        processes: Processes::new(nodes.pids.clone()),
        stop: Stop::Muster(nodes),
    })
}
