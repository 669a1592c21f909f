//! Private XML Storage (XEP-0049): a map of an account, one field for each kind of element, for its owner only.

use minidom::Element;

use super::{get, is_own, set, store_error};
use crate::feature::{Answer, Ask, Cx, Feature, Place, Spec};
use crate::ns;
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::store::{Key, Query, Reply, Write, collection};
use crate::xml::{Build, el, writer};

/// Kinds of element that one account may store. With the bound of one stanza, this bounds the whole.
const FIELDS_MAX: usize = 64;

/// XEP-0049.
pub struct Private;

impl Feature for Private {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0049", version: "1.2", title: "Private XML Storage" }
    }

    fn advertises(&self, place: Place) -> &'static [&'static str] {
        match place {
            Place::Host => &[ns::PRIVATE],
            Place::Rooms | Place::Account | Place::Room => &[],
        }
    }

    fn asks(&self) -> &'static [Ask] {
        const ASKS: [Ask; 2] =
            [get(Place::Account, ns::PRIVATE, "query"), set(Place::Account, ns::PRIVATE, "query")];
        &ASKS
    }

    fn answer(&self, cx: &mut Cx<'_, '_>, iq: &Stanza) -> Answer {
        if !is_own(cx, iq) {
            return Answer::Error(Condition::Forbidden.into());
        }
        if cx.session.anonymous {
            return Answer::Error(Condition::NotAllowed.into());
        }
        let done = match iq.kind {
            Kind::Iq(IqType::Get) => read(cx, iq),
            _ => write(cx, iq),
        };
        done.map_or_else(Answer::Error, |()| Answer::Later)
    }
}

fn read(cx: &mut Cx<'_, '_>, iq: &Stanza) -> Result<(), StanzaError> {
    let query = iq.child("query", ns::PRIVATE).ok_or(Condition::BadRequest)?;
    let mut children = query.children();
    let (Some(wanted), None) = (children.next(), children.next()) else {
        return Err(Condition::BadRequest.into());
    };
    let (wanted, iq) = (wanted.clone(), iq.clone());
    cx.out.ask(Query::Field(key(cx.session.address.as_str()), field(&wanted)), move |_, reply, _, out| {
        match reply {
            Ok(reply) => {
                let stored = match reply {
                    Reply::Document(Some(bytes)) => crate::xml::parse(&bytes),
                    _ => None,
                };
                let content = stored.unwrap_or_else(|| Element::bare(wanted.name(), wanted.ns()));
                out.route(iq.result(Some(&el("query", ns::PRIVATE).child(content))));
            }
            Err(error) => out.refuse(&iq, store_error(&error)),
        }
    });
    Ok(())
}

fn write(cx: &mut Cx<'_, '_>, iq: &Stanza) -> Result<(), StanzaError> {
    let query = iq.child("query", ns::PRIVATE).ok_or(Condition::BadRequest)?;
    let children: Vec<&Element> = query.children().collect();
    if children.is_empty() || children.iter().any(|child| child.ns() == ns::PRIVATE) {
        return Err(Condition::NotAcceptable.into());
    }
    let key = key(cx.session.address.as_str());
    let writes = children.iter().map(|child| {
        let mut bytes = vec![];
        writer::element(child, "", &mut bytes);
        Write::SetField(key.clone(), field(child), bytes)
    });
    let (writes, first, iq) = (writes.collect::<Vec<_>>(), field(children[0]), iq.clone());
    cx.out.ask(Query::Count(key.clone()), move |_, reply, _, out| match reply {
        Ok(Reply::Count(count)) if count as usize + writes.len() <= FIELDS_MAX => keep(writes, iq, out),
        // Who has reached the bound may still change what there is.
        Ok(_) if writes.len() == 1 => {
            out.ask(Query::Field(key, first), move |_, reply, _, out| match reply {
                Ok(Reply::Document(Some(_))) => keep(writes, iq, out),
                Ok(_) => out.refuse(&iq, too_many()),
                Err(error) => out.refuse(&iq, store_error(&error)),
            })
        }
        Ok(_) => out.refuse(&iq, too_many()),
        Err(error) => out.refuse(&iq, store_error(&error)),
    });
    Ok(())
}

fn keep(writes: Vec<Write>, iq: Stanza, out: &mut crate::machine::Out<crate::session::Session>) {
    out.store(writes, move |_, reply, _, out| match reply {
        Ok(_) => out.route(iq.result(None)),
        Err(error) => out.refuse(&iq, store_error(&error)),
    });
}

fn too_many() -> StanzaError {
    let text = format!("An account may store {FIELDS_MAX} kinds of element.");
    StanzaError::from(Condition::ResourceConstraint).text(text)
}

fn key(account: &str) -> Key {
    Key::new(collection::PRIVATE, account)
}

/// A namespace has no spaces, so the two cannot run into each other.
fn field(element: &Element) -> String {
    format!("{} {}", element.name(), element.ns())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Client, World};

    fn asks(world: &mut World, client: Client, kind: &str, to: &str, content: &str) -> String {
        world.says(
            client,
            &format!("<iq id='x' type='{kind}'{to}><query xmlns='jabber:iq:private'>{content}</query></iq>"),
        );
        let mut answers = world.hears_xml(client);
        assert_eq!(answers.len(), 1, "{content} gets one answer");
        answers.remove(0)
    }

    #[test]
    fn what_is_put_away_is_found_again() {
        let mut world = World::default();
        let hamlet = world.enter("hamlet@capulet.lit/denmark");
        let empty = "<query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'/></query></iq>";
        let asked = "<exodus xmlns='exodus:prefs'/>";
        assert!(asks(&mut world, hamlet, "get", "", asked).ends_with(empty));
        let content = "<exodus xmlns='exodus:prefs'><nick>Hamlet</nick></exodus>";
        assert!(asks(&mut world, hamlet, "set", "", content).contains("type='result'"));
        assert!(asks(&mut world, hamlet, "get", "", asked).contains(content));
        assert!(
            asks(&mut world, hamlet, "get", "", "<exodus xmlns='other'/>")
                .contains("<exodus xmlns='other'/>")
        );
    }

    #[test]
    fn it_is_nobody_elses_business() {
        let mut world = World::default();
        world.account("hamlet@capulet.lit");
        let macbeth = world.enter("macbeth@capulet.lit/castle");
        for kind in ["get", "set"] {
            let heard = asks(&mut world, macbeth, kind, " to='hamlet@capulet.lit'", "<a xmlns='b'/>");
            assert!(heard.contains("<forbidden"), "{heard}");
        }
    }

    #[test]
    fn requests_without_sense_are_refused() {
        let mut world = World::default();
        let hamlet = world.enter("hamlet@capulet.lit/denmark");
        assert!(asks(&mut world, hamlet, "get", "", "").contains("<bad-request"));
        assert!(asks(&mut world, hamlet, "get", "", "<a xmlns='a'/><b xmlns='b'/>").contains("<bad-request"));
        assert!(asks(&mut world, hamlet, "set", "", "").contains("<not-acceptable"));
        assert!(asks(&mut world, hamlet, "set", "", "<a/>").contains("<not-acceptable"));
    }

    #[test]
    fn there_is_an_end_to_it_but_what_is_there_can_be_changed() {
        let mut world = World::default();
        let hamlet = world.enter("hamlet@capulet.lit/denmark");
        for number in 0..FIELDS_MAX {
            let heard = asks(&mut world, hamlet, "set", "", &format!("<a xmlns='urn:{number}'/>"));
            assert!(heard.contains("type='result'"), "{heard}");
        }
        assert!(
            asks(&mut world, hamlet, "set", "", "<a xmlns='urn:more'/>").contains("<resource-constraint")
        );
        assert!(asks(&mut world, hamlet, "set", "", "<a xmlns='urn:1'>new</a>").contains("type='result'"));
    }
}
