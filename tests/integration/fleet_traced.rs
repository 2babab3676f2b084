//! One trace leads from a request to its reply, across all processes that had to do with it.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use protocol::{ContentType, Destination, Queue, WireMessage};

use crate::{
    command_line::json,
    fleet::Fleet,
    process::Process,
    stack::in_time,
    trace_receiver::{Span, TraceReceiver},
};

/// As a foreign client may have begun it: W3C Trace Context's own example.
const FOREIGN_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const FOREIGN_SPAN: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_leads_from_a_request_to_its_reply_across_processes() {
    let mut fleet = Fleet::with_bikes().await;
    let receiver = TraceReceiver::start().await;
    fleet.variables.push(("GATECAST__TRACES__URL", receiver.url.clone()));
    fleet.variables.push(("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned())); // milliseconds that spans are held back
    let _workers = ["trainer", "gatekeeper", "forecaster"].map(|role| Process::start(&fleet, role));

    fleet.promote_first();
    let training = receiver.root("ask train-jobs").await;
    let expected = [
        "command: ask train-jobs",
        "command: send train-jobs",
        "trainer: process train-jobs",
        "trainer: send train-results",
        "gatekeeper: process train-results",
        "gatekeeper: send event",
        "gatekeeper: send reply",
    ];
    check_trace(&receiver.trace(&training.trace_id, has_all(&expected)).await, &expected);

    json(fleet.gatecast().args(["--json", "forecast", "bike-demand"]));
    let asking = receiver.root("ask forecast-requests").await;
    let expected = [
        "command: ask forecast-requests",
        "command: send forecast-requests",
        "forecaster: process forecast-requests",
        "forecaster: send reply",
    ];
    let spans = receiver.trace(&asking.trace_id, has_all(&expected)).await;
    check_trace(&spans, &expected);
    let handling = find(&spans, "forecaster: process forecast-requests");
    assert_eq!(handling.kind, SpanKind::Consumer);
    for (name, value) in [
        ("messaging.system", "rabbitmq"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "forecast-requests"),
        ("gatecast.outcome", "done"),
    ] {
        assert_eq!(handling.attributes[name], value, "{name}");
    }
    let sending = find(&spans, "command: send forecast-requests");
    assert_eq!(sending.kind, SpanKind::Producer);
    assert_eq!(handling.links, [sending.id.as_str()], "it is linked to its sender's place");
    assert_eq!(handling.attributes["messaging.message.id"], sending.attributes["messaging.message.id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_a_foreign_client_began_goes_on_as_it_wants() {
    let mut fleet = Fleet::with_bikes().await;
    let receiver = TraceReceiver::start().await;
    fleet.variables.push(("GATECAST__TRACES__URL", receiver.url.clone()));
    fleet.variables.push(("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()));
    let mut forecaster = Process::start(&fleet, "forecaster");

    let unsampled = FOREIGN_TRACE.replace('4', "5");
    let reply = forecast(&fleet, "00-no-trace-context", None).await;
    assert!(reply.properties.traceparent.is_some(), "what is no trace context is answered in a new trace");
    let reply = forecast(&fleet, &format!("00-{unsampled}-{FOREIGN_SPAN}-00"), None).await;
    let traceparent = reply.properties.traceparent.expect("the reply is in the trace");
    assert!(traceparent.contains(&unsampled) && traceparent.ends_with("-00"), "{traceparent}");
    let reply = forecast(&fleet, &format!("00-{FOREIGN_TRACE}-{FOREIGN_SPAN}-01"), Some("shop=7")).await;
    let traceparent = reply.properties.traceparent.expect("the reply is in the trace");
    assert!(traceparent.contains(FOREIGN_TRACE), "{traceparent}");
    assert_eq!(reply.properties.tracestate.as_deref(), Some("shop=7"));

    let expected = ["forecaster: process forecast-requests", "forecaster: send reply"];
    let spans = receiver.trace(FOREIGN_TRACE, has_all(&expected)).await;
    assert_eq!(find(&spans, expected[0]).parent_id, FOREIGN_SPAN);
    assert!(traceparent.contains(&find(&spans, expected[1]).id), "the reply continues the trace");
    // At its end it sends what it still has: nothing of the trace that its asker did not want kept.
    forecaster.terminate();
    assert!(receiver.all().iter().all(|span| span.trace_id != unsampled));
}

/// Asks as a foreign client, with a place in a trace.
async fn forecast(fleet: &Fleet, traceparent: &str, tracestate: Option<&str>) -> WireMessage {
    let broker = fleet.environment_now().await.broker;
    let mut replies = broker.replies().await.expect("a reply queue");
    let message = WireMessage::new(&Fleet::request(), ContentType::Json, uuid::Uuid::now_v7());
    let mut message = message.expect("a small body");
    message.properties.reply_to = Some(replies.address().as_str().to_owned());
    message.properties.traceparent = Some(traceparent.to_owned());
    message.properties.tracestate = tracestate.map(str::to_owned);
    broker.publish(&Destination::Queue(Queue::ForecastRequests), message).await.expect("published");
    in_time(replies.next()).await.expect("a reply")
}

fn has_all(expected: &[&str]) -> impl Fn(&[Span]) -> bool {
    let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
    move |spans| expected.is_subset(&spans.iter().map(ToString::to_string).collect())
}

/// Every span follows from another one of the trace, up to the first of `expected`.
fn check_trace(spans: &[Span], expected: &[&str]) {
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    for name in expected {
        let span = find(spans, name);
        if name == &expected[0] {
            assert_eq!(span.parent_id, "", "{name} begins the trace");
        } else {
            assert!(ids.contains(span.parent_id.as_str()), "{name} hangs in the air");
        }
    }
}

fn find<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.to_string() == name).unwrap_or_else(|| panic!("no {name} in {spans:?}"))
}
