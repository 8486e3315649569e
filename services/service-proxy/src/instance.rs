//! The cluster's id in the names of kernel objects.

/// How many characters of an id fit into every name: chains of iptables end at 28, links at 15.
const LENGTH: usize = 8;

/// How many characters tell the chains of one instance apart.
const DIGEST: usize = 10;

/// The cluster's id in the names of kernel objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    id: String,
}

// === impl Instance ===

impl Instance {
    /// Takes a short plain id as it is and hashes any other.
    pub(crate) fn new(id: &str) -> Self {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (1..=LENGTH).contains(&id.len()) && id.bytes().all(plain);
        let id = if fits { id.to_owned() } else { digest(id, LENGTH).to_lowercase() };
        Self { id }
    }

    /// The nftables table.
    pub(crate) fn table(&self) -> String {
        format!("keelson_{}", self.id)
    }

    /// The nftables table that stands in for the other while that is replaced.
    pub(crate) fn stand_in_table(&self) -> String {
        format!("keelson_{}_next", self.id)
    }

    /// What all iptables chains begin with.
    pub(crate) fn chain_prefix(&self) -> String {
        format!("KEELSON-{}-", self.id)
    }

    /// A fixed iptables chain; `noun` has up to 11 characters.
    pub(crate) fn chain(&self, noun: &str) -> String {
        format!("KEELSON-{}-{noun}", self.id)
    }

    /// An iptables chain for one of many things, which `what` tells apart.
    pub(crate) fn chain_of(&self, kind: char, what: &str) -> String {
        format!("KEELSON-{}-{kind}{}", self.id, digest(what, DIGEST))
    }

    /// The bridge.
    pub(crate) fn bridge(&self) -> String {
        format!("{BRIDGES}{}", self.id)
    }

    /// A remark on a rule in somebody else's chain.
    pub(crate) fn comment(&self) -> String {
        format!("keelson {}", self.id)
    }
}

/// What the bridges of all instances begin with.
pub(crate) const BRIDGES: &str = "kl-";

/// `length` letters and digits (5 bits each, at most 12) that stand for `text`: FNV-1a, whose values never change.
fn digest(text: &str, length: usize) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    // The low bits of FNV are the best mixed, and the last byte reaches the high ones only by multiplication.
    let mixed = hash ^ (hash >> 32);
    (0..length).map(|digit| char::from(DIGITS[(mixed >> (5 * digit)) as usize % 32])).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_fit_the_kernel_for_any_id() {
        for id in ["a", "dev1", "12345678", "", "a-very-long-cluster-id", "UPPER"] {
            let instance = Instance::new(id);
            assert!(instance.bridge().len() <= 15, "{id}");
            assert!(instance.chain("NODEPORTS").len() <= 28, "{id}");
            assert!(instance.chain_of('S', "default/my-service").len() <= 28, "{id}");
        }
        assert_eq!(Instance::new("dev1").bridge(), "kl-dev1");
        assert_ne!(Instance::new("UPPER"), Instance::new("LOWER"));
    }

    #[test]
    fn ten_thousand_services_have_ten_thousand_chains() {
        let instance = Instance::new("dev1");
        let chain = |number: u32| instance.chain_of('S', &format!("default/service-{number}/tcp/80"));
        assert_eq!((0..10_000).map(chain).collect::<BTreeSet<_>>().len(), 10_000);
    }
}
