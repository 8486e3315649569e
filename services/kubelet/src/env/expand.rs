//! `$(NAME)` in values, commands and arguments.

/// Replaces `$(NAME)` by what `lookup` finds; what it does not find stays as written. `$$` is a plain `$`, so
/// `$$(NAME)` is never replaced.
pub fn expand<'a>(text: &str, lookup: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, after) = rest.split_at(dollar);
        expanded.push_str(before);
        let after = &after[1..];
        rest = match reference(after) {
            Reference::Name(name, rest) => {
                match lookup(name) {
                    Some(value) => expanded.push_str(value),
                    None => expanded.extend(["$(", name, ")"]),
                }
                rest
            }
            Reference::Escape(rest) => {
                expanded.push('$');
                rest
            }
            Reference::None => {
                expanded.push('$');
                after
            }
        };
    }
    expanded.push_str(rest);
    expanded
}

/// What follows a `$`.
enum Reference<'a> {
    Name(&'a str, &'a str),
    Escape(&'a str),
    None,
}

fn reference(after: &str) -> Reference<'_> {
    if let Some(rest) = after.strip_prefix('$') {
        return Reference::Escape(rest);
    }
    match after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
        Some((name, rest)) => Reference::Name(name, rest),
        None => Reference::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expansion_table() {
        let lookup = |name: &str| match name {
            "A" => Some("1"),
            "EMPTY" => Some(""),
            "SELF" => Some("$(A)"),
            _ => None,
        };
        let table = [
            ("plain", "plain"),
            ("$(A)", "1"),
            ("x$(A)y$(A)z", "x1y1z"),
            ("[$(EMPTY)]", "[]"),
            ("$(NONE)", "$(NONE)"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$$$$(A)", "$$(A)"),
            ("$A", "$A"),
            ("$(A", "$(A"),
            ("$", "$"),
            ("a$$", "a$"),
            ("$(SELF)", "$(A)"),
            ("$()", "$()"),
            ("ü$(A)ü", "ü1ü"),
        ];
        for (text, expanded) in table {
            assert_eq!(expand(text, lookup), expanded, "{text}");
        }
    }
}
