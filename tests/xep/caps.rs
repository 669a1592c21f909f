//! The server's own capabilities (XEP-0115).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use muster_tests::on_every_stage;
use muster_tests::stage::PASSWORD;

const INFO: &str = "http://jabber.org/protocol/disco#info";

on_every_stage! {
    fn the_hash_in_the_stream_features_is_that_of_disco_info(stage: &mut Stage) {
        stage.account("romeo@montague.lit");
        let visitor = stage.visit();
        let features = visitor.client(|client| client.authenticate("romeo", "montague.lit", PASSWORD));
        let caps = features.get_child("c", "http://jabber.org/protocol/caps").expect("capabilities");
        assert_eq!(caps.attr("hash"), Some("sha-1"));
        let (node, version) = (caps.attr("node").unwrap(), caps.attr("ver").unwrap());

        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says(&format!("<iq to='montague.lit' id='d1' type='get'><query xmlns='{INFO}' node='{node}#{version}'/></iq>"));
        let answer = romeo.hears(&format!("<iq from='montague.lit' id='d1' type='result'><query xmlns='{INFO}' node='{node}#{version}'>{{any}}</query></iq>"));
        let query = answer.children().next().unwrap();

        // XEP-0115 §5.1, without forms.
        let mut parts: Vec<String> = query
            .children()
            .filter(|child| child.name() == "identity")
            .map(|it| {
                let field = |name| it.attr(name).unwrap_or_default();
                format!("{}/{}/{}/{}", field("category"), field("type"), field("xml:lang"), field("name"))
            })
            .collect();
        parts.sort();
        let mut vars: Vec<String> =
            query.children().filter_map(|child| child.attr("var").map(ToOwned::to_owned)).collect();
        vars.sort();
        assert!(!query.has_child("x", "jabber:x:data"), "with a form the hash is computed otherwise");
        let text: String = parts.into_iter().chain(vars).map(|part| part + "<").collect();
        let hash = openssl::hash::hash(openssl::hash::MessageDigest::sha1(), text.as_bytes()).unwrap();
        assert_eq!(STANDARD.encode(hash), version);
    }
}
