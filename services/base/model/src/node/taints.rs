//! Taints, by which a node keeps pods away, and tolerations, by which pods come all the same.

use keelson_proto::core::{Taint, Toleration};

/// Whether the toleration is for this taint. An empty effect or (with `Exists`) key stands for all.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let same_effect = toleration.effect.is_empty() || toleration.effect == taint.effect;
    let same_key = toleration.key.is_empty() || toleration.key == taint.key;
    let same_value = match toleration.operator.as_str() {
        "Exists" => true,
        "" | "Equal" => toleration.value == taint.value,
        _ => false,
    };
    same_effect && same_key && same_value
}

/// The first taint with one of the effects that no toleration is for.
pub fn untolerated<'a>(
    taints: &'a [Taint],
    tolerations: &[Toleration],
    effects: &[&str],
) -> Option<&'a Taint> {
    let mut counted = taints.iter().filter(|taint| effects.contains(&taint.effect.as_str()));
    counted.find(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_taint(key: &str, value: &str, effect: &str) -> Taint {
        Taint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned(), ..Taint::default() }
    }

    fn mk_toleration(key: &str, operator: &str, value: &str, effect: &str) -> Toleration {
        Toleration {
            key: key.to_owned(),
            operator: operator.to_owned(),
            value: value.to_owned(),
            effect: effect.to_owned(),
            toleration_seconds: None,
        }
    }

    #[test]
    fn a_toleration_matches_key_value_and_effect() {
        let taint = mk_taint("gpu", "yes", "NoSchedule");
        let table = [
            (("gpu", "Equal", "yes", "NoSchedule"), true),
            (("gpu", "", "yes", ""), true),
            (("gpu", "Equal", "no", ""), false),
            (("gpu", "Exists", "", ""), true),
            (("", "Exists", "", ""), true),
            (("gpu", "Exists", "", "NoExecute"), false),
            (("cpu", "Exists", "", ""), false),
            (("gpu", "Like", "yes", ""), false),
        ];
        for ((key, operator, value, effect), expected) in table {
            assert_eq!(
                tolerates(&mk_toleration(key, operator, value, effect), &taint),
                expected,
                "{key} {operator} {value}"
            );
        }
    }

    #[test]
    fn only_taints_of_the_effects_asked_for_count() {
        let taints = [mk_taint("a", "", "PreferNoSchedule"), mk_taint("b", "", "NoExecute")];
        assert_eq!(untolerated(&taints, &[], &["NoSchedule"]), None);
        assert_eq!(untolerated(&taints, &[], &["NoSchedule", "NoExecute"]), Some(&taints[1]));
        let all = [mk_toleration("", "Exists", "", "")];
        assert_eq!(untolerated(&taints, &all, &["NoExecute"]), None);
    }
}
