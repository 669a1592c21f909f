//! Asking for voice, and granting it by form (XEP-0045 §7.13, §8.6).

use minidom::Element;

use super::Room;
use super::affiliations::Role;
use super::broadcast::deliver;
use super::occupants::Occupant;
use crate::form::{Field, FieldKind, Form, FormKind};
use crate::machine::Out;
use crate::ns;
use crate::stanza::{Condition, MessageType, Stanza};

impl Room {
    /// A form sent to the room: a request from a visitor, or a moderator's decision.
    pub(super) fn voice_form(&mut self, stanza: &Stanza, form: &Element, out: &mut Out<Self>) {
        let Some(sender) = self.sender(stanza).cloned() else {
            return out.refuse(stanza, Condition::NotAcceptable);
        };
        let form = match Form::parse(form) {
            Ok(form) if form.form_type() == Some(ns::MUC_REQUEST) => form,
            Ok(_) => return out.refuse(stanza, Condition::BadRequest),
            Err(error) => return out.refuse(stanza, error),
        };
        let role = form.value("muc#role").and_then(Role::parse);
        if form.kind != FormKind::Submit || role != Some(Role::Participant) {
            return out.refuse(stanza, Condition::BadRequest);
        }
        match form.boolean("muc#request_allow") {
            Err(error) => out.refuse(stanza, error),
            Ok(None) if sender.role == Role::Visitor => self.ask_for_voice(&sender, out),
            // It has it already.
            Ok(None) => {}
            Ok(Some(_)) if sender.role != Role::Moderator => out.refuse(stanza, Condition::Forbidden),
            Ok(Some(false)) => {}
            Ok(Some(true)) => self.grant_voice(stanza, &form, out),
        }
    }

    fn ask_for_voice(&self, visitor: &Occupant, out: &mut Out<Self>) {
        let form = Form::new(FormKind::Form, ns::MUC_REQUEST)
            .title("Voice request")
            .instructions("To let this person speak, tick the box and submit the form.")
            .field(
                Field::choice("muc#role", &[("participant", "Participant")])
                    .label("Requested role")
                    .value("participant"),
            )
            .field(
                Field::new(FieldKind::JidSingle, "muc#jid")
                    .label("User ID")
                    .value(visitor.shown().jid.to_string()),
            )
            .field(Field::text("muc#roomnick").label("Room nickname").value(visitor.nick()))
            .field(Field::boolean("muc#request_allow", false).label("Grant voice to this person?"));
        let message =
            Stanza::message(MessageType::Normal).with_from(self.address.clone()).with(&form.to_element());
        let moderators = self.occupants.iter().filter(|occupant| occupant.role == Role::Moderator);
        deliver(message, moderators.flat_map(Occupant::receivers).collect(), out);
    }

    fn grant_voice(&mut self, stanza: &Stanza, form: &Form, out: &mut Out<Self>) {
        let named = form.value("muc#roomnick").and_then(|nick| self.occupants.named(nick)).cloned();
        let Some(visitor) = named else {
            return out.refuse(stanza, Condition::ItemNotFound);
        };
        if visitor.role == Role::Visitor {
            self.set_standing(&visitor, visitor.affiliation, Role::Participant, out);
        }
    }
}
