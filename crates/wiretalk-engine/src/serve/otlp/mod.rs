//! Traces of connections for a collector of OpenTelemetry, by OTLP over HTTP. Needs the feature `otlp`.
//!
//! A connection is a span of the kind `SERVER`, from its handshake to its end, in the trace that the handshake names
//! (`traceparent`, W3C Trace Context); the handshake is a span in it. Attributes have the names of OpenTelemetry's semantic
//! conventions where those have one, else such that begin with `wiretalk.`. No query of a URL and no header that may hold a
//! secret is among them.

mod export;
mod span;

use std::env;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, Key, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanExporter as Export};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use url::Url;
use wiretalk_net::server::Request;

use super::trace::{SpanCounts, Trace, Tracer};
use super::{Event, Observer};
use crate::record::without_query_values;
use export::{Bounded, Client, Watch, Watched};
use span::Connection;

/// The name of the program, where nobody gives another.
const NAME: &str = "wiretalk";
/// Where a collector listens, if nobody says anything else.
const DEFAULT: &str = "http://localhost:4318";
/// Where it takes traces, behind what it is told to be at.
const PATH: &str = "/v1/traces";
/// The variables that say where it is: for traces alone, and for all that there is.
const VARIABLES: (&str, &str) = (
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
);

/// Why there can be no traces.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The collector's URL is none. It is not shown, for it may hold a password.
    #[error("the collector of traces is named by a URL such as {DEFAULT}: {0}")]
    Url(&'static str),
    /// What the environment says of OTLP cannot be.
    #[error("traces cannot be exported: {0}")]
    Environment(String),
    /// There is nothing that could send them.
    #[error("traces are exported within a tokio runtime, and there is none")]
    NoRuntime,
}

/// Follows connections for a collector of OpenTelemetry.
///
/// Spans wait in a queue of 8,192, and go out in batches, from a thread of its own: the server waits for nobody. More are
/// dropped, and counted ([`Tracer::counts`]). What the SDK's variables say holds here too: `OTEL_SERVICE_NAME`,
/// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` with its `_ARG`, `OTEL_EXPORTER_OTLP_HEADERS` and
/// `OTEL_BSP_SCHEDULE_DELAY` among them.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use wiretalk_engine::serve::otlp::Otlp;
/// use wiretalk_engine::serve::{Echo, Event, Observer, Operation, Options, Server, Tracer};
///
/// struct Nobody;
///
/// impl Observer for Nobody {
///     fn event(&self, _: &Event<'_>) {}
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tracer = Otlp::start(Some("http://127.0.0.1:4318"), Arc::new(Nobody))?;
/// let operation = Arc::new(Operation {
///     tracer: Some(tracer.clone()),
///     ..Operation::default()
/// });
/// let echo = Echo::new(&Options { operation, ..Options::default() }, Arc::new(Nobody), false);
/// let server = Server::bind("127.0.0.1:0", None).await?;
/// echo.serve(server, async {}).await;
/// tracer.end(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
pub struct Otlp {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    watch: Arc<Watch>,
    url: String,
}

impl Otlp {
    /// Exports to the collector at this URL, behind which `/v1/traces` is put; without one, to that of
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` (as it stands there) or `OTEL_EXPORTER_OTLP_ENDPOINT`, else of
    /// `http://localhost:4318`. The observer is told when the collector does not take them. It must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// If the URL is none of `http:` or `https:`, or has a user name and password in it; if the environment says what cannot
    /// be; if there is no runtime.
    pub fn start(url: Option<&str>, observer: Arc<dyn Observer>) -> Result<Arc<Self>, OtlpError> {
        let runtime = Handle::try_current().map_err(|_| OtlpError::NoRuntime)?;
        let url = endpoint(url, |name| env::var(name).ok())?;
        let watch = Arc::new(Watch::new(observer));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&url)
            .with_http_client(Client::new(runtime, Arc::clone(&watch)))
            .build()
            .map_err(|error| OtlpError::Environment(error.to_string()))?;
        Ok(Arc::new(Self::with(exporter, watch, url)))
    }

    /// Where the spans go, without the values of its query.
    #[must_use]
    pub fn url(&self) -> String {
        without_query_values(&self.url)
    }

    fn with(exporter: impl Export + 'static, watch: Arc<Watch>, url: String) -> Self {
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_span_processor(Bounded::new(Watched::new(exporter, &watch), &watch))
            .build();
        let scope = InstrumentationScope::builder(NAME)
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Self {
            tracer: provider.tracer_with_scope(scope),
            provider,
            watch,
            url,
        }
    }
}

impl Tracer for Otlp {
    fn begin(&self, request: &Request) -> Option<Box<dyn Trace>> {
        let connection = Connection::begin(&self.tracer, request)?;
        Some(Box::new(connection))
    }

    fn counts(&self) -> SpanCounts {
        self.watch.counts()
    }

    fn end(&self, within: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let ended = shut_down(&self.provider, within);
        Box::pin(async move {
            // What it could not send is counted, whatever it says.
            let _ = ended.await;
            let SpanCounts {
                failed,
                dropped,
                waiting,
                ..
            } = self.watch.counts();
            if failed + dropped + waiting > 0 {
                let why = format!(
                    "of this run, {} spans never came to the collector ({failed} not taken, {dropped} too many, {waiting} too late)",
                    failed + dropped + waiting
                );
                self.watch.tell(&Event::TracesLost { why: &why });
            }
        })
    }
}

impl Drop for Otlp {
    fn drop(&mut self) {
        // The last that has the provider would wait for its end; a second time it is no work.
        drop(shut_down(&self.provider, Duration::ZERO));
    }
}

/// Sends what waits, within this time: from a thread, for which no runtime waits when it ends.
fn shut_down(provider: &SdkTracerProvider, within: Duration) -> oneshot::Receiver<()> {
    let (done, ended) = oneshot::channel();
    let provider = provider.clone();
    let ending = move || {
        // It says no more than the counts do, and nobody may be left who waits.
        let _ = provider.shutdown_with_timeout(within);
        let _ = done.send(());
    };
    // Without a thread to be had, what waits is lost, and counted as that.
    let _ = thread::Builder::new()
        .name("end of traces".to_owned())
        .spawn(ending);
    ended
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Otlp")
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

/// Where traces go.
fn endpoint(
    url: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<String, OtlpError> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let (url, whole) = match (url, variable(VARIABLES.0), variable(VARIABLES.1)) {
        (Some(url), ..) => (url.to_owned(), false),
        (None, Some(url), _) => (url, true),
        (None, None, Some(url)) => (url, false),
        (None, None, None) => (DEFAULT.to_owned(), false),
    };
    let mut url = Url::parse(&url).map_err(|_| OtlpError::Url("this is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(OtlpError::Url("it begins with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OtlpError::Url(
            "a password stands in OTEL_EXPORTER_OTLP_HEADERS, as authorization=Basic%20…",
        ));
    }
    url.set_fragment(None);
    if !whole && !url.path().trim_end_matches('/').ends_with(PATH) {
        let path = format!("{}{PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url.into())
}

/// What the spans come from: the program, and which of its processes.
fn resource() -> Resource {
    let detected = Resource::builder().build();
    let says = |name: &'static str| detected.get(&Key::from_static_str(name));
    let mut resource = Resource::builder();
    // What the SDK says that was not told.
    if says("service.name").is_none_or(|name| name.as_str().starts_with("unknown_service")) {
        resource = resource.with_service_name(NAME);
    }
    if says("service.version").is_none() {
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        resource = resource.with_attribute(version);
    }
    if says("service.instance.id").is_none() {
        let id = uuid::Uuid::new_v4().to_string();
        resource = resource.with_attribute(KeyValue::new("service.instance.id", id));
    }
    resource.build()
}

#[cfg(test)]
mod tests;
