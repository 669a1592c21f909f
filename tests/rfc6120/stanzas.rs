//! What every stanza has in common (RFC 6120 §8), and in what order stanzas arrive (§10.1).

use muster_tests::on_every_stage;

on_every_stage! {
    fn the_server_says_who_sent_it(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        for from in ["", "from='romeo@montague.lit'", "from='romeo@montague.lit/orchard'"] {
            romeo.says(&format!("<message {from} to='{{juliet}}'><body>Hist!</body></message>"));
            juliet.hears("<message from='{romeo}'><body>Hist!</body></message>");
        }
    }

    fn nobody_speaks_for_another(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<message from='nurse@capulet.lit' to='{juliet}'><body>Madam!</body></message>");
        romeo.hears_the_end("invalid-from");
        juliet.hears_nothing_more();
    }

    fn not_even_for_another_of_his_own_clients(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let _phone = stage.enter("romeo@montague.lit/phone");
        romeo.says("<message from='{romeo/phone}' to='juliet@capulet.lit'><body>Hist!</body></message>");
        romeo.hears_the_end("invalid-from");
    }

    fn an_address_that_cannot_be_is_malformed(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        for (number, to) in ["@mantua.lit", "a@b@mantua.lit", "juliet@mantua.lit/", "ju liet@mantua.lit"].iter().enumerate() {
            romeo.says(&format!("<message to='{to}' id='m{number}' type='chat'><body>Hist!</body></message>"));
            romeo.hears(&format!("<message id='m{number}' type='error' _='{{any}}'>{{error modify jid-malformed}}</message>"));
            romeo.says(&format!("<iq to='{to}' id='i{number}' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"));
            romeo.hears(&format!("<iq id='i{number}' type='error' _='{{any}}'>{{error modify jid-malformed}}</iq>"));
        }
    }

    fn a_request_has_an_id_a_type_and_one_question(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let ping = "<ping xmlns='urn:xmpp:ping'/>";
        for iq in [
            format!("<iq id='q' type='get'>{ping}{ping}</iq>"),
            "<iq id='q' type='get'/>".to_owned(),
            "<iq id='q' type='set'/>".to_owned(),
            format!("<iq id='q' type='ask'>{ping}</iq>"),
            format!("<iq id='q'>{ping}</iq>"),
        ] {
            romeo.asks(&iq, "<iq id='q' type='error' _='{any}'>{error modify bad-request}</iq>");
        }
        romeo.says(&format!("<iq type='get'>{ping}</iq>"));
        romeo.hears("<iq type='error' _='{any}'>{error modify bad-request}</iq>");
        romeo.hears_nothing_more();
    }

    fn an_unknown_question_is_not_available(stage: &mut Stage) {
        stage.account("juliet@capulet.lit");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        for (to, from) in [
            ("", "romeo@montague.lit"),
            ("to='romeo@montague.lit'", "romeo@montague.lit"),
            ("to='montague.lit'", "montague.lit"),
            ("to='juliet@capulet.lit'", "juliet@capulet.lit"),
            ("to='juliet@capulet.lit/balcony'", "juliet@capulet.lit/balcony"),
            ("to='nobody@capulet.lit'", "nobody@capulet.lit"),
        ] {
            romeo.says(&format!("<iq {to} id='u1' type='get'><query xmlns='urn:example:love'/></iq>"));
            let answer = romeo.hears("<iq id='u1' type='error' _='{any}'>{error cancel service-unavailable}</iq>");
            assert!(answer.attr("from").is_none_or(|it| it == from), "{answer:?}");
        }
    }

    fn questions_and_answers_pass_between_clients(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<iq to='{juliet}' id='q1' type='get'><query xmlns='urn:example:love'/></iq>");
        juliet.hears("<iq from='{romeo}' id='q1' type='get'><query xmlns='urn:example:love'/></iq>");
        juliet.says("<iq to='{romeo}' id='q1' type='result'><query xmlns='urn:example:love'>yes</query></iq>");
        romeo.hears("<iq from='{juliet}' id='q1' type='result'><query xmlns='urn:example:love'>yes</query></iq>");
        juliet.says("<iq to='{romeo}' id='q2' type='error'><error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
        romeo.hears("<iq from='{juliet}' id='q2' type='error'>{error cancel not-allowed}</iq>");
    }

    fn answers_to_nobody_are_dropped(stage: &mut Stage) {
        stage.account("juliet@capulet.lit");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        for to in ["montague.lit", "juliet@capulet.lit", "juliet@capulet.lit/balcony", "nobody@capulet.lit/x"] {
            romeo.says(&format!("<iq to='{to}' id='r1' type='result'/>"));
            romeo.says(&format!("<message to='{to}' type='error'><body>Hist!</body></message>"));
        }
        romeo.hears_nothing_more();
    }

    fn other_domains_are_out_of_reach(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<message to='tybalt@mantua.lit' id='m1'><body>Hist!</body></message>");
        romeo.hears("<message from='tybalt@mantua.lit' id='m1' type='error'>{error cancel remote-server-not-found}</message>");
        romeo.says("<iq to='mantua.lit' id='i1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
        romeo.hears("<iq from='mantua.lit' id='i1' type='error'>{error cancel remote-server-not-found}</iq>");
    }

    fn language_and_foreign_attributes_travel_along(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<message to='{juliet}' xml:lang='it' xmlns:v='urn:example:verona' v:mood='sad'><body xml:lang='it'>Ehi!</body><v:rose/></message>");
        juliet.hears("<message from='{romeo}' xml:lang='it' xmlns:v='urn:example:verona' v:mood='sad'><body xml:lang='it'>Ehi!</body><v:rose/></message>");
    }

    fn stanzas_arrive_in_order(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        for number in 0..200 {
            let kind = if number % 2 == 0 { "chat" } else { "normal" };
            let to = if number % 3 == 0 { "juliet@capulet.lit" } else { "{juliet}" };
            romeo.says(&format!("<message to='{to}' type='{kind}'><body>{number}</body></message>"));
        }
        for number in 0..200 {
            let heard = juliet.hears_something();
            let body = heard.get_child("body", "jabber:client").map(|body| body.text());
            assert_eq!(body, Some(number.to_string()));
        }
        juliet.hears_nothing_more();
    }
}
