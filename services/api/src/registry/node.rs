//! Nodes.

use keelson_base_model::field::ErrorList;
use keelson_base_model::node;
use keelson_proto::core::Node;

use crate::registry::Strategy;

/// What is particular to nodes: a status that their kubelets write.
pub(crate) struct NodeStrategy;

// === impl NodeStrategy ===

impl Strategy for NodeStrategy {
    type Object = Node;
    const PREFIX: &'static str = "/registry/minions/";
    const FIELDS: &'static [&'static str] = node::FIELDS;

    fn fields(object: &Node) -> Vec<(&'static str, String)> {
        super::fields_of(node::FIELDS, |field| node::fields(object, field))
    }

    fn set_defaults(&self, object: &mut Node) {
        node::set_defaults(object);
    }

    fn validate_create(&self, object: &Node) -> ErrorList {
        node::validate(object)
    }

    fn prepare_update(&self, new: &mut Node, old: &Node) {
        node::prepare_update(new, old);
    }

    fn validate_update(&self, new: &Node, old: &Node) -> ErrorList {
        node::validate_update(new, old)
    }

    fn has_status(&self) -> bool {
        true
    }

    fn prepare_status(&self, new: &mut Node, old: &Node) {
        node::prepare_status_update(new, old);
    }

    fn validate_status(&self, new: &Node, old: &Node) -> ErrorList {
        node::validate_status_update(new, old)
    }
}
