//! Whole documents: paths and the schemas that they need.

use keelson_base_model::status::ApiError;
use keelson_proto::Kind;
use serde_json::{Map, Value, json};

use super::paths::{self, PathItem};
use super::schema::{Dialect, Schemas};
use super::swagger;
use crate::discovery;
use crate::kinds;

/// Answered by watches of every kind, and by every failure: no path names them.
const ALWAYS: &[&str] =
    &["k8s.io.apimachinery.pkg.apis.meta.v1.Status", "k8s.io.apimachinery.pkg.apis.meta.v1.WatchEvent"];

/// Paths or schemas by name.
type Named = Map<String, Value>;

/// OpenAPI v2: one document for all.
pub(super) fn v2() -> Result<Value, ApiError> {
    let (paths, schemas) = describe(|_| true, Dialect::V2)?;
    Ok(json!({ "swagger": "2.0", "info": info(), "paths": paths, "definitions": schemas }))
}

/// OpenAPI v3: one document for each version, by its path.
pub(super) fn v3() -> Result<Vec<(String, Value)>, ApiError> {
    let document = |(group, version): (&'static str, &'static str)| {
        let of_version = |kind: &Kind| kind.group == group && kind.version == version;
        let (paths, schemas) = describe(of_version, Dialect::V3)?;
        let path = path_of(group, version);
        let components = json!({ "schemas": schemas });
        Ok((path, json!({ "openapi": "3.0.0", "info": info(), "paths": paths, "components": components })))
    };
    discovery::versions().into_iter().map(document).collect()
}

/// Swagger 1.2: the declaration of each version, by its path.
pub(super) fn swagger() -> Result<Vec<(String, Value)>, ApiError> {
    let declaration = |(group, version): (&'static str, &'static str)| {
        let of_version = |kind: &Kind| kind.group == group && kind.version == version;
        let (paths, schemas) = describe(of_version, Dialect::V2)?;
        let path = path_of(group, version);
        let made = swagger::declaration(&path, version, &paths, &schemas);
        Ok((path, made))
    };
    discovery::versions().into_iter().map(declaration).collect()
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn info() -> Value {
    json!({ "title": "Keelson", "version": discovery::VERSION })
}

/// The paths of some kinds, and all schemas that they lead to.
fn describe(of: impl Fn(&Kind) -> bool, dialect: Dialect) -> Result<(Named, Named), ApiError> {
    let kinds = kinds::served().filter(|kind| of(kind));
    let mut items: Vec<PathItem> = kinds.flat_map(paths::of).collect();
    items.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let mut schemas = Schemas::new(dialect)?;
    for message in items.iter().flat_map(PathItem::messages).chain(ALWAYS.iter().copied()) {
        schemas.add(message)?;
    }
    let paths = items.iter().map(|item| (item.path.clone(), item.write(dialect))).collect();
    Ok((paths, schemas.finish()))
}
