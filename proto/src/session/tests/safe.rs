//! Managed clients whose node outlives the owner of their account, and stanzas that are counted late.

use jid::BareJid;

use super::*;
use crate::feature::Features;
use crate::machine::{Effect, Env, Machine, Out, SocketId, Timestamp, ToSocket};
use crate::session::{Ask, Change, Input, Session, Word};
use crate::stanza::MessageType;
use crate::store::{Query, Reply, StoreError};
use crate::testing::options;

const MESSAGE: &str = "<message to='romeo@montague.lit' type='chat'><body/></message>";

/// One step of a machine that stands alone.
fn step(session: &mut Session, input: Input) -> Out<Session> {
    with_env(|env, out| session.handle(input, env, out))
}

fn with_env(step: impl FnOnce(&Env<'_>, &mut Out<Session>)) -> Out<Session> {
    let (options, features, mut out) = (options(), Features::new(vec![]), Out::default());
    let env = Env { now: Timestamp(1), random: 1, options: &options, features: &features };
    step(&env, &mut out);
    out
}

/// Juliet's session, with one client.
fn juliet() -> Session {
    let mut session = Session::new(BareJid::new("juliet@capulet.lit").unwrap(), vec![]);
    let socket = SocketId { node: 1, number: 1 };
    let ask = Ask::Bind { resource: Some("balcony".into()), anonymous: true };
    step(&mut session, Input::Enter { socket, ask, instead_of: None });
    session
}

#[test]
fn a_stanza_is_counted_when_all_that_it_led_to_is_safe() {
    let mut session = juliet();
    let (sid, socket) = (session.resources[0].sid, session.resources[0].socket);
    let word = |word| Input::Word { sid, socket, word };
    step(&mut session, word(Word::Enable { resume: false, max: None }));
    let said = || word(Word::Stanza(1, crate::testing::stanza(MESSAGE)));
    let out = step(&mut session, said());
    assert!(out.changes.is_empty() && matches!(&out.effects[..], [Effect::Route(_)]));
    assert!(step(&mut session, said()).effects.is_empty(), "it has come before");
    let heard = |session: &Session| session.resources[0].managed.as_ref().unwrap().heard;
    assert_eq!(heard(&session), 0);
    session.count(sid, 2, &mut Out::default());
    assert_eq!(heard(&session), 0, "nobody said that");
    session.count(sid, 1, &mut Out::default());
    assert_eq!(heard(&session), 1);
}

#[test]
fn a_socket_that_outlives_its_owner_gets_what_it_did_not_write() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    world.enables(juliet, true, None);
    for _ in 1..=3 {
        world.says(romeo, &MESSAGE.replace("romeo@montague.lit", JULIET));
    }
    world.acks(juliet, 1);
    let told = world.takes(juliet);
    let mut session = world.session("juliet@capulet.lit").unwrap().clone();
    let (sid, socket) = (session.resources[0].sid, session.resources[0].socket);
    let mut reattach = |socket, wrote| -> Vec<ToSocket> {
        let effects = step(&mut session, Input::Reattach { sid, socket, wrote }).effects.into_iter();
        effects.map(|effect| if let Effect::Socket(_, told) = effect { told } else { panic!() }).collect()
    };
    assert_eq!(reattach(socket, Some(2)), told[told.len() - 1..], "as it was written the first time");
    let other = reattach(SocketId { node: 9, ..socket }, Some(2));
    assert!(matches!(&other[..], [ToSocket::Interrupt(_)]), "a connection that was replaced");
}

#[test]
fn what_was_long_under_way_disturbs_no_session_that_came_after() {
    let mut session = Session::new(BareJid::new("juliet@capulet.lit").unwrap(), vec![]);
    let (late, socket) = (SocketId { node: 1, number: 1 }, SocketId { node: 2, number: 7 });
    let bind = || Ask::Bind { resource: Some("balcony".into()), anonymous: true };
    step(&mut session, Input::Enter { socket, ask: bind(), instead_of: None });
    let sid = session.resources[0].sid;
    step(&mut session, Input::Word { sid, socket, word: Word::Enable { resume: true, max: None } });
    let id = crate::session::managed::id(sid, session.resources[0].managed.as_ref().unwrap().nonce);
    for ask in [bind(), Ask::Resume { id, h: 0 }] {
        // What it says of one that came before may have been under way as long.
        for instead_of in [None, Some(SocketId { node: 2, number: 6 })] {
            let out = step(&mut session, Input::Enter { socket: late, ask: ask.clone(), instead_of });
            let asked = (late, ToSocket::AskAgain(socket));
            assert!(
                matches!(&out.effects[..], [Effect::Socket(to, told)] if (*to, told) == (asked.0, &asked.1))
            );
            assert!(out.changes.is_empty(), "its connection may be gone");
        }
    }
    step(&mut session, Input::Enter { socket: late, ask: bind(), instead_of: Some(socket) });
    assert_eq!(session.resources[0].socket, late, "the new one wins if it is there (RFC 6120 §7.7.2.2)");
}

#[test]
fn what_comes_for_who_has_left_is_known_to_be_refused() {
    let mut session = juliet();
    for kind in ["groupchat", "normal"] {
        let from = "cave@conference.capulet.lit/romeo";
        let xml = format!("<message type='{kind}' from='{from}' to='juliet@capulet.lit/gone'/>");
        let out = step(&mut session, Input::Stanza(crate::testing::stanza(&xml)));
        assert_eq!(out.changes, [Change::Refused]);
        let answers = |effect: &Effect<Session>| matches!(effect, Effect::Route(error) if error.kind == Kind::Message(MessageType::Error));
        assert!(out.effects.len() == 1 && out.effects.iter().all(answers), "{kind}");
    }
}

/// Her messages were being read for her when the owner of her account died; its heir knows that they wait, and that she is there.
#[test]
fn what_an_owner_was_handing_over_when_it_died_its_heir_hands_over_before_what_is_newer() {
    let mut session = juliet();
    let sid = session.resources[0].sid;
    step(&mut session, Input::Client { sid, stanza: crate::testing::stanza("<presence/>") });
    session.anonymous = false;
    session.apply(Change::Kept(7));
    let said = || {
        let xml = "<message type='chat' from='romeo@montague.lit/x' to='juliet@capulet.lit'><body>newer</body></message>";
        Input::Stanza(crate::testing::stanza(xml))
    };
    let is_read = |effect: &Effect<Session>| matches!(effect, Effect::Ask(Query::Page(..), _));
    let mut heir = session.clone();
    let newer = step(&mut heir, said()).effects;
    assert!(matches!(&newer[..], [read, Effect::Store(..)] if is_read(read)), "it queues behind them");
    // Nobody needs to write to her.
    let mut heir = session.clone();
    let went_on = with_env(|env, out| heir.go_on(1, env, out));
    assert!(went_on.effects.len() == 1 && went_on.effects.iter().all(is_read));
    // While one of them may still be written, the store may not have it yet.
    let Some(Effect::Ask(_, then)) = went_on.effects.into_iter().next() else { panic!() };
    with_env(|env, out| then(&mut heir, Ok(Reply::Page(vec![])), env, out));
    assert_eq!(heir.offline.count, 1);
    // What cannot be read holds up nothing.
    let mut heir = session.clone();
    let Some(Effect::Ask(_, then)) = with_env(|env, out| heir.go_on(0, env, out)).effects.into_iter().next()
    else {
        panic!()
    };
    with_env(|env, out| then(&mut heir, Err(StoreError::Away(String::new())), env, out));
    let newer = step(&mut heir, said()).effects;
    assert!(matches!(&newer[..], [Effect::Socket(..), read] if is_read(read)));
}
