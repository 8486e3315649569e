//! How each message's fields merge, and how they are owned: the options of the `.proto` files, read once.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
};

/// What strategic merge and server-side apply know of one message.
#[derive(Clone, Copy, Debug)]
pub struct Schema(Option<&'static Shape>);

/// The fields of a message's JSON object, inlined ones included.
#[derive(Debug, Default)]
struct Shape {
    fields: HashMap<String, Field>,
    /// Objects of it have one owner.
    atomic: bool,
}

/// How server-side apply treats a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ListType {
    /// It is no list.
    None,
    /// It has one owner.
    Atomic,
    /// Each of its scalars can have another.
    Set,
    /// Each of its objects can have another: the fields that tell them apart, and what those count as if left out.
    Map(Vec<(String, Option<String>)>),
}

/// How one field merges.
#[derive(Debug)]
pub(crate) struct Field {
    /// The patch's value takes the place of the old one, whatever its type.
    pub(super) replace: bool,
    /// A list whose items merge.
    pub(super) merge: bool,
    /// The field that tells the items of a merged list apart; none for a list of scalars.
    pub(super) merge_key: Option<String>,
    /// How server-side apply treats it, if it is a list.
    pub(crate) list: ListType,
    /// A map or an object that has one owner to server-side apply.
    pub(crate) atomic: bool,
    /// Full name of the message that the field (or each of its items) holds; "" for anything else.
    message: String,
}

static SHAPES: LazyLock<HashMap<String, Shape>> = LazyLock::new(read);

/// The options that matter here.
struct Options {
    inline: ExtensionDescriptor,
    strategy: ExtensionDescriptor,
    merge_key: ExtensionDescriptor,
    hand_json: ExtensionDescriptor,
    list_type: ExtensionDescriptor,
    list_map_key: ExtensionDescriptor,
    map_type: ExtensionDescriptor,
    key_default: ExtensionDescriptor,
    atomic: ExtensionDescriptor,
}

// === impl Schema ===

impl Schema {
    /// Nothing known: objects merge, lists are replaced.
    pub const FREE: Self = Self(None);

    /// The schema of the message with this full name, for instance `k8s.io.api.core.v1.Pod`.
    pub fn of(message: &str) -> Self {
        Self(SHAPES.get(message))
    }

    /// The schema of a kind's objects.
    pub fn of_kind(kind: &keelson_proto::Kind) -> Self {
        Self::of(kind.message)
    }

    /// Whether the message is known.
    pub fn is_known(self) -> bool {
        self.0.is_some()
    }

    /// Whether server-side apply gives all of an object one owner.
    pub(crate) fn is_atomic(self) -> bool {
        self.0.is_some_and(|shape| shape.atomic)
    }

    pub(crate) fn field(self, name: &str) -> Option<&'static Field> {
        self.0?.fields.get(name)
    }
}

// === impl Field ===

impl Field {
    /// The schema of the field's value, or of its items.
    pub(crate) fn schema(&self) -> Schema {
        Schema::of(&self.message)
    }
}

// === impl Options ===

impl Options {
    fn find(pool: &DescriptorPool) -> Option<Self> {
        let option = |name: &str| pool.get_extension_by_name(&format!("keelson.options.{name}"));
        Some(Self {
            inline: option("inline")?,
            strategy: option("patch_strategy")?,
            merge_key: option("patch_merge_key")?,
            hand_json: option("hand_json")?,
            list_type: option("list_type")?,
            list_map_key: option("list_map_key")?,
            map_type: option("map_type")?,
            key_default: option("key_default")?,
            atomic: option("atomic")?,
        })
    }
}

/// Reads the table. The pool, some megabytes, is dropped again.
fn read() -> HashMap<String, Shape> {
    #[expect(
        clippy::expect_used,
        reason = "the descriptors are built into this program, and the tests read them"
    )]
    let (pool, options) = DescriptorPool::decode(keelson_proto::DESCRIPTORS)
        .ok()
        .and_then(|pool| Options::find(&pool).map(|options| (pool, options)))
        .expect("the descriptors of keelson-proto");
    let structured = |message: &MessageDescriptor| {
        message.package_name().starts_with("k8s.io")
            && !message.is_map_entry()
            && !flag(&message.options(), &options.hand_json)
    };
    let messages = pool.all_messages().filter(structured);
    messages.map(|message| (message.full_name().to_owned(), shape(&message, &options))).collect()
}

fn shape(message: &MessageDescriptor, options: &Options) -> Shape {
    let mut shape = Shape { atomic: flag(&message.options(), &options.atomic), ..Shape::default() };
    for field in message.fields() {
        match field.kind() {
            Kind::Message(inner) if flag(&field.options(), &options.inline) => {
                shape.fields.extend(self::shape(&inner, options).fields);
            }
            _ => {
                shape.fields.insert(field.name().to_owned(), describe(&field, options));
            }
        }
    }
    shape
}

fn describe(field: &FieldDescriptor, options: &Options) -> Field {
    let set = field.options();
    let strategy = text(&set, &options.strategy).unwrap_or_default();
    let is = |word: &str| strategy.split(',').any(|one| one.trim() == word);
    let message = match field.kind() {
        Kind::Message(inner) if !field.is_map() => inner.full_name().to_owned(),
        _ => String::new(),
    };
    Field {
        replace: is("replace"),
        merge: field.is_list() && is("merge"),
        merge_key: text(&set, &options.merge_key),
        list: list_type(field, options),
        atomic: text(&set, &options.map_type).as_deref() == Some("atomic"),
        message,
    }
}

fn list_type(field: &FieldDescriptor, options: &Options) -> ListType {
    if !field.is_list() {
        return ListType::None;
    }
    let set = field.options();
    match text(&set, &options.list_type).as_deref() {
        Some("set") => ListType::Set,
        Some("map") => {
            let keys = set.get_extension(&options.list_map_key);
            let names = keys.as_list().unwrap_or_default().iter().filter_map(|key| key.as_str());
            let default = |name: &str| match field.kind() {
                Kind::Message(item) => text(&item.get_field_by_name(name)?.options(), &options.key_default),
                _ => None,
            };
            ListType::Map(names.map(|name| (name.to_owned(), default(name))).collect())
        }
        _ => ListType::Atomic,
    }
}

fn flag(options: &DynamicMessage, option: &ExtensionDescriptor) -> bool {
    options.get_extension(option).as_bool().unwrap_or(false)
}

fn text(options: &DynamicMessage, option: &ExtensionDescriptor) -> Option<String> {
    if !options.has_extension(option) {
        return None;
    }
    options.get_extension(option).as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use keelson_proto::{Object, core};

    use super::*;

    #[test]
    fn merge_keys_are_those_that_kubernetes_documents() {
        let table = [
            ("PodSpec", "containers", "name"),
            ("PodSpec", "initContainers", "name"),
            ("PodSpec", "volumes", "name"),
            ("PodSpec", "imagePullSecrets", "name"),
            ("PodSpec", "hostAliases", "ip"),
            ("Container", "ports", "containerPort"),
            ("Container", "env", "name"),
            ("Container", "volumeMounts", "mountPath"),
            ("PodStatus", "conditions", "type"),
            ("NodeStatus", "conditions", "type"),
            ("NodeStatus", "addresses", "type"),
            ("ServiceSpec", "ports", "port"),
        ];
        for (message, field, key) in table {
            let schema = Schema::of(&format!("k8s.io.api.core.v1.{message}"));
            let found = schema.field(field);
            assert_eq!(
                found.map(|field| (field.merge, field.merge_key.as_deref())),
                Some((true, Some(key))),
                "{message}.{field}"
            );
        }
    }

    #[test]
    fn paths_lead_from_a_kind_to_its_parts() {
        let pod = Schema::of_kind(core::Pod::KIND);
        let containers = pod.field("spec").and_then(|spec| spec.schema().field("containers"));
        assert!(containers.is_some_and(|field| field.schema().field("image").is_some()));
        let finalizers = pod.field("metadata").and_then(|metadata| metadata.schema().field("finalizers"));
        assert!(finalizers.is_some_and(|field| field.merge && field.merge_key.is_none()));
    }

    #[test]
    fn inlined_fields_belong_to_the_message_that_holds_them() {
        let volume = Schema::of("k8s.io.api.core.v1.Volume");
        assert!(volume.field("hostPath").is_some() && volume.field("volumeSource").is_none());
    }

    #[test]
    fn what_has_no_structure_has_no_schema() {
        assert!(!Schema::of("k8s.io.apimachinery.pkg.api.resource.Quantity").is_known());
        assert!(!Schema::of("no.such.Message").is_known());
        assert!(Schema::FREE.field("spec").is_none());
        let labels = Schema::of("k8s.io.apimachinery.pkg.apis.meta.v1.ObjectMeta").field("labels");
        assert!(labels.is_some_and(|field| !field.merge && !field.schema().is_known()));
    }
}
