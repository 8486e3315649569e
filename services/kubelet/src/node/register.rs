//! Bringing the Node into being.

use keelson_base_client::{Api, ApiError};
use keelson_proto::core::Node;

/// Creates `wanted`, or gives the Node of that name the labels that it should have; answers with it as it is stored.
pub(super) async fn register(nodes: &Api<Node>, wanted: Node) -> Result<Node, ApiError> {
    match nodes.create(&wanted).await {
        Err(error) if error.is_already_exists() => {}
        created => return created,
    }
    let mut node = nodes.get(&wanted.metadata.name).await?;
    let labels = &mut node.metadata.labels;
    if wanted.metadata.labels.iter().all(|(key, value)| labels.get(key) == Some(value)) {
        return Ok(node);
    }
    // Labels that users added stay.
    labels.extend(wanted.metadata.labels);
    nodes.update(&node).await
}
