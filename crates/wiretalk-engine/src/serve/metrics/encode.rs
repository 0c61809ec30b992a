//! The page that Prometheus reads: OpenMetrics 1.0, with each number as it is at this moment.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::{Metrics, process};
use crate::serve::Operation;

/// What the page says that it is.
pub(in crate::serve) const CONTENT_TYPE: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page.
pub(in crate::serve) fn page(operation: &Arc<Operation>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Everything(Arc::clone(operation))));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

#[derive(Debug)]
struct Everything(Arc<Operation>);

impl Collector for Everything {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        if let Some(metrics) = &self.0.metrics {
            encode(metrics, &mut page)?;
        }
        if let Some(capacity) = &self.0.capacity {
            page.gauge(
                "wiretalk_connections_limit",
                "WebSockets that may be open at a time",
                capacity.places(),
            )?;
            page.gauge(
                "wiretalk_connections_waiting",
                "Clients that wait in the queue for a place",
                capacity.waiting(),
            )?;
        }
        if let Some(tracer) = &self.0.tracer {
            let counts = tracer.counts();
            page.counters(
                "wiretalk_spans",
                "Spans of traces, by what became of them",
                "outcome",
                [
                    ("exported", counts.exported),
                    ("failed", counts.failed),
                    ("dropped", counts.dropped),
                ],
            )?;
            page.gauge(
                "wiretalk_spans_waiting",
                "Spans that wait to be sent to the collector",
                counts.waiting,
            )?;
        }
        page.gauge(
            "wiretalk_ready",
            "Whether clients should be sent here: 1, or 0",
            u64::from(self.0.readiness.check().is_ok()),
        )?;
        page.gauge(
            "wiretalk_handshakes_active",
            "Connections that are no clients yet",
            self.0.newcomers.count(),
        )?;
        page.gauge(
            "wiretalk_draining",
            "Whether clients are being sent away: 1, or 0",
            u64::from(self.0.readiness.is_draining()),
        )?;
        process::encode(&mut page)?;
        page.info(
            "wiretalk_build",
            "The program that runs",
            [("version", env!("CARGO_PKG_VERSION"))],
        )
    }
}

fn encode(metrics: &Metrics, page: &mut Page<'_>) -> fmt::Result {
    let shared = &*metrics.shared;
    let tally = shared.clients().tally();
    page.gauge(
        "wiretalk_connections_active",
        "WebSockets that are open",
        tally.open,
    )?;
    page.counter(
        "wiretalk_connections",
        "WebSockets that were opened",
        tally.opened,
    )?;
    let directions = [
        ("received", tally.traffic.received),
        ("sent", tally.traffic.sent),
    ];
    page.counters(
        "wiretalk_messages",
        "Text and binary messages",
        "direction",
        directions.map(|(direction, count)| (direction, count.messages)),
    )?;
    page.counters(
        "wiretalk_message_bytes",
        "Bytes of the payloads of messages, uncompressed",
        "direction",
        directions.map(|(direction, count)| (direction, count.bytes)),
    )?;
    page.counters(
        "wiretalk_connections_closed",
        "WebSockets that have ended, by close code; 1006 is an end without one",
        "code",
        shared.closed.counts(),
    )?;
    page.counters(
        "wiretalk_handshakes_refused",
        "Handshakes that were refused, by reason",
        "reason",
        shared.refused.counts(),
    )?;
    page.counters(
        "wiretalk_clients_expelled",
        "Clients that were closed for what they did, by reason",
        "reason",
        shared.expelled.counts(),
    )?;
    page.counter(
        "wiretalk_http_requests",
        "Plain HTTP requests that were answered",
        shared.requests.load(Ordering::Relaxed),
    )?;
    page.counter(
        "wiretalk_connections_failed",
        "TCP connections that failed before they were WebSockets: TLS, HTTP, or silence",
        shared.failed.load(Ordering::Relaxed),
    )?;
    page.counter(
        "wiretalk_accept_errors",
        "Connections that the system could not hand over",
        shared.accept_errors.load(Ordering::Relaxed),
    )?;
    page.counter(
        "wiretalk_slow_clients",
        "Clients that were closed because too much waited for them",
        shared.slow.load(Ordering::Relaxed),
    )?;
    page.metric(
        "wiretalk_connection_duration_seconds",
        "How long WebSockets were open that have ended",
        &shared.durations,
    )?;
    page.metric(
        "wiretalk_delivery_duration_seconds",
        "From a message's being put into a client's queue to its being written, by samples: 20 a second at most",
        &shared.deliveries,
    )?;
    let hubs = shared.hubs();
    page.gauge("wiretalk_rooms", "Rooms in which somebody is", hubs.rooms)?;
    page.gauge(
        "wiretalk_users",
        "Users of whom a client is connected",
        hubs.users,
    )?;
    page.gauge(
        "wiretalk_queue_bytes",
        "Bytes that wait in the queues of clients",
        hubs.queued,
    )?;
    page.counter(
        "wiretalk_hub_deliveries",
        "Times that something was put into a client's queue",
        hubs.deliveries,
    )?;
    page.counter(
        "wiretalk_hub_published",
        "Messages to rooms, users and all that were published on this node",
        hubs.published,
    )?;
    page.counter(
        "wiretalk_hub_lost",
        "Messages of the backplane that this node has missed for good",
        hubs.lost,
    )?;
    page.gauge(
        "wiretalk_backplane_nodes",
        "Nodes that share the backplane, this one included",
        hubs.nodes,
    )?;
    page.gauge(
        "wiretalk_backplane_up",
        "Whether the backplane is reached: 1, or 0",
        u64::from(hubs.up),
    )
}

/// Writes metrics, one family after the other.
pub(super) struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    /// A counter; the format puts `_total` behind its name.
    pub(super) fn counter(
        &mut self,
        name: &str,
        help: &str,
        value: impl EncodeCounterValue,
    ) -> fmt::Result {
        self.metric(name, help, &ConstCounter::new(value))
    }

    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        value: impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.metric(name, help, &ConstGauge::new(value))
    }

    fn info(
        &mut self,
        name: &str,
        help: &str,
        labels: [(&'static str, &'static str); 1],
    ) -> fmt::Result {
        self.metric(name, help, &Info::new(labels))
    }

    /// A counter for each value of a label.
    fn counters<L: fmt::Display>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        let mut text = String::new();
        for (value, count) in values {
            text.clear();
            write!(text, "{value}")?;
            let labels = [(label, text.as_str())];
            let encoder = family.encode_family(&labels)?;
            ConstCounter::new(count).encode(encoder)?;
        }
        Ok(())
    }

    fn metric(&mut self, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
        let encoder = self
            .0
            .encode_descriptor(name, help, None, metric.metric_type())?;
        metric.encode(encoder)
    }
}
