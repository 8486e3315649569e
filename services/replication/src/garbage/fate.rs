//! What becomes of an object, given what has become of its owners.

use keelson_proto::meta::OwnerReference;

/// What has become of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It exists, or we cannot say.
    There,
    /// It is being deleted, and waits for its dependents to go before it.
    Waiting,
    /// It does not exist any more.
    Gone,
}

/// What is to be done with an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing.
    Stay,
    /// It stays with the other owners; these (by uid) are not its owners any more.
    Disown(Vec<String>),
    /// It is deleted.
    Go,
}

/// Decides. One owner that is there holds an object; without any owner nobody has left it behind.
pub(super) fn fate(owners: &[OwnerReference], standings: &[Standing]) -> Fate {
    if owners.is_empty() || standings.iter().all(|standing| *standing == Standing::There) {
        return Fate::Stay;
    }
    if !standings.contains(&Standing::There) {
        return Fate::Go;
    }
    let lost = owners.iter().zip(standings).filter(|(_, standing)| **standing != Standing::There);
    Fate::Disown(lost.map(|(owner, _)| owner.uid.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::Standing::{Gone, There, Waiting};
    use super::*;

    #[test]
    fn one_owner_that_is_there_holds_an_object() {
        let disown = |uids: &[&str]| Fate::Disown(uids.iter().map(|uid| (*uid).to_owned()).collect());
        let table: [(&[Standing], Fate); 8] = [
            (&[], Fate::Stay),
            (&[There], Fate::Stay),
            (&[Gone], Fate::Go),
            (&[Waiting], Fate::Go),
            (&[Gone, Waiting], Fate::Go),
            (&[There, There], Fate::Stay),
            (&[Gone, There], disown(&["0"])),
            (&[There, Waiting, Gone], disown(&["1", "2"])),
        ];
        for (standings, expected) in table {
            let owner = |index: usize| OwnerReference { uid: index.to_string(), ..OwnerReference::default() };
            let owners: Vec<_> = (0..standings.len()).map(owner).collect();
            assert_eq!(fate(&owners, standings), expected, "{standings:?}");
        }
    }
}
