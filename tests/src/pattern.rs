//! What a player hears is compared with a pattern as trees of XML:
//!
//! - Names, namespaces and attributes must be equal; the order of attributes does not matter.
//! - Children must be the same, in any order; none may be missing and none too many. Text must be equal.
//! - `{any}` as the value of an attribute is any value, but there must be one. `{any}` as content is any further content, or none.
//! - An attribute `_='{any}'` in the pattern says that the element may have attributes that are not listed.
//! - At the stanza itself the pattern may leave out: `to` if it is the hearer's own address, and `from` of an IQ that answers
//!   if it is the hearer's own account or its server. At every stanza, and at a stream's header, it
//!   may leave out `xml:lang`.
//! - `{error cancel service-unavailable}` is a stanza error of that type and condition (RFC 6120 §8.3), with any further
//!   content of the error and of the stanza.
//! - `{romeo}` is the full JID of the player of that name; `{romeo/phone}` names one of several.

use minidom::rxml::{Namespace, NcName};
use muster_proto::{BareJid, Element, Jid, ns};

const ANY: &str = "{any}";

/// What is wrong with `heard`, if it is not as the pattern says. `me` is the hearer.
pub fn mismatch(pattern: &Element, heard: &Element, me: Option<&Jid>) -> Option<String> {
    let mut heard = heard.clone();
    let is_answer = heard.name() == "iq" && matches!(heard.attr("type"), Some("result" | "error"));
    heard.attrs_mut().retain(|ns, name, value| {
        let is_listed = pattern.attrs().iter().any(|(key, _)| key == (ns, name));
        let may_be_left_out = match (ns.as_str(), name.as_str()) {
            ("", "to") => me.is_some_and(|me| value == me.as_str() || value == me.to_bare().as_str()),
            ("", "from") => is_answer && me.is_some_and(|me| is_mine(value, &me.to_bare())),
            _ => false,
        };
        is_listed || !may_be_left_out
    });
    differ(pattern, &heard)
}

fn is_mine(from: &str, me: &BareJid) -> bool {
    from == me.as_str() || from == me.domain().as_str()
}

/// What is wrong with an element, with the way to it.
fn differ(pattern: &Element, heard: &Element) -> Option<String> {
    let name = pattern.name();
    if (name, pattern.ns()) != (heard.name(), heard.ns()) {
        return Some(format!("<{name}/> of {} is <{}/> of {}", pattern.ns(), heard.name(), heard.ns()));
    }
    let wrong = differ_in_attributes(pattern, heard).or_else(|| differ_inside(pattern, heard));
    wrong.map(|wrong| format!("<{name}/>: {wrong}"))
}

fn differ_in_attributes(pattern: &Element, heard: &Element) -> Option<String> {
    for (key, wanted) in pattern.attrs().iter() {
        let name = key.1;
        if name.as_str() == "_" {
            continue;
        }
        match heard.attrs().iter().find(|(other, _)| *other == key) {
            None => return Some(format!("{name} is missing")),
            Some((_, value)) if wanted != ANY && value != wanted => {
                return Some(format!("{name} is '{value}', not '{wanted}'"));
            }
            Some(_) => {}
        }
    }
    if pattern.attr("_").is_some() {
        return None;
    }
    let listed = |key: &_| pattern.attrs().iter().any(|(other, _)| other == *key);
    let is_stanza = heard.ns() == ns::CLIENT && matches!(heard.name(), "message" | "presence" | "iq");
    let is_stanza = is_stanza || heard.is("stream", ns::STREAM);
    // The server names the language of what does not (RFC 6120 §4.7.4, §8.1.5).
    let is_added = |key: (&_, &_)| is_stanza && key_is_lang(key);
    let extra = heard.attrs().iter().find(|(key, _)| !listed(key) && !is_added(*key));
    extra.map(|((_, name), value)| format!("{name}='{value}' is too many"))
}

fn key_is_lang((ns, name): (&Namespace<'_>, &NcName)) -> bool {
    ns.as_str() == ns::XML && name.as_str() == "lang"
}

fn differ_inside(pattern: &Element, heard: &Element) -> Option<String> {
    let wanted_text = pattern.text();
    let is_open = wanted_text.contains(ANY);
    let text = heard.text();
    let is_same_text = if pattern.children().next().is_some() || heard.children().next().is_some() {
        wanted_text.trim() == text.trim()
    } else {
        wanted_text == text
    };
    if !is_open && !is_same_text {
        return Some(format!("the text is '{text}', not '{wanted_text}'"));
    }
    let mut left: Vec<&Element> = heard.children().collect();
    for wanted in pattern.children() {
        match left.iter().position(|child| differ(wanted, child).is_none()) {
            Some(at) => {
                left.remove(at);
            }
            None => return Some(nearest(wanted, &left)),
        }
    }
    match left.first() {
        Some(extra) if !is_open => Some(format!("<{}/> of {} is too many", extra.name(), extra.ns())),
        _ => None,
    }
}

/// Why no child is the wanted one: the one of the same name says it best.
fn nearest(wanted: &Element, children: &[&Element]) -> String {
    let alike = children.iter().find(|child| child.is(wanted.name(), wanted.ns().as_str()));
    let why = alike.and_then(|child| differ(wanted, child));
    why.unwrap_or_else(|| format!("<{}/> of {} is missing", wanted.name(), wanted.ns()))
}

/// Writes out the errors that the pattern names.
pub fn with_errors(text: &str) -> String {
    let Some((before, rest)) = text.split_once("{error ") else { return text.to_owned() };
    let (error, after) = rest.split_once('}').expect("{error type condition}");
    let (kind, condition) = error.split_once(' ').expect("{error type condition}");
    let error =
        format!("<error type='{kind}' _='{ANY}'><{condition} xmlns='{}'/>{ANY}</error>{ANY}", ns::STANZAS);
    format!("{before}{error}{}", with_errors(after))
}

/// Reads a pattern, or what a player says, as a child of a client's stream.
///
/// # Panics
/// It is not XML.
pub fn parse(text: &str) -> Element {
    let stream =
        format!("<stream:stream xmlns='{}' xmlns:stream='{}'>{text}</stream:stream>", ns::CLIENT, ns::STREAM);
    let stream: Element = stream.parse().unwrap_or_else(|error| panic!("the scene says {text}: {error}"));
    stream.children().next().unwrap_or_else(|| panic!("the scene says {text}")).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(pattern: &str, heard: &str) -> Option<String> {
        let me = Jid::new("juliet@capulet.lit/balcony").unwrap();
        mismatch(&parse(pattern), &parse(heard), Some(&me))
    }

    #[test]
    fn order_does_not_matter_but_every_part_does() {
        assert_eq!(
            wrong("<message a='1' b='2'><x/><y/></message>", "<message b='2' a='1'><y/><x/></message>"),
            None
        );
        assert!(wrong("<message a='1'/>", "<message/>").unwrap().contains("a is missing"));
        assert!(wrong("<message/>", "<message a='1'/>").unwrap().contains("too many"));
        assert!(
            wrong("<message><x/></message>", "<message><x xmlns='y'/></message>")
                .unwrap()
                .contains("missing")
        );
        assert!(
            wrong("<message><x/></message>", "<message><x/><x/></message>").unwrap().contains("too many")
        );
        assert!(wrong("<message><x/><x/></message>", "<message><x/></message>").unwrap().contains("missing"));
        assert!(wrong("<body>Hist!</body>", "<body>Hist</body>").unwrap().contains("'Hist'"));
        assert!(wrong("<message/>", "<presence/>").is_some());
    }

    #[test]
    fn any_stands_for_values_and_content() {
        assert_eq!(wrong("<message id='{any}'>{any}</message>", "<message id='7'><x/>text</message>"), None);
        assert!(wrong("<message id='{any}'/>", "<message/>").is_some());
        assert!(wrong("<message><x/>{any}</message>", "<message><y/></message>").is_some());
        assert_eq!(wrong("<message _='{any}'/>", "<message id='7'/>"), None);
    }

    #[test]
    fn own_addresses_may_be_left_out() {
        assert_eq!(wrong("<message/>", "<message to='juliet@capulet.lit/balcony' xml:lang='en'/>"), None);
        assert!(wrong("<message/>", "<message to='romeo@montague.lit'/>").is_some());
        assert_eq!(wrong("<iq type='result'/>", "<iq type='result' from='capulet.lit'/>"), None);
        assert!(wrong("<iq type='result'/>", "<iq type='result' from='montague.lit'/>").is_some());
        assert!(wrong("<presence/>", "<presence from='juliet@capulet.lit'/>").is_some());
    }
}
