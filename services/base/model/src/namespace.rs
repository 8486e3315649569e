//! Namespaces: their defaults and rules, and the two steps in which they go.

use std::borrow::Cow;

use keelson_proto::core::{Namespace, NamespaceStatus};

use crate::field::{ErrorList, FieldError, Path};
use crate::{meta, names};

/// The phase of a namespace that can be used.
pub const ACTIVE: &str = "Active";
/// The phase of a namespace that is being emptied, and then removed.
pub const TERMINATING: &str = "Terminating";
/// The finalizer that keeps a namespace until it is empty.
pub const FINALIZER: &str = "kubernetes";
/// The label that holds the namespace's name, for selectors.
pub const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The fields that namespaces can be selected by; `name` is an old spelling.
pub const FIELDS: &[&str] = &["metadata.name", "name", "status.phase"];

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(namespace: &'a Namespace, field: &str) -> Option<Cow<'a, str>> {
    match field {
        "metadata.name" | "name" => Some(Cow::Borrowed(&namespace.metadata.name)),
        "status.phase" => Some(Cow::Borrowed(&namespace.status.phase)),
        _ => None,
    }
}

/// Fills in what may be left out: the label with the name.
pub fn set_defaults(namespace: &mut Namespace) {
    if !namespace.metadata.name.is_empty() {
        let name = namespace.metadata.name.clone();
        namespace.metadata.labels.insert(NAME_LABEL.to_owned(), name);
    }
}

/// What the server writes into a namespace that begins to exist: it is active, and stays until it is empty.
pub fn prepare_create(namespace: &mut Namespace) {
    namespace.status = NamespaceStatus { phase: ACTIVE.to_owned(), ..NamespaceStatus::default() };
    if !namespace.spec.finalizers.iter().any(|name| name == FINALIZER) {
        namespace.spec.finalizers.push(FINALIZER.to_owned());
    }
}

/// Carries over what an ordinary update does not touch: the finalizers of the spec, and the status.
pub fn prepare_update(new: &mut Namespace, old: &Namespace) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    new.spec = old.spec.clone();
    new.status = old.status.clone();
}

/// Leaves of a status write only the status (and labels and annotations).
pub fn prepare_status_update(new: &mut Namespace, old: &Namespace) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    new.spec = old.spec.clone();
}

/// Leaves of a write to `finalize` only the finalizers of the spec.
pub fn prepare_finalize(new: &mut Namespace, old: &Namespace) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    new.status = old.status.clone();
}

/// Checks a namespace.
pub fn validate(namespace: &Namespace) -> ErrorList {
    let mut errors = meta::validate(&namespace.metadata, false, names::dns_label, &Path::new("metadata"));
    errors.extend(validate_finalizers(namespace));
    errors
}

/// Checks a changed namespace.
pub fn validate_update(new: &Namespace, old: &Namespace) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    errors
}

/// Checks a status write: the phase says whether the namespace is being deleted.
pub fn validate_status_update(new: &Namespace, old: &Namespace) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    let phase = new.status.phase.as_str();
    let (expected, why) = match new.metadata.deletion_timestamp {
        None => (ACTIVE, "may only be 'Active' if `deletionTimestamp` is empty"),
        Some(_) => (TERMINATING, "may only be 'Terminating' if `deletionTimestamp` is not empty"),
    };
    if phase != expected {
        errors.push(FieldError::invalid(&Path::new("status").child("phase"), phase, why));
    }
    errors
}

/// Checks a write to `finalize`.
pub fn validate_finalize(new: &Namespace, old: &Namespace) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate_finalizers(new));
    errors
}

/// Whether nothing more can begin to exist in the namespace.
pub fn is_terminating(namespace: &Namespace) -> bool {
    namespace.status.phase == TERMINATING || namespace.metadata.deletion_timestamp.is_some()
}

fn validate_finalizers(namespace: &Namespace) -> ErrorList {
    let path = Path::new("spec").child("finalizers");
    let finalizers = namespace.spec.finalizers.iter().enumerate();
    finalizers.flat_map(|(index, name)| meta::validate_finalizer(name, &path.index(index))).collect()
}

#[cfg(test)]
mod tests {
    use keelson_proto::meta::{ObjectMeta, Time};

    use super::*;

    fn mk_namespace(name: &str) -> Namespace {
        let mut namespace = Namespace {
            metadata: ObjectMeta { name: name.to_owned(), uid: "u".to_owned(), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        set_defaults(&mut namespace);
        prepare_create(&mut namespace);
        namespace
    }

    fn text(errors: &ErrorList) -> String {
        if errors.is_empty() { String::new() } else { errors.to_string() }
    }

    #[test]
    fn a_new_namespace_is_active_labelled_and_finalized() {
        let namespace = mk_namespace("dev");
        assert_eq!(namespace.metadata.labels[NAME_LABEL], "dev");
        assert_eq!(namespace.status.phase, ACTIVE);
        assert_eq!(namespace.spec.finalizers, [FINALIZER]);
        assert_eq!(text(&validate(&namespace)), "");
    }

    #[test]
    fn names_and_finalizers_keep_their_rules() {
        assert!(text(&validate(&mk_namespace("a.b"))).contains("must not contain dots"));
        let mut namespace = mk_namespace("dev");
        namespace.spec.finalizers.push("mine".to_owned());
        let found = text(&validate(&namespace));
        assert!(found.starts_with("spec.finalizers[1]: Invalid value: \"mine\": name is neither"), "{found}");
    }

    #[test]
    fn the_phase_agrees_with_the_deletion() {
        let at = Some(Time { seconds: 5, nanos: 0 });
        for (deleted, phase, good) in
            [(None, ACTIVE, true), (None, TERMINATING, false), (at, TERMINATING, true), (at, ACTIVE, false)]
        {
            let mut new = mk_namespace("dev");
            new.metadata.deletion_timestamp = deleted;
            new.status.phase = phase.to_owned();
            assert_eq!(validate_status_update(&new, &new).is_empty(), good, "{phase} {deleted:?}");
        }
    }

    #[test]
    fn each_kind_of_write_touches_its_own_part() {
        let old = mk_namespace("dev");
        let mut sent = old.clone();
        sent.spec.finalizers.clear();
        sent.status.phase = TERMINATING.to_owned();
        let mut new = sent.clone();
        prepare_update(&mut new, &old);
        assert_eq!((new.spec.clone(), new.status.clone()), (old.spec.clone(), old.status.clone()));
        let mut new = sent.clone();
        prepare_status_update(&mut new, &old);
        assert_eq!((new.spec.clone(), new.status.phase.as_str()), (old.spec.clone(), TERMINATING));
        let mut new = sent;
        prepare_finalize(&mut new, &old);
        assert_eq!((new.spec.finalizers.len(), new.status), (0, old.status));
    }

    #[test]
    fn namespaces_are_selected_by_name_and_phase() {
        let namespace = mk_namespace("dev");
        for (field, value) in [("metadata.name", "dev"), ("name", "dev"), ("status.phase", ACTIVE)] {
            assert_eq!(fields(&namespace, field).as_deref(), Some(value));
        }
        assert_eq!(fields(&namespace, "metadata.namespace"), None);
    }
}
