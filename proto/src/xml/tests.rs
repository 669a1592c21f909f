//! The reader against the specification, against every split of its bytes, and against another parser.

use proptest::prelude::*;
use rxml::{Parse, WithOptions};

use super::reader::{Event, Reader};
use crate::options::Limits;
use crate::stanza::{Condition, Facts, Kind, MessageType, Stanza};
use crate::stream::{StreamCondition, StreamError};

const OPEN: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='capulet.lit' version='1.0' \
                    xmlns:stream='http://etherx.jabber.org/streams' xmlns:x='urn:x'>";

fn read_in(chunks: &[&[u8]], limits: &Limits) -> (Vec<Event>, Option<StreamError>) {
    let mut reader = Reader::new(limits);
    let mut events = Vec::new();
    for chunk in chunks {
        let mut rest = *chunk;
        loop {
            match reader.read(&mut rest) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    (events, None)
}

fn read(text: &str) -> (Vec<Event>, Option<StreamError>) {
    read_in(&[text.as_bytes()], &Limits::default())
}

/// What the reader says to `text` inside an open stream.
fn inside(text: &str) -> (Vec<Event>, Option<StreamError>) {
    let (mut events, error) = read(&format!("{OPEN}{text}"));
    assert!(matches!(events.remove(0), Event::Header(_)));
    (events, error)
}

fn stanza(text: &str) -> Stanza {
    match inside(text) {
        (mut events, None) if events.len() == 1 => match events.remove(0) {
            Event::Stanza(stanza) => stanza,
            other => panic!("{text}: {other:?}"),
        },
        other => panic!("{text}: {other:?}"),
    }
}

fn condition(text: &str) -> StreamCondition {
    inside(text).1.unwrap_or_else(|| panic!("{text} passes")).condition
}

#[test]
fn a_header_says_what_it_says() {
    let (events, error) = read(OPEN);
    assert_eq!(error, None);
    let [Event::Header(header)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((header.name.as_str(), header.ns.as_str()), ("stream", crate::ns::STREAM));
    assert_eq!((header.content.as_str(), header.to.as_deref()), (crate::ns::CLIENT, Some("capulet.lit")));
    assert_eq!(header.version.as_deref(), Some("1.0"));
}

#[test]
fn the_children_of_a_stanza_stay_the_bytes_they_were() {
    let inner = "<body  a = '1'>Hi &amp; <![CDATA[<&]]>&#x20AC;</body >\n<active xmlns=\"http://jabber.org/protocol/chatstates\"/>";
    let read = stanza(&format!(
        "<message to='juliet@capulet.lit' id='&quot;1' type='chat' xml:lang='en'>{inner}</message>"
    ));
    assert_eq!(read.inner, inner.as_bytes());
    assert_eq!(read.kind, Kind::Message(MessageType::Chat));
    assert_eq!(read.facts, Facts::BODY | Facts::CHAT_STATE);
    assert_eq!((read.id.as_deref(), read.lang.as_deref()), (Some("\"1"), Some("en")));
    assert_eq!(read.to.as_ref().map(ToString::to_string).as_deref(), Some("juliet@capulet.lit"));
    assert_eq!(read.child_text("body").as_deref(), Some("Hi & <&€"));
}

#[test]
fn a_stanza_is_valid_wherever_it_is_written() {
    for text in [
        "<message xmlns:y='urn:y' y:a='&lt;1'><y:b/></message>",
        "<message><x:b x:c='1'/></message>",
        "<message x:c='1'/>",
        "<c:message xmlns:c='jabber:client'><c:body>a</c:body><body>b</body></c:message>",
        "<c:message xmlns:c='jabber:client' xmlns='urn:other'><b/><c:body>a</c:body><d xmlns='urn:d'/><e f='1'><g/></e></c:message>",
        "<c:message xmlns:c='jabber:client' xmlns=''><b/></c:message>",
        "<stream:message xmlns:stream='jabber:client'><stream:body/></stream:message>",
    ] {
        let outer = OPEN.split_once("?>").unwrap().1;
        let whole = format!("{outer}{text}</stream:stream>");
        let stream = minidom::Element::from_reader(whole.as_bytes()).unwrap();
        let expected = stream.children().next().unwrap();
        let ours = stanza(text).to_element();
        assert_eq!(ours.children().collect::<Vec<_>>(), expected.children().collect::<Vec<_>>(), "{text}");
        for ((ns, name), value) in expected.attrs() {
            assert_eq!(ours.attr_ns(ns.as_str(), name.as_str()), Some(value.as_str()), "{text}");
        }
    }
}

#[test]
fn whatever_is_read_can_become_a_tree() {
    let long = "a".repeat(50_000);
    for inner in
        [format!("<b xmlns='c' d='{long}'/>"), format!("<b xmlns='{long}'>{long}</b>"), "<xml:b/>".to_owned()]
    {
        let read = stanza(&format!("<message id='{long}'>{inner}</message>"));
        assert_eq!(read.children().len(), 1);
        assert_eq!(Stanza::parse(&read.to_xml()).unwrap().id, read.id);
    }
    let (events, _) = inside(&format!("<b xmlns='c' d='{}'/>", "a".repeat(10_000)));
    assert!(matches!(events.as_slice(), [Event::Nonza(_)]));
}

#[test]
fn an_iq_says_what_it_asks() {
    let read = stanza("<iq id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
    let payload = read.payload.clone().unwrap();
    assert_eq!((&*payload.ns, &*payload.name), ("urn:xmpp:ping", "ping"));
    let error = stanza("<iq id='1' type='error'><error type='cancel'/><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(error.payload.clone().unwrap().ns, "urn:xmpp:ping".into());
    assert_eq!(error.facts, Facts::ERROR | Facts::OTHER);
}

#[test]
fn what_can_be_answered_is_not_the_end_of_the_stream() {
    for (text, expected) in [
        ("<message to='@nowhere' id='1'/>", Condition::JidMalformed),
        ("<message to='' id='1'/>", Condition::JidMalformed),
        ("<iq type='subscribe' id='1'><a xmlns='b'/></iq>", Condition::BadRequest),
        ("<iq id='1'><a xmlns='b'/></iq>", Condition::BadRequest),
        ("<iq type='get'><a xmlns='b'/></iq>", Condition::BadRequest),
        ("<iq type='get' id='1'/>", Condition::BadRequest),
        ("<iq type='set' id='1'><a xmlns='b'/><a xmlns='b'/></iq>", Condition::BadRequest),
        ("<presence type='away' id='1'/>", Condition::BadRequest),
    ] {
        let (events, error) = inside(text);
        assert_eq!(error, None);
        let [Event::Bad(stanza, error)] = events.as_slice() else { panic!("{text}: {events:?}") };
        assert_eq!(error.condition, expected, "{text}");
        assert!(stanza.error(error.clone()).is_some(), "{text}");
    }
}

#[test]
fn other_elements_are_trees() {
    let (events, error) =
        inside("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AA==</auth> <x:y/>");
    assert_eq!(error, None);
    let [Event::Nonza(auth), Event::Nonza(y)] = events.as_slice() else { panic!("{events:?}") };
    assert!(auth.is("auth", crate::ns::SASL));
    assert_eq!((auth.attr("mechanism"), auth.text().as_str()), (Some("PLAIN"), "AA=="));
    assert!(y.is("y", "urn:x"));
}

proptest! {
    #[test]
    fn an_element_that_is_read_without_a_tree_is_the_same_as_with_one(
        name in "(a|x:r|xml:b)",
        attributes in proptest::collection::hash_map("(h|id|xml:lang|x:y|xmlns:z)", "([a-z<\"\t\n ]|&amp;|&#65;){1,6}", 0..4),
        ns in proptest::option::of("(urn:b|urn:&amp;)"),
        text in "([a-z=\n ]|&lt;|]]|\r|<!\\[CDATA\\[c]]>|<d/>){0,4}",
        is_empty: bool,
    ) {
        let declared = ns.map(|ns| format!(" xmlns='{ns}'")).unwrap_or_default();
        let attributes: String = attributes
            .iter()
            .map(|(name, value)| format!(" {name}='{}'", value.replace('<', "&lt;")))
            .collect();
        let start = format!("<{name}{declared}{attributes}");
        let written = if is_empty { format!("{start}/>") } else { format!("{start}>{text}</{name}>") };
        let whole = format!("<s xmlns='jabber:client' xmlns:x='urn:x'>{written}</s>");
        let tree = crate::xml::parse(whole.as_bytes()).unwrap();
        let (events, error) = inside(&written);
        prop_assert_eq!(error, None);
        let [Event::Nonza(read)] = events.as_slice() else { panic!("{events:?}") };
        prop_assert_eq!(Some(read), tree.children().next());
    }
}

#[test]
fn bad_xml_gets_its_condition() {
    use StreamCondition::*;
    for (text, expected) in [
        ("<!-- hush -->", RestrictedXml),
        ("<message><!-- hush --></message>", RestrictedXml),
        ("<?php ?>", RestrictedXml),
        ("<message><?php ?></message>", RestrictedXml),
        ("<!DOCTYPE a>", RestrictedXml),
        ("<message><body>&lol;</body></message>", RestrictedXml),
        ("<message a='&lol;'/>", RestrictedXml),
        ("<message></presence>", NotWellFormed),
        ("<message><body></message>", NotWellFormed),
        ("<message a='1' a='2'/>", NotWellFormed),
        ("<message a=1/>", NotWellFormed),
        ("<message a='<'/>", NotWellFormed),
        ("<message a='1'b='2'/>", NotWellFormed),
        ("<message a/>", NotWellFormed),
        ("<y:message/>", NotWellFormed),
        ("<message y:a='1'/>", NotWellFormed),
        ("<message xmlns:y='urn:x' x:a='1' y:a='2'/>", NotWellFormed),
        ("<message xmlns:y=''/>", NotWellFormed),
        ("<message xmlns:xmlns='a'/>", NotWellFormed),
        ("<message>& </message>", NotWellFormed),
        ("<message>&#0;</message>", NotWellFormed),
        ("<message>&#+65;</message>", NotWellFormed),
        ("<message>]]></message>", NotWellFormed),
        ("<message>\0</message>", NotWellFormed),
        ("<message>\u{ffff}</message>", NotWellFormed),
        ("<message a='\u{1}'/>", NotWellFormed),
        ("<1/>", NotWellFormed),
        ("< message/>", NotWellFormed),
        ("<![CDATA[a]]>", BadFormat),
        ("</stream>", NotWellFormed),
        ("\0", NotWellFormed),
        ("hello", BadFormat),
        ("<message from='@'/>", InvalidFrom),
    ] {
        assert_eq!(condition(text), expected, "{text}");
    }
    for (text, expected) in [
        ("GET / HTTP/1.1\r\n", NotWellFormed),
        ("<!DOCTYPE stream><stream/>", RestrictedXml),
        ("<?xml version='1.0' encoding='iso-8859-1'?>", UnsupportedEncoding),
        ("<?xml version='1.1'?>", NotWellFormed),
        ("<?xml encoding='utf-8'?>", NotWellFormed),
        ("<?xml version='1.0'encoding='utf-8'?>", NotWellFormed),
        ("<?xmlversion?>", RestrictedXml),
        ("<?xml version='1.0'?><?xml version='1.0'?>", RestrictedXml),
        ("</stream>", NotWellFormed),
    ] {
        assert_eq!(read(text).1.unwrap().condition, expected, "{text}");
    }
    let (_, error) = read_in(&[OPEN.as_bytes(), b"<message>\xff"], &Limits::default());
    assert_eq!(error.unwrap().condition, UnsupportedEncoding);
}

#[test]
fn a_declaration_that_ends_within_a_character_is_not_utf_8() {
    let (_, error) = read_in(&[b"<?xml version='1.0' \xe2?>"], &Limits::default());
    assert_eq!(error.unwrap().condition, StreamCondition::UnsupportedEncoding);
    let (_, error) = read_in(&[b"<?xml version='\xe2?>"], &Limits::default());
    assert_eq!(error.unwrap().condition, StreamCondition::UnsupportedEncoding);
}

#[test]
fn limits_hold_before_memory_is_spent() {
    let limits = Limits { stanza_bytes_max: 20_000, ..Limits::default() };
    let chunk = [b'a'; 1000];
    for start in ["<message><body>", "<message a='", "<message><![CDATA[", "<", "<message a"] {
        let mut reader = Reader::new(&limits);
        let mut open = OPEN.as_bytes();
        reader.read(&mut open).unwrap();
        let mut start = start.as_bytes();
        assert_eq!(reader.read(&mut start), Ok(None));
        let taken = (1..100).take_while(|_| reader.read(&mut &chunk[..]).is_ok()).count();
        assert!((18..=20).contains(&taken), "{taken}");
    }
    let whole = format!("{OPEN}<message><body>{}</body></message>", "a".repeat(10_000_000));
    let (_, error) = read_in(&[whole.as_bytes()], &limits);
    assert_eq!(error.unwrap().condition, StreamCondition::PolicyViolation);
    assert_eq!(condition(&"<a>".repeat(10_000)), StreamCondition::PolicyViolation);
    let attributes: String = (0..100).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(condition(&format!("<message{attributes}/>")), StreamCondition::PolicyViolation);
    assert_eq!(
        condition(&format!("<a xmlns='b'>{}</a>", "<c/>".repeat(1000))),
        StreamCondition::PolicyViolation
    );
    let fits = format!("<message>{}</message>", "<c/>".repeat(10_000));
    assert_eq!(stanza(&fits).inner.len(), 40_000);
}

#[test]
fn white_space_between_stanzas_is_not_kept() {
    let mut reader = Reader::new(&Limits::default());
    reader.read(&mut OPEN.as_bytes()).unwrap();
    let space = [b' '; 100_000];
    for _ in 0..100 {
        assert_eq!(reader.read(&mut &space[..]), Ok(None));
    }
    assert!(matches!(reader.read(&mut &b"<presence/>"[..]), Ok(Some(Event::Stanza(_)))));
}

#[test]
fn the_end_is_the_end() {
    let (events, error) = inside("<presence/></stream:stream >\0 whatever");
    assert_eq!(error, None);
    assert!(matches!(events.as_slice(), [Event::Stanza(_), Event::End]), "{events:?}");
}

const PIECES: &[&str] = &[
    "<message>",
    "</message>",
    "<message to='a@b'>",
    "<presence/>",
    "<iq type='get' id='1'>",
    "</iq>",
    "<body>",
    "</body>",
    "<x:y>",
    "</x:y>",
    "<a xmlns='b'/>",
    "<a xmlns:c='d' c:e='f'>",
    "</a>",
    "<b\n/>",
    "&amp;",
    "&lt;",
    "&#65;",
    "&#x41;",
    "&#xD800;",
    "&foo;",
    "&",
    ";",
    "<![CDATA[",
    "]]>",
    "]",
    "<!--",
    "-->",
    "<?a?>",
    "text",
    "é",
    "€",
    "\u{10348}",
    " ",
    "\r\n",
    "\t",
    "'",
    "\"",
    "=",
    " a='1'",
    " a=\"2\"",
    "<",
    ">",
    "/",
    ":",
    "xmlns",
    "\0",
    "\u{ffff}",
    "\u{85}",
    "<é/>",
    "<a é='1'>",
    "</stream:stream>",
    "<stream:a/>",
    " xml:lang='en'",
    "<a b='&lt;'/>",
    "<a\u{300}/>",
    "<-/>",
    "<a:/>",
    "<:a/>",
    "<a:b:c/>",
    "<a xmlns:xml='b'/>",
    "<a xmlns:p=''/>",
    "<a p:b=''/>",
    "<a x='\n'/>",
    "<c:message xmlns:c='jabber:client'>",
    "</c:message>",
    "<message xmlns=''>",
    "<xml:a/>",
    "<a xml:b='c'/>",
];

/// Text that is nearly, and often, XML.
fn nearly_xml() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What another parser says to a stream: how many children it has so far, and whether it is complete.
fn other(text: &str) -> Result<(usize, bool), ()> {
    let mut parser =
        rxml::Parser::with_options(rxml::Options { max_token_length: 1 << 20, ..Default::default() });
    let (mut bytes, mut depth, mut children) = (text.as_bytes(), 0, 0);
    loop {
        match parser.parse(&mut bytes, false) {
            Ok(Some(rxml::Event::StartElement(..))) => depth += 1,
            Ok(Some(rxml::Event::EndElement(_))) => {
                depth -= 1;
                children += usize::from(depth == 1);
                if depth == 0 {
                    return Ok((children, true));
                }
            }
            Ok(Some(rxml::Event::Text(..) | rxml::Event::XmlDeclaration(..))) => {}
            Err(rxml::error::EndOrError::NeedMoreData) => return Ok((children, false)),
            Ok(None) | Err(rxml::error::EndOrError::Error(_)) => return Err(()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_split_says_the_same(text in nearly_xml(), cuts in prop::collection::vec(0_usize..400, 0..6)) {
        let whole = format!("{OPEN}{text}");
        let bytes = whole.as_bytes();
        let limits = Limits::default();
        let expected = read_in(&[bytes], &limits);
        let one_by_one: Vec<_> = bytes.chunks(1).collect();
        prop_assert_eq!(&read_in(&one_by_one, &limits), &expected);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let chunks: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(read_in(&chunks, &limits), expected);
    }

    #[test]
    fn another_parser_agrees(text in nearly_xml()) {
        let whole = format!("{OPEN}{text}</stream:stream>");
        let (events, error) = read(&whole);
        let children = events.iter().filter(|event| !matches!(event, Event::Header(_) | Event::End)).count();
        match (error, other(&whole)) {
            (None, theirs) => prop_assert_eq!(theirs, Ok((children, events.contains(&Event::End))), "{}", whole),
            // Text between stanzas is well-formed; only XMPP forbids it.
            (Some(error), _) if error.condition == StreamCondition::BadFormat => {}
            // Ours need not wait for the end of a bad token.
            (Some(_), theirs) => prop_assert!(!matches!(theirs, Ok((_, true))), "{}", whole),
        }
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>, text: String) {
        read_in(&[&bytes], &Limits::default());
        read_in(&[OPEN.as_bytes(), &bytes], &Limits::default());
        read_in(&[OPEN.as_bytes(), b"<message a='", &bytes, text.as_bytes()], &Limits::default());
        read_in(&[OPEN.as_bytes(), b"<message><body>", text.as_bytes(), &bytes], &Limits::default());
    }

    #[test]
    fn a_stanza_survives_being_written_and_read(text in nearly_xml(), id: String) {
        let (events, _) = inside(&format!("<message>{text}</message>"));
        for event in events {
            let Event::Stanza(mut stanza) = event else { continue };
            stanza.id = Some(id.chars().filter(|c| super::chars::is_char(*c)).collect::<String>().into());
            let mut bytes = Vec::new();
            stanza.write(&mut bytes);
            prop_assert!(super::parse(&stanza.to_xml()).is_some());
            prop_assert_eq!(self::stanza(std::str::from_utf8(&bytes).unwrap()), stanza);
        }
    }
}
