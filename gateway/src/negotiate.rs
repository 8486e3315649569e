//! Which form the client wants the answer in: a pure function of the `Accept` header.

use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderMap, HeaderName};
use keelson_base_model::status::ApiError;

use crate::query::Query;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// How it is written.
    pub(crate) media: Media,
    /// What is written.
    pub(crate) shape: Shape,
    /// Whether JSON is indented.
    pub(crate) pretty: bool,
}

/// A way to write objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Yaml,
    /// An envelope around the object's protobuf encoding.
    Protobuf,
}

/// What is shown of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All of them.
    Object,
    /// One row each, under headings.
    Table(MetaVersion, Include),
    /// Their metadata.
    Partial(MetaVersion),
}

/// A version of the group meta.k8s.io.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetaVersion {
    V1,
    V1beta1,
}

/// What a table's row carries beside its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Include {
    None,
    #[default]
    Metadata,
    Object,
}

/// One clause of an `Accept` header: a media type and its parameters.
#[derive(Debug, PartialEq)]
pub(crate) struct Clause<'a> {
    /// The media type, in lower case.
    pub(crate) media: String,
    params: Vec<(&'a str, &'a str)>,
    quality: f32,
}

/// The media types that objects can be written in.
pub(crate) const OBJECTS: &[&str] =
    &["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

/// The clauses of the `Accept` header, the most wanted first. Without the header anything will do.
pub(crate) fn clauses(headers: &HeaderMap) -> Vec<Clause<'_>> {
    let texts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut clauses: Vec<Clause<'_>> =
        texts.flat_map(|text| text.split(',')).filter_map(Clause::parse).collect();
    if clauses.is_empty() {
        clauses.extend(Clause::parse("*/*"));
    }
    clauses.retain(|clause| clause.quality > 0.0);
    clauses.sort_by(|one, other| other.quality.total_cmp(&one.quality));
    clauses
}

/// The form to answer a request on objects in.
pub(crate) fn form(headers: &HeaderMap, query: &Query) -> Result<Form, ApiError> {
    let include = include(query)?;
    let pretty = pretty(headers, query);
    let first = clauses(headers).iter().find_map(|clause| clause.form(include));
    let (media, shape) = first.ok_or_else(|| ApiError::not_acceptable(OBJECTS))?;
    Ok(Form { media, shape, pretty })
}

/// The form to tell a failure in: whatever the client asked for, as far as it can be made out.
pub(crate) fn form_of_failure(headers: &HeaderMap, query: &Query) -> Form {
    let first = clauses(headers).iter().find_map(|clause| clause.form(Include::default()));
    let media = first.map_or(Media::Json, |(media, _)| media);
    Form { media, shape: Shape::Object, pretty: pretty(headers, query) }
}

fn include(query: &Query) -> Result<Include, ApiError> {
    match query.first("includeObject") {
        None | Some("" | "Metadata") => Ok(Include::Metadata),
        Some("None") => Ok(Include::None),
        Some("Object") => Ok(Include::Object),
        Some(other) => Err(ApiError::bad_request(format!(
            "invalid query parameter includeObject: {other:?} is none of None, Metadata, Object"
        ))),
    }
}

/// People with a terminal or a browser get indented JSON unless they say otherwise.
fn pretty(headers: &HeaderMap, query: &Query) -> bool {
    let agent = text(headers, &USER_AGENT);
    let person = ["curl", "Wget", "Mozilla/5.0"].iter().any(|known| agent.starts_with(known));
    query.optional_flag("pretty").unwrap_or(person)
}

/// A header as text; empty if there is none or it is no text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

// === impl Clause ===

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().filter(|media| !media.is_empty())?.to_ascii_lowercase();
        let params: Vec<_> = parts.filter_map(|part| part.split_once('=')).collect();
        let quality = params.iter().find(|(name, _)| *name == "q").map_or(Ok(1.0), |(_, q)| q.parse());
        Some(Self { media, params, quality: quality.unwrap_or(0.0) })
    }

    /// A parameter; empty if it is not given.
    pub(crate) fn param(&self, name: &str) -> &'a str {
        self.params.iter().find(|(given, _)| *given == name).map(|(_, value)| *value).unwrap_or_default()
    }

    fn form(&self, include: Include) -> Option<(Media, Shape)> {
        let media = match self.media.as_str() {
            "application/json" | "application/*" | "*/*" => Media::Json,
            "application/yaml" => Media::Yaml,
            "application/vnd.kubernetes.protobuf" => Media::Protobuf,
            _ => return None,
        };
        let version = match (self.param("g"), self.param("v")) {
            ("meta.k8s.io", "v1") => Some(MetaVersion::V1),
            ("meta.k8s.io", "v1beta1") => Some(MetaVersion::V1beta1),
            _ => None,
        };
        let shape = match (self.param("as"), version, media) {
            ("", _, _) => Shape::Object,
            // A table has no protobuf form.
            ("Table", Some(version), Media::Json | Media::Yaml) => Shape::Table(version, include),
            ("PartialObjectMetadata" | "PartialObjectMetadataList", Some(version), _) => {
                Shape::Partial(version)
            }
            _ => return None,
        };
        Some((media, shape))
    }
}

// === impl Media ===

impl Media {
    /// Its name in `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }
}

// === impl MetaVersion ===

impl MetaVersion {
    /// The `apiVersion` of its kinds.
    pub(crate) fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "meta.k8s.io/v1",
            Self::V1beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(accept: &str, query: &str) -> Result<(Media, Shape), u16> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        form(&headers, &Query::parse(Some(query)))
            .map(|form| (form.media, form.shape))
            .map_err(|error| error.code())
    }

    #[test]
    fn the_first_clause_that_can_be_met_wins() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        let table = |version| Ok((Media::Json, Shape::Table(version, Include::Metadata)));
        for (accept, form) in [
            ("application/json", Ok((Media::Json, Shape::Object))),
            ("*/*", Ok((Media::Json, Shape::Object))),
            ("application/json, */*", Ok((Media::Json, Shape::Object))),
            ("application/yaml", Ok((Media::Yaml, Shape::Object))),
            ("application/vnd.kubernetes.protobuf,application/json", Ok((Media::Protobuf, Shape::Object))),
            ("application/vnd.kubernetes.protobuf;stream=watch", Ok((Media::Protobuf, Shape::Object))),
            ("application/json;q=0.1,application/yaml;q=0.9", Ok((Media::Yaml, Shape::Object))),
            ("application/json;q=0", Err(406)),
            (kubectl, table(MetaVersion::V1)),
            ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", table(MetaVersion::V1beta1)),
            (
                "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json",
                Ok((Media::Json, Shape::Object)),
            ),
            (
                "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
                Ok((Media::Json, Shape::Partial(MetaVersion::V1))),
            ),
            ("application/json;as=Table;v=v2;g=meta.k8s.io", Err(406)),
            ("text/html", Err(406)),
        ] {
            assert_eq!(negotiate(accept, ""), form, "{accept}");
        }
    }

    #[test]
    fn a_table_carries_what_was_asked_for() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        for (query, include) in
            [("includeObject=None", Include::None), ("includeObject=Object", Include::Object)]
        {
            assert_eq!(negotiate(table, query), Ok((Media::Json, Shape::Table(MetaVersion::V1, include))));
        }
        assert_eq!(negotiate(table, "includeObject=All"), Err(400));
    }

    #[test]
    fn people_get_indented_json() {
        for (agent, query, indented) in [
            ("curl/8.0", "", true),
            ("curl/8.0", "pretty=false", false),
            ("kubectl/v1.33", "", false),
            ("kubectl/v1.33", "pretty=1", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(USER_AGENT, agent.parse().unwrap());
            assert_eq!(
                form(&headers, &Query::parse(Some(query))).unwrap().pretty,
                indented,
                "{agent} {query}"
            );
        }
    }
}
