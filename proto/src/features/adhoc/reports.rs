//! Commands that tell about accounts (XEP-0133 §4.8, §4.13, §4.18).

use minidom::Element;

use super::call::Call;
use super::{Command, accounts, bad};
use crate::feature::Cx;
use crate::form::{Field, FieldKind, Form, FormKind};
use crate::ns;
use crate::session::Item;
use crate::stanza::StanzaError;
use crate::store::{Key, Query, Reply, StoreError, collection};
use crate::xml::{Build, el};

/// Most accounts in one list: it goes out as one stanza.
const LIST_MAX: usize = 1_000;

/// Tells how many accounts there are.
pub(super) struct CountUsers;

/// Lists the accounts.
pub(super) struct ListUsers;

/// Shows a roster.
pub(super) struct ShowRoster;

fn result() -> Form {
    Form::new(FormKind::Result, ns::ADMIN)
}

fn unexpected() -> StoreError {
    StoreError::Failed("an answer of another shape".into())
}

impl Command for CountUsers {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#get-registered-users-num"
    }

    fn name(&self) -> &'static str {
        "Get Number of Registered Users"
    }

    fn form(&self) -> Option<Form> {
        None
    }

    fn run(&self, cx: &mut Cx<'_, '_>, call: Call, _: &Form) -> Result<(), StanzaError> {
        let directory = Key::new(collection::ACCOUNTS, call.domain());
        cx.out.ask(Query::Count(directory), move |_, reply, _, out| match reply {
            Ok(Reply::Count(count)) => {
                let field = Field::text("registeredusersnum").label("The number of registered users");
                call.report(result().field(field.value(count.to_string())).to_element(), out);
            }
            Ok(_) => call.away(&unexpected(), out),
            Err(error) => call.away(&error, out),
        });
        Ok(())
    }
}

impl Command for ListUsers {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#get-registered-users-list"
    }

    fn name(&self) -> &'static str {
        "Get List of Registered Users"
    }

    fn form(&self) -> Option<Form> {
        let options = ["25", "50", "100", "200", "500", "1000"].map(|number| (number, number));
        let number =
            Field::choice("max_items", &options).label("Maximum number of items to show").value("100");
        let form = Form::new(FormKind::Form, ns::ADMIN).title("Requesting List of Registered Users");
        Some(
            form.instructions("Fill out this form to request the registered users of this service.")
                .field(number),
        )
    }

    fn run(&self, cx: &mut Cx<'_, '_>, call: Call, form: &Form) -> Result<(), StanzaError> {
        let most = match form.value("max_items") {
            None | Some("" | "none") => LIST_MAX,
            Some(number) => number.parse().map_err(|_| bad("bad-payload").text("max_items is no number"))?,
        };
        let directory = Key::new(collection::ACCOUNTS, call.domain());
        cx.out.ask(Query::Map(directory), move |_, reply, _, out| match reply {
            Ok(Reply::Map(accounts)) => {
                let jids = accounts.into_iter().map(|(jid, _)| jid).take(most.min(LIST_MAX));
                let field =
                    Field::new(FieldKind::TextMulti, "registereduserjids").label("The list of all users");
                call.report(result().field(field.values(jids)).to_element(), out);
            }
            Ok(_) => call.away(&unexpected(), out),
            Err(error) => call.away(&error, out),
        });
        Ok(())
    }
}

impl Command for ShowRoster {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#get-user-roster"
    }

    fn name(&self) -> &'static str {
        "Get User Roster"
    }

    fn form(&self) -> Option<Form> {
        let field = Field::new(FieldKind::JidMulti, "accountjids");
        let form = Form::new(FormKind::Form, ns::ADMIN).title("Getting a User's Roster");
        let form = form.instructions("Fill out this form to get a user's roster: one at a time.");
        Some(form.field(field.label("The Jabber ID for which to retrieve the roster").required()))
    }

    fn run(&self, cx: &mut Cx<'_, '_>, call: Call, form: &Form) -> Result<(), StanzaError> {
        let accounts = accounts::accounts_in(&call, form)?;
        let [account] = &accounts[..] else { return Err(bad("bad-payload").text("One roster at a time.")) };
        let (roster, account) = (Key::new(collection::ROSTER, account.as_str()), account.clone());
        cx.out.ask(Query::Map(roster), move |_, reply, _, out| match reply {
            Ok(Reply::Map(fields)) => {
                let items = fields.iter().filter_map(|(jid, json)| item(jid, json));
                let field = Field::new(FieldKind::JidMulti, "accountjids").value(account.as_str());
                let query = el("query", ns::ROSTER).children_of(items);
                call.report(result().field(field).to_element().child(query), out);
            }
            Ok(_) => call.away(&unexpected(), out),
            Err(error) => call.away(&error, out),
        });
        Ok(())
    }
}

/// A roster item as RFC 6121 §2.1.2 writes it; `None` if it cannot be read.
fn item(jid: &str, json: &[u8]) -> Option<Element> {
    let item: Item = serde_json::from_slice(json).ok()?;
    let subscription = match (item.to, item.from) {
        (true, true) => "both",
        (true, false) => "to",
        (false, true) => "from",
        (false, false) => "none",
    };
    let element = el("item", ns::ROSTER)
        .with("jid", jid)
        .with_some("name", item.name)
        .with("subscription", subscription)
        .with_some("ask", item.ask.then_some("subscribe"));
    Some(element.children_of(item.groups.into_iter().map(|group| el("group", ns::ROSTER).text_of(group))))
}
