//! Software Version (XEP-0092). The operating system is not said: it would only help an attacker (§5).

use super::get;
use crate::feature::{Answer, Ask, Cx, Feature, Place, Spec};
use crate::ns;
use crate::stanza::Stanza;
use crate::xml::{Build, el};

/// XEP-0092.
pub struct Version;

impl Feature for Version {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0092", version: "1.1", title: "Software Version" }
    }

    fn advertises(&self, place: Place) -> &'static [&'static str] {
        match place {
            Place::Host | Place::Rooms => &[ns::VERSION],
            Place::Account | Place::Room => &[],
        }
    }

    fn asks(&self) -> &'static [Ask] {
        const ASKS: [Ask; 2] =
            [get(Place::Host, ns::VERSION, "query"), get(Place::Rooms, ns::VERSION, "query")];
        &ASKS
    }

    fn answer(&self, _: &mut Cx<'_, '_>, _: &Stanza) -> Answer {
        let name = el("name", ns::VERSION).text_of("Muster");
        let version = el("version", ns::VERSION).text_of(env!("CARGO_PKG_VERSION"));
        Answer::Result(Some(el("query", ns::VERSION).child(name).child(version)))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn the_server_says_what_it_runs() {
        let mut world = World::default();
        let juliet = world.enter("juliet@capulet.lit/balcony");
        world.says(juliet, "<iq id='v' type='get' to='capulet.lit'><query xmlns='jabber:iq:version'/></iq>");
        let [answer] = &world.hears(juliet)[..] else { panic!("one answer") };
        let query = answer.child("query", "jabber:iq:version").expect("a query");
        let text = |name: &str| query.get_child(name, "jabber:iq:version").map(minidom::Element::text);
        assert_eq!(text("name").as_deref(), Some("Muster"));
        assert_eq!(text("version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(text("os"), None);
    }
}
