//! The grammar of selectors.
//!
//! ```text
//! selector    = [ requirement { "," requirement } ]
//! requirement = key | "!" key | key ( "=" | "==" | "!=" | ">" | "<" ) [ value ]
//!             | key ( "in" | "notin" ) "(" [ [ value ] { "," [ value ] } ] ")"
//! ```
//! Keys and values are runs of characters other than white space and `=!(),<>`; there are no quotes.

use super::{Operator, Requirement, SelectorError};

/// The tokens that are still to be read. The end is the token "".
struct Tokens<'a> {
    rest: &'a str,
}

/// The requirements of a selector, in the order written.
pub(super) fn selector(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut tokens = Tokens { rest: text };
    let mut requirements = Vec::new();
    loop {
        match tokens.peek() {
            "" if requirements.is_empty() => return Ok(requirements),
            start if start == "!" || is_identifier(start) => requirements.push(requirement(&mut tokens)?),
            found if requirements.is_empty() => {
                return Err(expected(found, "!, identifier, or 'end of string'"));
            }
            found => return Err(expected(found, "identifier after ','")),
        }
        match tokens.next() {
            "" => return Ok(requirements),
            "," => {}
            found => return Err(expected(found, "',' or 'end of string'")),
        }
    }
}

fn requirement(tokens: &mut Tokens<'_>) -> Result<Requirement, SelectorError> {
    let (key, operator, values) = parts(tokens).map_err(wrap)?;
    Requirement::new(key, operator, values).map_err(wrap)
}

fn parts<'a>(tokens: &mut Tokens<'a>) -> Result<(&'a str, Operator, Vec<String>), SelectorError> {
    let absent = tokens.skip("!");
    let key = match tokens.next() {
        key if is_identifier(key) => key,
        found => return Err(expected(found, "identifier")),
    };
    if absent {
        return Ok((key, Operator::DoesNotExist, Vec::new()));
    }
    if matches!(tokens.peek(), "" | ",") {
        return Ok((key, Operator::Exists, Vec::new()));
    }
    let operator = operator(tokens.next())?;
    let values = match operator {
        Operator::In | Operator::NotIn => set(tokens)?,
        _ => vec![single(tokens)?],
    };
    Ok((key, operator, values))
}

fn operator(token: &str) -> Result<Operator, SelectorError> {
    Ok(match token {
        "=" => Operator::Equals,
        "==" => Operator::DoubleEquals,
        "!=" => Operator::NotEquals,
        "in" => Operator::In,
        "notin" => Operator::NotIn,
        ">" => Operator::GreaterThan,
        "<" => Operator::LessThan,
        found => return Err(expected(found, "in, notin, =, ==, !=, gt, lt")),
    })
}

/// The value behind an operator; nothing written is the value "".
fn single(tokens: &mut Tokens<'_>) -> Result<String, SelectorError> {
    match tokens.peek() {
        "" | "," => Ok(String::new()),
        value if is_identifier(value) => Ok(tokens.next().to_owned()),
        found => Err(expected(found, "identifier")),
    }
}

/// The values in parentheses; between two commas stands the value "".
fn set(tokens: &mut Tokens<'_>) -> Result<Vec<String>, SelectorError> {
    match tokens.next() {
        "(" => {}
        found => return Err(expected(found, "'('")),
    }
    if tokens.skip(")") {
        return Ok(Vec::new());
    }
    let mut values: Vec<String> = Vec::new();
    loop {
        let value = if is_identifier(tokens.peek()) { tokens.next() } else { "" };
        values.push(value.to_owned());
        match tokens.next() {
            ")" => return Ok(values),
            "," => {}
            found => return Err(expected(found, "',' or ')'")),
        }
    }
}

fn expected(found: &str, what: &str) -> SelectorError {
    SelectorError(format!("found '{found}', expected: {what}"))
}

fn wrap(error: impl std::fmt::Display) -> SelectorError {
    SelectorError(format!("unable to parse requirement: {error}"))
}

fn is_special(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_identifier(token: &str) -> bool {
    !token.is_empty() && !token.starts_with(is_special)
}

// === impl Tokens ===

impl<'a> Tokens<'a> {
    fn peek(&self) -> &'a str {
        let text = self.rest.trim_start_matches(is_space);
        let end = match text.chars().next() {
            None => 0,
            Some(_) if text.starts_with("==") || text.starts_with("!=") => 2,
            Some(first) if is_special(first) => 1,
            Some(_) => text.find(|c| is_special(c) || is_space(c)).unwrap_or(text.len()),
        };
        &text[..end]
    }

    fn next(&mut self) -> &'a str {
        let token = self.peek();
        self.rest = &self.rest.trim_start_matches(is_space)[token.len()..];
        token
    }

    fn skip(&mut self, token: &str) -> bool {
        let found = self.peek() == token;
        if found {
            self.next();
        }
        found
    }
}
