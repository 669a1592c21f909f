//! What was said and heard so far, to be shown when a scene goes wrong.

use std::fmt::Write;

/// The conversation of one scene.
#[derive(Default)]
pub struct Script(Vec<Line>);

enum Line {
    Scene(String),
    Says(String, String),
    Hears(String, String),
}

impl Script {
    /// A title.
    pub fn scene(&mut self, title: &str) {
        self.0.push(Line::Scene(title.to_owned()));
    }

    /// Somebody sends.
    pub fn says(&mut self, who: &str, what: &str) {
        self.0.push(Line::Says(who.to_owned(), shorten(what)));
    }

    /// Somebody receives.
    pub fn hears(&mut self, who: &str, what: &str) {
        self.0.push(Line::Hears(who.to_owned(), shorten(what)));
    }

    /// The scene that is being played.
    pub fn title(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|line| match line {
            Line::Scene(title) => Some(title.as_str()),
            Line::Says(..) | Line::Hears(..) => None,
        })
    }

    /// All of it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.0 {
            let _ = match line {
                Line::Scene(title) => writeln!(text, "\n  {title}"),
                Line::Says(who, what) => writeln!(text, "    {who} → {what}"),
                Line::Hears(who, what) => writeln!(text, "    {who} ← {what}"),
            };
        }
        text
    }
}

fn shorten(what: &str) -> String {
    const MOST: usize = 2_000;
    match what.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} bytes)", &what[..end], what.len()),
        None => what.to_owned(),
    }
}
