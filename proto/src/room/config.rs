//! What a room's owner can choose, and the form for it (XEP-0045 §10.1.3, §10.2).

use serde::{Deserialize, Serialize};

use super::affiliations::Role;
use crate::form::{Field, FieldKind, Form, FormKind, wrong};
use crate::ns;
use crate::options::Limits;
use crate::stanza::{Condition, StanzaError};

/// Longest name, description, language or password, in bytes.
const TEXT_BYTES_MAX: usize = 4_096;

/// The configuration of a room. Stored as JSON: fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The language spoken there.
    pub lang: String,
    /// Whether it stays when the last occupant leaves.
    pub persistent: bool,
    /// Whether it can be found.
    pub public: bool,
    /// The password, if one is needed.
    pub password: Option<String>,
    /// Whether only members may enter.
    pub members_only: bool,
    /// Whether one needs voice to speak.
    pub moderated: bool,
    /// Who sees real JIDs.
    pub whois: Whois,
    /// Most occupants; `None` leaves it to the service.
    pub occupants_max: Option<usize>,
    /// Whether participants may change the subject.
    pub change_subject: bool,
    /// Whether members may invite to a members-only room.
    pub allow_invites: bool,
    /// Who may send private messages.
    pub private_messages: PrivateMessages,
    /// Messages kept for those who enter.
    pub history_max: usize,
}

/// Who sees real JIDs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Whois {
    #[default]
    Moderators,
    Anyone,
}

/// Who may send private messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum PrivateMessages {
    #[default]
    Anyone,
    Participants,
    Moderators,
    None,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            lang: String::new(),
            persistent: false,
            public: true,
            password: None,
            members_only: false,
            moderated: false,
            whois: Whois::Moderators,
            occupants_max: None,
            change_subject: false,
            allow_invites: false,
            private_messages: PrivateMessages::Anyone,
            history_max: 50,
        }
    }
}

impl PrivateMessages {
    const OPTIONS: [(&str, &str); 4] = [
        ("anyone", "Anyone"),
        ("participants", "Anyone with voice"),
        ("moderators", "Moderators only"),
        ("none", "Nobody"),
    ];
    const ALL: [Self; 4] = [Self::Anyone, Self::Participants, Self::Moderators, Self::None];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Participants => "participants",
            Self::Moderators => "moderators",
            Self::None => "none",
        }
    }

    pub(super) fn allow(self, role: Role) -> bool {
        match self {
            Self::Anyone => role >= Role::Visitor,
            Self::Participants => role >= Role::Participant,
            Self::Moderators => role >= Role::Moderator,
            Self::None => false,
        }
    }
}

impl Whois {
    const OPTIONS: [(&str, &str); 2] = [("moderators", "Moderators only"), ("anyone", "Anyone")];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Moderators => "moderators",
            Self::Anyone => "anyone",
        }
    }
}

impl Config {
    /// What a new room starts with.
    pub(super) fn initial(limits: &Limits) -> Self {
        let default = Self::default();
        Self { history_max: default.history_max.min(limits.room_history_max), ..default }
    }

    /// Most occupants, whoever decides.
    pub(super) fn occupants_max(&self, limits: &Limits) -> usize {
        self.occupants_max.unwrap_or(usize::MAX).min(limits.room_occupants_max)
    }

    /// The form that shows it to an owner.
    pub(super) fn form(&self, limits: &Limits) -> Form {
        let field = |name: &str| format!("muc#roomconfig_{name}");
        let text = |name: &str, label: &str, value: &str| Field::text(field(name)).label(label).value(value);
        let flag = |name: &str, label: &str, value: bool| Field::boolean(field(name), value).label(label);
        let occupants = self.occupants_max.map_or("none".to_owned(), |max| max.to_string());
        let secret = Field::new(FieldKind::TextPrivate, field("roomsecret")).label("Password");
        Form::new(FormKind::Form, ns::MUC_ROOMCONFIG)
            .title("Room configuration")
            .instructions("Complete this form to change the configuration of the room.")
            .field(text("roomname", "Name", &self.name))
            .field(text("roomdesc", "Description", &self.description))
            .field(text("lang", "Language of the discussion", &self.lang))
            .field(flag("persistentroom", "Keep the room when the last occupant leaves?", self.persistent))
            .field(flag("publicroom", "List the room publicly?", self.public))
            .field(flag("passwordprotectedroom", "Ask for a password to enter?", self.password.is_some()))
            .field(secret.value(self.password.as_deref().unwrap_or_default()))
            .field(flag("membersonly", "Only members may enter?", self.members_only))
            .field(flag("moderatedroom", "Only those with voice may speak?", self.moderated))
            .field(
                Field::choice(field("whois"), &Whois::OPTIONS)
                    .label("Who may see real addresses?")
                    .value(self.whois.name()),
            )
            .field(max_users(limits).value(occupants))
            .field(flag("changesubject", "May participants change the subject?", self.change_subject))
            .field(flag("allowinvites", "May members invite to a members-only room?", self.allow_invites))
            .field(
                Field::choice(field("allowpm"), &PrivateMessages::OPTIONS)
                    .label("Who may send private messages?")
                    .value(self.private_messages.name()),
            )
            .field(
                Field::text("muc#maxhistoryfetch")
                    .label("Messages shown to those who enter")
                    .value(self.history_max.to_string()),
            )
            .field(flag("enablelogging", "Log the discussion publicly?", false))
    }

    /// What it becomes by a submitted form. Fields that are absent stay as they are.
    ///
    /// # Errors
    /// `bad-request` for what cannot be read, `not-acceptable` for what the service does not allow (§10.1.3).
    pub(super) fn changed(&self, form: &Form, limits: &Limits) -> Result<Self, StanzaError> {
        if form.form_type().is_some_and(|form_type| form_type != ns::MUC_ROOMCONFIG) {
            return Err(Condition::BadRequest.into());
        }
        let text = |name: &str, old: &str| match form.value(&format!("muc#roomconfig_{name}")) {
            Some(text) if text.len() > TEXT_BYTES_MAX => Err(unacceptable(name)),
            Some(text) => Ok(text.to_owned()),
            None => Ok(old.to_owned()),
        };
        let flag = |name: &str, old: bool| {
            form.boolean(&format!("muc#roomconfig_{name}")).map(|value| value.unwrap_or(old))
        };
        if flag("enablelogging", false)? {
            return Err(unacceptable("enablelogging"));
        }
        let has_password = flag("passwordprotectedroom", self.password.is_some())?;
        let password = text("roomsecret", self.password.as_deref().unwrap_or_default())?;
        if has_password && password.is_empty() {
            return Err(unacceptable("roomsecret"));
        }
        Ok(Self {
            name: text("roomname", &self.name)?,
            description: text("roomdesc", &self.description)?,
            lang: text("lang", &self.lang)?,
            persistent: flag("persistentroom", self.persistent)?,
            public: flag("publicroom", self.public)?,
            password: has_password.then_some(password),
            members_only: flag("membersonly", self.members_only)?,
            moderated: flag("moderatedroom", self.moderated)?,
            whois: self.whois_in(form)?,
            occupants_max: self.occupants_max_in(form, limits)?,
            change_subject: flag("changesubject", self.change_subject)?,
            allow_invites: flag("allowinvites", self.allow_invites)?,
            private_messages: self.private_messages_in(form)?,
            history_max: self.history_max_in(form, limits)?,
        })
    }

    fn whois_in(&self, form: &Form) -> Result<Whois, StanzaError> {
        match form.value("muc#roomconfig_whois") {
            None | Some("") => Ok(self.whois),
            Some("moderators") => Ok(Whois::Moderators),
            Some("anyone") => Ok(Whois::Anyone),
            // Among them `none`, a fully anonymous room, which is deprecated.
            Some(_) => Err(unacceptable("whois")),
        }
    }

    fn private_messages_in(&self, form: &Form) -> Result<PrivateMessages, StanzaError> {
        match form.value("muc#roomconfig_allowpm") {
            None | Some("") => Ok(self.private_messages),
            Some(name) => {
                let named = PrivateMessages::ALL.into_iter().find(|who| who.name() == name);
                named.ok_or_else(|| unacceptable("allowpm"))
            }
        }
    }

    fn occupants_max_in(&self, form: &Form, limits: &Limits) -> Result<Option<usize>, StanzaError> {
        match form.value("muc#roomconfig_maxusers") {
            None => Ok(self.occupants_max),
            Some("" | "none" | "0") => Ok(None),
            Some(number) => match number.trim().parse::<usize>() {
                Ok(max) if max <= limits.room_occupants_max => Ok(Some(max)),
                Ok(_) => Err(unacceptable("maxusers")),
                Err(_) => Err(wrong("muc#roomconfig_maxusers", number)),
            },
        }
    }

    fn history_max_in(&self, form: &Form, limits: &Limits) -> Result<usize, StanzaError> {
        // The second is what other servers call it.
        let names = ["muc#maxhistoryfetch", "muc#roomconfig_historylength"];
        let Some((name, value)) = names.iter().find_map(|name| Some((*name, form.value(name)?))) else {
            return Ok(self.history_max);
        };
        let number = value.trim().parse::<usize>().map_err(|_| wrong(name, value))?;
        Ok(number.min(limits.room_history_max))
    }
}

fn max_users(limits: &Limits) -> Field {
    let steps = [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];
    let mut options: Vec<(String, String)> = steps
        .into_iter()
        .filter(|step| *step <= limits.room_occupants_max)
        .map(|n| (n.to_string(), n.to_string()))
        .collect();
    options.push(("none".into(), "No limit but the service's".into()));
    let options: Vec<(&str, &str)> =
        options.iter().map(|(value, label)| (value.as_str(), label.as_str())).collect();
    Field::choice("muc#roomconfig_maxusers", &options).label("Most occupants")
}

fn unacceptable(field: &str) -> StanzaError {
    StanzaError::from(Condition::NotAcceptable).text(format!("{field}: this value is not possible"))
}
