//! Whatever comes, a stream neither panics nor goes on after its end, and the split of bytes changes nothing.

use proptest::prelude::*;

use super::*;

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        HEADER,
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMA==</auth>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>biwsbj1qdWxpZXQscj1hYmM=</auth>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>",
        "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AGp1bGlldAByMG0zMA==</response>",
        "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
        "<message to='romeo@montague.lit'><body>Hi</body></message>",
        "<presence/>",
        "<presence from='romeo@montague.lit'/>",
        "<iq/>",
        " ",
        "</stream:stream>",
        "<",
        "\0",
        "é",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Plays to the end, answering what is asked, and says all that happened. Writes may come in other portions.
fn play(mut scene: Scene, chunks: &[&[u8]]) -> (String, Vec<String>) {
    let (mut written, mut events) = (String::new(), vec![]);
    for chunk in chunks {
        scene.answers(Input::Bytes(chunk));
        while !scene.effects.is_empty() {
            match scene.next() {
                Effect::Write(bytes) => written.push_str(&String::from_utf8(bytes).unwrap()),
                Effect::StartTls => {
                    events.push("tls".into());
                    // What comes until TLS stands is dropped, however it is cut.
                    return (written, events);
                }
                Effect::Lookup(_) => scene.answers(Input::Credentials(Ok(juliet()))),
                Effect::Derive(derivation) => scene.answers(Input::Derived(derivation.run())),
                Effect::Enter(_) => {
                    scene.answers(Input::Bound("juliet@capulet.lit/balcony".parse().unwrap()))
                }
                Effect::Close(ending) => {
                    assert!(scene.effects.is_empty() && scene.stream.is_closed());
                    assert!(written.ends_with("</stream:stream>"));
                    events.push(format!("{ending:?}"));
                }
                other => events.push(format!("{other:?}")),
            }
        }
    }
    (written, events)
}

proptest! {
    #[test]
    fn any_split_leads_to_the_same(text in pieces(), size in 1_usize..100, clear: bool) {
        let channel = if clear { Channel::Clear } else { Channel::Plain };
        let text = format!("{HEADER}{text}");
        let whole = play(Scene::on(channel.clone()), &[text.as_bytes()]);
        let chunks: Vec<_> = text.as_bytes().chunks(size).collect();
        prop_assert_eq!(play(Scene::on(channel), &chunks), whole);
    }

    #[test]
    fn garbage_ends_a_stream_at_most_once(bytes: Vec<u8>, text in pieces()) {
        play(Scene::on(Channel::Plain), &[&bytes, text.as_bytes()]);
        play(Scene::on(Channel::Clear), &[text.as_bytes(), &bytes]);
        play(Scene::bound(), &[&bytes, text.as_bytes(), &bytes]);
        play(Scene::bound(), &[b"<message>", &bytes, text.as_bytes()]);
    }
}
