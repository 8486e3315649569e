//! Python, with the packages of `tests/python/requirements.txt`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Output, Target};

/// The Python environment that `tests/run` makes, or the interpreter that `KEELSON_PYTHON` names.
#[derive(Debug)]
pub struct Python {
    interpreter: PathBuf,
}

// === impl Python ===

impl Python {
    /// The environment.
    ///
    /// # Panics
    /// If it has not been made.
    #[track_caller]
    pub fn new() -> Self {
        let made = tree().join("target/tools/venv/bin/python");
        let interpreter = std::env::var_os("KEELSON_PYTHON").map_or(made, PathBuf::from);
        assert!(interpreter.exists(), "{} is missing; tests/run makes it", interpreter.display());
        Self { interpreter }
    }

    /// Generates clients of everything below `proto/` into a directory, with grpcio-tools, as the README says.
    ///
    /// # Panics
    /// With what the generator said, if it fails.
    #[track_caller]
    pub fn generate_clients(&self, to: &Path) {
        let script = "exec \"$0\" -m grpc_tools.protoc -I . --python_out=\"$1\" --grpc_python_out=\"$1\" \
                      $(find . -name '*.proto')";
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(&self.interpreter).arg(to).current_dir(tree().join("proto"));
        Output::of(&mut command, "").ok();
    }

    /// A program of `tests/python`, that imports from this directory too.
    pub fn program(&self, name: &str, modules: &Path) -> Command {
        let mut command = self.command(&programs());
        command.env("PYTHONPATH", modules).arg(name);
        command
    }

    /// A module of `tests/python/rest`, as unit tests against the gateway of a target.
    pub fn unit_tests(&self, module: &str, target: &Target) -> Command {
        let mut command = self.command(&programs().join("rest"));
        command.env("KUBECONFIG", target.kubeconfig()).args(["-m", "unittest", "--verbose", module]);
        command
    }

    /// Writes nothing beside the sources, and prints line by line.
    fn command(&self, directory: &Path) -> Command {
        let mut command = Command::new(&self.interpreter);
        command.args(["-B", "-u"]).current_dir(directory);
        command
    }
}

impl Default for Python {
    fn default() -> Self {
        Self::new()
    }
}

fn programs() -> PathBuf {
    tree().join("tests/python")
}

/// The top of this tree.
fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
