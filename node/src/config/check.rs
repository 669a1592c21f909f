//! What must hold between keys. Each rule says what is wrong and what to do; none stops the others.

use std::collections::HashMap;
use std::path::Path;

use jid::BareJid;
use muster_actors::storage::{Kind as StoreKind, Topology};
use muster_proto::options;
use muster_proto::sasl::ITERATIONS_MIN;
use openssl::pkey::PKey;
use openssl::x509::X509;

use super::fault::Faults;
use super::secret::{self, read_secret};
use super::sections::{Kind, ListenerTls, Sections};

/// Checks everything and returns the domains as XMPP knows them.
pub(super) fn check(sections: &Sections, faults: &mut Faults) -> Vec<options::Domain> {
    node(sections, faults);
    listeners(sections, faults);
    tls(sections, faults);
    storage(sections, faults);
    cluster(sections, faults);
    numbers(sections, faults);
    domains(sections, faults)
}

fn node(sections: &Sections, faults: &mut Faults) {
    let id = &sections.node.id;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if id.is_empty() || id.len() > 63 || !id.bytes().all(plain) {
        faults.at("node.id", "must be 1 to 63 of a-z, 0-9, - and .", "for example \"muster-0\"");
    }
    if sections.node.zone.is_empty() {
        faults.at("node.zone", "must not be empty", "leave it out, or name the rack or zone");
    }
    if sections.node.roles.is_empty() {
        faults.at(
            "node.roles",
            "a node without a role does nothing",
            "leave it out for [\"edge\", \"core\"]",
        );
    }
    if sections.node.weight > 1000 {
        faults.at("node.weight", "must be between 0 and 1000", "100 is a normal node's share");
    }
}

fn domains(sections: &Sections, faults: &mut Faults) -> Vec<options::Domain> {
    let mut names = HashMap::new();
    let mut domains = Vec::new();
    if sections.domain.is_empty() {
        faults.at("domain", "there is none", "add [[domain]] and name = \"example.org\"");
    }
    for (index, domain) in sections.domain.iter().enumerate() {
        let path = format!("domain.{index}");
        let conference = match domain.conference.as_str() {
            "" => format!("conference.{}", domain.name),
            given => given.to_owned(),
        };
        let mut names_of = Vec::new();
        for (key, name) in [("name", &domain.name), ("conference", &conference)] {
            // A parsed JID is in the form that comparisons need (RFC 7622 §3.2).
            match BareJid::new(name) {
                Ok(jid) if jid.node().is_none() => names_of.push(jid.domain().to_string()),
                _ => faults.at(
                    &format!("{path}.{key}"),
                    format!("{name:?} is not the name of a domain"),
                    "for example \"example.org\"",
                ),
            }
        }
        for name in &names_of {
            if let Some(other) = names.insert(name.clone(), index) {
                faults.at(&path, format!("{name} is also in entry {other}"), "name each domain once");
            }
        }
        let mut admins = Vec::new();
        for admin in &domain.admins {
            match BareJid::new(admin) {
                Ok(jid) if jid.node().is_some() => admins.push(jid),
                _ => faults.at(
                    &format!("{path}.admins"),
                    format!("{admin:?} is not an account"),
                    format!("for example \"admin@{}\"", domain.name),
                ),
            }
        }
        if let [name, conference] = names_of.as_slice() {
            domains.push(options::Domain {
                name: name.clone(),
                conference: conference.clone(),
                admins,
                anonymous: domain.anonymous,
                registration: domain.registration,
            });
        }
    }
    domains
}

fn listeners(sections: &Sections, faults: &mut Faults) {
    let mut seen = HashMap::new();
    for (index, listener) in sections.listener.iter().enumerate() {
        let path = format!("listener.{index}");
        let address = listener.address;
        if address.port() == 0 {
            let fix = "give it an IP address and a port, such as \"0.0.0.0:5222\"";
            faults.at(&format!("{path}.address"), "has no port", fix);
        }
        if let Some(other) = seen.insert((address, listener.kind == Kind::Gossip), index) {
            let what = format!("{address} is also the address of listener {other}");
            faults.at(&format!("{path}.address"), what, "use another port");
        }
        if listener.kind == Kind::Client && listener.tls == ListenerTls::None && !address.ip().is_loopback() {
            faults.at(
                &format!("{path}.tls"),
                format!("\"none\" on {address} would carry passwords in the clear"),
                "use \"starttls\" or \"direct\", or a loopback address",
            );
        }
        if listener.kind != Kind::Client && faults.is_written(&format!("{path}.tls")) {
            faults.at(&format!("{path}.tls"), "is only for kind \"client\"", "remove it");
        }
        if listener.admin && !listener.has_admin() && faults.is_written(&format!("{path}.admin")) {
            let fix = "use kind = \"http\" and a loopback address";
            faults.at(&format!("{path}.admin"), "the admin API is only on loopback HTTP", fix);
        }
        if matches!(listener.kind, Kind::Component | Kind::Server) {
            let fix = "remove this listener until a release announces it";
            faults.at(&format!("{path}.kind"), "is not there yet", fix);
        }
    }
    for kind in [Kind::Link, Kind::Gossip] {
        if sections.listener.iter().filter(|listener| listener.kind == kind).count() > 1 {
            faults.at("listener", format!("more than one of kind {kind:?}"), "keep one");
        }
    }
}

fn tls(sections: &Sections, faults: &mut Faults) {
    let wanted = sections
        .listener
        .iter()
        .any(|listener| listener.kind == Kind::Client && listener.tls != ListenerTls::None);
    pair("tls", wanted, &sections.tls.certificate, &sections.tls.key, faults);
    if let Some(ca) = &sections.tls.client_ca {
        certificates("tls.client_ca", ca, faults);
    }
}

/// A certificate and its key: both there, readable, and made for each other.
fn pair(
    section: &str,
    wanted: bool,
    certificate: &Option<std::path::PathBuf>,
    key: &Option<std::path::PathBuf>,
    faults: &mut Faults,
) {
    let mut missing = |name: &str, file: &Option<std::path::PathBuf>| {
        if wanted && file.is_none() {
            let fix = "name a PEM file (muster.toml says how to make one)";
            faults.at(&format!("{section}.{name}"), "is needed by the listeners", fix);
        }
    };
    missing("certificate", certificate);
    missing("key", key);
    let (Some(certificate), Some(key)) = (certificate, key) else { return };
    let chain = certificates(&format!("{section}.certificate"), certificate, faults);
    let key_path = format!("{section}.key");
    let key = match read_secret(key) {
        Ok(pem) => match PKey::private_key_from_pem(&pem) {
            Ok(key) => key,
            Err(_) => {
                return faults.at(&key_path, "holds no private key", "give a PEM file without a password");
            }
        },
        Err(error) => return faults.at(&key_path, error.to_string(), secret::fix(&error)),
    };
    if let Some(leaf) = chain.first()
        && !leaf.public_key().is_ok_and(|public| public.public_eq(&key))
    {
        let what = format!("is not the key of the certificate in {}", certificate.display());
        faults.at(&key_path, what, "give the two files that were made together");
    }
}

fn certificates(path: &str, file: &Path, faults: &mut Faults) -> Vec<X509> {
    let pem = match std::fs::read(file) {
        Ok(pem) => pem,
        Err(error) => {
            faults.at(
                path,
                format!("{} cannot be read: {error}", file.display()),
                "name a readable PEM file",
            );
            return Vec::new();
        }
    };
    match X509::stack_from_pem(&pem) {
        Ok(chain) if !chain.is_empty() => chain,
        _ => {
            faults.at(path, format!("{} holds no certificate", file.display()), "give a PEM file");
            Vec::new()
        }
    }
}

fn storage(sections: &Sections, faults: &mut Faults) {
    let storage = &sections.storage;
    match storage.kind {
        StoreKind::Sqlite if storage.path.as_os_str().is_empty() => {
            faults.at("storage.path", "must name a file", "for example \"/var/lib/muster/muster.db\"");
        }
        StoreKind::Sqlite | StoreKind::Memory => {}
        StoreKind::Redis => {
            if storage.addresses.is_empty() {
                let fix = "for example [\"127.0.0.1:6379\"]";
                faults.at("storage.addresses", "must name a server", fix);
            }
            for address in &storage.addresses {
                host_port("storage.addresses", address, "for example \"127.0.0.1:6379\"", faults);
            }
            if storage.prefix.is_empty() || storage.prefix.contains(['{', '}']) {
                let fix = "\"m\" is the default";
                faults.at("storage.prefix", "must not be empty, nor hold { or }", fix);
            }
            match &storage.ca {
                Some(_) if !storage.tls => {
                    faults.at(
                        "storage.ca",
                        "is for encrypted connections",
                        "set storage.tls = true, or remove it",
                    );
                }
                Some(_) if storage.topology != Topology::Standalone => {
                    let fix = "name the file in the environment variable SSL_CERT_FILE instead";
                    faults.at("storage.ca", "goes with topology \"standalone\" only", fix);
                }
                Some(ca) => drop(certificates("storage.ca", ca, faults)),
                None => {}
            }
            if storage.topology == Topology::Cluster && storage.database != 0 {
                faults.at("storage.database", "a Redis Cluster has only database 0", "remove it");
            }
        }
    }
    // The kernel keeps 108 bytes of a socket's path.
    if sections.admin.socket.as_ref().is_some_and(|path| path.as_os_str().len() > 107) {
        faults.at(
            "admin.socket",
            "is longer than 107 bytes",
            "name a shorter path, such as /run/muster/admin",
        );
    }
    let password = &storage.sentinel_password_file;
    secret_of("storage.sentinel_password_file", password, 1, faults);
    secret_of("storage.password_file", &storage.password_file, 1, faults);
    secret_of("auth.secret_file", &sections.auth.secret_file, 16, faults);
}

fn secret_of(path: &str, file: &Option<std::path::PathBuf>, bytes_min: usize, faults: &mut Faults) {
    let Some(file) = file else { return };
    match read_secret(file) {
        Ok(secret) if secret.len() < bytes_min => {
            let what = format!("{} has {} bytes, fewer than {bytes_min}", file.display(), secret.len());
            faults.at(path, what, format!("run: openssl rand -hex 32 > {}", file.display()));
        }
        Ok(_) => {}
        Err(error) => faults.at(path, error.to_string(), secret::fix(&error)),
    }
}

fn cluster(sections: &Sections, faults: &mut Faults) {
    let cluster = &sections.cluster;
    let has = |kind| sections.listener.iter().any(|listener| listener.kind == kind);
    let (link, gossip) = (has(Kind::Link), has(Kind::Gossip));
    if link != gossip {
        let fix = "add the other one, or remove both for a node that stands alone";
        faults.at("listener", "kinds \"link\" and \"gossip\" go together", fix);
    }
    pair("cluster", link, &cluster.certificate, &cluster.key, faults);
    match &cluster.ca {
        Some(ca) => drop(certificates("cluster.ca", ca, faults)),
        None if link => faults.at("cluster.ca", "is needed by the link listener", "name a PEM file"),
        None => {}
    }
    if gossip && cluster.key_file.is_none() {
        let fix = "run: openssl rand -hex 32 > cluster.key, and copy it to every node";
        faults.at("cluster.key_file", "is needed by the gossip listener", fix);
    }
    secret_of("cluster.key_file", &cluster.key_file, 32, faults);
    for seed in &cluster.seeds {
        let fix = "for example \"10.0.0.1:5271\" or \"muster-peers:5271\"";
        host_port("cluster.seeds", seed, fix, faults);
    }
    let unspecified = |kind| {
        sections
            .listener
            .iter()
            .any(|listener| listener.kind == kind && listener.address.ip().is_unspecified())
    };
    if cluster.advertise.is_none() && (unspecified(Kind::Link) || unspecified(Kind::Gossip)) {
        let fix = "set it to this node's own address (MUSTER_CLUSTER__ADVERTISE in a container)";
        faults.at("cluster.advertise", "others cannot reach 0.0.0.0 or ::", fix);
    }
}

fn host_port(path: &str, text: &str, fix: &str, faults: &mut Faults) {
    let good =
        text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !good {
        faults.at(path, format!("{text:?} is not host:port"), fix);
    }
}

fn numbers(sections: &Sections, faults: &mut Faults) {
    let limits = &sections.limits;
    if limits.stanza_bytes_max < 10_000 {
        let fix = "10000 is the least that RFC 6120 §13.12 allows; 262144 is the default";
        faults.at("limits.stanza_bytes_max", "is too small", fix);
    }
    // Every limit is finite and none is nothing, or the server would refuse everybody.
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(limits) {
        for (key, value) in fields {
            if value.as_u64() == Some(0) {
                faults.at(&format!("limits.{key}"), "must not be 0", "leave it out for the default");
            }
        }
    }
    if sections.storage.queue_bytes_max < sections.limits.stanza_bytes_max {
        let fix = "67108864 (64 MiB) is the default";
        faults.at("storage.queue_bytes_max", "must hold at least limits.stanza_bytes_max", fix);
    }
    if sections.storage.timeout_ms == 0 {
        faults.at("storage.timeout_ms", "must not be 0", "5000 is the default");
    }
    if !(1..=60).contains(&sections.cluster.fenced_seconds_max) {
        faults.at("cluster.fenced_seconds_max", "must be 1 to 60", "2 is the default");
    }
    if !(1..=2).contains(&sections.cluster.min_copies) {
        faults.at("cluster.min_copies", "must be 1 or 2", "1 is the default");
    }
    if !(1..=3_600).contains(&sections.storage.queue_seconds_max) {
        faults.at("storage.queue_seconds_max", "must be between 1 and 3600", "30 is the default");
    }
    if sections.storage.tail_seconds_max > 600 {
        faults.at("storage.tail_seconds_max", "must be at most 600", "10 is the default");
    }
    if !(ITERATIONS_MIN..=1_000_000).contains(&sections.auth.iterations) {
        let fix = "10000 is the default; RFC 7677 §4 asks for 4096 at least, and a client has to do them all";
        faults.at("auth.iterations", "must be between 4096 and 1000000", fix);
    }
    for (key, value) in [
        ("guards.log_ins_at_once_max", sections.guards.log_ins_at_once_max),
        ("guards.log_ins_waiting_max", sections.guards.log_ins_waiting_max),
    ] {
        if value == 0 {
            faults.at(key, "must not be 0", "leave it out for the default");
        }
    }
    if sections.tls.reload_seconds == 0 {
        faults.at("tls.reload_seconds", "must not be 0", "60 is the default");
    }
    if sections.log.level.parse::<tracing_subscriber::filter::Targets>().is_err() {
        let fix = "for example \"info\", or \"info,muster_cluster=debug\"";
        faults.at("log.level", format!("{:?} is not a level", sections.log.level), fix);
    }
    let buckets = &sections.metrics.buckets_seconds;
    if buckets.is_empty()
        || !buckets.is_sorted()
        || buckets.iter().any(|bound| !bound.is_normal() || *bound < 0.0)
    {
        faults.at("metrics.buckets_seconds", "must rise from above 0", "leave it out for the default");
    }
}
