//! Commands that change accounts (XEP-0133 §4.1, §4.2, §4.5, §4.7).

use jid::{BareJid, Jid};

use super::call::Call;
use super::deletion::Deletion;
use super::{Command, bad};
use crate::feature::Cx;
use crate::features::{account, register};
use crate::form::{Field, FieldKind, Form, FormKind};
use crate::machine::{Effect, Out};
use crate::ns;
use crate::session::{Order, Session};
use crate::stanza::StanzaError;
use crate::store::{Key, Query, Reply, collection};

/// Makes an account.
pub(super) struct AddUser;

/// Removes accounts.
pub(super) struct DeleteUser;

/// Gives an account another password.
pub(super) struct ChangePassword;

/// Ends the streams of accounts.
pub(super) struct EndSession;

fn form(title: &str, instructions: &str) -> Form {
    Form::new(FormKind::Form, ns::ADMIN).title(title).instructions(instructions)
}

fn one_account(label: &str) -> Field {
    Field::new(FieldKind::JidSingle, "accountjid").label(label).required()
}

fn many_accounts(label: &str) -> Field {
    Field::new(FieldKind::JidMulti, "accountjids").label(label).required()
}

fn password_field(var: &str, label: &str) -> Field {
    Field::new(FieldKind::TextPrivate, var).label(label).required()
}

/// The one account that a form names.
fn account_in(call: &Call, form: &Form) -> Result<BareJid, StanzaError> {
    let jids = form.jids("accountjid").map_err(|_| bad("bad-payload"))?;
    let [jid] = &jids[..] else { return Err(bad("bad-payload").text("accountjid is missing")) };
    call.account(jid)
}

/// The addresses that a form names: at least one.
fn jids_in(form: &Form) -> Result<Vec<Jid>, StanzaError> {
    let jids = form.jids("accountjids").map_err(|_| bad("bad-payload"))?;
    if jids.is_empty() { Err(bad("bad-payload").text("accountjids is missing")) } else { Ok(jids) }
}

/// The accounts that a form names: at least one.
pub(super) fn accounts_in(call: &Call, form: &Form) -> Result<Vec<BareJid>, StanzaError> {
    let jids = jids_in(form)?;
    let mut accounts = jids.iter().map(|jid| call.account(jid)).collect::<Result<Vec<_>, _>>()?;
    accounts.sort();
    accounts.dedup();
    Ok(accounts)
}

/// The password that a form gives, twice if it has the second field.
fn password_in(form: &Form) -> Result<Box<str>, StanzaError> {
    let password = form.value("password").filter(|password| !password.is_empty());
    let password = password.ok_or_else(|| bad("bad-payload").text("password is missing"))?;
    if form.get("password-verify").is_some() && form.value("password-verify") != Some(password) {
        return Err(bad("bad-payload").text("The passwords differ."));
    }
    register::check(password)?;
    Ok(password.into())
}

/// Asks whether an account exists, then goes on.
fn look(
    account: &BareJid,
    call: Call,
    out: &mut Out<Session>,
    then: impl FnOnce(bool, Call, &mut Out<Session>) + Send + 'static,
) {
    let key = Key::new(collection::CREDENTIALS, account.as_str());
    out.ask(Query::Document(key), move |_, reply, _, out| match reply {
        Ok(reply) => then(matches!(reply, Reply::Document(Some(_))), call, out),
        Err(error) => call.away(&error, out),
    });
}

impl Command for AddUser {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#add-user"
    }

    fn name(&self) -> &'static str {
        "Add User"
    }

    fn form(&self) -> Option<Form> {
        let form = form("Adding a User", "Fill out this form to add a user.");
        Some(
            form.field(one_account("The Jabber ID for the account to be added"))
                .field(password_field("password", "The password for this account"))
                .field(password_field("password-verify", "Retype password")),
        )
    }

    fn run(&self, cx: &mut Cx<'_, '_>, call: Call, form: &Form) -> Result<(), StanzaError> {
        let (address, password) = (account_in(&call, form)?, password_in(form)?);
        look(&address.clone(), call, cx.out, move |exists, call, out| {
            if exists {
                return call.failed(&format!("{address} exists already."), out);
            }
            out.derive(password, move |_, credentials, _, out| {
                out.store(account::creation(&address, &credentials), move |_, reply, _, out| match reply {
                    Ok(_) => call.done("The account was added.", out),
                    Err(error) => call.away(&error, out),
                });
            });
        });
        Ok(())
    }
}

impl Command for DeleteUser {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#delete-user"
    }

    fn name(&self) -> &'static str {
        "Delete User"
    }

    fn form(&self) -> Option<Form> {
        let form = form("Deleting a User", "Fill out this form to delete a user.");
        Some(form.field(many_accounts("The Jabber ID(s) to delete")))
    }

    fn run(&self, cx: &mut Cx<'_, '_>, call: Call, form: &Form) -> Result<(), StanzaError> {
        let accounts = accounts_in(&call, form)?;
        if accounts.contains(&cx.session.address) {
            let text =
                "You cannot delete the account that you are using; your client can cancel its registration.";
            return Err(bad("bad-payload").text(text));
        }
        Deletion::new(accounts, call).go_on(cx.out);
        Ok(())
    }
}

impl Command for ChangePassword {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#change-user-password"
    }

    fn name(&self) -> &'static str {
        "Change User Password"
    }

    fn form(&self) -> Option<Form> {
        let form = form("Changing a User Password", "Fill out this form to change a user's password.");
        Some(
            form.field(one_account("The Jabber ID for this account"))
                .field(password_field("password", "The password for this account")),
        )
    }

    fn run(&self, cx: &mut Cx<'_, '_>, call: Call, form: &Form) -> Result<(), StanzaError> {
        let (address, password) = (account_in(&call, form)?, password_in(form)?);
        look(&address.clone(), call, cx.out, move |exists, call, out| {
            if !exists {
                return call.failed(&format!("{address} does not exist."), out);
            }
            out.derive(password, move |session, credentials, _, out| {
                let is_own = session.address == address;
                out.store(
                    vec![account::password(&address, &credentials)],
                    move |_, reply, _, out| match reply {
                        Ok(_) => {
                            call.done("The password was changed.", out);
                            // Whoever knew the old password may be who it was changed for.
                            if !is_own {
                                out.effects.push(Effect::Order(address, Order::EndStreams));
                            }
                        }
                        Err(error) => call.away(&error, out),
                    },
                );
            });
        });
        Ok(())
    }
}

impl Command for EndSession {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#end-user-session"
    }

    fn name(&self) -> &'static str {
        "End User Session"
    }

    fn form(&self) -> Option<Form> {
        let form = form("Ending a User Session", "Fill out this form to end a user's session.");
        Some(form.field(many_accounts("The Jabber ID(s) for which to end sessions")))
    }

    fn run(&self, cx: &mut Cx<'_, '_>, call: Call, form: &Form) -> Result<(), StanzaError> {
        // A full JID names one session, a bare one all of that account.
        let jids = jids_in(form)?;
        let accounts = jids.iter().map(|jid| call.account(jid)).collect::<Result<Vec<_>, _>>()?;
        // The answer goes first: one's own session may be among them.
        call.done("The sessions were told to end.", cx.out);
        for (account, jid) in accounts.into_iter().zip(jids) {
            let order = jid.resource().map(|name| Order::EndResource(name.as_str().into()));
            cx.out.effects.push(Effect::Order(account, order.unwrap_or(Order::EndStreams)));
        }
        Ok(())
    }
}
