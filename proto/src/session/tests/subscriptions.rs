//! Subscriptions between two accounts (RFC 6121 §3); the tables themselves are tested beside them.

use proptest::prelude::*;

use super::*;
use crate::BareJid;
use crate::ns;
use crate::session::subscription::State;

fn roster(world: &mut World, client: Client) {
    world.says(client, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    world.hears(client);
}

/// What was heard, pushes as `push jid subscription ask approved`.
fn story(world: &mut World, client: Client) -> Vec<String> {
    let line = |stanza: Stanza| match stanza.child("query", ns::ROSTER) {
        Some(query) => {
            let item = query.children().next().unwrap();
            let attr =
                |name: &str| item.attr(name).map(|value| format!(" {name}={value}")).unwrap_or_default();
            format!("push {}{}{}", item.attr("subscription").unwrap(), attr("ask"), attr("approved"))
        }
        None => short(vec![stanza]).remove(0),
    };
    world.hears(client).into_iter().map(line).collect()
}

#[test]
fn a_request_is_made_and_granted() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.enter(JULIET));
    roster(&mut world, romeo);
    roster(&mut world, juliet);
    world.says(romeo, "<presence type='subscribe' to='juliet@capulet.lit/balcony'/>");
    assert_eq!(story(&mut world, romeo), ["push none ask=subscribe"]);
    assert_eq!(story(&mut world, juliet), ["presence subscribe romeo@montague.lit"]);
    world.says(juliet, "<presence type='subscribed' to='romeo@montague.lit'/>");
    assert_eq!(story(&mut world, juliet), ["push from"]);
    let expected =
        ["presence subscribed juliet@capulet.lit".into(), format!("presence {JULIET}"), "push to".into()];
    assert_eq!(story(&mut world, romeo), expected);
    world.says(juliet, "<presence type='subscribe' to='romeo@montague.lit'/>");
    world.says(romeo, "<presence type='subscribed' to='juliet@capulet.lit'/>");
    let expected = [
        "push from ask=subscribe".into(),
        "presence subscribed romeo@montague.lit".into(),
        format!("presence {ROMEO}"),
        "push both".into(),
    ];
    assert_eq!(story(&mut world, juliet), expected);
    assert_eq!(story(&mut world, romeo), ["presence subscribe juliet@capulet.lit", "push both"]);
}

#[test]
fn a_request_waits_for_whoever_comes_until_it_is_answered() {
    let mut world = World::default();
    world.account("juliet@capulet.lit");
    let romeo = world.enter(ROMEO);
    world.says(romeo, "<presence type='subscribe' to='juliet@capulet.lit'><status>Hello</status></presence>");
    let expected = [format!("presence {JULIET}"), "presence subscribe romeo@montague.lit".to_owned()];
    for _ in 0..2 {
        let juliet = world.bind(JULIET);
        world.says(juliet, "<presence/>");
        let heard = world.hears(juliet);
        assert_eq!(heard[1].child_text("status").as_deref(), Some("Hello"));
        assert_eq!(short(heard), expected);
        world.leaves(juliet);
    }
    let juliet = world.enter(JULIET);
    roster(&mut world, juliet);
    world.says(juliet, "<presence type='unsubscribed' to='romeo@montague.lit'/>");
    assert_eq!(story(&mut world, juliet), [""; 0], "a refusal leaves no trace in the roster");
    assert_eq!(story(&mut world, romeo), ["presence unsubscribed juliet@capulet.lit"]);
    world.leaves(juliet);
    let juliet = world.bind(JULIET);
    world.says(juliet, "<presence/>");
    assert_eq!(story(&mut world, juliet), [format!("presence {JULIET}")]);
}

#[test]
fn an_answer_reaches_who_was_not_there() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.enter(JULIET));
    world.says(romeo, "<presence type='subscribe' to='juliet@capulet.lit'/>");
    world.leaves(romeo);
    world.says(juliet, "<presence type='subscribed' to='romeo@montague.lit'/>");
    let romeo = world.bind(ROMEO);
    world.says(romeo, "<presence/>");
    assert_eq!(story(&mut world, romeo), [format!("presence {ROMEO}"), format!("presence {JULIET}")]);
}

#[test]
fn a_contact_is_no_longer_shown_the_user() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    roster(&mut world, romeo);
    roster(&mut world, juliet);
    world.says(juliet, "<presence type='unsubscribed' to='romeo@montague.lit'/>");
    assert_eq!(story(&mut world, juliet), ["push to"]);
    let expected = [
        format!("presence unavailable {JULIET}"),
        "presence unsubscribed juliet@capulet.lit".into(),
        "push from".into(),
    ];
    assert_eq!(story(&mut world, romeo), expected);
    world.says(juliet, "<presence><show>dnd</show></presence>");
    assert_eq!(story(&mut world, romeo), [""; 0]);
}

#[test]
fn a_user_no_longer_wants_to_see_a_contact() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    roster(&mut world, romeo);
    roster(&mut world, juliet);
    world.says(romeo, "<presence type='unsubscribe' to='juliet@capulet.lit'/>");
    assert_eq!(story(&mut world, romeo), ["push from".to_owned(), format!("presence unavailable {JULIET}")]);
    assert_eq!(story(&mut world, juliet), ["presence unsubscribe romeo@montague.lit", "push to"]);
}

#[test]
fn a_contact_approved_before_is_answered_by_the_server() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.enter(JULIET));
    roster(&mut world, juliet);
    world.says(juliet, "<presence type='subscribed' to='romeo@montague.lit'/>");
    assert_eq!(story(&mut world, juliet), ["push none approved=true"]);
    assert_eq!(story(&mut world, romeo), [""; 0]);
    world.says(romeo, "<presence type='subscribe' to='juliet@capulet.lit'/>");
    assert_eq!(story(&mut world, juliet), ["push from"]);
    let expected = ["presence subscribed juliet@capulet.lit".to_owned(), format!("presence {JULIET}")];
    assert_eq!(story(&mut world, romeo), expected);
}

#[test]
fn a_contact_who_has_lost_its_side_is_told_again() {
    let mut world = World::default();
    let (_romeo, juliet) = lovers(&mut world);
    world.arrives("<presence from='romeo@montague.lit' to='juliet@capulet.lit' type='subscribe'/>");
    assert_eq!(story(&mut world, juliet), [""; 0]);
}

#[test]
fn a_probe_mends_a_subscription_that_only_one_side_remembers() {
    let mut world = World::default();
    let (romeo, juliet) = lovers(&mut world);
    world.leaves(romeo);
    world.leaves(juliet);
    let key = crate::store::Key::new(crate::store::collection::ROSTER, "juliet@capulet.lit");
    world.store.write(&[crate::store::Write::Remove(key)]).unwrap();
    let romeo = world.bind(ROMEO);
    world.says(romeo, "<presence/>");
    assert!(story(&mut world, romeo).contains(&"presence unsubscribed juliet@capulet.lit".to_owned()));
    let contact = BareJid::new("juliet@capulet.lit").unwrap();
    assert!(!world.session("romeo@montague.lit").unwrap().roster.is_to(&contact));
}

#[test]
fn a_subscription_to_oneself_or_to_nobody_is_refused() {
    let mut world = World::default();
    let romeo = world.enter(ROMEO);
    world.says(romeo, "<presence type='subscribe' to='romeo@montague.lit'/>");
    assert_eq!(refusal(&mut world, romeo), Condition::NotAllowed);
    world.says(romeo, "<presence type='subscribe'/>");
    assert_eq!(refusal(&mut world, romeo), Condition::BadRequest);
}

#[test]
fn who_cannot_be_kept_is_taken_back_and_said_so() {
    let mut world = World::default();
    let (romeo, _juliet) = (world.enter(ROMEO), world.enter(JULIET));
    roster(&mut world, romeo);
    world.store.away = true;
    world.says(romeo, "<presence type='subscribe' to='juliet@capulet.lit'/>");
    assert_eq!(refusal(&mut world, romeo), Condition::ResourceConstraint);
    assert!(world.session("romeo@montague.lit").unwrap().roster.is_empty());
}

#[test]
fn nothing_overtakes_a_subscription_while_the_store_takes_its_time() {
    let mut world = World::default();
    let (romeo, juliet) = (world.enter(ROMEO), world.enter(JULIET));
    roster(&mut world, romeo);
    world.says(romeo, "<presence type='subscribe' to='juliet@capulet.lit'/>");
    world.hears(romeo);
    world.store_waits();
    world.says(juliet, "<presence type='subscribed' to='romeo@montague.lit'/>");
    world.says(juliet, "<message to='romeo@montague.lit'><body>Come</body></message>");
    let expected = [
        "presence subscribed juliet@capulet.lit".to_owned(),
        format!("presence {JULIET}"),
        format!("message {JULIET}: Come"),
    ];
    assert_eq!(story(&mut world, romeo), expected);
    world.store_answers();
    assert_eq!(story(&mut world, romeo), ["push to"]);
}

/// How two accounts stand to each other: each as it sees itself.
fn states(world: &mut World) -> (State, State) {
    let (romeo, juliet) =
        (BareJid::new("romeo@montague.lit").unwrap(), BareJid::new("juliet@capulet.lit").unwrap());
    let ours = world.session(romeo.as_str()).unwrap().state(&juliet);
    (ours, world.session(juliet.as_str()).unwrap().state(&romeo))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_two_users_say_both_sides_agree(said in prop::collection::vec((any::<bool>(), 0..5usize), 0..16)) {
        let mut world = World::default();
        let (romeo, juliet) = (world.enter(ROMEO), world.enter(JULIET));
        for (is_romeo, what) in said {
            let (client, to) = if is_romeo { (romeo, "juliet@capulet.lit") } else { (juliet, "romeo@montague.lit") };
            match ["subscribe", "subscribed", "unsubscribe", "unsubscribed"].get(what) {
                Some(verb) => world.says(client, &format!("<presence type='{verb}' to='{to}'/>")),
                None => world.says(client, &format!(
                    "<iq type='set' id='x'><query xmlns='jabber:iq:roster'><item jid='{to}' subscription='remove'/></query></iq>"
                )),
            }
            let (ours, theirs) = states(&mut world);
            prop_assert_eq!((ours.to, ours.from), (theirs.from, theirs.to));
            prop_assert_eq!((ours.ask, ours.asked), (theirs.asked, theirs.ask));
        }
    }
}
