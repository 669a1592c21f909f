//! The folder of a development cluster: authorities, certificates, keys and configuration of each node.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::plan::{NodePlan, Plan};
use super::redis::Redis;
use super::{Failure, certificates, refused};

/// Makes folders, certificates and keys.
pub(super) fn lay_out(plan: &Plan) -> Result<(), Failure> {
    for folder in plan.nodes.iter().map(|node| node.folder.join("data")) {
        std::fs::create_dir_all(&folder)
            .map_err(|error| refused(format!("{}: {error}", folder.display())))?;
    }
    certificates::make(plan)?;
    let key = plan.dir.join("cluster.key");
    if !key.is_file() {
        write_secret(&key, random_hex().as_bytes())?;
    }
    Ok(())
}

/// 256 random bits.
pub(super) fn random_hex() -> String {
    rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file that only this user can read.
pub(super) fn write_secret(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write(path, content, 0o600)
}

/// Writes a file that everybody can read.
pub(super) fn write_public(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write(path, content, 0o644)
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    // A file keeps the mode it was made with, so it is made anew.
    let _ = std::fs::remove_file(path);
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    opened
        .and_then(|mut file| file.write_all(content))
        .map_err(|error| refused(format!("{} cannot be written: {error}", path.display())))
}

/// Writes a node's configuration and returns its path.
pub(super) fn configure(
    plan: &Plan,
    node: &NodePlan,
    redis: Option<&Redis>,
) -> Result<std::path::PathBuf, Failure> {
    let seeds: Vec<_> = plan.nodes.iter().map(|node| format!("\"{}\"", node.gossip)).collect();
    let (domain, guarded) = (&plan.domain, !plan.plaintext);
    let mut text = format!(
        "# Written by `muster up` at each start: changes are lost. muster.toml at the root of the sources shows every key.\n\
         [node]\nid = \"{}\"\ndata = \"data\"\ndrain_seconds_max = 10\n\n\
         [[domain]]\nname = \"{domain}\"\nadmins = [\"admin@{domain}\"]\n",
        node.id
    );
    let mut listener = |kind: &str, address, more: &str| {
        let _ = write!(text, "\n[[listener]]\nkind = \"{kind}\"\naddress = \"{address}\"\n{more}");
    };
    listener("client", node.starttls, &format!("tls = \"starttls\"\nguarded = {guarded}\n"));
    listener("client", node.direct, &format!("tls = \"direct\"\nguarded = {guarded}\n"));
    if plan.plaintext {
        listener("client", node.plain, "tls = \"none\"\nguarded = false\n");
    }
    listener("http", node.http, "");
    listener("link", node.link, "");
    listener("gossip", node.gossip, "");
    let _ = write!(
        text,
        "\n[tls]\ncertificate = \"../server.pem\"\nkey = \"../server.key\"\n\n\
         [cluster]\nname = \"{domain}\"\nkey_file = \"../cluster.key\"\nca = \"../cluster-ca.pem\"\n\
         certificate = \"link.pem\"\nkey = \"link.key\"\nseeds = [{}]\n\n{}",
        seeds.join(", "),
        match redis {
            None => "[storage]\npath = \"../muster.db\"\n".to_owned(),
            Some(redis) => format!(
                "[storage]\nkind = \"redis\"\naddresses = [\"{}\"]\npassword_file = \"../redis/password\"\n",
                redis.address
            ),
        }
    );
    let path = node.folder.join("muster.toml");
    write_public(&path, text.as_bytes())?;
    Ok(path)
}
