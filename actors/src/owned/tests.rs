//! A machine that panics loses one step and nothing else; what comes again is handled once, and not safe before it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use muster_proto::feature::{Cx, Door, Feature, Features, Place, Power, Spec};
use muster_proto::options::Limits;
use muster_proto::session::{Ask, Input, Session};
use muster_proto::stanza::{Stanza, StanzaError};
use muster_proto::store::{Key, Query, Reply, collection};

use super::Call;
use crate::receipt::{Label, Receipt, Via};
use crate::stage;
use crate::world::World;

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

async fn clumsy_world(clumsy: Arc<AtomicBool>) -> Arc<World> {
    stage::world(Features::new(vec![Box::new(Clumsy(clumsy))]), Limits::default()).await
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
        let world = clumsy_world(Arc::default()).await;
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
        let world = clumsy_world(clumsy.clone()).await;
        let (socket, _client) = stage::connection(&world);
        let ask = Ask::Bind { resource: Some("a".into()), anonymous: false };
        let bind = Input::Enter { socket, ask, instead_of: None };
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

#[test]
fn what_comes_again_is_not_safe_before_what_came_first() {
    actix::System::new().block_on(async {
        let world = clumsy_world(Arc::default()).await;
        let safe = Arc::new(Mutex::new(vec![]));
        for time in ["first", "again"] {
            let xml = "<message xmlns='jabber:client' from='romeo@capulet.lit/a' to='juliet@capulet.lit' \
                       type='chat' id='one'><body>Hist!</body></message>";
            let safe = safe.clone();
            let receipt = Receipt::new(move || safe.lock().unwrap().push(time));
            world.route(Stanza::parse(xml.as_bytes()).unwrap(), Via::new(receipt, Some(Label::new(7, 1, 1))));
        }
        let kept = Query::Count(Key::new(collection::OFFLINE, "juliet@capulet.lit"));
        stored(&world, kept.clone(), |_| safe.lock().unwrap().len() == 2).await;
        assert_eq!(*safe.lock().unwrap(), ["first", "again"]);
        stored(&world, kept, |reply| *reply == Reply::Count(1)).await;
    });
}
