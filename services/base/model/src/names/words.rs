//! The rules of names, as clients read them. The texts are part of the API: people search for them.

/// A rule that has a regular expression.
pub(super) struct Rule {
    says: &'static str,
    examples: &'static [&'static str],
    regex: &'static str,
}

pub(super) const DNS_LABEL: Rule = Rule {
    says: "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
           and must start and end with an alphanumeric character",
    examples: &["my-name", "123-abc"],
    regex: "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
};

pub(super) const DNS_SUBDOMAIN: Rule = Rule {
    says: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
           and must start and end with an alphanumeric character",
    examples: &["example.com"],
    regex: r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
};

pub(super) const DNS1035_LABEL: Rule = Rule {
    says: "a DNS-1035 label must consist of lower case alphanumeric characters or '-', \
           start with an alphabetic character, and end with an alphanumeric character",
    examples: &["my-name", "abc-123"],
    regex: "[a-z]([-a-z0-9]*[a-z0-9])?",
};

pub(super) const QUALIFIED: Rule = Rule {
    says: "must consist of alphanumeric characters, '-', '_' or '.', \
           and must start and end with an alphanumeric character",
    examples: &["MyName", "my.name", "123-abc"],
    regex: "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]",
};

pub(super) const LABEL_VALUE: Rule = Rule {
    says: "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
           and must start and end with an alphanumeric character",
    examples: &["MyValue", "my_value", "12345"],
    regex: "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
};

pub(super) const CONFIG_KEY: Rule = Rule {
    says: "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    examples: &["key.name", "KEY_NAME", "key-name"],
    regex: "[-._a-zA-Z0-9]+",
};

pub(super) const HTTP_HEADER: Rule = Rule {
    says: "a valid HTTP header must consist of alphanumeric characters or '-'",
    examples: &["X-Header-Name"],
    regex: "[-A-Za-z0-9]+",
};

/// The rule without a regular expression.
pub(super) const ENV_NAME: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";

/// What to say of a value of more than `max` bytes.
pub(super) fn too_long(value: &str, max: usize) -> Vec<String> {
    if value.len() <= max {
        return Vec::new();
    }
    vec![format!("must be no more than {max} characters")]
}

// === impl Rule ===

impl Rule {
    /// What to say of a value that breaks the rule. (The two spaces before "or" are part of the known text.)
    pub(super) fn broken(&self) -> String {
        let examples: Vec<_> = self.examples.iter().map(|example| format!("'{example}'")).collect();
        format!(
            "{} (e.g. {}, regex used for validation is '{}')",
            self.says,
            examples.join(",  or "),
            self.regex
        )
    }
}
