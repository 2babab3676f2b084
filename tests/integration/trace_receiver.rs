//! An OTLP receiver in the test's own process, in the place of a collector.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1,
};
use tokio::{net::TcpListener, sync::watch};
use tonic::transport::{Server, server::TcpIncoming};

use crate::stack::in_time;

/// Keeps every span that it is sent.
pub(crate) struct TraceReceiver {
    pub(crate) url: String,
    spans: Received,
}

/// A span as it was received; ids in hex.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// `service.name` of the process.
    pub(crate) process: String,
    pub(crate) name: String,
    pub(crate) kind: v1::span::SpanKind,
    pub(crate) trace_id: String,
    pub(crate) id: String,
    /// Empty for the first of a trace.
    pub(crate) parent_id: String,
    /// Span ids that it is linked to.
    pub(crate) links: Vec<String>,
    pub(crate) attributes: HashMap<String, String>,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.process, self.name)
    }
}

impl TraceReceiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let spans = Received::default();
        let service = TraceServiceServer::new(spans.clone());
        let serving = Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(serving);
        Self { url, spans }
    }

    /// Waits until `enough` spans of one trace are there; returns all of that trace.
    pub(crate) async fn trace(&self, trace_id: &str, enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let mut changes = self.spans.arrived.subscribe();
        in_time(async {
            loop {
                changes.borrow_and_update();
                let of_trace = self.all().into_iter().filter(|span| span.trace_id == trace_id);
                let of_trace: Vec<Span> = of_trace.collect();
                if enough(&of_trace) {
                    return of_trace;
                }
                changes.changed().await.expect("the receiver is there");
            }
        })
        .await
    }

    /// Waits for a span of this name that begins a trace.
    pub(crate) async fn root(&self, name: &str) -> Span {
        let mut changes = self.spans.arrived.subscribe();
        in_time(async {
            loop {
                changes.borrow_and_update();
                let is_root = |span: &Span| span.name == name && span.parent_id.is_empty();
                if let Some(root) = self.all().into_iter().find(is_root) {
                    return root;
                }
                changes.changed().await.expect("the receiver is there");
            }
        })
        .await
    }

    /// Everything that has come so far.
    pub(crate) fn all(&self) -> Vec<Span> {
        self.spans.spans.lock().expect("not poisoned").clone()
    }
}

#[derive(Clone, Default)]
struct Received {
    spans: Arc<Mutex<Vec<Span>>>,
    arrived: watch::Sender<()>,
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        for of_resource in request.into_inner().resource_spans {
            let resource = of_resource.resource.unwrap_or_default();
            let process = attributes(&resource.attributes).remove("service.name").unwrap_or_default();
            let spans = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
            let spans = spans.map(|span| read(&process, &span));
            self.spans.lock().expect("not poisoned").extend(spans);
        }
        self.arrived.send_replace(());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

fn read(process: &str, span: &v1::Span) -> Span {
    Span {
        process: process.to_owned(),
        name: span.name.clone(),
        kind: span.kind(),
        trace_id: hex::encode(&span.trace_id),
        id: hex::encode(&span.span_id),
        parent_id: hex::encode(&span.parent_span_id),
        links: span.links.iter().map(|link| hex::encode(&link.span_id)).collect(),
        attributes: attributes(&span.attributes),
    }
}

fn attributes(attributes: &[KeyValue]) -> HashMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect()
}
