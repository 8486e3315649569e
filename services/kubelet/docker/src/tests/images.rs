//! Images in a real engine.

use keelson_kubelet::runtime::ImageError;

use super::*;
use crate::{DEMO_IMAGE, PAUSE_IMAGE};

#[tokio::test]
async fn loading_twice_is_loading_once() {
    on_node(async |node| {
        let pause = node.runtime.image(PAUSE_IMAGE, None).await.unwrap();
        node.docker.ensure_builtin_images().await.unwrap();
        assert_eq!(node.runtime.image(PAUSE_IMAGE, None).await.unwrap(), pause);
        assert!(pause.size < 64 << 10, "a few kilobytes: {}", pause.size);
        assert_ne!(node.runtime.image(DEMO_IMAGE, None).await.unwrap().id, pause.id);
        assert_eq!(
            node.runtime.image(&pause.id, None).await.unwrap().id,
            pause.id,
            "an id is as good as a name"
        );
    })
    .await;
}

#[tokio::test]
async fn a_changed_image_takes_over_its_name() {
    on_node(async |node| {
        let name = format!("keelson/test-changed:{}", std::process::id());
        let load = async |content: &[u8]| {
            let files = [ImageFile::Regular { path: "/x", mode: 0o644, content }];
            node.docker.load_image(&name, &files, &ImageConfig::default()).await.unwrap()
        };
        let one = load(b"one").await;
        let two = load(b"two").await;
        assert_ne!(one, two);
        assert_eq!(node.runtime.image(&name, None).await.unwrap().id, two);
        assert_eq!(load(b"one").await, one, "the same content has the same id");
        for id in [one, two] {
            let options = bollard::query_parameters::RemoveImageOptionsBuilder::default().force(true).build();
            node.docker.client().remove_image(&id, Some(options), None).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn images_that_are_not_to_be_had() {
    on_node(async |node| {
        let look = async |image: &str, pull: bool| {
            node.runtime.image(image, pull.then_some(&[][..])).await.unwrap_err()
        };
        let absent = "localhost:1/keelson/absent:1";
        assert_eq!(look(absent, false).await, ImageError::NotPresent { image: absent.into() });
        let error = look(absent, true).await;
        assert!(matches!(&error, ImageError::Pull { .. }), "{error:?}");
        assert!(error.to_string().contains("refused"), "{error}");
        let error = look("No Name", true).await;
        assert!(matches!(&error, ImageError::InvalidName { .. }), "{error:?}");
    })
    .await;
}
