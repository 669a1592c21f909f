//! Ping, software version and time (XEP-0199, XEP-0092, XEP-0202).

use muster_tests::on_every_stage;

on_every_stage! {
    fn a_ping_is_answered_by_the_domain_and_ones_account(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        for to in ["", "to='montague.lit'", "to='romeo@montague.lit'", "to='conference.montague.lit'"] {
            romeo.says(&format!("<iq {to} id='p1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"));
            romeo.hears("<iq id='p1' type='result' _='{any}'/>");
        }
    }

    fn a_ping_between_clients_passes_by(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<iq to='{juliet}' id='p1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
        juliet.hears("<iq from='{romeo}' id='p1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
        juliet.says("<iq to='{romeo}' id='p1' type='result'/>");
        romeo.hears("<iq from='{juliet}' id='p1' type='result'/>");
    }

    fn the_version_has_a_name(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<iq to='montague.lit' id='v1' type='get'><query xmlns='jabber:iq:version'/></iq>");
        romeo.hears("<iq id='v1' type='result'><query xmlns='jabber:iq:version'><name>Muster</name><version>{any}</version>{any}</query></iq>");
    }

    fn the_time_is_utc_with_an_offset(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<iq to='montague.lit' id='t1' type='get'><time xmlns='urn:xmpp:time'/></iq>");
        let answer = romeo.hears("<iq id='t1' type='result'><time xmlns='urn:xmpp:time'><tzo>{any}</tzo><utc>{any}</utc></time></iq>");
        let utc = answer.children().next().and_then(|time| time.get_child("utc", "urn:xmpp:time")).unwrap().text();
        assert!(utc.ends_with('Z') && utc.as_bytes()[10] == b'T' && utc.starts_with("20"), "{utc}");
    }
}
