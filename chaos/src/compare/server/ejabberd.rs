//! ejabberd as Debian has it, with a configuration and a database of its own: no shapers, the features that Muster has, kernel
//! poll on. Its Erlang node has no name, so the machine's own ejabberd is not met.

use std::path::Path;
use std::process::Command;

use super::super::{DOMAIN, certificate};
use super::{Kind, Server, Stop, conference, free_ports, spawn, version, write};
use crate::measure::Processes;

pub(super) fn start(folder: &Path) -> anyhow::Result<Server> {
    let [plain, direct] = free_ports()?;
    let (public, key) = certificate::make(DOMAIN)?;
    let (pem, config, database) =
        (folder.join("both.pem"), folder.join("ejabberd.yml"), folder.join("database"));
    write(&pem, &format!("{public}{key}"))?;
    std::fs::create_dir_all(&database)?;
    write(&config, &configuration(&pem, plain.port(), direct.port()))?;
    let mut command = Command::new("erl");
    command
        .args(["+K", "true", "+P", "250000", "-noinput", "-mnesia", "dir"])
        .arg(format!("\"{}\"", database.display()))
        .args(["-s", "ejabberd"])
        .env("ERL_LIBS", libraries())
        .env("ERL_MAX_PORTS", "32000")
        .env("HOME", folder)
        .env("EJABBERD_CONFIG_PATH", &config)
        .env("EJABBERD_LOG_PATH", folder.join("ejabberd.log"));
    let child = spawn(command, folder)?;
    Ok(Server {
        kind: Kind::Ejabberd,
        version: format!("ejabberd {}", version("dpkg-query", &["-W", "-f", "${Version}", "ejabberd"])),
        plain: vec![plain],
        direct: vec![direct],
        processes: Processes::new(vec![child.id()]),
        stop: Stop::Child(child),
    })
}

fn configuration(pem: &Path, plain: u16, direct: u16) -> String {
    format!(
        r#"loglevel: warning
hosts: ["{DOMAIN}"]
certfiles: ["{pem}"]
auth_method: internal
auth_password_format: scram
registration_timeout: infinity
listen:
  - port: {plain}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    starttls: true
  - port: {direct}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    tls: true
shaper: {{}}
modules:
  mod_adhoc: {{}}
  mod_carboncopy: {{}}
  mod_disco: {{}}
  mod_muc:
    host: "{conference}"
    max_users: 2000
    default_room_options:
      mam: false
      max_users: 2000
  mod_offline: {{}}
  mod_ping: {{}}
  mod_private: {{}}
  mod_register:
    access: all
  mod_roster: {{}}
  mod_stream_mgmt: {{}}
  mod_time: {{}}
  mod_vcard: {{}}
  mod_version: {{}}
"#,
        pem = pem.display(),
        conference = conference(),
    )
}

/// Where Debian keeps Erlang libraries that hold C code.
fn libraries() -> String {
    format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH)
}
