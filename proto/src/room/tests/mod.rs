//! Conversations with a room. Everybody comes from another domain, so what they hear is exactly what the room sends;
//! the world checks at every step that the changes alone lead to the same state.

mod administering;
mod asking;
mod configuring;
mod entering;
mod leaving;
mod scaling;
mod storing;
mod talking;
mod together;

use std::collections::BTreeMap;

use minidom::Element;

use crate::ns;
use crate::stanza::Stanza;
use crate::testing::World;

const ROOM: &str = "coven@conference.montague.lit";
const CRONE: &str = "crone1@shakespeare.lit/desktop";
const WITCH: &str = "wiccarocks@shakespeare.lit/laptop";
const HAG: &str = "hag66@shakespeare.lit/pda";
const HECATE: &str = "hecate@shakespeare.lit/broom";

/// A world, and what everybody in it has yet to read.
#[derive(Default)]
struct Scene {
    world: World,
    unread: BTreeMap<String, Vec<Stanza>>,
}

impl Scene {
    /// Somebody sends a stanza; `{room}` stands for the room's address.
    fn says(&mut self, who: &str, xml: &str) {
        let xml = xml.replace("{room}", ROOM);
        let (name, rest) = xml.split_at(xml.find([' ', '/', '>']).unwrap());
        self.world.arrives(&format!("{name} from='{who}'{rest}"));
        self.deliver();
    }

    fn deliver(&mut self) {
        for stanza in std::mem::take(&mut self.world.outside) {
            let to = stanza.to.as_ref().unwrap().to_string();
            self.unread.entry(to).or_default().push(stanza);
        }
    }

    /// What somebody has heard, in short; see [`brief`].
    fn hears(&mut self, who: &str) -> Vec<String> {
        self.unread.remove(who).unwrap_or_default().iter().map(brief).collect()
    }

    /// The one stanza that somebody has heard.
    fn hears_one(&mut self, who: &str) -> Element {
        let heard = self.unread.remove(who).unwrap_or_default();
        assert_eq!(heard.len(), 1, "{who} heard {:?}", heard.iter().map(brief).collect::<Vec<_>>());
        heard[0].to_element()
    }

    /// Everybody forgets what was said so far.
    fn forget(&mut self) {
        self.unread.clear();
    }

    /// Somebody enters; nobody remembers how.
    fn enter(&mut self, who: &str, nick: &str) {
        self.says(who, &join(nick));
        let heard = self.hears(who);
        assert!(heard.iter().any(|line| line.starts_with(&format!("+{nick} "))), "{who}: {heard:?}");
        self.forget();
    }

    /// An IQ to the room, and its answer in short.
    fn asks(&mut self, who: &str, kind: &str, payload: &str) -> String {
        self.says(who, &format!("<iq to='{ROOM}' id='q' type='{kind}'>{payload}</iq>"));
        let heard = self.unread.entry(who.to_owned()).or_default();
        let at = heard.iter().position(|stanza| stanza.kind.name() == "iq").expect("an answer");
        brief(&heard.remove(at))
    }

    /// A set of affiliations or roles, and its answer.
    fn sets(&mut self, who: &str, items: &str) -> String {
        self.asks(who, "set", &format!("<query xmlns='{}'>{items}</query>", ns::MUC_ADMIN))
    }

    /// A submitted configuration, and its answer.
    fn configures(&mut self, who: &str, fields: &[(&str, &str)]) -> String {
        let field =
            |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
        let fields: String = fields.iter().map(field).collect();
        let form = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
        self.asks(who, "set", &format!("<query xmlns='{}'>{form}</query>", ns::MUC_OWNER))
    }

    /// Crone's room, open, with these options.
    fn open(fields: &[(&str, &str)]) -> Self {
        let mut scene = Self::default();
        scene.enter(CRONE, "first");
        assert_eq!(scene.configures(CRONE, fields), "result q");
        scene.forget();
        scene
    }
}

fn join(nick: &str) -> String {
    format!("<presence to='{{room}}/{nick}'><x xmlns='{}'/></presence>", ns::MUC)
}

/// A stanza in one line: `+nick affiliation/role jid [codes] <others>` for presence, `-nick …` for its end,
/// `nick: body`, `nick sets subject`, `result id children`, `kind error condition`.
fn brief(stanza: &Stanza) -> String {
    let element = stanza.to_element();
    let nick = stanza.from.as_ref().and_then(|from| from.resource()).map_or("room", |nick| nick.as_str());
    if element.attr("type") == Some("error") {
        let error = element.get_child("error", ns::CLIENT).expect("an error");
        return format!("{} error {}", element.name(), error.children().next().unwrap().name());
    }
    let delayed = if element.get_child("delay", ns::DELAY).is_some() { " (delayed)" } else { "" };
    match element.name() {
        "presence" => {
            let sign = if element.attr("type") == Some("unavailable") { '-' } else { '+' };
            format!("{sign}{nick} {}{}", user(&element), others(&element))
        }
        "message" => {
            match (element.get_child("body", ns::CLIENT), element.get_child("subject", ns::CLIENT)) {
                (Some(body), _) => format!("{nick}: {}{delayed}", body.text()),
                (None, Some(subject)) => format!("{nick} sets {:?}{delayed}", subject.text()),
                (None, None) => format!("{nick} says {}", user(&element)),
            }
        }
        _ => {
            let children: Vec<String> = element.children().map(String::from).collect();
            format!("{} {} {}", element.attr("type").unwrap(), element.attr("id").unwrap(), children.concat())
                .trim()
                .to_owned()
        }
    }
}

/// What `<x/>` for users says.
fn user(element: &Element) -> String {
    let mut words = Vec::new();
    for x in element.children().filter(|child| child.is("x", ns::MUC_USER)) {
        for child in x.children() {
            match child.name() {
                "item" => {
                    words.push(format!(
                        "{}/{}",
                        child.attr("affiliation").unwrap(),
                        child.attr("role").unwrap()
                    ));
                    words.extend(child.attr("jid").map(ToOwned::to_owned));
                    words.extend(child.attr("nick").map(|nick| format!("nick={nick}")));
                    words.extend(child.children().map(|child| match child.attr("nick") {
                        Some(nick) => format!("{}={nick}", child.name()),
                        None => format!("{}={}", child.name(), child.text()),
                    }));
                }
                "status" => words.push(child.attr("code").unwrap().to_owned()),
                _ => words.push(String::from(child)),
            }
        }
    }
    words.join(" ")
}

/// The names and texts of the other children.
fn others(element: &Element) -> String {
    let other = element.children().filter(|child| !child.is("x", ns::MUC_USER));
    other.map(|child| format!(" {}={}", child.name(), child.text())).collect()
}
