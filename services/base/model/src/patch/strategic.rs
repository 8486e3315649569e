//! Strategic merge: a partial object whose lists merge item by item where the types say so.
//!
//! Objects merge field by field and null removes. The items of a list with a merge key are told apart by it;
//! lists of scalars with the merge strategy are united; all other lists are replaced. Directives: `$patch`
//! (`replace`, `delete`, `merge`) in an object or a list item, `$retainKeys`, `$deleteFromPrimitiveList/<list>`
//! and `$setElementOrder/<list>`.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::schema::{Field, Schema};
use crate::field::Path;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_ITEMS: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// A rule of strategic merge that the patch breaks.
#[derive(Debug, thiserror::Error)]
#[error("strategic merge patch at {path}: {why}")]
pub(super) struct Malformed {
    path: Path,
    why: String,
}

/// What `$patch` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

/// Where each value first stands in a list.
type Positions = HashMap<Value, usize>;

/// The merge of two objects.
pub(super) fn merge(original: &Value, patch: &Value, schema: Schema) -> Result<Value, Malformed> {
    let path = Path::root();
    let Some(patch) = patch.as_object() else {
        return Err(Malformed::at(&path, "a patch is a JSON object"));
    };
    let original = original.as_object().cloned().unwrap_or_default();
    merge_object(original, patch, schema, &path).map(Value::Object)
}

type Object = Map<String, Value>;

fn merge_object(original: Object, patch: &Object, schema: Schema, path: &Path) -> Result<Object, Malformed> {
    let mut merged = match directive(patch, path)? {
        Directive::Delete => return Ok(Object::new()),
        Directive::Replace => Object::new(),
        Directive::Merge => original,
    };
    retain_keys(&mut merged, patch, path)?;
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix(DELETE_ITEMS) {
            delete_items(&mut merged, list, value, &path.child(key))?;
        }
    }
    for (key, value) in patch.iter().filter(|(key, _)| !is_directive(key)) {
        let order = patch.get(&format!("{ORDER}{key}"));
        merge_field(&mut merged, (key, value), order, schema.field(key), &path.child(key))?;
    }
    for (key, order) in patch {
        let Some(list) = key.strip_prefix(ORDER).filter(|list| !patch.contains_key(*list)) else {
            continue;
        };
        if merged.get(list).is_some_and(Value::is_array) {
            merge_field(
                &mut merged,
                (list, &Value::Array(Vec::new())),
                Some(order),
                schema.field(list),
                &path.child(list),
            )?;
        }
    }
    Ok(merged)
}

fn is_directive(key: &str) -> bool {
    key == PATCH || key == RETAIN_KEYS || key.starts_with(DELETE_ITEMS) || key.starts_with(ORDER)
}

fn directive(patch: &Object, path: &Path) -> Result<Directive, Malformed> {
    match patch.get(PATCH) {
        None => Ok(Directive::Merge),
        Some(Value::String(word)) if word == "merge" => Ok(Directive::Merge),
        Some(Value::String(word)) if word == "replace" => Ok(Directive::Replace),
        Some(Value::String(word)) if word == "delete" => Ok(Directive::Delete),
        Some(other) => Err(Malformed::at(path, format!("$patch is merge, replace or delete, not {other}"))),
    }
}

fn retain_keys(merged: &mut Object, patch: &Object, path: &Path) -> Result<(), Malformed> {
    let Some(keys) = patch.get(RETAIN_KEYS) else {
        return Ok(());
    };
    let path = path.child(RETAIN_KEYS);
    let keys: HashSet<&str> = list(keys, &path)?.iter().filter_map(Value::as_str).collect();
    let stray = patch
        .iter()
        .find(|(key, value)| !is_directive(key) && !value.is_null() && !keys.contains(key.as_str()));
    if let Some((key, _)) = stray {
        return Err(Malformed::at(&path, format!("the patch sets {key:?}, which the list does not name")));
    }
    merged.retain(|key, _| keys.contains(key.as_str()));
    Ok(())
}

fn delete_items(merged: &mut Object, name: &str, items: &Value, path: &Path) -> Result<(), Malformed> {
    let gone: HashSet<&Value> = list(items, path)?.iter().collect();
    if let Some(Value::Array(items)) = merged.get_mut(name) {
        items.retain(|item| !gone.contains(item));
    }
    Ok(())
}

fn merge_field(
    merged: &mut Object,
    (key, patch): (&str, &Value),
    order: Option<&Value>,
    field: Option<&'static Field>,
    path: &Path,
) -> Result<(), Malformed> {
    let replace = field.is_some_and(|field| field.replace);
    let schema = field.map_or(Schema::FREE, Field::schema);
    let value = match patch {
        Value::Null => {
            merged.remove(key);
            return Ok(());
        }
        Value::Object(patch) => {
            let original = match merged.get_mut(key).map(Value::take) {
                Some(Value::Object(original)) if !replace => original,
                _ => Object::new(),
            };
            Value::Object(merge_object(original, patch, schema, path)?)
        }
        Value::Array(patch) => match field.filter(|field| field.merge) {
            Some(field) => {
                let original = match merged.get_mut(key).map(Value::take) {
                    Some(Value::Array(original)) => original,
                    _ => Vec::new(),
                };
                Value::Array(merge_list(original, patch, order, field, path)?)
            }
            None => Value::Array(patch.clone()),
        },
        scalar => scalar.clone(),
    };
    merged.insert(key.to_owned(), value);
    Ok(())
}

fn merge_list(
    original: Vec<Value>,
    patch: &[Value],
    order: Option<&Value>,
    field: &'static Field,
    path: &Path,
) -> Result<Vec<Value>, Malformed> {
    let key = field.merge_key.as_deref();
    let before = positions(original.iter().map(|item| identity(item, key)));
    let (merged, named) = match key {
        Some(key) => {
            let items = Items::read(patch, key, path)?;
            if items.replace {
                return items.set.into_iter().map(|item| item.merged_into(Object::new(), field)).collect();
            }
            let named = positions(items.set.iter().map(|item| item.id));
            (merge_items(original, items, key, field)?, named)
        }
        None => (unite(original, patch, &before, path)?, positions(patch.iter())),
    };
    let named = match order {
        Some(order) => given_order(list(order, path)?, &named, key, path)?,
        None => named,
    };
    Ok(arrange(merged, key, &before, &named))
}

/// The list with the patch's scalars added that it does not have.
fn unite(
    original: Vec<Value>,
    patch: &[Value],
    before: &Positions,
    path: &Path,
) -> Result<Vec<Value>, Malformed> {
    if patch.iter().any(|item| item.is_object() || item.is_array()) {
        return Err(Malformed::at(path, "the items of this list are scalars"));
    }
    let mut seen = HashSet::new();
    let new = patch.iter().filter(|item| !before.contains_key(*item) && seen.insert(*item));
    Ok(original.into_iter().chain(new.cloned()).collect())
}

/// One item of a patch's list.
struct Item<'a> {
    id: &'a Value,
    patch: &'a Object,
    path: Path,
}

/// The items of a patch's list, by what they ask for.
struct Items<'a> {
    set: Vec<Item<'a>>,
    deleted: HashSet<&'a Value>,
    /// The items that are set are all that is left.
    replace: bool,
}

impl<'a> Items<'a> {
    fn read(patch: &'a [Value], key: &str, path: &Path) -> Result<Self, Malformed> {
        let mut items = Self { set: Vec::new(), deleted: HashSet::new(), replace: false };
        for (index, item) in patch.iter().enumerate() {
            let path = path.index(index);
            let Some(patch) = item.as_object() else {
                return Err(Malformed::at(&path, "the items of this list are objects"));
            };
            let directive = directive(patch, &path)?;
            let id = patch.get(key).filter(|id| !id.is_null());
            items.replace |= directive == Directive::Replace;
            match (directive, id) {
                (Directive::Replace, _) if patch.len() == 1 => {}
                (_, None) => {
                    return Err(Malformed::at(&path, format!("the item lacks the merge key {key}")));
                }
                (Directive::Delete, Some(id)) => {
                    items.deleted.insert(id);
                }
                (_, Some(id)) => items.set.push(Item { id, patch, path }),
            }
        }
        Ok(items)
    }
}

impl Item<'_> {
    fn merged_into(&self, original: Object, field: &'static Field) -> Result<Value, Malformed> {
        merge_object(original, self.patch, field.schema(), &self.path).map(Value::Object)
    }
}

fn merge_items(
    original: Vec<Value>,
    items: Items<'_>,
    key: &str,
    field: &'static Field,
) -> Result<Vec<Value>, Malformed> {
    let mut merged = original;
    merged.retain(|item| !items.deleted.contains(identity(item, Some(key))));
    let mut at = positions(merged.iter().map(|item| identity(item, Some(key))));
    for item in items.set {
        match at.get(item.id) {
            Some(&index) => {
                let original = match merged[index].take() {
                    Value::Object(original) => original,
                    _ => Object::new(),
                };
                merged[index] = item.merged_into(original, field)?;
            }
            None => {
                at.insert(item.id.clone(), merged.len());
                merged.push(item.merged_into(Object::new(), field)?);
            }
        }
    }
    Ok(merged)
}

/// The order that the patch gives; all items that the patch sets must be in it.
fn given_order(
    order: &[Value],
    named: &Positions,
    key: Option<&str>,
    path: &Path,
) -> Result<Positions, Malformed> {
    let order = positions(order.iter().map(|item| identity(item, key)));
    match named.keys().find(|id| !order.contains_key(*id)) {
        Some(id) => {
            Err(Malformed::at(path, format!("the patch sets {id}, which $setElementOrder does not name")))
        }
        None => Ok(order),
    }
}

/// The items that the patch names in its order, the others in theirs; an unnamed item stays before the named
/// ones that it stood before.
fn arrange(merged: Vec<Value>, key: Option<&str>, before: &Positions, named: &Positions) -> Vec<Value> {
    let (mut first, rest): (Vec<_>, Vec<_>) =
        merged.into_iter().partition(|item| named.contains_key(identity(item, key)));
    first.sort_by_key(|item| named.get(identity(item, key)).copied());
    let mut arranged = Vec::with_capacity(first.len() + rest.len());
    let mut rest = rest.into_iter().peekable();
    for item in first {
        if let Some(position) = before.get(identity(&item, key)) {
            while let Some(other) = rest.next_if(|other| before.get(identity(other, key)) < Some(position)) {
                arranged.push(other);
            }
        }
        arranged.push(item);
    }
    arranged.extend(rest);
    arranged
}

/// What tells the item from others of its list.
fn identity<'a>(item: &'a Value, key: Option<&str>) -> &'a Value {
    const NONE: &Value = &Value::Null;
    key.map_or(item, |key| item.get(key).unwrap_or(NONE))
}

fn positions<'a>(values: impl Iterator<Item = &'a Value>) -> Positions {
    let mut positions = Positions::new();
    for (index, value) in values.enumerate() {
        positions.entry(value.clone()).or_insert(index);
    }
    positions
}

fn list<'a>(value: &'a Value, path: &Path) -> Result<&'a [Value], Malformed> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| Malformed::at(path, format!("expected a list, not {value}")))
}

// === impl Malformed ===

impl Malformed {
    fn at(path: &Path, why: impl Into<String>) -> Self {
        Self { path: path.clone(), why: why.into() }
    }
}
