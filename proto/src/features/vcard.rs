//! vCards (XEP-0054): one XML document per account, which its owner writes and everybody may read.

use bytes::Bytes;

use super::{get, is_own, set, store_error};
use crate::feature::{Answer, Ask, Cx, Feature, Place, Spec};
use crate::ns;
use crate::stanza::{Condition, Facts, IqType, Kind, Payload, Stanza, StanzaError};
use crate::store::{Key, Query, Reply, Write, collection};
use crate::xml::writer;

/// XEP-0054.
pub struct Vcard;

impl Feature for Vcard {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0054", version: "1.3.0", title: "vcard-temp" }
    }

    fn advertises(&self, place: Place) -> &'static [&'static str] {
        match place {
            Place::Host | Place::Account => &[ns::VCARD],
            Place::Rooms | Place::Room => &[],
        }
    }

    fn asks(&self) -> &'static [Ask] {
        const ASKS: [Ask; 2] =
            [get(Place::Account, ns::VCARD, "vCard"), set(Place::Account, ns::VCARD, "vCard")];
        &ASKS
    }

    fn answer(&self, cx: &mut Cx<'_, '_>, iq: &Stanza) -> Answer {
        match iq.kind {
            Kind::Iq(IqType::Get) => read(cx, iq),
            _ => write(cx, iq).unwrap_or_else(Answer::Error),
        }
    }
}

fn read(cx: &mut Cx<'_, '_>, iq: &Stanza) -> Answer {
    // Whether the account has no vCard or does not exist looks the same to others (§3.3).
    let none = if is_own(cx, iq) { Condition::ItemNotFound } else { Condition::ServiceUnavailable };
    let key = Key::new(collection::VCARD, cx.session.address.as_str());
    let iq = iq.clone();
    cx.out.ask(Query::Document(key), move |_, reply, _, out| match reply {
        Ok(Reply::Document(Some(stored))) => out.route(result(&iq, stored.into())),
        Ok(_) => out.refuse(&iq, none),
        Err(error) => out.refuse(&iq, store_error(&error)),
    });
    Answer::Later
}

/// The stored document is spliced into the answer: it need not be parsed again.
fn result(iq: &Stanza, stored: Bytes) -> Stanza {
    let mut result = iq.result(None);
    result.inner = stored;
    result.facts = Facts::OTHER;
    result.payload = Some(Payload { ns: ns::VCARD.into(), name: "vCard".into() });
    result
}

fn write(cx: &mut Cx<'_, '_>, iq: &Stanza) -> Result<Answer, StanzaError> {
    if !is_own(cx, iq) {
        return Err(Condition::Forbidden.into());
    }
    if cx.session.anonymous {
        return Err(Condition::NotAllowed.into());
    }
    let vcard = iq.child("vCard", ns::VCARD).ok_or(Condition::BadRequest)?;
    let mut bytes = Vec::with_capacity(iq.inner.len() + 64);
    writer::element(&vcard, "", &mut bytes);
    let most = cx.env.options.limits.vcard_bytes_max;
    if bytes.len() > most {
        let text = format!("A vCard may have {most} bytes, this one has {}.", bytes.len());
        return Err(StanzaError::from(Condition::PolicyViolation).text(text));
    }
    let key = Key::new(collection::VCARD, cx.session.address.as_str());
    let iq = iq.clone();
    cx.out.store(vec![Write::Put(key, bytes)], move |_, reply, _, out| match reply {
        Ok(_) => out.route(iq.result(None)),
        Err(error) => out.refuse(&iq, store_error(&error)),
    });
    Ok(Answer::Later)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Client, World};

    fn asks(world: &mut World, client: Client, iq: &str) -> String {
        world.says(client, iq);
        let mut answers = world.hears_xml(client);
        assert_eq!(answers.len(), 1, "{iq} gets one answer");
        answers.remove(0)
    }

    const SET: &str = "<iq id='s' type='set'><vCard xmlns='vcard-temp'><FN>Juliet &amp; co</FN></vCard></iq>";
    const GET: &str = "<iq id='g' type='get'><vCard xmlns='vcard-temp'/></iq>";

    #[test]
    fn what_one_writes_all_can_read() {
        let mut world = World::default();
        let juliet = world.enter("juliet@capulet.lit/balcony");
        assert!(asks(&mut world, juliet, GET).contains("item-not-found"));
        assert!(asks(&mut world, juliet, SET).contains("type='result'"));
        let card = "<vCard xmlns='vcard-temp'><FN>Juliet &amp; co</FN></vCard></iq>";
        assert!(asks(&mut world, juliet, GET).ends_with(card));

        let romeo = world.enter("romeo@montague.lit/orchard");
        let heard = asks(&mut world, romeo, &GET.replace("<iq", "<iq to='juliet@capulet.lit'"));
        assert!(heard.contains("from='juliet@capulet.lit'") && heard.ends_with(card), "{heard}");
    }

    #[test]
    fn no_vcard_and_no_account_look_the_same() {
        let mut world = World::default();
        world.account("juliet@capulet.lit");
        let romeo = world.enter("romeo@montague.lit/orchard");
        for name in ["juliet", "nobody"] {
            let heard = asks(&mut world, romeo, &GET.replace("<iq", &format!("<iq to='{name}@capulet.lit'")));
            assert!(heard.contains("type='cancel'><service-unavailable"), "{heard}");
        }
    }

    #[test]
    fn nobody_writes_for_others_or_without_bounds() {
        let mut world = World::default();
        world.account("juliet@capulet.lit");
        let romeo = world.enter("romeo@montague.lit/orchard");
        let heard = asks(&mut world, romeo, &SET.replace("<iq", "<iq to='juliet@capulet.lit'"));
        assert!(heard.contains("<forbidden"), "{heard}");
        world.options.limits.vcard_bytes_max = 20;
        assert!(asks(&mut world, romeo, SET).contains("<policy-violation"));
        world.options.limits.vcard_bytes_max = 20_000;
        world.store.away = true;
        assert!(asks(&mut world, romeo, SET).contains("type='wait'"));
    }
}
