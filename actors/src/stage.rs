//! What tests of actors play on.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use actix_rt::Arbiter;
use muster_cluster::{Incarnation, Member, NodeId, Roles, State, Table, View};
use muster_proto::feature::Features;
use muster_proto::machine::SocketId;
use muster_proto::options::{Domain, Limits, Options};
use muster_proto::sasl::Credentials;
use muster_proto::store::{Key, Write, collection};

use crate::floor::Floor;
use crate::listener::{ClientListener, ListenerTls};
use crate::socket::{Connection, Wire};
use crate::storage::{Batch, Memory, Storage};
use crate::throttle::{Guards, Throttle};
use crate::world::{Parts, World};

/// A table of a view with these members: name, incarnation and state of each.
pub fn table(epoch: u64, members: &[(&str, u64, State)]) -> Table {
    let member = |(name, incarnation, state): &(&str, u64, State)| Member {
        node: NodeId::new(name).unwrap(),
        incarnation: Incarnation(*incarnation),
        zone: String::new(),
        weight: 100,
        roles: Roles::all(),
        state: *state,
        voter: true,
        link: None,
    };
    Table::new(View { epoch, members: members.iter().map(member).collect(), trail: vec![] })
}

/// A node of its own on this thread, with two accounts.
pub async fn world(features: Features, limits: Limits) -> Arc<World> {
    let storage = Arc::new(Memory::default());
    let credentials = Credentials::derive("r0m30", [1; 32], 16).unwrap();
    let json = serde_json::to_vec(&credentials).unwrap();
    let account = |name: &str| Write::Put(Key::new(collection::CREDENTIALS, name), json.clone());
    let writes = vec![account("romeo@capulet.lit"), account("juliet@capulet.lit")];
    storage.write(Batch::unfenced(writes)).await.unwrap();
    let domain = Domain {
        name: "capulet.lit".into(),
        conference: "conference.capulet.lit".into(),
        admins: vec![],
        anonymous: false,
        registration: false,
    };
    let world = Arc::new(World::new(Parts {
        options: Options { domains: vec![domain], limits, ..Options::default() },
        features,
        storage,
        known: Arc::default(),
        throttle: Throttle::new(Guards::default()),
        floors: vec![Floor::Arbiter(Arbiter::current())],
        fenced_time_max: crate::fence::FENCED_TIME_MAX,
        copies_min: 1,
        log_jids: true,
    }));
    world.set_me(7);
    world.set_table(Arc::new(table(1, &[("alone", 7, State::Up)])));
    world
}

/// A connection of this node, and its other end.
pub fn connection(world: &Arc<World>) -> (SocketId, TcpStream) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(port.local_addr().unwrap()).unwrap();
    let (tcp, address) = port.accept().unwrap();
    let admission = world.throttle.admit(address.ip(), false).unwrap();
    let listener = Arc::new(ClientListener::new(ListenerTls::None, false, None));
    world.sockets.open(world, Connection { wire: Wire::Tcp(tcp), listener, admission });
    (SocketId { node: 7, number: 1 }, client)
}
