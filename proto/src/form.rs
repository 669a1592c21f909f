//! Data forms (XEP-0004), with the `FORM_TYPE` field of XEP-0068: built for clients, read back from them.

use jid::Jid;
use minidom::Element;

use crate::ns;
use crate::stanza::{Condition, StanzaError};
use crate::xml::{Build, el};

/// A form, a filled-in form, or a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Which of these.
    pub kind: FormKind,
    /// For people.
    pub title: Option<String>,
    /// For people.
    pub instructions: Option<String>,
    /// In order, `FORM_TYPE` among them.
    pub fields: Vec<Field>,
}

/// XEP-0004 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FormKind {
    Form,
    Submit,
    Cancel,
    Result,
}

/// XEP-0004 §3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FieldKind {
    Boolean,
    Fixed,
    Hidden,
    JidMulti,
    JidSingle,
    ListMulti,
    ListSingle,
    TextMulti,
    TextPrivate,
    TextSingle,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name; empty only for [`FieldKind::Fixed`].
    pub var: String,
    /// Its type. A submitted form need not say.
    pub kind: Option<FieldKind>,
    /// For people.
    pub label: Option<String>,
    /// What it says.
    pub values: Vec<String>,
    /// What a list lets one choose: value and label.
    pub options: Vec<(String, Option<String>)>,
    /// Whether it must be filled in.
    pub required: bool,
}

impl Form {
    /// An empty form of a `FORM_TYPE`.
    pub fn new(kind: FormKind, form_type: &str) -> Self {
        let form_type = Field::new(FieldKind::Hidden, "FORM_TYPE").value(form_type);
        Self { kind, title: None, instructions: None, fields: vec![form_type] }
    }

    /// Sets the title.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets the instructions.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Appends a field.
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// The `<x/>` element.
    pub fn to_element(&self) -> Element {
        el("x", ns::DATA)
            .with("type", self.kind.name())
            .children_of(self.title.as_ref().map(|title| el("title", ns::DATA).text_of(title)))
            .children_of(self.instructions.as_ref().map(|text| el("instructions", ns::DATA).text_of(text)))
            .children_of(self.fields.iter().map(Field::to_element))
    }

    /// Reads an `<x/>` element. `<reported/>` and `<item/>` are passed over: nobody sends them to a server.
    ///
    /// # Errors
    /// `bad-request` if it is no form.
    pub fn parse(element: &Element) -> Result<Self, StanzaError> {
        if !element.is("x", ns::DATA) {
            return Err(Condition::BadRequest.into());
        }
        let kind = element.attr("type").and_then(FormKind::parse).ok_or(Condition::BadRequest)?;
        let text = |name: &str| element.get_child(name, ns::DATA).map(Element::text);
        let fields = element.children().filter(|child| child.is("field", ns::DATA)).map(Field::parse);
        let fields = fields.collect::<Result<_, _>>()?;
        Ok(Self { kind, title: text("title"), instructions: text("instructions"), fields })
    }

    /// The form among the children of an element, if there is one.
    ///
    /// # Errors
    /// `bad-request` if it is malformed.
    pub fn inside(parent: &Element) -> Result<Option<Self>, StanzaError> {
        parent.get_child("x", ns::DATA).map(Self::parse).transpose()
    }

    /// Its `FORM_TYPE`.
    pub fn form_type(&self) -> Option<&str> {
        self.value("FORM_TYPE")
    }

    /// The field of this name.
    pub fn get(&self, var: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.var == var)
    }

    /// The first value of a field.
    pub fn value(&self, var: &str) -> Option<&str> {
        self.values(var).first().map(String::as_str)
    }

    /// All values of a field; none if it is absent.
    pub fn values(&self, var: &str) -> &[String] {
        self.get(var).map_or(&[], |field| &field.values)
    }

    /// A truth value; `None` if the field is absent or empty.
    ///
    /// # Errors
    /// `bad-request` if it is neither true nor false.
    pub fn boolean(&self, var: &str) -> Result<Option<bool>, StanzaError> {
        match self.value(var) {
            None | Some("") => Ok(None),
            Some("1" | "true") => Ok(Some(true)),
            Some("0" | "false") => Ok(Some(false)),
            Some(other) => Err(wrong(var, other)),
        }
    }

    /// All addresses of a field.
    ///
    /// # Errors
    /// `jid-malformed` if one is none.
    pub fn jids(&self, var: &str) -> Result<Vec<Jid>, StanzaError> {
        let jids =
            self.values(var).iter().map(|text| text.trim()).filter(|text| !text.is_empty()).map(Jid::new);
        jids.collect::<Result<_, _>>().map_err(|_| Condition::JidMalformed.into())
    }
}

/// `bad-request`, naming the field.
pub fn wrong(var: &str, value: &str) -> StanzaError {
    StanzaError::from(Condition::BadRequest).text(format!("{var}: {value:?} is not possible"))
}

impl Field {
    /// An empty field.
    pub fn new(kind: FieldKind, var: impl Into<String>) -> Self {
        let kind = Some(kind);
        Self { var: var.into(), kind, label: None, values: vec![], options: vec![], required: false }
    }

    /// A truth value.
    pub fn boolean(var: impl Into<String>, value: bool) -> Self {
        Self::new(FieldKind::Boolean, var).value(if value { "1" } else { "0" })
    }

    /// One line of text.
    pub fn text(var: impl Into<String>) -> Self {
        Self::new(FieldKind::TextSingle, var)
    }

    /// A choice of one out of several values, each with its label.
    pub fn choice(var: impl Into<String>, options: &[(&str, &str)]) -> Self {
        let mut field = Self::new(FieldKind::ListSingle, var);
        field.options =
            options.iter().map(|(value, label)| ((*value).to_owned(), Some((*label).to_owned()))).collect();
        field
    }

    /// Sets the label.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Appends a value.
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Appends values.
    pub fn values<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    /// Must be filled in.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    fn to_element(&self) -> Element {
        let value = |text: &String| el("value", ns::DATA).text_of(text);
        let options = self.options.iter().map(|(text, label)| {
            el("option", ns::DATA).with_some("label", label.as_ref()).child(value(text))
        });
        el("field", ns::DATA)
            .with_some("var", (!self.var.is_empty()).then_some(&self.var))
            .with_some("type", self.kind.map(FieldKind::name))
            .with_some("label", self.label.as_ref())
            .children_of(self.required.then(|| el("required", ns::DATA)))
            .children_of(self.values.iter().map(value))
            .children_of(options)
    }

    fn parse(element: &Element) -> Result<Self, StanzaError> {
        // An unknown type is text-single (XEP-0004 §3.3).
        let kind = element.attr("type").map(|name| FieldKind::parse(name).unwrap_or(FieldKind::TextSingle));
        let var = element.attr("var").unwrap_or_default().to_owned();
        if var.is_empty() && kind != Some(FieldKind::Fixed) {
            return Err(Condition::BadRequest.into());
        }
        let of = |name: &'static str| element.children().filter(move |child| child.is(name, ns::DATA));
        let option = |option: &Element| {
            let value = option.get_child("value", ns::DATA).map(Element::text).unwrap_or_default();
            (value, option.attr("label").map(ToOwned::to_owned))
        };
        Ok(Self {
            var,
            kind,
            label: element.attr("label").map(ToOwned::to_owned),
            values: of("value").map(Element::text).collect(),
            options: of("option").map(option).collect(),
            required: of("required").next().is_some(),
        })
    }
}

impl FormKind {
    /// The value of the `type` attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Submit => "submit",
            Self::Cancel => "cancel",
            Self::Result => "result",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Form, Self::Submit, Self::Cancel, Self::Result].into_iter().find(|kind| kind.name() == name)
    }
}

impl FieldKind {
    const ALL: [Self; 10] = [
        Self::Boolean,
        Self::Fixed,
        Self::Hidden,
        Self::JidMulti,
        Self::JidSingle,
        Self::ListMulti,
        Self::ListSingle,
        Self::TextMulti,
        Self::TextPrivate,
        Self::TextSingle,
    ];

    /// The value of the `type` attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Fixed => "fixed",
            Self::Hidden => "hidden",
            Self::JidMulti => "jid-multi",
            Self::JidSingle => "jid-single",
            Self::ListMulti => "list-multi",
            Self::ListSingle => "list-single",
            Self::TextMulti => "text-multi",
            Self::TextPrivate => "text-private",
            Self::TextSingle => "text-single",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(xml: &str) -> Result<Form, StanzaError> {
        Form::parse(&xml.parse().unwrap())
    }

    #[test]
    fn a_form_reads_as_it_was_built() {
        let form = Form::new(FormKind::Form, "urn:example")
            .title("A title")
            .instructions("Do it")
            .field(Field::text("name").label("Name").value("Juliet").required())
            .field(Field::boolean("public", true))
            .field(Field::choice("who", &[("anyone", "Anyone"), ("none", "Nobody")]).value("none"))
            .field(Field::new(FieldKind::Fixed, "").value("Some words"))
            .field(Field::new(FieldKind::JidMulti, "jids").values(["a@b", "c@d"]));
        let read = Form::parse(&form.to_element()).unwrap();
        assert_eq!(read, form);
        assert_eq!(read.form_type(), Some("urn:example"));
        assert_eq!(read.boolean("public"), Ok(Some(true)));
        assert_eq!(read.boolean("absent"), Ok(None));
        assert_eq!(read.jids("jids").unwrap(), [Jid::new("a@b").unwrap(), Jid::new("c@d").unwrap()]);
    }

    #[test]
    fn a_submitted_field_needs_no_type() {
        let form = parse(
            "<x xmlns='jabber:x:data' type='submit'><field var='a'><value>1</value><value>2</value></field></x>",
        )
        .unwrap();
        assert_eq!((form.kind, form.form_type()), (FormKind::Submit, None));
        assert_eq!(form.values("a"), ["1", "2"]);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        assert!(parse("<y xmlns='jabber:x:data' type='submit'/>").is_err());
        assert!(parse("<x xmlns='jabber:x:data'/>").is_err());
        assert!(parse("<x xmlns='jabber:x:data' type='maybe'/>").is_err());
        assert!(parse("<x xmlns='jabber:x:data' type='submit'><field><value>1</value></field></x>").is_err());
    }

    #[test]
    fn a_value_that_is_not_of_its_kind_is_refused() {
        let form = Form::new(FormKind::Submit, "x").field(Field::text("b").value("maybe"));
        assert_eq!(form.boolean("b").unwrap_err().condition, Condition::BadRequest);
        assert_eq!(form.jids("b").unwrap().len(), 1);
        let form = Form::new(FormKind::Submit, "x").field(Field::text("j").value("@@"));
        assert_eq!(form.jids("j").unwrap_err().condition, Condition::JidMalformed);
    }
}
