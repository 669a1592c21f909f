//! Which node has which ports and files.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;

use jid::BareJid;

use super::{Failure, Up, refused};

/// What is to be started.
pub(super) struct Plan {
    pub(super) dir: PathBuf,
    pub(super) domain: String,
    pub(super) plaintext: bool,
    pub(super) nodes: Vec<NodePlan>,
}

/// One node of it.
pub(super) struct NodePlan {
    pub(super) id: String,
    pub(super) folder: PathBuf,
    pub(super) plain: SocketAddr,
    pub(super) starttls: SocketAddr,
    pub(super) direct: SocketAddr,
    pub(super) link: SocketAddr,
    pub(super) gossip: SocketAddr,
    pub(super) http: SocketAddr,
}

impl Plan {
    /// Lays out ports and folders.
    pub(super) fn new(up: &Up) -> Result<Self, Failure> {
        if up.nodes == 0 || up.nodes > 64 {
            return Err(refused("--nodes must be between 1 and 64"));
        }
        let last = u32::from(up.port) + u32::from(up.nodes) * 10 + 58;
        if up.port < 1025 || last > 65_535 {
            return Err(refused(format!(
                "--port {} leaves no room for {} nodes: use 5222",
                up.port, up.nodes
            )));
        }
        let domain = match BareJid::new(&up.domain) {
            Ok(jid) if jid.node().is_none() => jid.domain().to_string(),
            _ => return Err(refused(format!("--domain {:?} is not the name of a domain", up.domain))),
        };
        let dir = std::path::absolute(&up.dir).map_err(refused)?;
        let nodes = (0..up.nodes).map(|number| NodePlan::new(&dir, up.port, number)).collect();
        Ok(Self { dir, domain, plaintext: up.plaintext, nodes })
    }

    /// Refuses ports that are taken, before anything is started.
    pub(super) fn check_ports(&self) -> Result<(), Failure> {
        for node in &self.nodes {
            let tcp = [node.starttls, node.direct, node.link, node.http];
            let plain = self.plaintext.then_some(node.plain);
            for address in tcp.into_iter().chain(plain) {
                TcpListener::bind(address).map_err(|error| taken(address, &node.id, &error))?;
            }
            UdpSocket::bind(node.gossip).map_err(|error| taken(node.gossip, &node.id, &error))?;
        }
        Ok(())
    }
}

fn taken(address: SocketAddr, node: &str, error: &std::io::Error) -> Failure {
    refused(format!(
        "port {} of {node} cannot be used: {error}. Stop the program that uses it (`ss -lntup sport = :{0}` shows it), \
         or choose other ports with PORT=6222 (--port 6222)",
        address.port()
    ))
}

impl NodePlan {
    fn new(dir: &std::path::Path, first: u16, number: u16) -> Self {
        let at = |offset: i32| {
            let port = i32::from(first) + i32::from(number) * 10 + offset;
            let port = u16::try_from(port).expect("the plan leaves room for every port");
            SocketAddr::from((Ipv4Addr::LOCALHOST, port))
        };
        let id = format!("node-{number}");
        Self {
            folder: dir.join(&id),
            id,
            plain: at(-1),
            starttls: at(0),
            direct: at(1),
            link: at(52),
            gossip: at(53),
            http: at(58),
        }
    }
}
