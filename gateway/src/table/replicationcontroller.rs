//! The row of a replication controller.

use jiff::Timestamp;
use keelson_proto::core::ReplicationController;

use super::{AGE, Cell, Column, NAME, Tabled, containers, labels, number, since, text, wide};

impl Tabled for ReplicationController {
    const COLUMNS: &'static [Column] = &[
        NAME,
        number("Desired", "Number of pods wanted."),
        number("Current", "Number of pods there are."),
        number("Ready", "Number of pods that are ready."),
        AGE,
        wide(text("Containers", "Names of the containers in the pod template.")),
        wide(text("Images", "Images of the containers in the pod template.")),
        wide(text("Selector", "Labels of the pods that are counted.")),
    ];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let template = self.spec.template.as_ref();
        let [names, images] =
            containers(template.map(|template| template.spec.containers.as_slice()).unwrap_or_default());
        vec![
            self.metadata.name.as_str().into(),
            self.spec.replicas.unwrap_or_default().into(),
            self.status.replicas.into(),
            self.status.ready_replicas.into(),
            since(self.metadata.creation_timestamp, now).into(),
            names,
            images,
            labels(&self.spec.selector).into(),
        ]
    }
}
