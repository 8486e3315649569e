//! The query of a request, decoded, and read the way Kubernetes reads it.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, USER_AGENT};
use keelson_base_model::status::ApiError;

use crate::negotiate::text;

/// The longest name of a field manager.
const LONGEST_MANAGER: usize = 128;

/// Names and values in the order they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

// === impl Query ===

impl Query {
    /// Decodes a query string, without its question mark.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The query of a write, which names a field manager: the client's program, as its `User-Agent` begins, if it does
    /// not say otherwise. Who applies must say it.
    pub(crate) fn with_manager(mut self, headers: &HeaderMap) -> Self {
        let applies = text(headers, &CONTENT_TYPE).starts_with("application/apply-patch");
        if !applies && self.text("fieldManager").is_empty() {
            let program = text(headers, &USER_AGENT).split('/').next().unwrap_or_default();
            let program: String = program.chars().take(LONGEST_MANAGER).collect();
            self.0.retain(|(name, _)| name != "fieldManager");
            self.0.push(("fieldManager".to_owned(), program));
        }
        self
    }

    /// The first value of a parameter.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter; empty if it was not given.
    pub(crate) fn text(&self, name: &str) -> String {
        self.first(name).unwrap_or_default().to_owned()
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| value.clone()).collect()
    }

    /// A switch: on when given, unless its value says `false` or `0`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.optional_flag(name).unwrap_or(false)
    }

    /// A switch that may be left out.
    pub(crate) fn optional_flag(&self, name: &str) -> Option<bool> {
        self.first(name).map(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0"))
    }

    /// A whole number; empty counts as not given.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.first(name) {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| {
                ApiError::bad_request(format!(
                    "invalid query parameter {name}: {text:?} is not a whole number"
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded() {
        let query = Query::parse(Some("labelSelector=a%3Db%2Cc+in+%28d%29&dryRun=All&dryRun=Some"));
        assert_eq!(query.text("labelSelector"), "a=b,c in (d)");
        assert_eq!(query.all("dryRun"), ["All", "Some"]);
        assert_eq!(query.text("limit"), "");
    }

    #[test]
    fn who_does_not_say_is_called_after_its_program() {
        let headers = |name, value: &str| HeaderMap::from_iter([(name, value.parse().unwrap())]);
        let manager =
            |query, headers: &HeaderMap| Query::parse(query).with_manager(headers).text("fieldManager");
        let kubectl = headers(USER_AGENT, "kubectl/v1.33.0 (linux/amd64)");
        assert_eq!(manager(None, &kubectl), "kubectl");
        assert_eq!(manager(Some("fieldManager=me"), &kubectl), "me");
        assert_eq!(manager(None, &headers(CONTENT_TYPE, "application/apply-patch+yaml")), "");
    }

    #[test]
    fn switches_are_on_unless_denied() {
        for (text, on) in [
            ("watch", true),
            ("watch=", true),
            ("watch=1", true),
            ("watch=False", false),
            ("watch=0", false),
            ("x", false),
        ] {
            assert_eq!(Query::parse(Some(text)).flag("watch"), on, "{text}");
        }
    }

    #[test]
    fn a_word_is_no_number() {
        assert_eq!(Query::parse(Some("limit=500")).number("limit").unwrap(), Some(500));
        assert_eq!(Query::parse(Some("limit=")).number("limit").unwrap(), None);
        let refused = Query::parse(Some("limit=many")).number("limit").unwrap_err();
        assert_eq!(refused.code(), 400);
        assert!(refused.message().contains("limit"), "{refused}");
    }
}
