use std::time::Duration;

use bytes::Bytes;
use http::Method;
use keelson_proto::autoscaling::Scale;
use keelson_proto::core::Binding;

use super::*;
use crate::body::Content;
use crate::kinds::Received;
use crate::negotiate::Media;
use crate::route::{Route, route};

/// The call and the query of a request.
fn read(request: &str) -> (Call, Query) {
    let (method, uri) = request.split_once(' ').unwrap();
    let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
    let query = Query::parse(query);
    match route(&method.parse::<Method>().unwrap(), path, &query).unwrap() {
        Route::Call(call) => (call, query),
        other => panic!("{other:?}"),
    }
}

fn received(namespace: &str, name: &str) -> Received {
    Received {
        object: Bytes::from_static(b"o"),
        name: name.into(),
        namespace: namespace.into(),
        warnings: vec![],
    }
}

#[test]
fn a_created_object_belongs_to_the_namespace_of_the_path() {
    let (call, query) = read("POST /api/v1/namespaces/a/pods?dryRun=All&fieldManager=kubectl");
    for namespace in ["", "a"] {
        let request = create::create(&call, &query, &received(namespace, "web")).unwrap();
        assert_eq!((request.namespace.as_str(), &*request.object), ("a", &b"o"[..]));
        let options = request.options.unwrap();
        assert_eq!((options.dry_run, options.field_manager.as_str()), (vec!["All".to_owned()], "kubectl"));
    }
    assert_eq!(create::create(&call, &query, &received("b", "web")).unwrap_err().code(), 400);
}

#[test]
fn a_replaced_object_has_the_name_of_the_path() {
    let (call, query) = read("PUT /api/v1/namespaces/a/pods/web");
    assert_eq!(update::update(&call, &query, &received("", "web")).unwrap().name, "web");
    assert_eq!(update::update(&call, &query, &received("b", "web")).unwrap_err().code(), 400);
    let refused = update::update(&call, &query, &received("a", "db")).unwrap_err();
    assert_eq!(refused.message(), "the name of the object (db) does not match the name on the URL (web)");
}

#[test]
fn patches_pass_through_if_their_type_is_known() {
    let (call, query) = read("PATCH /api/v1/namespaces/a/pods/web/status?force=true");
    let body = Bytes::from_static(b"{}");
    let request = patch::patch(&call, &query, "application/merge-patch+json".into(), body.clone()).unwrap();
    assert_eq!((request.subresource.as_str(), request.options.unwrap().force), ("status", Some(true)));
    assert_eq!(patch::patch(&call, &query, "application/json".into(), body).unwrap_err().code(), 415);
}

#[test]
fn options_of_a_deletion_come_from_the_body_or_else_the_query() {
    let (call, query) =
        read("DELETE /api/v1/namespaces/a/pods/web?gracePeriodSeconds=0&propagationPolicy=Orphan");
    let content =
        |text: &'static str| Content { bytes: Bytes::from_static(text.as_bytes()), media: Media::Json };
    let from_query = delete::options(&query, content("")).unwrap();
    assert_eq!(from_query.grace_period_seconds, Some(0));
    assert_eq!(from_query.propagation_policy.as_deref(), Some("Orphan"));
    let from_body = delete::options(&query, content(r#"{"gracePeriodSeconds":7}"#)).unwrap();
    assert_eq!((from_body.grace_period_seconds, &from_body.propagation_policy), (Some(7), &None));
    assert_eq!(delete::options(&query, content(r#"{"gracePeriodSeconds":"x"}"#)).unwrap_err().code(), 400);
    assert_eq!(delete::delete(&call, from_body).name, "web");
}

#[test]
fn lists_and_watches_pass_their_parameters_on() {
    let (call, query) = read(
        "GET /api/v1/namespaces/a/pods?labelSelector=x%3Dy&fieldSelector=status.phase%3DRunning&limit=5&continue=t&resourceVersion=9&resourceVersionMatch=Exact",
    );
    let request = list::list(&call, &query).unwrap();
    assert_eq!(
        (request.label_selector.as_str(), request.field_selector.as_str()),
        ("x=y", "status.phase=Running")
    );
    assert_eq!((request.limit, request.r#continue.as_str()), (5, "t"));
    assert_eq!((request.resource_version.as_str(), request.resource_version_match.as_str()), ("9", "Exact"));

    let (call, query) = read(
        "GET /api/v1/pods?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=30",
    );
    let request = watch::watch(&call, &query).unwrap();
    assert_eq!((request.allow_bookmarks, request.send_initial_events), (true, Some(true)));
    assert_eq!(watch::timeout(&query).unwrap(), Some(Duration::from_secs(30)));

    let (call, query) = read("GET /api/v1/pods?limit=x");
    assert_eq!(list::list(&call, &query).unwrap_err().code(), 400);
}

#[test]
fn a_watch_of_one_object_selects_it_by_name() {
    let (call, query) = read("GET /api/v1/watch/namespaces/a/pods/web");
    let request = watch::watch(&call, &query).unwrap();
    assert_eq!((request.namespace.as_str(), request.field_selector.as_str()), ("a", "metadata.name=web"));
    let (call, query) = read("GET /api/v1/watch/namespaces/a/pods/web?fieldSelector=a%3Db");
    assert_eq!(watch::watch(&call, &query).unwrap_err().code(), 400);
}

#[test]
fn logs_pass_their_parameters_on() {
    let (call, query) = read(
        "GET /api/v1/namespaces/a/pods/web/log?container=c&follow=true&previous=false&tailLines=10&sinceTime=2015-07-21T12:00:00Z&limitBytes=5",
    );
    let options = log::log(&call, &query).unwrap().options.unwrap();
    assert_eq!((options.container.as_str(), options.follow, options.previous), ("c", true, false));
    assert_eq!((options.tail_lines, options.limit_bytes, options.since_seconds), (Some(10), Some(5), None));
    assert_eq!(options.since_time.unwrap().seconds, 1_437_480_000);
    let (call, query) = read("GET /api/v1/namespaces/a/pods/web/log?sinceTime=noon");
    assert_eq!(log::log(&call, &query).unwrap_err().code(), 400);
}

#[test]
fn a_binding_names_its_pod_in_path_or_body() {
    let named = |name: &str| {
        let mut binding = Binding::default();
        binding.metadata.name = name.into();
        binding
    };
    let pod = |request: &str, name: &str| {
        let bound = binding::bind(&read(request).0, named(name));
        bound.map(|request| request.binding.unwrap().metadata.name).map_err(|error| error.code())
    };
    let (below, beside) =
        ("POST /api/v1/namespaces/a/pods/web/binding", "POST /api/v1/namespaces/a/bindings");
    assert_eq!(pod(below, "").as_deref(), Ok("web"));
    assert_eq!(pod(below, "web").as_deref(), Ok("web"));
    assert_eq!(pod(below, "db"), Err(400));
    assert_eq!(pod(beside, "db").as_deref(), Ok("db"));
    assert_eq!(pod(beside, ""), Err(400));
}

#[test]
fn a_scale_has_the_name_of_the_path() {
    let (call, query) = read("PUT /api/v1/namespaces/a/replicationcontrollers/rc/scale");
    let mut wanted = Scale::default();
    wanted.metadata.name = "rc".into();
    assert_eq!(scale::scale(&call, &query, wanted.clone()).unwrap().name, "rc");
    wanted.metadata.name = "other".into();
    assert_eq!(scale::scale(&call, &query, wanted).unwrap_err().code(), 400);
}
