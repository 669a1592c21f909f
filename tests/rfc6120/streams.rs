//! Opening, refusing and closing streams (RFC 6120 §4).

use muster_tests::on_every_stage;

const HEADER: &str = "<stream:stream to='montague.lit' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

on_every_stage! {
    fn a_header_is_answered_with_one_and_features(stage: &mut Stage) {
        let visitor = stage.visit();
        visitor.says(&format!("<?xml version='1.0'?>{HEADER}"));
        visitor.hears("<stream:stream from='montague.lit' id='{any}' version='1.0'/>");
        visitor.hears("<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{any}</mechanisms>{any}</stream:features>");
        visitor.says("</stream:stream>");
        visitor.hears_it_close();
    }

    fn the_answer_names_the_sender_of_the_header(stage: &mut Stage) {
        let visitor = stage.visit();
        let header = HEADER.replace(" to=", " from='romeo@montague.lit' to=");
        visitor.says(&header);
        visitor.hears("<stream:stream from='montague.lit' to='romeo@montague.lit' id='{any}' version='1.0'/>");
    }

    fn every_stream_has_its_own_id(stage: &mut Stage) {
        let ids: Vec<_> = (0..3)
            .map(|_| {
                let visitor = stage.visit();
                visitor.says(HEADER);
                visitor.hears_something().attr("id").map(ToOwned::to_owned)
            })
            .collect();
        assert!(ids[0].is_some() && ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
    }

    fn a_header_may_come_byte_by_byte(stage: &mut Stage) {
        let visitor = stage.visit();
        for byte in HEADER.bytes() {
            visitor.client(|client| client.send(&[byte]));
        }
        visitor.hears("<stream:stream from='montague.lit' id='{any}' version='1.0'/>");
        visitor.hears("<stream:features>{any}</stream:features>");
    }

    fn a_foreign_domain_is_unknown(stage: &mut Stage) {
        let visitor = stage.visit();
        visitor.says(&HEADER.replace("montague.lit", "mantua.lit"));
        visitor.hears("<stream:stream _='{any}'/>");
        visitor.hears_the_end("host-unknown");
    }

    fn another_namespace_is_no_stream(stage: &mut Stage) {
        let visitor = stage.visit();
        visitor.says(&HEADER.replace("etherx.jabber.org", "example.org"));
        visitor.hears("<stream:stream _='{any}'/>");
        visitor.hears_the_end("invalid-namespace");
    }

    fn a_header_without_version_is_too_old(stage: &mut Stage) {
        let visitor = stage.visit();
        visitor.says(&HEADER.replace(" version='1.0'", ""));
        visitor.hears("<stream:stream _='{any}'/>");
        visitor.hears_the_end("unsupported-version");
    }

    fn another_encoding_is_not_supported(stage: &mut Stage) {
        let visitor = stage.visit();
        visitor.says(&format!("<?xml version='1.0' encoding='ISO-8859-1'?>{HEADER}"));
        visitor.hears("<stream:stream _='{any}'/>");
        visitor.hears_the_end("unsupported-encoding");
    }

    fn stanzas_before_log_in_end_the_stream(stage: &mut Stage) {
        let visitor = stage.visit();
        visitor.says(HEADER);
        visitor.hears("<stream:stream _='{any}'/>");
        visitor.hears("<stream:features>{any}</stream:features>");
        visitor.says("<message to='juliet@capulet.lit'><body>Hist!</body></message>");
        visitor.hears_the_end("not-authorized");
    }

    fn white_space_keeps_a_stream_alive_and_is_no_stanza(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says(" \n \r\n\t ");
        romeo.hears_nothing_more();
    }

    fn text_between_stanzas_ends_the_stream(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("Hist!");
        romeo.hears_the_end("bad-format");
    }

    fn an_unknown_kind_of_stanza_ends_the_stream(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<letter to='juliet@capulet.lit'/>");
        romeo.hears_the_end("unsupported-stanza-type");
    }

    fn a_client_that_closes_is_closed(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("</stream:stream>");
        romeo.hears_it_close();
    }
}
