//! The row of a pod template.

use jiff::Timestamp;
use keelson_proto::core::PodTemplate;

use super::{Cell, Column, NAME, Tabled, containers, labels, text};

impl Tabled for PodTemplate {
    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Containers", "Names of the containers in the template."),
        text("Images", "Images of the containers in the template."),
        text("Pod Labels", "Labels of the pods made from the template."),
    ];

    fn cells(&self, _: Timestamp) -> Vec<Cell> {
        let [names, images] = containers(&self.template.spec.containers);
        vec![self.metadata.name.as_str().into(), names, images, labels(&self.template.metadata.labels).into()]
    }
}
