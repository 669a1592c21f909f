//! What XML may not do here (RFC 6120 §11), and what is more than a client may send: the stream ends, and nobody else
//! notices.

use muster_tests::{Player, Stage, on_every_stage};

/// Sends it as the first thing on a stream, and as something between stanzas: the stream ends with one of these.
fn is_refused(stage: &mut Stage, bytes: &[u8], conditions: &[&str]) {
    let witness = stage.enter("benvolio@montague.lit/street");
    let visitor = stage.visit();
    visitor.says_bytes(bytes);
    ends_with(&visitor, conditions);
    let romeo = stage.bind("romeo@montague.lit/orchard");
    romeo.says_bytes(bytes);
    ends_with(&romeo, conditions);
    witness.hears_nothing_more();
}

fn ends_with(player: &Player, conditions: &[&str]) {
    let mut heard = player.hears_something();
    while !heard.is("error", "http://etherx.jabber.org/streams") {
        assert_ne!(heard.name(), "message", "it must not come back: {heard:?}");
        heard = player.hears_something();
    }
    let condition = heard.children().next().map(|condition| condition.name().to_owned());
    assert!(
        conditions.iter().any(|wanted| condition.as_deref() == Some(wanted)),
        "{conditions:?}, not {condition:?}"
    );
    player.hears_it_close();
}

on_every_stage! {
    fn what_is_not_xml_is_not_well_formed(stage: &mut Stage) {
        is_refused(stage, b"GET / HTTP/1.1\r\n\r\n<", &["not-well-formed", "bad-format"]);
    }

    fn tags_must_match(stage: &mut Stage) {
        is_refused(stage, b"<message></massage>", &["not-well-formed", "invalid-namespace"]);
    }

    fn a_document_type_is_restricted(stage: &mut Stage) {
        is_refused(stage, b"<!DOCTYPE stream:stream [<!ENTITY a 'aaaa'>]>", &["restricted-xml"]);
    }

    fn an_entity_bomb_is_restricted(stage: &mut Stage) {
        let bomb = "<!DOCTYPE lolz [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]><lolz>&b;</lolz>";
        is_refused(stage, bomb.as_bytes(), &["restricted-xml"]);
    }

    fn a_comment_is_restricted(stage: &mut Stage) {
        is_refused(stage, b"<!-- Hist! -->", &["restricted-xml"]);
    }

    fn a_processing_instruction_is_restricted(stage: &mut Stage) {
        is_refused(stage, b"<?php echo 1 ?>", &["restricted-xml"]);
    }

    fn an_undeclared_entity_is_restricted(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<message to='juliet@capulet.lit'><body>&secret;</body></message>");
        ends_with(&romeo, &["restricted-xml"]);
    }

    fn predefined_entities_and_characters_by_number_are_text(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<message to='{juliet}'><body>&lt;&gt;&amp;&apos;&quot;&#60;&#x263A;<![CDATA[<&>]]></body></message>");
        juliet.hears("<message from='{romeo}'><body>&lt;&gt;&amp;'\"&lt;\u{263A}&lt;&amp;&gt;</body></message>");
    }

    fn invalid_utf_8_is_not_supported(stage: &mut Stage) {
        is_refused(stage, b"<message><body>\xff\xfe</body></message>", &["unsupported-encoding", "invalid-namespace"]);
    }

    fn nul_is_no_character(stage: &mut Stage) {
        is_refused(stage, b"<message><body>\0</body></message>", &["not-well-formed", "invalid-namespace"]);
    }

    fn nul_by_number_is_no_character_either(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<message to='{romeo}'><body>&#0;</body></message>");
        ends_with(&romeo, &["not-well-formed"]);
    }

    fn a_prefix_must_be_declared(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<message to='{romeo}'><rose:name/></message>");
        ends_with(&romeo, &["not-well-formed", "bad-namespace-prefix"]);
    }

    fn an_attribute_comes_once(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<message to='{romeo}' id='1' id='2'/>");
        ends_with(&romeo, &["not-well-formed"]);
    }

    fn too_many_attributes_are_against_the_rules(stage: &mut Stage) {
        let attributes: String = (0..1_000).map(|number| format!(" a{number}='1'")).collect();
        is_refused(stage, format!("<message{attributes}/>").as_bytes(), &["policy-violation"]);
    }

    fn too_deep_is_against_the_rules(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says_bytes(format!("<message>{}", "<a>".repeat(10_000)).as_bytes());
        ends_with(&romeo, &["policy-violation"]);
    }

    fn an_endless_attribute_is_against_the_rules(stage: &mut Stage) {
        let value = "a".repeat(10 << 20);
        is_refused(stage, format!("<message a='{value}'/>").as_bytes(), &["policy-violation"]);
    }

    fn a_stanza_over_the_limit_is_against_the_rules(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let body = "a".repeat(300 << 10);
        romeo.says_bytes(format!("<message><body>{body}</body></message>").as_bytes());
        ends_with(&romeo, &["policy-violation"]);
    }

    fn a_stanza_of_ten_thousand_bytes_is_allowed(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let body = "a".repeat(9_800);
        romeo.says(&format!("<message to='{{juliet}}'><body>{body}</body></message>"));
        juliet.hears(&format!("<message from='{{romeo}}'><body>{body}</body></message>"));
    }

    fn a_client_that_sends_half_a_stanza_disturbs_nobody(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<message to='{juliet}'><body>Hist");
        juliet.asks("<iq id='p1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>", "<iq id='p1' type='result'/>");
    }
}
