//! Helm, on the chart of this tree.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::compose::tree;
use crate::{Output, Target};

/// The release that charts are rendered as.
pub const RELEASE: &str = "test";

/// The namespace that they are rendered for.
pub const NAMESPACE: &str = "charted";

/// The files of the chart that make a smaller one, of kinds that Keelson has.
const INSTALLABLE: [&str; 6] = [
    "Chart.yaml",
    "values.yaml",
    "values.schema.json",
    "templates/_helpers.tpl",
    "templates/authorities.yaml",
    "templates/serviceaccount.yaml",
];

/// Helm, on the chart of this tree.
#[derive(Debug)]
pub struct Helm {
    program: PathBuf,
}

// === impl Helm ===

impl Helm {
    /// The program that `tests/run` unpacks, or that `KEELSON_HELM` names.
    ///
    /// # Panics
    /// If it is not there.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "it looks for a program")]
    pub fn new() -> Self {
        let program = std::env::var_os("KEELSON_HELM");
        let program = program.map_or_else(|| tree().join("target/tools/helm"), PathBuf::from);
        assert!(program.exists(), "{} is missing; tests/run unpacks it", program.display());
        Self { program }
    }

    /// `helm lint --strict`, with these values as YAML.
    #[track_caller]
    pub fn lint(&self, values: &str) -> Output {
        self.run(&["lint", "--strict"], &whole(), &[], values)
    }

    /// `helm template`, with these values as YAML.
    #[track_caller]
    pub fn template(&self, values: &str) -> Output {
        self.run(&["template", RELEASE], &whole(), &[], values)
    }

    /// `helm upgrade --install` of a part of the chart, the kinds that Keelson has, on a cluster.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn release(&self, target: &Target, values: &str) {
        let chart = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(chart.path().join("templates")).expect("a directory can be made");
        for file in INSTALLABLE {
            std::fs::copy(whole().join(file), chart.path().join(file)).expect("a file can be copied");
        }
        let kubeconfig = target.kubeconfig().to_str().expect("a path that is text");
        // Keelson has no server-side apply.
        let flags = ["--install", "--create-namespace", "--server-side=false", "--kubeconfig", kubeconfig];
        self.run(&["upgrade", RELEASE], chart.path(), &flags, values).ok();
    }

    /// What Helm tells whoever has installed the chart.
    #[track_caller]
    pub fn notes(&self, values: &str) -> String {
        let said = self.run(&["install", RELEASE], &whole(), &["--dry-run=client"], values).ok();
        said.split_once("NOTES:").expect("Helm prints notes").1.to_owned()
    }

    /// The objects that `helm template` prints.
    ///
    /// # Panics
    /// If it fails, or prints anything else.
    #[track_caller]
    pub fn objects(&self, values: &str) -> Vec<Value> {
        objects(&self.template(values).ok())
    }

    fn run(&self, verb: &[&str], chart: &Path, flags: &[&str], values: &str) -> Output {
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(&self.program);
        command.env("HOME", home.path()).env_remove("KUBECONFIG");
        command.args(verb).arg(chart).args(["--namespace", NAMESPACE, "--values", "-"]);
        Output::of(command.args(flags), values)
    }
}

/// The chart of this tree.
fn whole() -> PathBuf {
    tree().join("charts/keelson")
}

/// The objects of what `helm template` prints: YAML documents, each after a line `---`.
///
/// # Panics
/// If one is not YAML.
#[track_caller]
pub fn objects(text: &str) -> Vec<Value> {
    let documents = text.split("---\n").filter(|document| !document.trim().is_empty());
    let read =
        |document| yaml_serde::from_str(document).unwrap_or_else(|error| panic!("{error} in {document}"));
    documents.map(read).filter(|object: &Value| !object.is_null()).collect()
}
