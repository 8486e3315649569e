use http_body_util::BodyExt as _;

use super::files;

async fn body(answer: axum::response::Response) -> (u16, String) {
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (code, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn files_below_the_directory_are_served_and_no_others() {
    let directory = tempfile::TempDir::new().unwrap();
    let root = directory.path().join("log");
    std::fs::create_dir_all(root.join("sub")).unwrap();
    std::fs::write(root.join("sub/a.log"), "line\n").unwrap();
    std::fs::write(root.join("<b>"), "").unwrap();
    std::fs::write(directory.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
    let ask = async |path: &str| body(files::serve(&root, path).await).await;
    assert_eq!(ask("sub/a.log").await, (200, "line\n".to_owned()));
    let (code, listing) = ask("").await;
    assert_eq!(code, 200);
    assert!(listing.contains("<a href=\"sub/\">sub/</a>") && listing.contains("&lt;b&gt;"), "{listing}");
    for (path, wanted) in [("../secret", 403), ("link", 403), ("none", 404)] {
        assert_eq!(ask(path).await.0, wanted, "{path}");
    }
}
