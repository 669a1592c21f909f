//! Where each key was written: its line in the file, or the variable that overrides it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;

/// Where a key was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A line of the file, from 1.
    Line(usize),
    /// An environment variable.
    Variable(String),
}

/// Notes the line of every key: `node.id`, `listener.0.address`.
pub(super) fn note_lines(text: &str, table: &DeTable<'_>, faults: &mut Faults) {
    for (key, value) in table.iter() {
        let name = key.get_ref().as_ref();
        faults.came_from(name, Origin::Line(line_of(text, key.span().start)));
        note_value(text, name, value, faults);
    }
}

fn note_value(text: &str, path: &str, value: &Spanned<DeValue<'_>>, faults: &mut Faults) {
    match value.get_ref() {
        DeValue::Table(table) => {
            for (key, value) in table.iter() {
                let path = format!("{path}.{}", key.get_ref());
                faults.came_from(&path, Origin::Line(line_of(text, key.span().start)));
                note_value(text, &path, value, faults);
            }
        }
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                let path = format!("{path}.{index}");
                faults.came_from(&path, Origin::Line(line_of(text, value.span().start)));
                note_value(text, &path, value, faults);
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}

/// The line of a byte of the text, from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}
