//! 1.0's policy file: which predicates and priorities, with which weights and arguments.

use serde::Deserialize;

use super::{Filter, Measure, Predicate, Priority, Rule};

/// Which predicates and priorities to use.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What nodes must meet.
    pub filter: Filter,
    /// What makes a node good.
    pub priorities: Vec<Priority>,
}

/// A policy that cannot be used; it says what was found and what could stand there.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The text is not the JSON of a policy.
    #[error("not the JSON of a scheduler policy")]
    Json(#[from] serde_json::Error),
    /// It is some other object.
    #[error("{field} is {found:?}, but a policy has {expected:?}")]
    Kind {
        /// The field that says so.
        field: &'static str,
        /// Its value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Nobody knows the predicate.
    #[error(
        "there is no predicate {0:?}; without an argument there are PodFitsPorts, PodFitsResources, NoDiskConflict, \
         MatchNodeSelector, HostName"
    )]
    Predicate(String),
    /// Nobody knows the priority.
    #[error(
        "there is no priority {0:?}; without an argument there are LeastRequestedPriority, \
         BalancedResourceAllocation, ServiceSpreadingPriority, EqualPriority"
    )]
    Priority(String),
    /// The argument is not one of those that there are, or several.
    #[error("{name}: the argument must be exactly one of {expected}")]
    Argument {
        /// Whose.
        name: String,
        /// Those that there are.
        expected: &'static str,
    },
    /// A weight below 0.
    #[error("{name}: weight {weight} is negative")]
    Weight {
        /// Whose.
        name: String,
        /// The weight.
        weight: i64,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    api_version: String,
    predicates: Option<Vec<PredicateEntry>>,
    priorities: Option<Vec<PriorityEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PredicateEntry {
    name: String,
    argument: Option<PredicateArgument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PredicateArgument {
    service_affinity: Option<Labels>,
    labels_presence: Option<LabelsPresence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelsPresence {
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    presence: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriorityEntry {
    name: String,
    #[serde(default = "one")]
    weight: i64,
    argument: Option<PriorityArgument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PriorityArgument {
    service_anti_affinity: Option<Label>,
    label_preference: Option<LabelPreference>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    label: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelPreference {
    label: String,
    #[serde(default)]
    presence: bool,
}

fn one() -> i64 {
    1
}

// === impl Policy ===

impl Policy {
    /// Reads the JSON of 1.0's `--policy-config-file`. Lists that it leaves out are the default ones; a priority of
    /// weight 0 is off.
    ///
    /// # Errors
    /// The first entry that cannot be used.
    pub fn parse(json: &[u8]) -> Result<Self, PolicyError> {
        let file: File = serde_json::from_slice(json)?;
        expect("kind", file.kind, "Policy")?;
        expect("apiVersion", file.api_version, "v1")?;
        let filter = match file.predicates {
            None => Filter::new(),
            Some(entries) => {
                let named = entries.into_iter().map(PredicateEntry::predicate);
                let named: Vec<Predicate> = named.collect::<Result<_, _>>()?;
                // Those that hold in any case may be named, but are not asked twice.
                let mandatory = Predicate::mandatory();
                Filter::of(named.into_iter().filter(|one| !mandatory.contains(one)))
            }
        };
        let priorities = match file.priorities {
            None => Priority::defaults().into(),
            Some(entries) => {
                entries.into_iter().map(PriorityEntry::priority).collect::<Result<Vec<_>, _>>()?
            }
        };
        Ok(Self { filter, priorities: priorities.into_iter().filter(|one| one.weight > 0).collect() })
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { filter: Filter::new(), priorities: Priority::defaults().into() }
    }
}

fn expect(field: &'static str, found: String, expected: &'static str) -> Result<(), PolicyError> {
    if found.is_empty() || found == expected {
        Ok(())
    } else {
        Err(PolicyError::Kind { field, found, expected })
    }
}

// === impl PredicateEntry ===

impl PredicateEntry {
    fn predicate(self) -> Result<Predicate, PolicyError> {
        let Some(argument) = self.argument else {
            return Predicate::named(&self.name).ok_or(PolicyError::Predicate(self.name));
        };
        let rule = match (argument.service_affinity, argument.labels_presence) {
            (Some(Labels { labels }), None) => Rule::ServiceAffinity { labels },
            (None, Some(LabelsPresence { labels, presence })) => Rule::LabelsPresence { labels, presence },
            _ => {
                let expected = "serviceAffinity, labelsPresence";
                return Err(PolicyError::Argument { name: self.name, expected });
            }
        };
        Ok(Predicate::new(self.name, rule))
    }
}

// === impl PriorityEntry ===

impl PriorityEntry {
    fn priority(self) -> Result<Priority, PolicyError> {
        let weight = self.weight;
        if weight < 0 {
            return Err(PolicyError::Weight { name: self.name, weight });
        }
        let Some(argument) = self.argument else {
            let named = Priority::named(&self.name).ok_or(PolicyError::Priority(self.name))?;
            return Ok(Priority { weight, ..named });
        };
        let measure = match (argument.service_anti_affinity, argument.label_preference) {
            (Some(Label { label }), None) => Measure::ServiceAntiAffinity { label },
            (None, Some(LabelPreference { label, presence })) => Measure::LabelPreference { label, presence },
            _ => {
                let expected = "serviceAntiAffinity, labelPreference";
                return Err(PolicyError::Argument { name: self.name, expected });
            }
        };
        Ok(Priority { weight, ..Priority::new(self.name, measure) })
    }
}

#[cfg(test)]
mod tests;
