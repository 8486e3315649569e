//! Users in files: tokens and passwords.

use std::collections::HashMap;
use std::fmt;

use ring::digest::{SHA256, digest};

use crate::auth::Caller;

/// Users by a secret that they know, of which only the digest is kept: looking it up takes as long whatever it is.
#[derive(Default)]
pub(crate) struct Known(HashMap<Digest, Caller>);

type Digest = [u8; 32];

// === impl Known ===

impl Known {
    /// Reads `token,user,uid,"group,group"` lines.
    ///
    /// # Errors
    /// A sentence with the line's number.
    pub(crate) fn tokens(text: &str) -> Result<Self, String> {
        Self::read(text, "token,user,uid", |fields| fields[0].clone())
    }

    /// Reads `password,user,uid,"group,group"` lines; the secret is `user:password`, as HTTP sends it.
    ///
    /// # Errors
    /// A sentence with the line's number.
    pub(crate) fn passwords(text: &str) -> Result<Self, String> {
        Self::read(text, "password,user,uid", |fields| format!("{}:{}", fields[1], fields[0]))
    }

    fn read(text: &str, form: &str, secret: fn(&[String]) -> String) -> Result<Self, String> {
        let mut known = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let told = |why: &str| format!("line {}: {why}", index + 1);
            let fields = fields(line).ok_or_else(|| told("a quotation mark has no partner"))?;
            if fields.len() < 3 || fields[0].is_empty() || fields[1].is_empty() {
                return Err(told(&format!("give at least {form}")));
            }
            let groups = fields.get(3).map(String::as_str).unwrap_or_default().split(',').map(str::trim);
            let groups = groups.filter(|group| !group.is_empty()).map(str::to_owned).collect();
            let caller = Caller { uid: fields[2].clone(), ..Caller::new(fields[1].as_str(), groups) };
            // Whom of the two would it be?
            if known.insert(hash(&secret(&fields)), caller).is_some() {
                return Err(told("another line has the same secret"));
            }
        }
        Ok(Self(known))
    }

    /// Whose secret this is.
    pub(crate) fn find(&self, secret: &str) -> Option<&Caller> {
        if self.0.is_empty() { None } else { self.0.get(&hash(secret)) }
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("users", &self.0.len()).finish()
    }
}

fn hash(secret: &str) -> Digest {
    let mut hashed = Digest::default();
    hashed.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    hashed
}

/// The fields of a line of CSV; None if a quoted one does not end.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line.trim_end_matches('\r').trim_start();
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim_end().to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match after.trim_start().strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if after.trim().is_empty() => return Some(fields),
            None => return None,
        }
    }
}

/// What is quoted, two marks being one, and what follows.
fn quoted_field(quoted: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('"')?;
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Some((field, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_what_they_know() {
        let tokens =
            Known::tokens("# of the lab\n\nhush,ann,1,\"dev, ops\"\r\nquiet,bob,2\n\"a,\"\"b\",cy,3,one\n")
                .unwrap();
        let ann = tokens.find("hush").unwrap();
        assert_eq!((ann.user.as_str(), ann.uid.as_str()), ("ann", "1"));
        assert_eq!(ann.groups, ["dev", "ops"]);
        assert!(tokens.find("quiet").unwrap().groups.is_empty());
        assert_eq!(tokens.find("a,\"b").unwrap().user, "cy");
        assert!(tokens.find("").is_none() && tokens.find("Hush").is_none());
        assert!(!format!("{tokens:?}").contains("hush"));
        let passwords = Known::passwords("hush,ann,1").unwrap();
        assert!(passwords.find("ann:hush").is_some() && passwords.find("hush").is_none());
    }

    #[test]
    fn a_line_that_cannot_be_read_is_told_without_its_secret() {
        for (text, told) in [
            ("a,b", "line 1: give at least token,user,uid"),
            ("\n,b,c", "line 2: give at least token,user,uid"),
            ("hush,b,c,\"d", "line 1: a quotation mark has no partner"),
            ("\"hush\"x,b,c", "line 1: a quotation mark has no partner"),
            ("hush,b,c\nhush,d,e", "line 2: another line has the same secret"),
        ] {
            let error = Known::tokens(text).unwrap_err();
            assert_eq!(error, told);
            assert!(!error.contains("hush"));
        }
    }
}
