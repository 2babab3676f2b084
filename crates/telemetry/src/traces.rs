//! Traces, sent as OTLP over gRPC.

use std::time::Duration;

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{
    ExporterBuildError, SpanExporter, WithExportConfig as _, WithTonicConfig as _,
    tonic_types::transport::{Certificate, ClientTlsConfig},
};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::{Subscriber, level_filters::LevelFilter, warn};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::StartError;

/// The crates whose spans are sent. What servers' clients have to say is about themselves.
const OURS: [&str; 4] = ["gatecast", "messaging", "runner", "workers"];
/// How long the end of a process waits until everything is sent.
const TO_FINISH: Duration = Duration::from_secs(3);

/// Where traces go, and whose they are.
#[derive(Debug, Clone, Copy)]
pub struct Traces<'a> {
    /// `http://host:4317`, or `https://…` for TLS.
    pub url: &'a str,
    /// The share of traces that are kept, 0 to 1. A trace that somebody else began keeps their choice.
    pub share: f64,
    /// Certificates in PEM that the receiver's must come from; `None`: those that the machine trusts.
    pub certificate_authority: Option<&'a str>,
    /// What the process is, e.g. its roles.
    pub process: &'a str,
    /// The version of the program.
    pub version: &'static str,
}

/// The sending of traces.
#[derive(Debug)]
pub struct Exporting {
    provider: SdkTracerProvider,
}

impl Exporting {
    pub(crate) fn start(traces: &Traces<'_>) -> Result<Self, StartError> {
        let exporter =
            exporter(traces).map_err(|source| StartError::Exporter { url: traces.url.to_owned(), source })?;
        let resource = Resource::builder_empty().with_attributes([
            KeyValue::new("service.namespace", "gatecast"),
            KeyValue::new("service.name", traces.process.to_owned()),
            KeyValue::new("service.version", traces.version),
            KeyValue::new("process.pid", i64::from(std::process::id())),
        ]);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(traces.share))))
            .with_resource(resource.build())
            .build();
        Ok(Self { provider })
    }

    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let ours = OURS.map(|name| (name, LevelFilter::INFO));
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("gatecast"))
            .with_location(false)
            .with_threads(false)
            .with_filter(Targets::new().with_targets(ours))
    }

    /// Sends what was held back, for some seconds at most. Blocks, and needs the runtime that it was started in.
    pub fn finish(self) {
        if let Err(fault) = self.provider.shutdown_with_timeout(TO_FINISH) {
            warn!("some traces were not sent: {fault}");
        }
    }
}

fn exporter(traces: &Traces<'_>) -> Result<SpanExporter, ExporterBuildError> {
    let builder = SpanExporter::builder().with_tonic().with_endpoint(traces.url);
    if !traces.url.starts_with("https:") {
        return builder.build();
    }
    let tls = match traces.certificate_authority {
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        None => ClientTlsConfig::new().with_enabled_roots(),
    };
    builder.with_tls_config(tls).build()
}
