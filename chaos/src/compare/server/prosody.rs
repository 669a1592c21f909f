//! Prosody as Debian has it, with a configuration and a folder of its own: no limits, the features that Muster has, and
//! `nagle = false`, without which small rooms stall on delayed acknowledgements.

use std::path::Path;
use std::process::Command;

use super::super::{DOMAIN, certificate};
use super::{Kind, Server, Stop, conference, free_ports, spawn, version, write};
use crate::measure::Processes;

pub(super) fn start(folder: &Path) -> anyhow::Result<Server> {
    let [plain, direct] = free_ports()?;
    let (public, key) = certificate::make(DOMAIN)?;
    write(&folder.join("server.crt"), &public)?;
    write(&folder.join("server.key"), &key)?;
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let text = format!(
        r#"run_as_root = true
data_path = "{data}"
pidfile = "{folder}/prosody.pid"
log = {{ warn = "{folder}/prosody.log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {plain} }}
c2s_direct_tls_ports = {{ {direct} }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_hashed"
storage = "internal"
allow_registration = true
network_settings = {{ nagle = false }}
ssl = {{ certificate = "{folder}/server.crt", key = "{folder}/server.key" }}
modules_enabled = {{
  "roster", "saslauth", "tls", "disco", "carbons", "private", "smacks", "vcard", "time", "version", "ping",
  "register", "posix",
}}
modules_disabled = {{ "s2s" }}
VirtualHost "{DOMAIN}"
Component "{conference}" "muc"
"#,
        data = data.display(),
        folder = folder.display(),
        plain = plain.port(),
        direct = direct.port(),
        conference = conference(),
    );
    let config = folder.join("prosody.cfg.lua");
    write(&config, &text)?;
    let mut command = Command::new("prosody");
    command.args(["-F", "--config"]).arg(&config);
    let child = spawn(command, folder)?;
    Ok(Server {
        kind: Kind::Prosody,
        version: format!("Prosody {}", version("dpkg-query", &["-W", "-f", "${Version}", "prosody"])),
        plain: vec![plain],
        direct: vec![direct],
        processes: Processes::new(vec![child.id()]),
        stop: Stop::Child(child),
    })
}
