//! How spans leave: a queue with a bound, batches, and a client of HTTP; and what is told when they do not.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::Context;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};
use tokio::runtime::Handle;
use wiretalk_net::Connector;

use crate::serve::trace::SpanCounts;
use crate::serve::{Event, Observer};

/// Spans that may wait.
const MOST_WAITING: usize = 8192;
/// Bytes that a collector's answer may have.
const MOST_ANSWER: usize = 64 * 1024;

/// Counts what becomes of spans, and tells when they are lost.
pub(super) struct Watch {
    observer: Arc<dyn Observer>,
    exported: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicU64,
    /// Whether it was told that the collector does not take them.
    told: AtomicBool,
    /// What went wrong at the last attempt: the exporter itself only says that something did.
    wrong: Mutex<Option<String>>,
}

impl Watch {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Self {
        Self {
            observer,
            exported: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            told: AtomicBool::new(false),
            wrong: Mutex::default(),
        }
    }

    pub(super) fn counts(&self) -> SpanCounts {
        SpanCounts {
            exported: self.exported.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    pub(super) fn tell(&self, event: &Event<'_>) {
        self.observer.event(event);
    }

    /// One more waits, if it may.
    fn enter(&self) -> bool {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        if before < MOST_WAITING as u64 {
            return true;
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.dropped.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// So many were sent, or were to be.
    fn leave(&self, count: usize, sent: &OTelSdkResult) {
        let count = count as u64;
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        match sent {
            Ok(()) => {
                self.exported.fetch_add(count, Ordering::Relaxed);
                if self.told.swap(false, Ordering::Relaxed) {
                    self.tell(&Event::TracesTaken);
                }
            }
            Err(error) => {
                self.failed.fetch_add(count, Ordering::Relaxed);
                if !self.told.swap(true, Ordering::Relaxed) {
                    let why = self.wrong().take();
                    let why = why.unwrap_or_else(|| error.to_string());
                    self.tell(&Event::TracesLost { why: &why });
                }
            }
        }
    }

    fn wrong(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.counts()).finish()
    }
}

/// Takes spans as long as not too many wait. The processor behind it would drop them as well, but does not say how many.
#[derive(Debug)]
pub(super) struct Bounded {
    batches: BatchSpanProcessor,
    watch: Arc<Watch>,
}

impl Bounded {
    pub(super) fn new(exporter: impl SpanExporter + 'static, watch: &Arc<Watch>) -> Self {
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(MOST_WAITING)
            .build();
        Self {
            batches: BatchSpanProcessor::new(exporter, config),
            watch: Arc::clone(watch),
        }
    }
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.watch.enter() {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// An exporter of which is counted what it sends.
#[derive(Debug)]
pub(super) struct Watched<E> {
    exporter: E,
    watch: Arc<Watch>,
}

impl<E: SpanExporter> Watched<E> {
    pub(super) fn new(exporter: E, watch: &Arc<Watch>) -> Self {
        let watch = Arc::clone(watch);
        Self { exporter, watch }
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let sent = self.exporter.export(batch).await;
        self.watch.leave(count, &sent);
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Speaks HTTP for the exporter, whose thread has no runtime.
#[derive(Debug)]
pub(super) struct Client {
    connector: Connector,
    runtime: Handle,
    watch: Arc<Watch>,
}

impl Client {
    pub(super) fn new(runtime: Handle, watch: Arc<Watch>) -> Self {
        Self {
            connector: Connector::new(),
            runtime,
            watch,
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, HttpError> {
        let connector = self.connector.clone();
        let exchange = async move { connector.exchange(request, MOST_ANSWER).await };
        let answer: Result<_, HttpError> = match self.runtime.spawn(exchange).await {
            Ok(answer) => answer.map_err(Into::into),
            // The runtime has ended.
            Err(error) => Err(error.into()),
        };
        *self.watch.wrong() = match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("the collector answers with {}", answer.status())),
            Err(error) => Some(error.to_string()),
        };
        answer
    }
}
