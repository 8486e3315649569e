//! The same with a container that really runs.

use keelson_tests::Up;
use keelson_tests::docker::{self, BUSYBOX};

use super::{assert_story, generated_client};

#[test]
fn a_generated_client_reads_the_log_of_a_container() {
    docker::load_busybox();
    let up = Up::docker();
    let running = up.start();
    let flags = ["--image", BUSYBOX, "--script", "echo from a container; exec sleep 600"];
    assert_story(&generated_client(running.target(), &flags), "from a container");
    assert!(running.interrupt().success());
}
