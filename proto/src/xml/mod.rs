//! XML in and out: a strict streaming reader (RFC 6120 §11), a writer, and short ways to build elements.

mod chars;
mod head;
pub mod reader;
mod token;
mod unit;
pub mod writer;

use minidom::Element;
use minidom::rxml::{Namespace, NcName, Options, Parse, RawParser, WithOptions};
use minidom::tree_builder::TreeBuilder;

/// Short ways to build an [`Element`].
pub trait Build: Sized {
    /// Adds an attribute without a namespace.
    fn with(self, name: &'static str, value: impl Into<String>) -> Self;
    /// Adds an attribute if there is a value.
    fn with_some(self, name: &'static str, value: Option<impl Into<String>>) -> Self;
    /// Adds a child element.
    fn child(self, child: Element) -> Self;
    /// Adds child elements.
    fn children_of(self, children: impl IntoIterator<Item = Element>) -> Self;
    /// Adds text.
    fn text_of(self, text: impl Into<String>) -> Self;
}

impl Build for Element {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let name = NcName::try_from(name).expect("attribute names are literals in this crate");
        self.attrs_mut().insert(Namespace::NONE, name, value.into());
        self
    }

    fn with_some(self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn child(mut self, child: Element) -> Self {
        self.append_child(child);
        self
    }

    fn children_of(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        for child in children {
            self.append_child(child);
        }
        self
    }

    fn text_of(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.append_text_node(text);
        }
        self
    }
}

/// Reads a whole element. Unlike [`Element::from_reader`] it takes values of any length, and elements with the prefix
/// `xml`: whatever passes the [`reader`] can be read.
pub fn parse(mut bytes: &[u8]) -> Option<Element> {
    let options = Options { max_token_length: bytes.len().max(1), ..Options::default() };
    let mut parser = RawParser::with_options(options);
    let prefixes = (Some("xml".to_owned()), crate::ns::XML.to_owned());
    let mut tree = TreeBuilder::new().with_prefixes_stack(vec![prefixes.into()]);
    while tree.root.is_none() {
        let event = parser.parse(&mut bytes, true).ok()??;
        tree.process_event(event).ok()?;
    }
    tree.root
}

/// An empty element.
pub fn el(name: &'static str, ns: &'static str) -> Element {
    Element::bare(name, ns)
}

#[cfg(test)]
mod tests;
