//! A machine that panics loses one step and nothing else.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_rt::Arbiter;
use muster_cluster::{Incarnation, Member, NodeId, Roles, State as Standing, Table, View};
use muster_proto::feature::{Cx, Door, Feature, Features, Place, Power, Spec};
use muster_proto::machine::SocketId;
use muster_proto::options::{Domain, Options};
use muster_proto::sasl::Credentials;
use muster_proto::session::{Ask, Input, Session};
use muster_proto::stanza::{Stanza, StanzaError};
use muster_proto::store::{Key, Query, Reply, Write, collection};

use super::Call;
use crate::floor::Floor;
use crate::listener::{ClientListener, ListenerTls};
use crate::receipt::Via;
use crate::socket::{Connection, Wire};
use crate::storage::{Batch, Memory, Storage};
use crate::throttle::{Guards, Throttle};
use crate::world::{Parts, World};

const ROOM: &str = "hall@conference.capulet.lit";

/// Falls over a message with the id `fall`, and over a look at a room while it is told to.
struct Clumsy(Arc<AtomicBool>);

impl Feature for Clumsy {
    fn spec(&self) -> Spec {
        Spec { name: "clumsy", version: "", title: "" }
    }

    fn advertises(&self, place: Place) -> &'static [&'static str] {
        assert!(place != Place::Room || !self.0.load(Ordering::Relaxed), "fallen over a room, on purpose");
        &[]
    }

    fn stands(&self) -> &'static [(Door, Power)] {
        &[(Door::AtAccount, Power::Guard)]
    }

    fn guard(&self, _: Door, _: &mut Cx<'_, '_>, stanza: &Stanza) -> Result<(), StanzaError> {
        assert!(stanza.id.as_deref() != Some("fall"), "fallen, on purpose");
        Ok(())
    }
}

async fn world(clumsy: Arc<AtomicBool>) -> Arc<World> {
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
        options: Options { domains: vec![domain], ..Options::default() },
        features: Features::new(vec![Box::new(Clumsy(clumsy))]),
        storage,
        known: Arc::default(),
        throttle: Throttle::new(Guards::default()),
        floors: vec![Floor::Arbiter(Arbiter::current())],
        fenced_time_max: crate::fence::FENCED_TIME_MAX,
        copies_min: 1,
        log_jids: true,
    }));
    world.set_me(7);
    let me = Member {
        node: NodeId::new("alone").unwrap(),
        incarnation: Incarnation(7),
        zone: String::new(),
        weight: 100,
        roles: Roles::all(),
        state: Standing::Up,
        voter: true,
        link: None,
    };
    world.set_table(Arc::new(Table::new(View { epoch: 1, members: vec![me], trail: vec![] })));
    world
}

/// A connection of this node, and its other end.
fn connection(world: &Arc<World>) -> (SocketId, TcpStream) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(port.local_addr().unwrap()).unwrap();
    let (tcp, address) = port.accept().unwrap();
    let admission = world.throttle.admit(address.ip(), false).unwrap();
    let listener = Arc::new(ClientListener::new(ListenerTls::None, false, None));
    world.sockets.open(world, Connection { wire: Wire::Tcp(tcp), listener, peer: address.ip(), admission });
    (SocketId { node: 7, number: 1 }, client)
}

fn says(world: &Arc<World>, xml: &str) {
    let xml = xml.replacen(' ', " xmlns='jabber:client' ", 1);
    world.route(Stanza::parse(xml.as_bytes()).unwrap(), Via::default());
}

/// Waits until the store says so.
async fn stored(world: &Arc<World>, query: Query, is: impl Fn(&Reply) -> bool) {
    let look = async {
        while !is(&world.storage.query(query.clone()).await.unwrap()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), look).await.expect("the store hears of it");
}

#[test]
fn a_session_that_panics_goes_on_with_the_next_stanza() {
    actix::System::new().block_on(async {
        let world = world(Arc::default()).await;
        for id in ["fall", "stands"] {
            let to = "to='juliet@capulet.lit' from='romeo@capulet.lit/a' type='chat'";
            says(&world, &format!("<message {to} id='{id}'><body>Hist!</body></message>"));
        }
        let kept = Query::Count(Key::new(collection::OFFLINE, "juliet@capulet.lit"));
        stored(&world, kept, |reply| *reply == Reply::Count(1)).await;
        assert!(!world.warden.is_over_budget("juliet@capulet.lit"));
    });
}

#[test]
fn a_room_that_panics_keeps_its_occupants() {
    actix::System::new().block_on(async {
        let clumsy = Arc::new(AtomicBool::new(false));
        let world = world(clumsy.clone()).await;
        let (socket, _client) = connection(&world);
        let ask = Ask::Bind { resource: Some("a".into()), anonymous: false };
        let bind = Input::Enter { socket, ask, again: false };
        world.call::<Session>(&"romeo@capulet.lit".parse().unwrap(), Call::Input(bind, Via::default()));
        let romeo = "from='romeo@capulet.lit/a'";
        says(
            &world,
            &format!(
                "<presence {romeo} to='{ROOM}/Romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
            ),
        );
        let form = "<x xmlns='jabber:x:data' type='submit'>\
                    <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>\
                    <field var='muc#roomconfig_persistentroom'><value>1</value></field></x>";
        let query = format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>");
        says(&world, &format!("<iq {romeo} to='{ROOM}' type='set' id='c'>{query}</iq>"));
        let room = Query::Document(Key::new(collection::ROOM, ROOM));
        stored(&world, room.clone(), |reply| matches!(reply, Reply::Document(Some(_)))).await;

        clumsy.store(true, Ordering::Relaxed);
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        says(&world, &format!("<iq {romeo} to='{ROOM}' type='get' id='d'>{info}</iq>"));
        // Only who is in the room may do this.
        says(
            &world,
            &format!("<message {romeo} to='{ROOM}' type='groupchat'><subject>Still here</subject></message>"),
        );
        let has_subject = |reply: &Reply| match reply {
            Reply::Document(Some(bytes)) => String::from_utf8_lossy(bytes).contains("Still here"),
            _ => false,
        };
        stored(&world, room, has_subject).await;
    });
}
