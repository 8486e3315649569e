//! The token of a limited list: which state it shows, and how far it has come.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keelson_base_model::status::ApiError;

/// What stands in the revision's place in a token that is of no one state.
const INCONSISTENT: &str = "-1";

/// Where a limited list goes on. Clients get it as opaque text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The state that all pages show; None for whatever there is, since the first page's is gone.
    pub(super) revision: Option<u64>,
    /// Path of the last object of the page before.
    pub(super) after: String,
}

// === impl Token ===

impl Token {
    /// Reads a token.
    ///
    /// # Errors
    /// BadRequest if it was not made here.
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        let invalid = || ApiError::bad_request("continue key is not valid");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let plain = String::from_utf8(bytes).map_err(|_| invalid())?;
        let (revision, after) = plain.split_once(' ').ok_or_else(invalid)?;
        // Revision 0 is no state: some stores take it for the latest one.
        let revision = match revision {
            INCONSISTENT => None,
            revision => Some(revision.parse().ok().filter(|revision| *revision > 0).ok_or_else(invalid)?),
        };
        Ok(Self { revision, after: after.to_owned() })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revision = self.revision.map_or_else(|| INCONSISTENT.to_owned(), |revision| revision.to_string());
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{revision} {}", self.after)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_nothing_else_is() {
        for revision in [Some(42), None] {
            let token = Token { revision, after: "default/web".into() };
            assert_eq!(Token::parse(&token.to_string()).unwrap(), token);
        }
        for text in ["", "x", "!!!", "NDI", "MCBkZWZhdWx0L3dlYg"] {
            assert!(Token::parse(text).is_err(), "{text:?}");
        }
    }
}
