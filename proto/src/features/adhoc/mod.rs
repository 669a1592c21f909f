//! Ad-Hoc Commands (XEP-0050): one form, filled in once, for those who may.
//!
//! No state is kept between the two steps: the session id says when it was given and proves for what.

mod accounts;
mod call;
mod deletion;
mod reports;

use self::call::Call;
use super::set;
use crate::feature::{Answer, Ask, Cx, Feature, Place, Spec};
use crate::form::{Form, FormKind};
use crate::ns;
use crate::options::Domain;
use crate::stanza::{Condition, Stanza, StanzaError};

/// A command that the server offers to administrators.
pub trait Command: Sync {
    /// What it is called by.
    fn node(&self) -> &'static str;

    /// What people call it.
    fn name(&self) -> &'static str;

    /// What it must be told; `None`: nothing, it runs at once.
    fn form(&self) -> Option<Form>;

    /// Runs it. It answers through `call`.
    ///
    /// # Errors
    /// What is wrong with the form; the caller may try again.
    fn run(&self, cx: &mut Cx<'_, '_>, call: Call, form: &Form) -> Result<(), StanzaError>;
}

/// Every command, in the order in which they are listed.
static COMMANDS: [&dyn Command; 7] = [
    &accounts::AddUser,
    &accounts::DeleteUser,
    &accounts::ChangePassword,
    &accounts::EndSession,
    &reports::CountUsers,
    &reports::ListUsers,
    &reports::ShowRoster,
];

/// XEP-0050.
pub struct AdHoc;

/// XEP-0133: its commands are in `COMMANDS`.
pub struct Administration;

impl Feature for AdHoc {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0050", version: "1.3.0", title: "Ad-Hoc Commands" }
    }

    fn advertises(&self, place: Place) -> &'static [&'static str] {
        match place {
            Place::Host => &[ns::COMMANDS],
            Place::Rooms | Place::Account | Place::Room => &[],
        }
    }

    fn asks(&self) -> &'static [Ask] {
        const ASKS: [Ask; 1] = [set(Place::Host, ns::COMMANDS, "command")];
        &ASKS
    }

    fn answer(&self, cx: &mut Cx<'_, '_>, iq: &Stanza) -> Answer {
        execute(cx, iq).map_or_else(Answer::Error, |()| Answer::Later)
    }
}

impl Feature for Administration {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0133", version: "1.3.1", title: "Service Administration" }
    }
}

/// The domain that the stanza is sent to, if its sender administers that one.
fn administered<'a>(cx: &Cx<'a, '_>, iq: &Stanza) -> Option<&'a Domain> {
    let domain = cx.env.options.domain(iq.to.as_ref()?.domain().as_str())?;
    let from = iq.from.as_ref()?.to_bare();
    domain.admins.contains(&from).then_some(domain)
}

/// The commands that the sender may run.
pub fn commands_for(cx: &Cx<'_, '_>, iq: &Stanza) -> impl Iterator<Item = &'static dyn Command> {
    let may = administered(cx, iq).is_some();
    COMMANDS.iter().copied().filter(move |_| may)
}

/// The command of this node.
///
/// # Errors
/// `item-not-found` if there is none; `forbidden` if the sender may not run it.
pub fn find(cx: &Cx<'_, '_>, iq: &Stanza, node: &str) -> Result<&'static dyn Command, StanzaError> {
    let command = COMMANDS.iter().find(|command| command.node() == node).ok_or(Condition::ItemNotFound)?;
    administered(cx, iq).ok_or(Condition::Forbidden)?;
    Ok(*command)
}

/// `bad-request` with a condition of XEP-0050 §4.4.
fn bad(detail: &str) -> StanzaError {
    StanzaError::from(Condition::BadRequest).detail(detail, ns::COMMANDS)
}

fn execute(cx: &mut Cx<'_, '_>, iq: &Stanza) -> Result<(), StanzaError> {
    let command_element = iq.child("command", ns::COMMANDS).ok_or(Condition::BadRequest)?;
    let node = command_element.attr("node").ok_or(Condition::BadRequest)?;
    let command = find(cx, iq, node)?;
    let domain = administered(cx, iq).ok_or(Condition::Forbidden)?;
    let call = match command_element.attr("sessionid").filter(|id| !id.is_empty()) {
        None => Call::begin(cx.env, iq, command.node(), &domain.name),
        Some(id) => Call::resume(cx.env, iq, command.node(), &domain.name, id)?,
    };
    let is_new = command_element.attr("sessionid").is_none_or(str::is_empty);
    match command_element.attr("action").unwrap_or("execute") {
        "cancel" if is_new => return Err(bad("bad-sessionid")),
        "cancel" => {
            call.cancel(cx.out);
            return Ok(());
        }
        // There is one form, which "execute" completes.
        "execute" | "complete" | "next" => {}
        "prev" => return Err(bad("bad-action")),
        _ => return Err(bad("malformed-action")),
    }
    let submitted = Form::inside(&command_element).map_err(|_| bad("bad-payload"))?;
    match (command.form(), submitted) {
        (None, _) => command.run(cx, call, &Form::new(FormKind::Submit, ns::ADMIN)),
        (Some(form), None) if is_new => {
            call.ask(&form, cx.out);
            Ok(())
        }
        (Some(_), None) => Err(bad("bad-payload")),
        // A form of another kind than asked for; one that does not say is taken at its word (XEP-0068 §3.1).
        (Some(_), Some(form)) if form.form_type().is_some_and(|form_type| form_type != ns::ADMIN) => {
            Err(bad("bad-payload"))
        }
        (Some(_), Some(form)) => command.run(cx, call, &form),
    }
}

#[cfg(test)]
mod tests;
