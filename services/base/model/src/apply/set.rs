//! Sets of fields, as trees: what `fieldsV1` holds.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::path::Step;
use super::structure::{Fault, Parts, Structure};

/// A set of fields. A field may be in it without those below it, and the other way round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set(BTreeMap<Step, Node>);

/// What a set says of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    /// Whether the field itself is in the set.
    member: bool,
    /// What of the fields below it is.
    below: Set,
}

/// Fields that say which object it is, or that only the server sets: nobody owns them.
const IDENTITY: [&str; 8] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
];

// === impl Set ===

impl Set {
    /// The fields that an object has.
    pub(super) fn of(object: &Value, structure: Structure) -> Self {
        let mut set = Self::default();
        // Only a configuration is held to its schema, and so only that can be at fault.
        let _ = set.collect(object, structure, &mut Vec::new(), false);
        set
    }

    /// The fields that a configuration gives.
    ///
    /// # Errors
    /// A fault if it has fields that its kind does not have, or list items that cannot be told apart.
    pub(super) fn of_config(config: &Value, structure: Structure) -> Result<Self, Fault> {
        let mut set = Self::default();
        set.collect(config, structure, &mut Vec::new(), true)?;
        Ok(set)
    }

    fn collect(
        &mut self,
        value: &Value,
        structure: Structure,
        way: &mut Vec<Step>,
        strict: bool,
    ) -> Result<(), Fault> {
        let parts = match strict {
            true => Parts::of_config(value, structure, way)?,
            false => Parts::of(value, structure),
        };
        let (list, children) = match parts {
            Parts::Whole => return Ok(()),
            Parts::Fields(children) => (false, children),
            Parts::Items(children) => (true, children),
        };
        for child in children {
            let node = self.0.entry(child.step.clone()).or_default();
            let whole = matches!(Parts::of(child.value, child.structure), Parts::Whole);
            let empty = child.value.as_object().is_some_and(Map::is_empty);
            node.member |= list || whole || empty;
            way.push(child.step);
            node.below.collect(child.value, child.structure, way, strict)?;
            way.pop();
        }
        Ok(())
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|node| !node.member && node.below.is_empty())
    }

    /// Whether the field at this way is in it.
    pub(super) fn contains(&self, way: &[Step]) -> bool {
        match way {
            [] => false,
            [last] => self.0.get(last).is_some_and(|node| node.member),
            [first, rest @ ..] => self.0.get(first).is_some_and(|node| node.below.contains(rest)),
        }
    }

    /// Whether the field at this one step is in it.
    pub(super) fn has(&self, step: &Step) -> bool {
        self.0.get(step).is_some_and(|node| node.member)
    }

    /// What it says of the fields below a step.
    pub(super) fn below(&self, step: &Step) -> Option<&Self> {
        self.0.get(step).map(|node| &node.below)
    }

    /// Takes in one field.
    pub(super) fn insert(&mut self, step: Step) {
        self.0.entry(step).or_default().member = true;
    }

    /// Takes in a field and a set of those below it.
    pub(super) fn insert_tree(&mut self, step: Step, below: Self) {
        let node = self.0.entry(step).or_default();
        node.member = true;
        node.below = node.below.union(&below);
    }

    /// Takes in fields below a step; nothing happens if there are none.
    pub(super) fn insert_below(&mut self, step: Step, below: Self) {
        if !below.is_empty() {
            let node = self.0.entry(step).or_default();
            node.below = node.below.union(&below);
        }
    }

    /// The fields of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        for (step, node) in &other.0 {
            match union.0.get_mut(step) {
                Some(known) => {
                    known.member |= node.member;
                    known.below = known.below.union(&node.below);
                }
                None => {
                    union.0.insert(step.clone(), node.clone());
                }
            }
        }
        union
    }

    /// The fields that the other does not have.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(|step, node| match other.0.get(step) {
            None => node.clone(),
            Some(taken) => {
                Node { member: node.member && !taken.member, below: node.below.difference(&taken.below) }
            }
        })
    }

    /// The fields of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(|step, node| match other.0.get(step) {
            None => Node::default(),
            Some(known) => {
                Node { member: node.member && known.member, below: node.below.intersection(&known.below) }
            }
        })
    }

    /// Each step with what becomes of it; steps that nothing is left of go.
    fn combine(&self, of: impl Fn(&Step, &Node) -> Node) -> Self {
        let nodes = self.0.iter().map(|(step, node)| (step.clone(), of(step, node)));
        Self(nodes.filter(|(_, node)| node.member || !node.below.is_empty()).collect())
    }

    /// The set, and all that its fields stand in.
    #[must_use]
    pub(super) fn with_ancestors(&self) -> Self {
        self.combine(|_, node| Node { member: true, below: node.below.with_ancestors() })
    }

    /// The set without the fields that nobody owns: what an object is and is called.
    #[must_use]
    pub(super) fn without_identity(&self) -> Self {
        let field = |name: &str| Step::Field(name.to_owned());
        let mut nobodys = Self::default();
        nobodys.insert(field("apiVersion"));
        nobodys.insert(field("kind"));
        let mut metadata = Self::default();
        for name in IDENTITY {
            metadata.insert(field(name));
        }
        nobodys.insert_tree(field("metadata"), metadata);
        self.difference(&nobodys)
    }

    /// The ways to all fields, in order.
    pub(super) fn ways(&self) -> Vec<Vec<Step>> {
        let mut ways = Vec::new();
        self.walk(&mut Vec::new(), &mut ways);
        ways
    }

    fn walk(&self, way: &mut Vec<Step>, ways: &mut Vec<Vec<Step>>) {
        for (step, node) in &self.0 {
            way.push(step.clone());
            if node.member {
                ways.push(way.clone());
            }
            node.below.walk(way, ways);
            way.pop();
        }
    }

    /// As `fieldsV1`.
    pub fn encode(&self) -> Value {
        let nodes = self.0.iter().map(|(step, node)| {
            let mut below = Map::new();
            if node.member && !node.below.is_empty() {
                below.insert(".".to_owned(), Value::Object(Map::new()));
            }
            if let Value::Object(fields) = node.below.encode() {
                below.extend(fields);
            }
            (step.encode(), Value::Object(below))
        });
        Value::Object(nodes.collect())
    }

    /// Reads `fieldsV1`; `None` if it is no set of fields.
    pub fn decode(value: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (text, below) in value.as_object()? {
            if text == "." {
                continue;
            }
            let fields = below.as_object()?;
            let member = fields.is_empty() || fields.contains_key(".");
            set.0.insert(Step::decode(text)?, Node { member, below: Self::decode(below)? });
        }
        Some(set)
    }
}
