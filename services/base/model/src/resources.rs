//! Amounts of cpu, memory and other resources: what a list of quantities says, and its rules.

mod known;
mod validate;

use std::collections::BTreeMap;

use keelson_proto::core::ResourceRequirements;
use keelson_proto::resource;

pub(crate) use self::known::{
    is_of_quota, may_overcommit, validate_container_name, validate_name, validate_quota_name,
};
pub(crate) use self::validate::validate_positive;
pub use self::validate::{validate_amount, validate_requirements};
use crate::quantity::Quantity;

/// Name of the resource that is counted in cores.
pub const CPU: &str = "cpu";
/// Name of the resource that is counted in bytes of memory.
pub const MEMORY: &str = "memory";
/// Name of the resource that is counted in bytes of local disk.
pub const EPHEMERAL_STORAGE: &str = "ephemeral-storage";
/// Name of the resource that is counted in bytes of a volume.
pub const STORAGE: &str = "storage";
/// Name of the resource that counts a node's pods.
pub const PODS: &str = "pods";

/// Resource names and their quantities, as objects hold them.
pub type ResourceList = BTreeMap<String, resource::Quantity>;

/// Resource amounts by name, to the billionth and in the form in which they were written.
pub type Amounts = BTreeMap<String, Quantity>;

/// What can be summed up over the containers of a pod.
pub(crate) trait Sum: Default + Clone {
    /// Adds the other's amounts.
    fn add(&mut self, other: &Self);
    /// Raises each amount to the other's, where that is more.
    fn raise(&mut self, other: &Self);
}

/// Resource amounts as numbers that can be added and compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a core.
    pub milli_cpu: i64,
    /// Bytes of memory.
    pub memory: i64,
    /// Bytes of local disk.
    pub ephemeral_storage: i64,
    /// Whole units of every other resource, by name.
    pub extended: BTreeMap<String, i64>,
}

/// The quantity that a field holds; zero for an empty one, none for a text that is not a quantity.
pub fn quantity(field: &resource::Quantity) -> Option<Quantity> {
    if field.string.is_empty() {
        return "0".parse().ok();
    }
    field.string.parse().ok()
}

/// The amounts that a list holds; what is not a quantity counts as zero.
pub fn amounts(list: &ResourceList) -> Amounts {
    list.iter().map(|(name, field)| (name.clone(), Quantity::from(field))).collect()
}

/// The list that says these amounts.
pub fn list(amounts: &Amounts) -> ResourceList {
    amounts.iter().map(|(name, amount)| (name.clone(), (*amount).into())).collect()
}

/// Writes each quantity in its one canonical form; a text that is not a quantity stays for validation to name.
pub fn canonicalize(list: &mut ResourceList) {
    for field in list.values_mut() {
        if let Some(quantity) = quantity(field) {
            field.string = quantity.to_string();
        }
    }
}

/// Fills in what a client may leave out: a container that limits a resource requests as much of it. The
/// quantities become canonical.
pub fn set_defaults(requirements: &mut ResourceRequirements) {
    canonicalize(&mut requirements.limits);
    canonicalize(&mut requirements.requests);
    for (name, limit) in &requirements.limits {
        if !requirements.requests.contains_key(name) {
            requirements.requests.insert(name.clone(), limit.clone());
        }
    }
}

/// The amount of `name` in thousandths, rounded up; 0 if the list has none.
pub fn milli(list: &ResourceList, name: &str) -> i64 {
    list.get(name).and_then(quantity).map_or(0, |quantity| quantity.milli())
}

/// The amount of `name` in whole units, rounded up; 0 if the list has none.
pub fn value(list: &ResourceList, name: &str) -> i64 {
    list.get(name).and_then(quantity).map_or(0, |quantity| quantity.value())
}

// === impl Resources ===

impl Resources {
    /// The amounts in `list`.
    pub fn of(list: &ResourceList) -> Self {
        let mut resources = Self::default();
        for name in list.keys() {
            match name.as_str() {
                CPU => resources.milli_cpu = milli(list, name),
                MEMORY => resources.memory = value(list, name),
                EPHEMERAL_STORAGE => resources.ephemeral_storage = value(list, name),
                _ => {
                    resources.extended.insert(name.clone(), value(list, name));
                }
            }
        }
        resources
    }

    /// Adds the other's amounts; a sum beyond the largest number stays there.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, i64::saturating_add);
    }

    /// Takes away the other's amounts.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, i64::saturating_sub);
    }

    /// Raises each amount to the other's, where that is more.
    pub fn raise(&mut self, other: &Self) {
        self.combine(other, i64::max);
    }

    fn combine(&mut self, other: &Self, with: fn(i64, i64) -> i64) {
        self.milli_cpu = with(self.milli_cpu, other.milli_cpu);
        self.memory = with(self.memory, other.memory);
        self.ephemeral_storage = with(self.ephemeral_storage, other.ephemeral_storage);
        for (name, amount) in &other.extended {
            let mine = self.extended.entry(name.clone()).or_default();
            *mine = with(*mine, *amount);
        }
    }
}

impl Sum for Resources {
    fn add(&mut self, other: &Self) {
        Self::add(self, other);
    }

    fn raise(&mut self, other: &Self) {
        Self::raise(self, other);
    }
}

impl Sum for Amounts {
    fn add(&mut self, other: &Self) {
        for (name, amount) in other {
            *self.entry(name.clone()).or_default() += *amount;
        }
    }

    fn raise(&mut self, other: &Self) {
        for (name, amount) in other {
            let mine = self.entry(name.clone()).or_default();
            if *amount > *mine {
                *mine = *amount;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn mk_list(entries: &[(&str, &str)]) -> ResourceList {
        let pair = |(name, text): &(&str, &str)| {
            ((*name).to_owned(), resource::Quantity { string: (*text).to_owned() })
        };
        entries.iter().map(pair).collect()
    }

    #[test]
    fn a_list_is_read_in_the_units_of_each_resource() {
        let list = mk_list(&[
            ("cpu", "1500m"),
            ("memory", "1Ki"),
            ("ephemeral-storage", "1G"),
            ("example.com/gpu", "2"),
        ]);
        let expected = Resources {
            milli_cpu: 1500,
            memory: 1024,
            ephemeral_storage: 1_000_000_000,
            extended: BTreeMap::from([("example.com/gpu".to_owned(), 2)]),
        };
        assert_eq!(Resources::of(&list), expected);
        assert_eq!(milli(&mk_list(&[("cpu", "100u")]), CPU), 1, "rounded up");
        assert_eq!(milli(&mk_list(&[]), CPU), 0);
    }

    #[test]
    fn amounts_add_up_and_rise() {
        let one = Resources::of(&mk_list(&[("cpu", "1"), ("memory", "10")]));
        let two = Resources::of(&mk_list(&[("cpu", "500m"), ("memory", "20"), ("a.b/c", "1")]));
        let mut sum = one.clone();
        sum.add(&two);
        assert_eq!((sum.milli_cpu, sum.memory, sum.extended["a.b/c"]), (1500, 30, 1));
        sum.subtract(&two);
        assert_eq!((sum.milli_cpu, sum.memory, sum.extended["a.b/c"]), (1000, 10, 0));
        let mut high = one;
        high.raise(&two);
        assert_eq!((high.milli_cpu, high.memory), (1000, 20));
    }

    #[test]
    fn limits_become_requests_where_there_are_none() {
        let mut requirements = ResourceRequirements {
            limits: mk_list(&[("cpu", "2000m"), ("memory", "1Gi")]),
            requests: mk_list(&[("cpu", "0.5")]),
            ..ResourceRequirements::default()
        };
        set_defaults(&mut requirements);
        assert_eq!(requirements.requests, mk_list(&[("cpu", "500m"), ("memory", "1Gi")]));
        assert_eq!(requirements.limits, mk_list(&[("cpu", "2"), ("memory", "1Gi")]));
    }

    #[test]
    fn what_is_no_quantity_is_left_for_validation() {
        let mut list = mk_list(&[("cpu", "much"), ("memory", "1024Ki")]);
        canonicalize(&mut list);
        assert_eq!(list, mk_list(&[("cpu", "much"), ("memory", "1Mi")]));
    }
}
