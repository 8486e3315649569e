//! Label selectors: which sets of labels are meant.

mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use keelson_proto::meta::{LabelSelector, LabelSelectorRequirement};

use crate::field::{ErrorList, FieldError, Path};
use crate::names;

/// A conjunction of requirements; without any it matches every set of labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

/// One condition on one label. Only valid ones exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

/// How a requirement relates its label to its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `key=value`: the label is there with that value.
    Equals,
    /// `key==value`: the same.
    DoubleEquals,
    /// `key!=value`: the label is missing or has another value.
    NotEquals,
    /// `key in (a,b)`: the label is there with one of the values.
    In,
    /// `key notin (a,b)`: the label is missing or has none of the values.
    NotIn,
    /// `key`: the label is there.
    Exists,
    /// `!key`: the label is missing.
    DoesNotExist,
    /// `key>1`: the label is there and is a greater integer.
    GreaterThan,
    /// `key<1`: the label is there and is a smaller integer.
    LessThan,
}

/// A text or object that is not a selector; it says what was found and what could stand there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

// === impl Selector ===

impl Selector {
    /// Matches every set of labels.
    pub const fn everything() -> Self {
        Self { requirements: Vec::new(), nothing: false }
    }

    /// Matches no set of labels.
    pub const fn nothing() -> Self {
        Self { requirements: Vec::new(), nothing: true }
    }

    /// The selector that `text` writes, as in `-l`; "" is everything.
    ///
    /// `a=b,c==d,e!=f,g in (h,i),j notin (k),l,!m,n>1,o<2`
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        parse::selector(text).map(Self::all_of)
    }

    /// Matches what meets all of the requirements.
    pub fn all_of(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements, nothing: false }
    }

    /// Matches what has all of these labels. An empty map is everything: callers for whom an empty selector
    /// means nobody (services, replication controllers) ask for emptiness first.
    pub fn from_set(labels: &BTreeMap<String, String>) -> Self {
        Self::all_of(labels.iter().map(|(key, value)| Requirement::equals(key, value)).collect())
    }

    /// What a `LabelSelector` field means: absent is nothing, empty is everything.
    pub fn from_label_selector(selector: Option<&LabelSelector>) -> Result<Self, SelectorError> {
        let Some(selector) = selector else {
            return Ok(Self::nothing());
        };
        let equal = selector.match_labels.iter().map(|(key, value)| {
            Requirement::new(key, Operator::Equals, vec![value.clone()])
                .map_err(|errors| SelectorError(errors.to_string()))
        });
        let expressions = selector.match_expressions.iter().map(Requirement::from_expression);
        equal.chain(expressions).collect::<Result<_, _>>().map(Self::all_of)
    }

    /// Whether this set of labels is meant.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        !self.nothing && self.requirements.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether every set of labels is meant.
    pub fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// The requirements, ordered by key; none for [`Selector::nothing`] either.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The one value that the label `key` must have, if there is just one.
    pub fn exact(&self, key: &str) -> Option<&str> {
        let found = self.requirements.iter().find(|requirement| requirement.key == key)?;
        match (found.operator, found.values.as_slice()) {
            (Operator::Equals | Operator::DoubleEquals | Operator::In, [value]) => Some(value),
            _ => None,
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::parse(text)
    }
}

/// As [`Selector::parse`] reads it; `nothing` has no text and writes "".
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

// === impl Requirement ===

impl Requirement {
    /// The condition, if the key is a label key, the values are label values, and there are as many of them
    /// as the operator takes.
    pub fn new(key: &str, operator: Operator, values: Vec<String>) -> Result<Self, ErrorList> {
        let mut errors = ErrorList::new();
        let wrong_key = names::qualified_name(key);
        if !wrong_key.is_empty() {
            errors.push(FieldError::invalid(&Path::new("key"), key, wrong_key.join("; ")));
        }
        let path = Path::new("values");
        if let Some(detail) = operator.wrong_count(values.len()) {
            errors.push(FieldError::invalid(&path, values.clone(), detail));
        }
        for (index, value) in values.iter().enumerate() {
            let at = path.index(index);
            if operator.takes_integer() && value.parse::<i64>().is_err() {
                let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                errors.push(FieldError::invalid(&at, value.as_str(), detail));
            }
            let wrong = names::label_value(value);
            if !wrong.is_empty() {
                errors.push(FieldError::invalid(&at.key(key), value.as_str(), wrong.join("; ")));
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        // Only sets have more than one: the order in which they were written means nothing.
        let mut values = values;
        values.sort_unstable();
        values.dedup();
        let key = key.to_owned();
        Ok(Self { key, operator, values })
    }

    /// `key=value`, for a label that an object already has.
    fn equals(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), operator: Operator::Equals, values: vec![value.to_owned()] }
    }

    fn from_expression(expression: &LabelSelectorRequirement) -> Result<Self, SelectorError> {
        let operator = match expression.operator.as_str() {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            other => {
                return Err(SelectorError(format!("{other:?} is not a valid label selector operator")));
            }
        };
        Self::new(&expression.key, operator, expression.values.clone())
            .map_err(|errors| SelectorError(errors.to_string()))
    }

    /// The label's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How label and values relate.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values, ordered and each once.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Whether the labels meet the condition.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let label = labels.get(&self.key);
        let among = |label: &String| self.values.contains(label);
        match self.operator {
            Operator::Equals | Operator::DoubleEquals | Operator::In => label.is_some_and(among),
            Operator::NotEquals | Operator::NotIn => !label.is_some_and(among),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => self.compared(label).is_some_and(|(label, value)| label > value),
            Operator::LessThan => self.compared(label).is_some_and(|(label, value)| label < value),
        }
    }

    /// Label and value as integers, if both are.
    fn compared(&self, label: Option<&String>) -> Option<(i64, i64)> {
        Some((label?.parse().ok()?, self.values.first()?.parse().ok()?))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An empty pair of parentheses would read as no value at all.
        let is_set = matches!(self.operator, Operator::In | Operator::NotIn);
        let values = match self.values.as_slice() {
            [only] if is_set && only.is_empty() => ",".to_owned(),
            values => values.join(","),
        };
        let key = &self.key;
        match self.operator {
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::In | Operator::NotIn => write!(f, "{key} {} ({values})", self.operator.word()),
            _ => write!(f, "{key}{}{values}", self.operator.word()),
        }
    }
}

// === impl Operator ===

impl Operator {
    fn word(self) -> &'static str {
        match self {
            Self::Equals => "=",
            Self::DoubleEquals => "==",
            Self::NotEquals => "!=",
            Self::In => "in",
            Self::NotIn => "notin",
            Self::Exists => "exists",
            Self::DoesNotExist => "!",
            Self::GreaterThan => ">",
            Self::LessThan => "<",
        }
    }

    fn takes_integer(self) -> bool {
        matches!(self, Self::GreaterThan | Self::LessThan)
    }

    fn wrong_count(self, count: usize) -> Option<&'static str> {
        match self {
            Self::In | Self::NotIn if count == 0 => {
                Some("for 'in', 'notin' operators, values set can't be empty")
            }
            Self::Equals | Self::DoubleEquals | Self::NotEquals if count != 1 => {
                Some("exact-match compatibility requires one single value")
            }
            Self::Exists | Self::DoesNotExist if count != 0 => {
                Some("values set must be empty for exists and does not exist")
            }
            Self::GreaterThan | Self::LessThan if count != 1 => {
                Some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
