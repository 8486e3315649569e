//! The names of nodes.

use anyhow::Context;
use keelson_base_model::names;

/// The name that was given, or else this host's; one that a node can have.
///
/// # Errors
/// What is wrong with the name, and the flag that gives another.
pub(crate) fn node_name(given: Option<&str>) -> anyhow::Result<String> {
    let name = match given {
        Some(name) => name.to_owned(),
        None => host_name()?,
    };
    check(&name)?;
    Ok(name)
}

/// Whether a node can have this name.
///
/// # Errors
/// What is wrong with it, and the flag that gives another.
pub(crate) fn check(name: &str) -> anyhow::Result<()> {
    // It names objects, and a directory. A label has it, too.
    let wrong = names::dns_subdomain(name).into_iter().chain(names::label_value(name)).next();
    match wrong {
        None => Ok(()),
        Some(wrong) => {
            anyhow::bail!("{name:?} cannot be the name of a node: {wrong}; give another one with --node-name")
        }
    }
}

/// This host's name as a node's: lower case, and only what a DNS name may hold.
fn host_name() -> anyhow::Result<String> {
    let name = nix::unistd::gethostname().context("cannot read this host's name; give --node-name")?;
    let name = name.to_string_lossy().to_lowercase();
    let kept = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' });
    let kept: String = kept.collect();
    let kept = kept.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    Ok(if kept.is_empty() { "localhost".to_owned() } else { kept.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_do_harm_is_refused_with_what_to_do() {
        assert_eq!(node_name(Some("node-1.example")).unwrap(), "node-1.example");
        assert!(node_name(None).is_ok());
        let long = "x".repeat(64);
        for name in ["../../etc", "Upper", "a..b", &long] {
            let error = node_name(Some(name)).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("--node-name"), "{error}");
        }
    }
}
