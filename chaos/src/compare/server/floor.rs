//! The relay, in a process of its own.

use std::path::Path;
use std::process::Command;

use super::{Kind, Server, Stop, free_ports, spawn};
use crate::measure::Processes;

pub(super) fn start(folder: &Path) -> anyhow::Result<Server> {
    let [plain] = free_ports()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["floor", &plain.to_string()]);
    let child = spawn(command, folder)?;
    Ok(Server {
        kind: Kind::Floor,
        version: format!("floor {}", env!("CARGO_PKG_VERSION")),
        plain: vec![plain],
        direct: vec![],
        processes: Processes::new(vec![child.id()]),
        stop: Stop::Child(child),
    })
}
