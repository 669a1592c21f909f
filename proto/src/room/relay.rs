//! IQs between occupants, who need not know each other's address (XEP-0045 §17.4), and self-pings (XEP-0410).
//!
//! The relay remembers nothing: where a nickname has several connections, the id tells the one that asked.

use jid::{FullJid, Jid};

use super::Room;
use super::occupants::Occupant;
use crate::machine::Out;
use crate::ns;
use crate::stanza::{Condition, IqType, Kind, Stanza};

impl Room {
    /// An IQ to one of the occupants.
    pub(super) fn relay(&mut self, kind: IqType, iq: Stanza, out: &mut Out<Self>) {
        match kind {
            IqType::Get | IqType::Set => self.relay_request(iq, out),
            IqType::Result | IqType::Error => self.relay_answer(iq, out),
        }
    }

    fn relay_request(&mut self, mut iq: Stanza, out: &mut Out<Self>) {
        let asks = |name: &str, ns: &str| {
            iq.payload.as_ref().is_some_and(|payload| &*payload.name == name && &*payload.ns == ns)
        };
        let Some(sender) = self.sender(&iq) else {
            // Only for disco is it something else (§6.6); XEP-0410 §3.2 wants this one.
            let disco = asks("query", ns::DISCO_INFO) || asks("query", ns::DISCO_ITEMS);
            return out.refuse(&iq, if disco { Condition::BadRequest } else { Condition::NotAcceptable });
        };
        let Some(target) = Self::addressee(&iq).and_then(|nick| self.occupants.named(nick)) else {
            return out.refuse(&iq, Condition::ItemNotFound);
        };
        if target.jid == sender.jid && asks("ping", ns::PING) {
            return out.route(iq.result(None));
        }
        // A vCard is the account's, not the connection's (XEP-0054).
        let to = if asks("vCard", ns::VCARD) && iq.kind == Kind::Iq(IqType::Get) {
            Jid::from(target.user.clone())
        } else {
            Jid::from(target.shown().jid.clone())
        };
        if sender.seats.len() > 1
            && let Some(seat) = &iq.from
        {
            iq.id = Some(format!("{}{}", mark(seat.as_str()), iq.id.as_deref().unwrap_or_default()).into());
        }
        (iq.from, iq.to) = (Some(sender.jid.clone().into()), Some(to));
        out.route(iq);
    }

    fn relay_answer(&mut self, mut iq: Stanza, out: &mut Out<Self>) {
        let answerer = match iq.from.clone().map(Jid::try_into_full) {
            Some(Ok(full)) => self.occupants.at(&full),
            Some(Err(bare)) => self.occupants.iter().find(|occupant| occupant.user == bare),
            None => None,
        };
        let asker = Self::addressee(&iq).and_then(|nick| self.occupants.named(nick));
        let (Some(answerer), Some(asker)) = (answerer, asker) else { return };
        let (seat, id) = seat_of(asker, iq.id.as_deref().unwrap_or_default());
        let id = id.into();
        (iq.from, iq.to, iq.id) = (Some(answerer.jid.clone().into()), Some(seat.into()), Some(id));
        out.route(iq);
    }
}

/// Which connection of an occupant asked, and the id it used.
fn seat_of<'a>(asker: &Occupant, id: &'a str) -> (FullJid, &'a str) {
    let marked =
        asker.seats.iter().find_map(|seat| Some((&seat.jid, id.strip_prefix(&mark(seat.jid.as_str()))?)));
    let (jid, id) = marked.unwrap_or((&asker.shown().jid, id));
    (jid.clone(), id)
}

/// A short mark of a connection (FNV-1a): a wrong guess only misleads one's own answer.
fn mark(jid: &str) -> String {
    let hash = jid.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}/")
}
