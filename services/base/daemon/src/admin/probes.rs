//! Health over HTTP, in the words that Kubernetes' own components use.

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::routing::get;
use http::{HeaderName, StatusCode, header};

use super::Health;
use super::health::Verdict;

type Verdicts = fn(&Health) -> Vec<Verdict>;

/// A plain text answer that nobody may cache or guess the type of.
type Answer = (StatusCode, [(HeaderName, &'static str); 3], String);

/// What `?verbose&exclude=x` asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    verbose: bool,
    exclude: Vec<String>,
}

pub(super) fn router(health: &Health) -> Router {
    let probes: [(&'static str, Verdicts); 3] = [
        ("healthz", Health::health_verdicts),
        ("livez", Health::live_verdicts),
        ("readyz", Health::ready_verdicts),
    ];
    probes.into_iter().fold(Router::new(), |router, (probe, verdicts)| {
        let (of_all, of_one) = (health.clone(), health.clone());
        let all = move |RawQuery(query): RawQuery| async move {
            all(probe, verdicts(&of_all), &Query::parse(query.as_deref().unwrap_or_default()))
        };
        let one = move |Path(name): Path<String>| async move { one(&name, &verdicts(&of_one)) };
        router
            .route(&format!("/{probe}"), get(all.clone()))
            .route(&format!("/{probe}/"), get(all))
            .route(&format!("/{probe}/{{*check}}"), get(one))
    })
}

// === impl Query ===

impl Query {
    /// Check names need no escaping, so none is undone.
    fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (key, value) in query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
            match key {
                "verbose" => parsed.verbose = true,
                "exclude" => parsed.exclude.push(value.to_owned()),
                _ => {}
            }
        }
        parsed
    }
}

/// `ok`, or one line per check if that was asked for or one of them fails.
fn all(probe: &str, verdicts: Vec<Verdict>, query: &Query) -> Answer {
    let mut failed = false;
    let mut text = String::new();
    for Verdict { name, fault } in verdicts {
        if query.exclude.contains(&name) {
            text += &format!("[+]{name} excluded: ok\n");
            continue;
        }
        match fault {
            None => text += &format!("[+]{name} ok\n"),
            Some(fault) => {
                failed = true;
                text += &format!("[-]{name} failed: {fault}\n");
            }
        }
    }
    match (failed, query.verbose) {
        (true, _) => answer(StatusCode::INTERNAL_SERVER_ERROR, text + probe + " check failed\n"),
        (false, true) => answer(StatusCode::OK, text + probe + " check passed\n"),
        (false, false) => answer(StatusCode::OK, "ok".to_owned()),
    }
}

fn one(name: &str, verdicts: &[Verdict]) -> Answer {
    match verdicts.iter().find(|verdict| verdict.name == name) {
        None => answer(StatusCode::NOT_FOUND, format!("there is no check {name:?}\n")),
        Some(Verdict { fault: None, .. }) => answer(StatusCode::OK, "ok".to_owned()),
        Some(Verdict { fault: Some(fault), .. }) => {
            answer(StatusCode::INTERNAL_SERVER_ERROR, format!("internal server error: {fault}\n"))
        }
    }
}

fn answer(status: StatusCode, text: String) -> Answer {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, text)
}
