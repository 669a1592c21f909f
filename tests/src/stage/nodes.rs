//! The stages with nodes: one, or a cluster of three over one SQLite file, in this process, on loopback ports of its own.
//!
//! Scenes share them: they are started when the first scene needs them and end with the process.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use muster::config::Kind;
use muster::{Config, Node, Running};

use super::certificates::Authority;
use super::{House, PASSWORD};
use crate::client::mask::DOMAINS;
use crate::client::pipe::Tcp;
use crate::client::{Mask, Pipe};

/// How long nodes may take to find each other.
const START_TIME_MAX: Duration = Duration::from_secs(60);
/// Scenes that one process plays on nodes, at most: each has an administrator of its own.
const SCENES_MAX: usize = 2_000;

/// The client listeners of each node, in the order of its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Without TLS.
    Plain,
    /// TLS by STARTTLS.
    StartTls,
    /// TLS from the first byte.
    Direct,
}

/// Some nodes that act as one domain.
pub struct Nodes {
    folder: Folder,
    authority: Authority,
    gossip: Vec<SocketAddr>,
    settings: String,
    nodes: Mutex<Vec<Option<Running>>>,
    accounts: Mutex<HashSet<String>>,
}

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Nodes {
    /// The one node that scenes share.
    pub fn one() -> Arc<Self> {
        static ONE: OnceLock<Arc<Nodes>> = OnceLock::new();
        ONE.get_or_init(|| Arc::new(Self::start(1, ""))).clone()
    }

    /// The three nodes that scenes share.
    pub fn three() -> Arc<Self> {
        static THREE: OnceLock<Arc<Nodes>> = OnceLock::new();
        THREE.get_or_init(|| Arc::new(Self::start(3, ""))).clone()
    }

    /// Starts so many nodes with these further settings, and waits until all of them see all.
    ///
    /// # Panics
    /// They do not start.
    pub fn start(count: usize, settings: &str) -> Self {
        let nodes = Self::prepare(count, settings);
        (0..count).for_each(|number| nodes.run(number));
        nodes.wait_for(count);
        nodes
    }

    /// Makes all that so many nodes need, and runs none of them.
    pub fn prepare(most: usize, settings: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        sweep();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("{FOLDER}{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the nodes");
        let reserved: Vec<_> =
            (0..most).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a free port")).collect();
        let gossip = reserved.iter().map(|socket| socket.local_addr().expect("bound")).collect();
        let authority = Authority::new();
        authority.write(&folder, most);
        let nodes = std::iter::repeat_with(|| None).take(most).collect();
        Self {
            folder: Folder(folder),
            authority,
            gossip,
            settings: settings.to_owned(),
            nodes: Mutex::new(nodes),
            accounts: Mutex::default(),
        }
    }

    /// Runs a node.
    ///
    /// # Panics
    /// It does not start.
    pub fn run(&self, number: usize) {
        let running =
            Node::start(self.config(number)).unwrap_or_else(|error| panic!("node {number}: {error}"));
        self.nodes.lock().expect("no scene panics here")[number] = Some(running);
    }

    /// Takes a node out of the hands of this, to stop or kill it.
    ///
    /// # Panics
    /// It does not run.
    pub fn take(&self, number: usize) -> Running {
        self.nodes.lock().expect("no scene panics here")[number].take().expect("the node runs")
    }

    /// Waits until all nodes that run agree that so many are up, and each of them is ready.
    ///
    /// # Panics
    /// They do not in time.
    pub fn wait_for(&self, up: usize) {
        self.wait_until(START_TIME_MAX, &format!("{up} nodes are up"), |statuses| {
            let first = statuses[0]["epoch"].as_u64();
            statuses.iter().all(|status| status["epoch"].as_u64() == first && Self::count(status, "up") == up)
        });
        let nodes = self.nodes.lock().expect("no scene panics here");
        for node in nodes.iter().flatten() {
            assert!(node.wait_until_ready(START_TIME_MAX), "a member becomes ready");
        }
    }

    /// Whether all nodes that run agree that so many are up, and no slot is on its way.
    pub fn are_settled(&self, up: usize) -> bool {
        let statuses = self.statuses();
        let is_settled = |status: &serde_json::Value| {
            status["epoch"] == statuses[0]["epoch"]
                && Self::count(status, "up") == up
                && status["slots_arriving"] == 0
                && status["slots_leaving"] == 0
        };
        statuses.iter().all(is_settled)
    }

    /// How many nodes are in this state, as one of them sees it.
    pub fn count(status: &serde_json::Value, state: &str) -> usize {
        let nodes = status["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        // What a member owns is told by the table that the node acts by.
        let acts = |node: &&serde_json::Value| state != "up" || node["sessions_owned"].as_u64() > Some(0);
        nodes.iter().filter(|node| node["member"]["state"] == state).filter(acts).count()
    }

    /// Waits until this is true of what all running nodes see of the cluster.
    ///
    /// # Panics
    /// It is not in time.
    pub fn wait_until(&self, most: Duration, what: &str, is_so: impl Fn(&[serde_json::Value]) -> bool) {
        let deadline = Instant::now() + most;
        loop {
            let statuses: Vec<_> = self.statuses();
            if statuses.iter().all(|status| !status.is_null()) && is_so(&statuses) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: not within {most:?}; the nodes see {statuses:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What every running node sees of the cluster; null while it starts.
    pub fn statuses(&self) -> Vec<serde_json::Value> {
        let nodes = self.nodes.lock().expect("no scene panics here");
        let status = |node: &Running| match node.system() {
            Some(system) => serde_json::to_value(system.status()).expect("a status is JSON"),
            None => serde_json::Value::Null,
        };
        nodes.iter().flatten().map(status).collect()
    }

    /// The name of the node that owns an account or a room now.
    ///
    /// # Panics
    /// No node runs.
    pub fn owner_of(&self, jid: &str) -> String {
        let nodes = self.nodes.lock().expect("no scene panics here");
        let system = nodes.iter().flatten().find_map(Running::system).expect("a node runs");
        let jid = muster_proto::Jid::new(jid).expect("the scene's JID is valid");
        system.ring(&jid).owner.expect("every slot has an owner")
    }

    /// The address of a node's listener.
    ///
    /// # Panics
    /// It does not run.
    pub fn address(&self, number: usize, door: Door) -> SocketAddr {
        let nodes = self.nodes.lock().expect("no scene panics here");
        nodes[number].as_ref().expect("the node runs").addresses(Kind::Client)[door as usize]
    }

    /// Who signs the certificates.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// How many nodes there can be.
    pub fn most(&self) -> usize {
        self.gossip.len()
    }

    /// Makes an account through the admin API of a node that runs.
    ///
    /// # Panics
    /// It refuses.
    pub fn account(&self, jid: &str) {
        if !self.accounts.lock().expect("no scene panics here").insert(jid.to_owned()) {
            return;
        }
        let (status, text) = self.admin("users", &serde_json::json!({ "jid": jid, "password": PASSWORD }));
        assert!([201, 409].contains(&status), "{jid} can be made: {status} {text}");
    }

    /// Posts to the admin API of the first node that runs; yields the status and the text of the answer.
    fn admin(&self, path: &str, body: &serde_json::Value) -> (u16, String) {
        let (number, address) = {
            let nodes = self.nodes.lock().expect("no scene panics here");
            let running = nodes.iter().enumerate().find_map(|(number, node)| Some((number, node.as_ref()?)));
            let (number, node) = running.expect("a node runs");
            (number, node.addresses(Kind::Http)[0])
        };
        let token = std::fs::read_to_string(self.folder.0.join(format!("node-{number}/admin-token")));
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent
            .post(format!("http://{address}/admin/{path}"))
            .header("Authorization", format!("Bearer {}", token.expect("a token").trim()))
            .send_json(body)
            .expect("the admin API answers");
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap_or_default())
    }

    fn config(&self, number: usize) -> Config {
        let seeds: Vec<_> =
            self.gossip.iter().map(|address| format!("{address:?}")).map(|it| format!("\"{it}\"")).collect();
        let links = match self.gossip.len() {
            1 => String::new(),
            _ => format!(
                "[[listener]]\nkind = \"link\"\naddress = \"127.0.0.1:5\"\n[[listener]]\nkind = \"gossip\"\naddress = \"{}\"\n\
                 [cluster]\nkey_file = \"cluster.key\"\nca = \"ca.pem\"\ncertificate = \"node-{number}.crt\"\nkey = \"node-{number}.key\"\nseeds = [{}]\n",
                self.gossip[number],
                seeds.join(", "),
            ),
        };
        let text = format!(
            "[node]\nid = \"node-{number}\"\ndata = \"node-{number}\"\narbiters = 2\n{}\
             [[listener]]\nkind = \"client\"\naddress = \"127.0.0.1:1\"\ntls = \"none\"\nguarded = false\n\
             [[listener]]\nkind = \"client\"\naddress = \"127.0.0.1:2\"\ntls = \"starttls\"\nguarded = false\n\
             [[listener]]\nkind = \"client\"\naddress = \"127.0.0.1:3\"\ntls = \"direct\"\nguarded = false\n\
             [[listener]]\nkind = \"http\"\naddress = \"127.0.0.1:4\"\n{links}\
             [tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\nclient_ca = \"ca.pem\"\n\
             [storage]\nkind = \"sqlite\"\npath = \"muster.db\"\nsynchronous = \"normal\"\n{}",
            domains(),
            self.settings,
        );
        std::fs::create_dir_all(self.folder.0.join(format!("node-{number}"))).expect("a folder for the node");
        let mut config = Config::parse(&self.folder.0.join("muster.toml"), &text, &[])
            .unwrap_or_else(|error| panic!("the nodes' configuration is valid: {error}"));
        for listener in &mut config.listeners {
            // Any free port; the file may not say so.
            if listener.kind != Kind::Gossip {
                listener.address.set_port(0);
            }
        }
        config
    }

    /// Where the nodes keep their files.
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }
}

/// The domains of every stage, with an administrator for each scene.
fn domains() -> String {
    let one = |name: &&str| {
        let admins: Vec<_> =
            (0..SCENES_MAX).map(|scene| format!("\"{}@{name}\"", Mask::of(scene).name("admin"))).collect();
        let is_open = *name == "verona.lit";
        format!(
            "[[domain]]\nname = \"{name}\"\nadmins = [{}]\nanonymous = {is_open}\nregistration = {is_open}\n",
            admins.join(", ")
        )
    };
    DOMAINS.iter().map(one).collect()
}

const FOLDER: &str = "muster-scenes-";

/// Removes what processes that were killed have left behind.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(|name| name.strip_prefix(FOLDER)) else { continue };
        let pid = owner.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(pid).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Nodes as the house of one scene.
pub struct NodesHouse {
    nodes: Arc<Nodes>,
    doors: Vec<usize>,
    next: usize,
}

impl NodesHouse {
    /// The house of a scene. Players go to these nodes in turn, beginning with the one at this place.
    pub fn new(nodes: Arc<Nodes>, doors: Vec<usize>, first: usize) -> Self {
        Self { nodes, doors, next: first }
    }
}

impl House for NodesHouse {
    fn name(&self) -> &'static str {
        if self.nodes.gossip.len() == 1 { "node" } else { "cluster" }
    }

    fn account(&mut self, jid: &str) {
        self.nodes.account(jid);
    }

    fn dial(&mut self) -> Box<dyn Pipe> {
        let number = self.doors[self.next % self.doors.len()];
        self.next += 1;
        Box::new(Tcp::dial(self.nodes.address(number, Door::Plain)))
    }
}
