//! Field selectors: which objects are meant, by the few fields that a resource lets clients select on.

use std::fmt;
use std::str::FromStr;

/// A conjunction of equalities and inequalities; without any it matches every object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSelector {
    requirements: Vec<Requirement>,
}

/// One condition on one field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// Path of the field, for instance `spec.nodeName`.
    pub field: String,
    /// Whether the field must have the value (`=`), or must not (`!=`).
    pub equal: bool,
    /// The value; "" also stands for a field that is not set.
    pub value: String,
}

/// A text that is not a field selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A part has no operator.
    #[error("invalid selector: '{selector}'; can't understand '{part}'")]
    Term {
        /// The whole text.
        selector: String,
        /// The part at fault.
        part: String,
    },
    /// A backslash stands before something that needs none.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// A comma or equals sign stands in a value without a backslash.
    #[error("invalid field selector: unescaped character in value: {0}")]
    Unescaped(char),
}

/// A field that a resource does not let clients select on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field label not supported: {0}")]
pub struct UnsupportedField(pub String);

// === impl FieldSelector ===

impl FieldSelector {
    /// Matches every object.
    pub const fn everything() -> Self {
        Self { requirements: Vec::new() }
    }

    /// Matches objects whose `field` is `value`.
    pub fn equal(field: &str, value: &str) -> Self {
        let requirement = Requirement { field: field.to_owned(), equal: true, value: value.to_owned() };
        Self { requirements: vec![requirement] }
    }

    /// The selector that `text` writes: `a=b,c==d,e!=f`; a backslash stands before `,`, `=` and `\` in values.
    pub fn parse(text: &str) -> Result<Self, FieldSelectorError> {
        let mut requirements = Vec::new();
        for term in terms(text).into_iter().filter(|term| !term.is_empty()) {
            let (field, equal, value) = split(term).ok_or_else(|| FieldSelectorError::Term {
                selector: text.to_owned(),
                part: term.to_owned(),
            })?;
            requirements.push(Requirement { field: field.to_owned(), equal, value: unescape(value)? });
        }
        Ok(Self { requirements })
    }

    /// Whether the object is meant, whose fields `get` knows. A field that it does not know counts as "".
    pub fn matches<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|one| (get(&one.field).unwrap_or_default() == one.value) == one.equal)
    }

    /// Whether every object is meant.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The conditions, in the order written.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The value that `field` must have, if the selector says so: the way to an index.
    pub fn exact(&self, field: &str) -> Option<&str> {
        let found = self.requirements.iter().find(|one| one.equal && one.field == field)?;
        Some(&found.value)
    }

    /// Whether all fields are among those that a resource supports.
    pub fn check(&self, supported: &[&str]) -> Result<(), UnsupportedField> {
        match self.requirements.iter().find(|one| !supported.contains(&one.field.as_str())) {
            None => Ok(()),
            Some(one) => Err(UnsupportedField(one.field.clone())),
        }
    }
}

impl FromStr for FieldSelector {
    type Err = FieldSelectorError;

    fn from_str(text: &str) -> Result<Self, FieldSelectorError> {
        Self::parse(text)
    }
}

/// As [`FieldSelector::parse`] reads it.
impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.requirements.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}{}{}", one.field, if one.equal { "=" } else { "!=" }, escape(&one.value))?;
        }
        Ok(())
    }
}

/// The parts between commas that no backslash precedes.
fn terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if c == ',' && !escaped {
            terms.push(&text[start..at]);
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    terms.push(&text[start..]);
    terms
}

/// Field, whether it must be equal, and the value as written.
fn split(term: &str) -> Option<(&str, bool, &str)> {
    let is_operator = |at: &usize| ["=", "!="].iter().any(|operator| term[*at..].starts_with(operator));
    let at = term.char_indices().map(|(at, _)| at).find(is_operator)?;
    let (field, rest) = term.split_at(at);
    match rest.strip_prefix("!=") {
        Some(value) => Some((field, false, value)),
        None => Some((field, true, rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?)),
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=")
}

fn unescape(value: &str) -> Result<String, FieldSelectorError> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(next @ ('\\' | ',' | '=')) => plain.push(next),
                Some(next) => return Err(FieldSelectorError::Escape(format!("\\{next}"))),
                None => return Err(FieldSelectorError::Escape("\\".to_owned())),
            },
            ',' | '=' => return Err(FieldSelectorError::Unescaped(c)),
            c => plain.push(c),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pod(field: &str) -> Option<&'static str> {
        match field {
            "spec.nodeName" => Some("node-1"),
            "metadata.name" => Some("a,b=c\\d"),
            _ => None,
        }
    }

    #[test]
    fn selectors_match_as_written() {
        let table = [
            ("", true),
            ("spec.nodeName=node-1", true),
            ("spec.nodeName==node-1", true),
            ("spec.nodeName=", false),
            ("spec.nodeName!=", true),
            ("spec.nodeName!=node-1", false),
            ("status.phase=", true),
            ("status.phase!=Failed,status.phase!=Succeeded", true),
            (",spec.nodeName=node-1,", true),
            ("spec.nodeName=node-1,status.phase=Running", false),
            (r"metadata.name=a\,b\=c\\d", true),
        ];
        for (text, matches) in table {
            let selector = FieldSelector::parse(text).unwrap();
            assert_eq!(selector.matches(pod), matches, "{text}");
            assert_eq!(selector.to_string().parse(), Ok(selector), "{text}");
        }
    }

    #[test]
    fn a_broken_text_says_what_is_wrong() {
        let table = [
            ("a", "invalid selector: 'a'; can't understand 'a'"),
            ("a=b,c", "invalid selector: 'a=b,c'; can't understand 'c'"),
            ("a!b", "invalid selector: 'a!b'; can't understand 'a!b'"),
            ("a=b=c", "invalid field selector: unescaped character in value: ="),
            (r"a=\b", r"invalid field selector: invalid escape sequence: \b"),
            (r"a=b\", r"invalid field selector: invalid escape sequence: \"),
        ];
        for (text, message) in table {
            assert_eq!(FieldSelector::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn an_index_finds_its_value() {
        let selector = FieldSelector::parse("spec.nodeName!=a,spec.nodeName=b,status.phase!=c").unwrap();
        assert_eq!(selector.exact("spec.nodeName"), Some("b"));
        assert_eq!(selector.exact("status.phase"), None);
        assert_eq!(selector.requirements().len(), 3);
        assert_eq!(FieldSelector::equal("spec.nodeName", "b").to_string(), "spec.nodeName=b");
    }

    #[test]
    fn only_supported_fields_pass() {
        let selector = FieldSelector::parse("metadata.name=a,spec.nodeName=b").unwrap();
        assert_eq!(selector.check(&["metadata.name", "spec.nodeName"]), Ok(()));
        let error = selector.check(&["metadata.name"]).unwrap_err();
        assert_eq!(error.to_string(), "field label not supported: spec.nodeName");
    }

    proptest! {
        #[test]
        fn any_value_survives_the_text(value in "[a-z,=!\\\\]{0,12}") {
            let selector = FieldSelector::equal("metadata.name", &value);
            prop_assert_eq!(FieldSelector::parse(&selector.to_string()), Ok(selector));
        }

        #[test]
        fn any_text_parses_or_says_why(text in "[ab,=!\\\\]{0,16}") {
            if let Ok(selector) = FieldSelector::parse(&text) {
                prop_assert_eq!(FieldSelector::parse(&selector.to_string()), Ok(selector));
            }
        }
    }
}
