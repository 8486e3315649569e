//! 1.0's policy file: one JSON object a line, each of which allows something. Today's form, with `apiVersion`, `kind` and
//! `spec`, is read as well.

use keelson_proto::rbac::PolicyRule;
use serde_json::{Map, Value};

use crate::auth::caller::{AUTHENTICATED, UNAUTHENTICATED};
use crate::auth::{Caller, Request, What};

const ANY: &str = "*";
const READS: &[&str] = &["get", "list", "watch"];

/// One line: what is not said is not asked for, except that whoever is allowed must be named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    user: String,
    group: String,
    namespace: String,
    resource: String,
    group_of_resource: String,
    path: String,
    readonly: bool,
    /// A line of 1.0: what it does not say is anything.
    old: bool,
}

// === impl Policy ===

impl Policy {
    /// Reads a policy file: comments and empty lines are skipped.
    ///
    /// # Errors
    /// A sentence with the line's number.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>, String> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        lines.map(|(number, line)| Self::line(line).map_err(|why| format!("line {number}: {why}"))).collect()
    }

    fn line(line: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("it is not JSON: {error}"))?;
        let Value::Object(fields) = value else { return Err("it is not a JSON object".to_owned()) };
        match fields.get("kind").and_then(Value::as_str) {
            None => Self::old(&fields),
            Some("Policy") => match fields.get("spec") {
                Some(Value::Object(spec)) => Self::new(spec),
                _ => Err("the policy has no spec".to_owned()),
            },
            Some(kind) => Err(format!("{kind:?} is not a kind of policies: use \"Policy\"")),
        }
    }

    fn old(fields: &Map<String, Value>) -> Result<Self, String> {
        let mut policy = Self { old: true, ..Self::default() };
        for (name, value) in fields {
            match name.as_str() {
                "user" => policy.user = text(name, value)?,
                "group" => policy.group = text(name, value)?,
                "resource" => policy.resource = text(name, value)?,
                "namespace" | "ns" => policy.namespace = text(name, value)?,
                "readonly" => policy.readonly = flag(name, value)?,
                other => return Err(format!("there is no field {other:?}")),
            }
        }
        Ok(policy)
    }

    fn new(fields: &Map<String, Value>) -> Result<Self, String> {
        let mut policy = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "user" => policy.user = text(name, value)?,
                "group" => policy.group = text(name, value)?,
                "resource" => policy.resource = text(name, value)?,
                "apiGroup" => policy.group_of_resource = text(name, value)?,
                "namespace" => policy.namespace = text(name, value)?,
                "nonResourcePath" => policy.path = text(name, value)?,
                "readonly" => policy.readonly = flag(name, value)?,
                other => return Err(format!("there is no field spec.{other}")),
            }
        }
        Ok(policy)
    }

    /// Whether the line allows this.
    pub(crate) fn allows(&self, caller: &Caller, what: What<'_>) -> bool {
        self.names(caller)
            && match what {
                What::Resource(request) => self.allows_resource(request),
                What::Path { verb, path } => {
                    (!self.readonly || READS.contains(&verb)) && self.allows_path(path)
                }
            }
    }

    /// Whether the line says anything of a caller's rights in a namespace.
    pub(crate) fn is_about(&self, caller: &Caller, namespace: &str) -> bool {
        self.names(caller) && self.fits(&self.namespace, namespace)
    }

    /// What the line allows, as rules of a role.
    pub(crate) fn rules(&self) -> Vec<PolicyRule> {
        let verbs: Vec<String> = match self.readonly {
            true => READS.iter().map(|verb| (*verb).to_owned()).collect(),
            false => vec![ANY.to_owned()],
        };
        let or_any = |text: &str| vec![if text.is_empty() && self.old { ANY } else { text }.to_owned()];
        let mut rules = Vec::new();
        if self.old || !self.resource.is_empty() {
            let api_groups = if self.old { vec![ANY.to_owned()] } else { or_any(&self.group_of_resource) };
            let resources = or_any(&self.resource);
            rules.push(PolicyRule { verbs: verbs.clone(), api_groups, resources, ..PolicyRule::default() });
        }
        if !self.path.is_empty() {
            let non_resource_urls = vec![self.path.clone()];
            rules.push(PolicyRule { verbs, non_resource_urls, ..PolicyRule::default() });
        }
        rules
    }

    /// Whether the caller is meant. A line that names nobody means, in 1.0, everybody; today nobody.
    fn names(&self, caller: &Caller) -> bool {
        if self.user.is_empty() && self.group.is_empty() {
            return self.old && caller.is_in(AUTHENTICATED);
        }
        let known = || caller.is_in(AUTHENTICATED) || !caller.is_in(UNAUTHENTICATED);
        let user = match self.user.as_str() {
            "" => true,
            ANY => known(),
            name => caller.user == name,
        };
        let group = match self.group.as_str() {
            "" => true,
            ANY => known(),
            name => caller.is_in(name),
        };
        user && group
    }

    fn allows_resource(&self, request: Request<'_>) -> bool {
        if self.readonly && !READS.contains(&request.verb) {
            return false;
        }
        self.fits(&self.namespace, request.namespace)
            && self.fits(&self.resource, request.resource)
            && (self.old || self.fits(&self.group_of_resource, request.group))
    }

    fn allows_path(&self, path: &str) -> bool {
        if self.old {
            // 1.0 knew no paths: a line without a resource is about everything.
            return self.resource.is_empty() && self.namespace.is_empty();
        }
        match self.path.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => !self.path.is_empty() && self.path == path,
        }
    }

    fn fits(&self, said: &str, asked: &str) -> bool {
        said == ANY || said == asked || (self.old && said.is_empty())
    }
}

fn text(name: &str, value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{name} is not a text"))
}

fn flag(name: &str, value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("{name} is not true or false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(verb: &'a str, resource: &'a str, namespace: &'a str) -> What<'a> {
        What::Resource(Request { verb, resource, group: "", subresource: "", namespace, name: "" })
    }

    #[test]
    fn a_line_allows_what_it_says() {
        let alice = Caller::new("alice", vec!["dev".into()]).authenticated();
        let old = [
            (r#"{"user":"alice"}"#, request("delete", "pods", "any"), true),
            (r#"{"user":"bob"}"#, request("get", "pods", "any"), false),
            (r#"{"group":"dev","ns":"a"}"#, request("get", "pods", "a"), true),
            (r#"{"group":"dev","namespace":"a"}"#, request("get", "pods", "b"), false),
            (r#"{"user":"alice","resource":"pods","readonly":true}"#, request("list", "pods", "a"), true),
            (r#"{"user":"alice","resource":"pods","readonly":true}"#, request("create", "pods", "a"), false),
            (r#"{"user":"alice","resource":"pods"}"#, request("get", "nodes", ""), false),
            (r#"{"readonly":true}"#, request("get", "nodes", ""), true),
            (r#"{"user":"alice"}"#, What::Path { verb: "get", path: "/metrics" }, true),
            (r#"{"user":"alice","resource":"pods"}"#, What::Path { verb: "get", path: "/metrics" }, false),
        ];
        let new = [
            (
                r#"{"user":"alice","namespace":"*","resource":"*","apiGroup":"*"}"#,
                request("get", "pods", "a"),
                true,
            ),
            (r#"{"user":"alice","namespace":"a","resource":"pods"}"#, request("get", "pods", "a"), true),
            (r#"{"user":"alice","resource":"pods"}"#, request("get", "pods", "a"), false),
            (r#"{"resource":"*","namespace":"*","apiGroup":"*"}"#, request("get", "pods", "a"), false),
            (r#"{"user":"*","nonResourcePath":"/api*"}"#, What::Path { verb: "get", path: "/apis" }, true),
            (r#"{"user":"*","nonResourcePath":"/api"}"#, What::Path { verb: "get", path: "/apis" }, false),
        ];
        for (line, what, allowed) in old {
            let policy = Policy::parse(line).unwrap();
            assert_eq!(policy[0].allows(&alice, what), allowed, "{line} {what:?}");
        }
        for (spec, what, allowed) in new {
            let line = format!(
                r#"{{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{spec}}}"#
            );
            assert_eq!(Policy::parse(&line).unwrap()[0].allows(&alice, what), allowed, "{line} {what:?}");
        }
        assert!(
            !Policy::parse(r#"{"user":"*"}"#).unwrap()[0]
                .allows(&Caller::anonymous(), request("get", "pods", ""))
        );
    }

    #[test]
    fn a_line_that_cannot_be_read_is_told() {
        for (text, told) in [
            ("# all\n\n{", "line 3: it is not JSON"),
            ("[]", "line 1: it is not a JSON object"),
            (r#"{"user":1}"#, "line 1: user is not a text"),
            (r#"{"usr":"a"}"#, "line 1: there is no field \"usr\""),
            (r#"{"kind":"Pod"}"#, "line 1: \"Pod\" is not a kind of policies"),
            (r#"{"kind":"Policy"}"#, "line 1: the policy has no spec"),
            (r#"{"kind":"Policy","spec":{"a":1}}"#, "line 1: there is no field spec.a"),
        ] {
            let error = Policy::parse(text).unwrap_err();
            assert!(error.starts_with(told), "{error}");
        }
    }
}
