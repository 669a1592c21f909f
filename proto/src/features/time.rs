//! Entity Time (XEP-0202): what time it is at the server, in UTC.

use super::get;
use crate::datetime;
use crate::feature::{Answer, Ask, Cx, Feature, Place, Spec};
use crate::ns;
use crate::stanza::Stanza;
use crate::xml::{Build, el};

/// XEP-0202.
pub struct Time;

impl Feature for Time {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0202", version: "2.0", title: "Entity Time" }
    }

    fn advertises(&self, place: Place) -> &'static [&'static str] {
        match place {
            Place::Host => &[ns::TIME],
            Place::Rooms | Place::Account | Place::Room => &[],
        }
    }

    fn asks(&self) -> &'static [Ask] {
        const ASKS: [Ask; 1] = [get(Place::Host, ns::TIME, "time")];
        &ASKS
    }

    fn answer(&self, cx: &mut Cx<'_, '_>, _: &Stanza) -> Answer {
        let offset = el("tzo", ns::TIME).text_of("+00:00");
        let utc = el("utc", ns::TIME).text_of(datetime::stamp(cx.env.now));
        Answer::Result(Some(el("time", ns::TIME).child(offset).child(utc)))
    }
}

#[cfg(test)]
mod tests {
    use crate::machine::Timestamp;
    use crate::testing::World;

    #[test]
    fn the_server_knows_what_time_it_is() {
        let mut world = World::default();
        let juliet = world.enter("juliet@capulet.lit/balcony");
        world.now = Timestamp(1_031_699_305_500);
        world.says(juliet, "<iq id='t' type='get' to='capulet.lit'><time xmlns='urn:xmpp:time'/></iq>");
        let [answer] = &world.hears_xml(juliet)[..] else { panic!("one answer") };
        assert!(answer.contains("<tzo>+00:00</tzo><utc>2002-09-10T23:08:25.500Z</utc>"), "{answer}");
    }
}
