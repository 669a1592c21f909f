use minidom::Element;

use super::*;
use crate::machine::Timestamp;
use crate::store::{Key, Query, Reply, Write, collection};
use crate::testing::{Client, World};

const ADD: &str = "http://jabber.org/protocol/admin#add-user";
const DELETE: &str = "http://jabber.org/protocol/admin#delete-user";
const PASSWORD: &str = "http://jabber.org/protocol/admin#change-user-password";
const END: &str = "http://jabber.org/protocol/admin#end-user-session";
const COUNT: &str = "http://jabber.org/protocol/admin#get-registered-users-num";
const LIST: &str = "http://jabber.org/protocol/admin#get-registered-users-list";
const ROSTER: &str = "http://jabber.org/protocol/admin#get-user-roster";

struct Office {
    world: World,
    admin: Client,
}

impl Office {
    fn new() -> Self {
        let mut world = World::default();
        let admin = world.enter("admin@capulet.lit/desk");
        Self { world, admin }
    }

    fn says(&mut self, client: Client, attributes: &str, content: &str) -> Stanza {
        let ns = ns::COMMANDS;
        let command = format!("<command xmlns='{ns}' {attributes}>{content}</command>");
        self.world.says(client, &format!("<iq id='a' type='set' to='capulet.lit'>{command}</iq>"));
        let mut heard = self.world.hears(client);
        heard.retain(|stanza| stanza.id.as_deref() == Some("a"));
        assert_eq!(heard.len(), 1, "{attributes} gets one answer");
        heard.remove(0)
    }

    /// Both steps: asks for the form, and fills it in.
    fn runs(&mut self, node: &str, fields: &[(&str, &[&str])]) -> Stanza {
        let asked = command(&self.says(self.admin, &format!("node='{node}'"), ""));
        assert_eq!(asked.attr("status"), Some("executing"));
        let form = Form::inside(&asked).unwrap().expect("a form");
        for (var, _) in fields {
            assert!(form.get(var).is_some(), "{node} asks for {var}");
        }
        let session = asked.attr("sessionid").expect("a session id");
        self.says(self.admin, &format!("node='{node}' sessionid='{session}'"), &submit(fields))
    }

    fn count(&mut self) -> String {
        let counted = command(&self.says(self.admin, &format!("node='{COUNT}'"), ""));
        assert_eq!(counted.attr("status"), Some("completed"));
        let form = Form::inside(&counted).unwrap().expect("a form");
        form.value("registeredusersnum").expect("a number").to_owned()
    }
}

fn submit(fields: &[(&str, &[&str])]) -> String {
    let field = |(var, values): &(&str, &[&str])| {
        let values: String = values.iter().map(|value| format!("<value>{value}</value>")).collect();
        format!("<field var='{var}'>{values}</field>")
    };
    let fields: String = fields.iter().map(field).collect();
    let form_type = format!("<field var='FORM_TYPE' type='hidden'><value>{}</value></field>", ns::ADMIN);
    format!("<x xmlns='jabber:x:data' type='submit'>{form_type}{fields}</x>")
}

fn command(answer: &Stanza) -> Element {
    answer.child("command", ns::COMMANDS).expect("a command")
}

/// The note that a completed command leaves: its type and text.
fn note(answer: &Stanza) -> (String, String) {
    let command = command(answer);
    assert_eq!(command.attr("status"), Some("completed"));
    let note = command.get_child("note", ns::COMMANDS).expect("a note");
    (note.attr("type").unwrap_or_default().to_owned(), note.text())
}

/// The condition of an error, and the more specific one.
fn conditions(answer: &Stanza) -> Vec<String> {
    let error = answer.children().pop().expect("an error");
    assert_eq!(error.name(), "error");
    error.children().filter(|child| child.name() != "text").map(|child| child.name().to_owned()).collect()
}

fn credentials(world: &World, jid: &str) -> Option<Vec<u8>> {
    match world.store.ask(&Query::Document(Key::new(collection::CREDENTIALS, jid))) {
        Ok(Reply::Document(found)) => found,
        other => panic!("{other:?}"),
    }
}

const TYBALT: &str = "tybalt@capulet.lit";

#[test]
fn an_account_is_added_once() {
    let mut office = Office::new();
    assert_eq!(office.count(), "0", "the test's own accounts are in no directory");
    let fields: [(&str, &[&str]); 3] =
        [("accountjid", &[TYBALT]), ("password", &["secret"]), ("password-verify", &["secret"])];
    assert_eq!(note(&office.runs(ADD, &fields)).0, "info");
    assert!(credentials(&office.world, TYBALT).is_some());
    assert_eq!(office.count(), "1");
    assert_eq!(
        note(&office.runs(ADD, &fields)),
        ("error".into(), "tybalt@capulet.lit exists already.".into())
    );
    let listed = command(&office.runs(LIST, &[("max_items", &["25"])]));
    let form = Form::inside(&listed).unwrap().expect("a form");
    assert_eq!(form.values("registereduserjids"), [TYBALT]);
}

#[test]
fn a_form_that_is_wrong_is_refused_and_may_be_tried_again() {
    let mut office = Office::new();
    for fields in [
        &[][..],
        &[("accountjid", &["tybalt@capulet.lit"][..])],
        &[("accountjid", &["tybalt@montague.lit"]), ("password", &["secret"])],
        &[("accountjid", &["capulet.lit"]), ("password", &["secret"])],
        &[("accountjid", &["@@"]), ("password", &["secret"])],
        &[("accountjid", &[TYBALT]), ("password", &["secret"]), ("password-verify", &["other"])],
    ] {
        let answer = office.runs(ADD, fields);
        assert_eq!(conditions(&answer), ["bad-request", "bad-payload"], "{fields:?}");
    }
    assert!(credentials(&office.world, TYBALT).is_none());
}

#[test]
fn accounts_are_deleted_with_their_streams_and_subscriptions() {
    let mut office = Office::new();
    let roster = Key::new(collection::ROSTER, TYBALT);
    let item = br#"{"to":true,"from":true}"#.to_vec();
    office.world.store.write(&[Write::SetField(roster, "page@elsewhere.lit".into(), item)]).unwrap();
    let tybalt = office.world.enter("tybalt@capulet.lit/street");
    office.world.account("sampson@capulet.lit");
    office.world.outside.clear();
    let answer = office.runs(DELETE, &[("accountjids", &[TYBALT, "sampson@capulet.lit"])]);
    assert_eq!(note(&answer).0, "info");
    assert!(office.world.ended(tybalt).is_some());
    for jid in [TYBALT, "sampson@capulet.lit"] {
        assert!(credentials(&office.world, jid).is_none(), "{jid}");
    }
    assert!(!office.world.store.has(collection::ROSTER, TYBALT));
    assert!(office.world.outside.len() >= 2, "the page is unsubscribed both ways");
    let (kind, text) = note(&office.runs(DELETE, &[("accountjids", &[TYBALT])]));
    assert_eq!((kind.as_str(), text.as_str()), ("error", "These did not exist: tybalt@capulet.lit."));
}

#[test]
fn an_administrator_does_not_delete_the_ground_under_his_feet() {
    let mut office = Office::new();
    let answer = office.runs(DELETE, &[("accountjids", &["admin@capulet.lit"])]);
    assert_eq!(conditions(&answer), ["bad-request", "bad-payload"]);
    assert!(credentials(&office.world, "admin@capulet.lit").is_some());
}

#[test]
fn a_password_is_changed_and_who_was_logged_in_is_logged_out() {
    let mut office = Office::new();
    let tybalt = office.world.enter("tybalt@capulet.lit/street");
    let before = credentials(&office.world, TYBALT);
    let answer = office.runs(PASSWORD, &[("accountjid", &[TYBALT]), ("password", &["secret"])]);
    assert_eq!(note(&answer).0, "info");
    assert_ne!(credentials(&office.world, TYBALT), before);
    assert!(office.world.ended(tybalt).is_some());
    let answer = office.runs(PASSWORD, &[("accountjid", &["nobody@capulet.lit"]), ("password", &["secret"])]);
    assert_eq!(note(&answer).0, "error");
}

#[test]
fn sessions_are_ended_and_the_account_stays() {
    let mut office = Office::new();
    let tybalt = office.world.enter("tybalt@capulet.lit/street");
    assert_eq!(note(&office.runs(END, &[("accountjids", &[TYBALT])])).0, "info");
    assert!(office.world.ended(tybalt).is_some());
    assert!(credentials(&office.world, TYBALT).is_some());
}

#[test]
fn one_of_several_sessions_is_ended() {
    let mut office = Office::new();
    let street = office.world.enter("tybalt@capulet.lit/street");
    let hall = office.world.enter("tybalt@capulet.lit/hall");
    assert_eq!(note(&office.runs(END, &[("accountjids", &["tybalt@capulet.lit/street"])])).0, "info");
    assert!(office.world.ended(street).is_some());
    assert_eq!(office.world.ended(hall), None);
}

#[test]
fn a_roster_is_shown() {
    let mut office = Office::new();
    let roster = Key::new(collection::ROSTER, TYBALT);
    let item = br#"{"name":"Page","groups":["Servants"],"to":true}"#.to_vec();
    office.world.store.write(&[Write::SetField(roster, "page@capulet.lit".into(), item)]).unwrap();
    let answer = command(&office.runs(ROSTER, &[("accountjids", &[TYBALT])]));
    let form = answer.get_child("x", ns::DATA).expect("a form");
    let item = form.get_child("query", ns::ROSTER).and_then(|query| query.get_child("item", ns::ROSTER));
    let item = item.expect("an item");
    assert_eq!((item.attr("jid"), item.attr("name")), (Some("page@capulet.lit"), Some("Page")));
    assert_eq!(item.attr("subscription"), Some("to"));
}

#[test]
fn others_may_not() {
    let mut office = Office::new();
    let juliet = office.world.enter("juliet@capulet.lit/balcony");
    let montague = office.world.enter("admin@montague.lit/desk");
    for client in [juliet, montague] {
        for command in COMMANDS {
            let node = format!("node='{}'", command.node());
            assert_eq!(conditions(&office.says(client, &node, "")), ["forbidden"]);
        }
    }
    let form = submit(&[("accountjid", &[TYBALT]), ("password", &["secret"])]);
    assert_eq!(
        conditions(&office.says(juliet, &format!("node='{ADD}' action='complete'"), &form)),
        ["forbidden"]
    );
    assert!(credentials(&office.world, TYBALT).is_none());
}

#[test]
fn a_session_belongs_to_one_client_and_command_and_ends() {
    let mut office = Office::new();
    let asked = command(&office.says(office.admin, &format!("node='{ADD}'"), ""));
    let session = asked.attr("sessionid").expect("a session id").to_owned();
    let form = submit(&[("accountjid", &[TYBALT]), ("password", &["secret"])]);
    let says = |office: &mut Office, client, node: &str, id: &str| {
        conditions(&office.says(client, &format!("node='{node}' sessionid='{id}'"), &form))
    };
    let other = office.world.enter("admin@capulet.lit/sofa");
    assert_eq!(says(&mut office, other, ADD, &session), ["bad-request", "bad-sessionid"]);
    let admin = office.admin;
    assert_eq!(says(&mut office, admin, PASSWORD, &session), ["bad-request", "bad-sessionid"]);
    assert_eq!(says(&mut office, admin, ADD, "guessed"), ["bad-request", "bad-sessionid"]);
    office.world.now = Timestamp(office.world.now.0 + 11 * 60 * 1000);
    assert_eq!(says(&mut office, admin, ADD, &session), ["not-allowed", "session-expired"]);
    assert!(credentials(&office.world, TYBALT).is_none());
}

#[test]
fn a_command_is_cancelled_and_actions_are_understood() {
    let mut office = Office::new();
    let asked = command(&office.says(office.admin, &format!("node='{ADD}' action='execute'"), ""));
    let session = asked.attr("sessionid").expect("a session id").to_owned();
    let admin = office.admin;
    let cancelled = office.says(admin, &format!("node='{ADD}' sessionid='{session}' action='cancel'"), "");
    assert_eq!(command(&cancelled).attr("status"), Some("canceled"));
    for (action, id, detail) in [
        ("prev", session.as_str(), "bad-action"),
        ("dance", session.as_str(), "malformed-action"),
        ("complete", session.as_str(), "bad-payload"),
        ("cancel", "", "bad-sessionid"),
    ] {
        let answer = office.says(admin, &format!("node='{ADD}' sessionid='{id}' action='{action}'"), "");
        assert_eq!(conditions(&answer), ["bad-request", detail], "{action}");
    }
    assert_eq!(conditions(&office.says(admin, "node='unknown'", "")), ["item-not-found"]);
    assert_eq!(conditions(&office.says(admin, "", "")), ["bad-request"]);
}
