//! The gRPC service that takes spans.

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/otlp.rs"));
}

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tonic::{Request, Response, Status};

use self::proto::opentelemetry::proto::collector::trace::v1 as collector;
use self::proto::opentelemetry::proto::common::v1::{AnyValue, KeyValue, any_value::Value};
use self::proto::opentelemetry::proto::resource::v1::Resource;
use self::proto::opentelemetry::proto::trace::v1 as otlp;
use self::proto::opentelemetry::proto::trace::v1::span::SpanKind;
use self::proto::opentelemetry::proto::trace::v1::status::StatusCode;
use crate::span::{Kind, Link, Span};
use crate::store::Store;

pub(crate) use self::collector::trace_service_server::TraceServiceServer;

/// Takes spans into a store.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    pub(crate) store: Store,
}

#[tonic::async_trait]
impl collector::trace_service_server::TraceService for Intake {
    async fn export(
        &self,
        request: Request<collector::ExportTraceServiceRequest>,
    ) -> Result<Response<collector::ExportTraceServiceResponse>, Status> {
        let (mut taken, mut refused) = (Vec::new(), 0);
        for from in request.into_inner().resource_spans {
            let who = attributes(from.resource.unwrap_or(Resource { attributes: Vec::new() }).attributes);
            for span in from.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                match read(span, &who) {
                    Some(span) => taken.push(span),
                    None => refused += 1,
                }
            }
        }
        self.store.add(taken);
        let partial_success = (refused > 0).then(|| collector::ExportTracePartialSuccess {
            rejected_spans: refused,
            error_message: "spans without valid ids were refused".to_owned(),
        });
        Ok(Response::new(collector::ExportTraceServiceResponse { partial_success }))
    }
}

/// A span as it is kept; none if its ids are none.
fn read(span: otlp::Span, who: &BTreeMap<String, String>) -> Option<Span> {
    let kind = match span.kind() {
        SpanKind::Unspecified | SpanKind::Internal => Kind::Internal,
        SpanKind::Server => Kind::Server,
        SpanKind::Client => Kind::Client,
        SpanKind::Producer => Kind::Producer,
        SpanKind::Consumer => Kind::Consumer,
    };
    let parent = if span.parent_span_id.is_empty() { None } else { Some(id::<8>(&span.parent_span_id)?) };
    let link = |link: otlp::span::Link| {
        Some(Link { trace_id: id::<16>(&link.trace_id)?, span_id: id::<8>(&link.span_id)? })
    };
    let error = span.status.filter(|status| status.code() == StatusCode::Error).map(|status| status.message);
    let of = |key: &str| who.get(key).cloned().unwrap_or_default();
    Some(Span {
        trace_id: id::<16>(&span.trace_id)?,
        span_id: id::<8>(&span.span_id)?,
        parent_span_id: parent,
        name: span.name,
        kind,
        service: of("service.name"),
        instance: of("service.instance.id"),
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano.max(span.start_time_unix_nano),
        attributes: attributes(span.attributes),
        links: span.links.into_iter().filter_map(link).collect(),
        error,
    })
}

/// An id as hex digits; none if it has another length, or is zero.
fn id<const LEN: usize>(bytes: &[u8]) -> Option<String> {
    if bytes.len() != LEN || bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    Some(bytes.iter().fold(String::with_capacity(2 * LEN), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

fn attributes(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|attribute| (attribute.key, spell(attribute.value))).collect()
}

fn spell(value: Option<AnyValue>) -> String {
    let list = |values: Vec<String>| format!("[{}]", values.join(", "));
    match value.and_then(|value| value.value) {
        None => String::new(),
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(Value::BytesValue(bytes)) => format!("{} bytes", bytes.len()),
        Some(Value::ArrayValue(array)) => {
            list(array.values.into_iter().map(|value| spell(Some(value))).collect())
        }
        Some(Value::KvlistValue(map)) => list(
            map.values.into_iter().map(|entry| format!("{}={}", entry.key, spell(entry.value))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_without_ids_are_refused_and_others_are_spelled_out() {
        let text = |text: &str| Some(AnyValue { value: Some(Value::StringValue(text.into())) });
        let who = attributes(vec![KeyValue { key: "service.name".into(), value: text("keelson-api") }]);
        let good = otlp::Span {
            trace_id: vec![0xab; 16],
            span_id: vec![1; 8],
            kind: SpanKind::Server.into(),
            name: "x".into(),
            start_time_unix_nano: 5,
            end_time_unix_nano: 4,
            attributes: vec![KeyValue {
                key: "n".into(),
                value: Some(AnyValue { value: Some(Value::IntValue(3)) }),
            }],
            status: Some(otlp::Status { message: "bad".into(), code: StatusCode::Error.into() }),
            ..otlp::Span::default()
        };
        let span = read(good.clone(), &who).unwrap();
        assert_eq!((span.trace_id.as_str(), span.span_id.as_str()), (&*"ab".repeat(16), &*"01".repeat(8)));
        assert_eq!(
            (span.kind, span.service.as_str(), span.parent_span_id),
            (Kind::Server, "keelson-api", None)
        );
        assert_eq!((span.end, span.error.as_deref(), span.attributes["n"].as_str()), (5, Some("bad"), "3"));
        for bad in [
            otlp::Span { trace_id: vec![0; 16], ..good.clone() },
            otlp::Span { span_id: vec![1; 7], ..good.clone() },
            otlp::Span { parent_span_id: vec![0; 8], ..good },
        ] {
            assert_eq!(read(bad, &who), None);
        }
    }
}
