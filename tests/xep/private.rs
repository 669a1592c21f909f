//! What clients keep for themselves (XEP-0049).

use muster_tests::on_every_stage;

on_every_stage! {
    fn what_is_kept_is_found_again(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let rose = "<rose xmlns='urn:example:rose'><petal>red</petal></rose>";
        juliet.asks(
            "<iq id='p0' type='get'><query xmlns='jabber:iq:private'><rose xmlns='urn:example:rose'/></query></iq>",
            "<iq id='p0' type='result'><query xmlns='jabber:iq:private'><rose xmlns='urn:example:rose'/></query></iq>",
        );
        juliet.asks(
            &format!("<iq id='p1' type='set'><query xmlns='jabber:iq:private'>{rose}</query></iq>"),
            "<iq id='p1' type='result'/>",
        );
        let phone = stage.enter("juliet@capulet.lit/phone");
        phone.asks(
            "<iq id='p2' type='get'><query xmlns='jabber:iq:private'><rose xmlns='urn:example:rose'/></query></iq>",
            &format!("<iq id='p2' type='result'><query xmlns='jabber:iq:private'>{rose}</query></iq>"),
        );
    }

    fn it_is_nobody_elses(stage: &mut Stage) {
        stage.account("juliet@capulet.lit");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<iq to='juliet@capulet.lit' id='p1' type='get'><query xmlns='jabber:iq:private'><rose xmlns='urn:example:rose'/></query></iq>");
        romeo.hears("<iq from='juliet@capulet.lit' id='p1' type='error'>{any}</iq>");
    }
}
