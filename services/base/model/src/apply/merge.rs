//! Putting a configuration over an object, and taking fields away.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::path::Step;
use super::set::Set;
use super::structure::{Part, Parts, Structure};

/// `config` put over `live`: objects merge field by field, lists item by item where items are told apart, and
/// everything else is the configuration's.
pub(super) fn merged(live: &Value, config: &Value, structure: Structure) -> Value {
    match (Parts::of(live, structure), Parts::of(config, structure)) {
        (Parts::Fields(_), Parts::Fields(given)) => {
            let mut fields = live.as_object().cloned().unwrap_or_default();
            for part in given {
                let Step::Field(name) = part.step else { continue };
                let old = fields.get(&name).unwrap_or(&Value::Null);
                let new = merged(old, part.value, part.structure);
                fields.insert(name, new);
            }
            Value::Object(fields)
        }
        (Parts::Items(live), Parts::Items(given)) => Value::Array(merged_items(&live, &given)),
        _ => config.clone(),
    }
}

/// The items of both lists: those that both have in the order of the configuration, the others where they stood.
fn merged_items(live: &[Part<'_>], given: &[Part<'_>]) -> Vec<Value> {
    let by_step: HashMap<&Step, &Part<'_>> = live.iter().rev().map(|part| (&part.step, part)).collect();
    let wanted: HashSet<&Step> = given.iter().map(|part| &part.step).collect();
    let mut shared = given.iter().map(|part| &part.step).filter(|step| by_step.contains_key(step)).peekable();
    let (mut live, mut given) = (live.iter().peekable(), given.iter().peekable());
    let mut items = Vec::new();
    loop {
        match (live.peek(), given.peek()) {
            (None, None) => return items,
            (Some(old), _) if !wanted.contains(&old.step) => {
                items.push(old.value.clone());
                live.next();
            }
            // It is one of those that both have, but its turn has passed or comes later.
            (Some(old), Some(_)) if shared.peek() != Some(&&old.step) => {
                live.next();
            }
            (Some(_), None) => {
                live.next();
            }
            (_, Some(new)) => {
                let old = by_step.get(&new.step).map(|part| part.value);
                items.push(merged(old.unwrap_or(&Value::Null), new.value, new.structure));
                if shared.next_if_eq(&&new.step).is_some() {
                    live.next_if(|old| old.step == new.step);
                }
                given.next();
            }
        }
    }
}

/// The object without the fields of a set. What holds nothing any more goes as well.
pub(super) fn without(value: &Value, gone: &Set, structure: Structure) -> Value {
    match Parts::of(value, structure) {
        Parts::Whole => value.clone(),
        Parts::Fields(parts) => {
            let left = left(&parts, gone).filter_map(|(step, value)| match step {
                Step::Field(name) => Some((name.clone(), value)),
                _ => None,
            });
            Value::Object(left.collect::<Map<_, _>>())
        }
        Parts::Items(parts) => Value::Array(left(&parts, gone).map(|(_, value)| value).collect()),
    }
}

fn left<'a>(parts: &'a [Part<'a>], gone: &'a Set) -> impl Iterator<Item = (&'a Step, Value)> {
    parts.iter().filter(|part| !gone.has(&part.step)).filter_map(|part| {
        let Some(below) = gone.below(&part.step).filter(|below| !below.is_empty()) else {
            return Some((&part.step, part.value.clone()));
        };
        let value = without(part.value, below, part.structure);
        (!is_empty(&value) || is_empty(part.value)).then_some((&part.step, value))
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
