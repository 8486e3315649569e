//! What a policy rule covers. Pure, and asked for every request of whoever is no administrator.

use keelson_proto::rbac::PolicyRule;

/// Stands for any verb, group, resource or path.
const ANY: &str = "*";

/// A verb on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// For instance "get".
    pub verb: &'a str,
    /// API group.
    pub group: &'a str,
    /// Plural resource name.
    pub resource: &'a str,
    /// Subresource or "".
    pub subresource: &'a str,
    /// Name of the object or "".
    pub name: &'a str,
}

/// Whether a rule allows a verb on a resource.
pub fn allows(rule: &PolicyRule, asked: &Asked<'_>) -> bool {
    has(&rule.verbs, asked.verb)
        && has(&rule.api_groups, asked.group)
        && rule.resources.iter().any(|resource| covers(resource, asked.resource, asked.subresource))
        && (rule.resource_names.is_empty() || rule.resource_names.iter().any(|name| name == asked.name))
}

/// Whether a rule allows a verb on a path that is no resource.
pub fn allows_path(rule: &PolicyRule, verb: &str, path: &str) -> bool {
    has(&rule.verbs, verb) && rule.non_resource_urls.iter().any(|pattern| covers_path(pattern, path))
}

/// Whether a rule's resource covers another: "*" all, `pods` the pods, `pods/log` their log, `*/scale` every scale.
pub fn covers(pattern: &str, resource: &str, subresource: &str) -> bool {
    if pattern == ANY {
        return true;
    }
    match pattern.split_once('/') {
        Some((of, sub)) => !subresource.is_empty() && sub == subresource && (of == ANY || of == resource),
        None => subresource.is_empty() && pattern == resource,
    }
}

/// Whether a rule's path covers another: one that ends with "*" all that begin so.
pub fn covers_path(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => path.starts_with(beginning),
        None => pattern == path,
    }
}

/// What of `wanted` is not covered by `held`: each a rule of one verb on one resource (of one name) or path. Nobody
/// gives what he does not have.
pub fn uncovered(held: &[PolicyRule], wanted: &[PolicyRule]) -> Vec<PolicyRule> {
    let parts = wanted.iter().flat_map(parts);
    parts.filter(|part| !held.iter().any(|rule| includes(rule, part))).collect()
}

/// A rule as rules of one thing each.
fn parts(rule: &PolicyRule) -> Vec<PolicyRule> {
    let mut parts = Vec::new();
    for verb in &rule.verbs {
        let verbs = vec![verb.clone()];
        for path in &rule.non_resource_urls {
            let non_resource_urls = vec![path.clone()];
            parts.push(PolicyRule { verbs: verbs.clone(), non_resource_urls, ..PolicyRule::default() });
        }
        for group in &rule.api_groups {
            for resource in &rule.resources {
                let one = PolicyRule {
                    verbs: verbs.clone(),
                    api_groups: vec![group.clone()],
                    resources: vec![resource.clone()],
                    ..PolicyRule::default()
                };
                if rule.resource_names.is_empty() {
                    parts.push(one.clone());
                }
                let named = |name: &String| PolicyRule { resource_names: vec![name.clone()], ..one.clone() };
                parts.extend(rule.resource_names.iter().map(named));
            }
        }
    }
    parts
}

/// Whether a rule includes one of one thing.
fn includes(rule: &PolicyRule, part: &PolicyRule) -> bool {
    let one = |list: &[String]| list.first().cloned().unwrap_or_default();
    if !has(&rule.verbs, &one(&part.verbs)) {
        return false;
    }
    if let Some(path) = part.non_resource_urls.first() {
        let includes = |held: &String| match held.strip_suffix('*') {
            Some(beginning) => path.trim_end_matches('*').starts_with(beginning),
            None => held == path,
        };
        return rule.non_resource_urls.iter().any(includes);
    }
    let wanted = one(&part.resources);
    let (resource, subresource) = wanted.split_once('/').unwrap_or((&wanted, ""));
    let names = &rule.resource_names;
    has(&rule.api_groups, &one(&part.api_groups))
        && rule.resources.iter().any(|held| *held == wanted || covers(held, resource, subresource))
        && (names.is_empty() || part.resource_names.first().is_some_and(|name| names.contains(name)))
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|one| one == ANY || one == wanted)
}
