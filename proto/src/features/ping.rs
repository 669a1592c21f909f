//! XMPP Ping (XEP-0199): answers pings to the server, its services and accounts. Pings between clients pass by.

use super::{get, trusts};
use crate::feature::{Answer, Ask, Cx, Feature, Place, Spec};
use crate::ns;
use crate::stanza::{Condition, Stanza};

/// XEP-0199.
pub struct Ping;

impl Feature for Ping {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0199", version: "2.0.1", title: "XMPP Ping" }
    }

    fn advertises(&self, place: Place) -> &'static [&'static str] {
        match place {
            Place::Host | Place::Rooms | Place::Account => &[ns::PING],
            Place::Room => &[],
        }
    }

    fn asks(&self) -> &'static [Ask] {
        const ASKS: [Ask; 3] = [
            get(Place::Host, ns::PING, "ping"),
            get(Place::Rooms, ns::PING, "ping"),
            get(Place::Account, ns::PING, "ping"),
        ];
        &ASKS
    }

    fn answer(&self, cx: &mut Cx<'_, '_>, iq: &Stanza) -> Answer {
        // An answer would tell a stranger that the account exists (§5).
        match cx.place {
            Place::Account if !trusts(cx, iq) => Answer::Error(Condition::ServiceUnavailable.into()),
            Place::Host | Place::Rooms | Place::Account | Place::Room => Answer::Result(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn the_server_its_rooms_and_the_own_account_answer() {
        let mut world = World::default();
        let juliet = world.enter("juliet@capulet.lit/balcony");
        for to in ["", " to='capulet.lit'", " to='juliet@capulet.lit'", " to='conference.capulet.lit'"] {
            world.says(juliet, &format!("<iq id='p' type='get'{to}><ping xmlns='urn:xmpp:ping'/></iq>"));
            let [answer] = &world.hears_xml(juliet)[..] else { panic!("one answer") };
            assert!(answer.contains("id='p' type='result'"), "{answer}");
        }
    }

    #[test]
    fn a_stranger_does_not_learn_whether_an_account_exists() {
        let mut world = World::default();
        world.account("romeo@montague.lit");
        let juliet = world.enter("juliet@capulet.lit/balcony");
        for to in ["romeo@montague.lit", "nobody@montague.lit"] {
            world
                .says(juliet, &format!("<iq id='p' type='get' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>"));
            let [answer] = &world.hears_xml(juliet)[..] else { panic!("one answer") };
            assert!(answer.contains("service-unavailable"), "{answer}");
        }
    }
}
