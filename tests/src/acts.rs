//! What many scenes begin with: people who know each other, and a room with people in it.

use muster_proto::{Element, Jid};

use crate::Player;

/// Listens until something is heard of which this is true; what comes before does not matter.
pub fn listen_for(player: &Player, mut what: impl FnMut(&Element) -> bool) -> Element {
    loop {
        let heard = player.hears_something();
        if what(&heard) {
            return heard;
        }
    }
}

/// Asks for the roster, so that it is pushed from now on (RFC 6121 §2.2).
pub fn ask_for_roster(player: &Player) {
    player.says("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
    listen_for(player, |heard| heard.name() == "iq" && heard.attr("id") == Some("roster"));
}

/// Two players subscribe to each other's presence, and forget all that they heard of it.
pub fn befriend(one: &Player, other: &Player) {
    let presence = |kind: &'static str| {
        move |heard: &Element| heard.name() == "presence" && heard.attr("type") == Some(kind)
    };
    ask_for_roster(one);
    ask_for_roster(other);
    one.says(&format!("<presence to='{}' type='subscribe'/>", other.account()));
    listen_for(other, presence("subscribe"));
    other.says(&format!("<presence to='{}' type='subscribed'/>", one.account()));
    other.says(&format!("<presence to='{}' type='subscribe'/>", one.account()));
    listen_for(one, presence("subscribe"));
    one.says(&format!("<presence to='{}' type='subscribed'/>", other.account()));
    // One has seen the other already, before the question.
    waits_for_friend(one, None);
    waits_for_friend(other, one.jid());
    one.forgets();
    other.forgets();
}

/// Waits until a player's roster says that the two see each other, and the presence has come that is still to come.
fn waits_for_friend(player: &Player, presence: Option<Jid>) {
    let mut is_seen = presence.is_none();
    let mut is_pushed = false;
    listen_for(player, |heard| {
        let item = heard.get_child("query", "jabber:iq:roster").and_then(|query| query.children().next());
        is_pushed |= item.is_some_and(|item| item.attr("subscription") == Some("both"));
        let is_presence = heard.name() == "presence" && heard.attr("type").is_none();
        is_seen |= is_presence && heard.attr("from") == presence.as_ref().map(Jid::as_str);
        is_pushed && is_seen
    });
}

/// Enters a room that is there and is open; `seat` is the room's address, a slash and a nickname. All that is heard up to
/// the subject (XEP-0045 §7.1) is returned.
pub fn enter_room(player: &Player, seat: &str) -> Vec<Element> {
    player.says(&format!("<presence to='{seat}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    let mut heard = vec![];
    loop {
        heard.push(player.hears_something());
        if heard
            .last()
            .is_some_and(|last| last.name() == "message" && last.has_child("subject", "jabber:client"))
        {
            return heard;
        }
    }
}

/// Makes an instant room (XEP-0045 §10.1.2) that these players are in; the first is its owner. They forget what they heard.
pub fn gather(room: &str, occupants: &[(&Player, &str)]) {
    for (index, (player, nick)) in occupants.iter().enumerate() {
        enter_room(player, &format!("{room}/{nick}"));
        if index == 0 {
            configure(player, room, &[]);
        }
        for (earlier, _) in &occupants[..index] {
            earlier.hears(&format!("<presence from='{room}/{nick}' _='{{any}}'>{{any}}</presence>"));
        }
    }
}

/// Configures a room as its owner; without fields it takes the defaults. The room's word about it is forgotten.
pub fn configure(owner: &Player, room: &str, fields: &[(&str, &str)]) {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("<field var='muc#roomconfig_{name}'><value>{value}</value></field>"))
        .collect();
    let form_type = match fields.is_empty() {
        true => "",
        false => "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>",
    };
    owner.says(&format!(
        "<iq to='{room}' type='set' id='configure'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'>{form_type}{fields}</x></query></iq>"
    ));
    let answer = listen_for(owner, |heard| heard.name() == "iq" && heard.attr("id") == Some("configure"));
    assert_eq!(answer.attr("type"), Some("result"), "the room can be configured: {answer:?}");
    owner.forgets();
}
