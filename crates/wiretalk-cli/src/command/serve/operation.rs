//! How a server is run: what it tells of itself, how many clients it takes, and how it ends.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::watch;
use wiretalk_engine::serve::admin::{Admin, AdminError};
#[cfg(feature = "otlp")]
use wiretalk_engine::serve::otlp::Otlp;
use wiretalk_engine::serve::{Admission, Capacity, Metrics, Newcomers, Operation, Stop, Tracer};

use super::address::{self, Listening};
use super::log::Log;
use super::{seconds, some};
use crate::exit::Exit;
use crate::signals::{End, Ends};
use crate::{descriptors, supervisor, terminal};

/// How long traces may take to go to their collector at the end.
const FLUSHED_WITHIN: Duration = Duration::from_secs(5);
/// The environment variable with the token of `--admin`.
const TOKEN: &str = "WIRETALK_ADMIN_TOKEN";

#[derive(Debug, Args)]
pub(super) struct Operating {
    /// Tell of the server over HTTP: /metrics for Prometheus, /health, /ready, /admin/clients. By default on
    /// 127.0.0.1:9090; on an address that others can reach it needs a token
    #[arg(
        long,
        value_name = "ADDRESS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "127.0.0.1:9090"
    )]
    admin: Option<String>,
    /// The token that `--admin` asks for; by default that of WIRETALK_ADMIN_TOKEN, which no list of processes shows
    #[arg(long, value_name = "TOKEN", requires = "admin")]
    admin_token: Option<String>,
    /// Take so many clients at a time; others get HTTP 503, and may try again
    #[arg(long, value_name = "N", value_parser = some)]
    max_clients: Option<usize>,
    /// Let so many clients wait for a place, first come first served, each for as long as `--handshake-timeout` says
    #[arg(long, value_name = "N", requires = "max_clients")]
    queue: Option<usize>,
    /// Have so many connections in their handshakes at a time; others wait to be accepted
    #[arg(long, value_name = "N", default_value = "1024")]
    max_handshakes: NonZeroUsize,
    /// On SIGTERM take nobody new, and close the clients one after the other over so many seconds with 1012, which asks
    /// them to come back; 0 for all at once with 1001, as Ctrl-C does. A second signal ends the program
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    drain: Duration,
    /// Listen also where other processes do that say so as well; the system spreads what comes over them (SO_REUSEPORT)
    #[arg(long)]
    reuse_port: bool,
    /// Send a trace of each connection to a collector of OpenTelemetry, by OTLP over HTTP; by default to that of
    /// OTEL_EXPORTER_OTLP_ENDPOINT, else to http://localhost:4318. Needs a build with the feature `otlp`
    #[arg(
        long,
        value_name = "URL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    otlp: Option<String>,
}

impl Operating {
    /// What all servers of the program share.
    pub(super) fn shared(
        &self,
        admission: Admission,
        log: &Arc<Log>,
    ) -> Result<Arc<Operation>, String> {
        let capacity = self.max_clients.map(|places| {
            let capacity = Capacity::new(places);
            match self.queue {
                Some(queue) => capacity.with_queue(queue, admission.handshake_timeout),
                None => capacity,
            }
        });
        // Half of the descriptors are left for clients.
        let room = descriptors::most().map_or(usize::MAX, |most| (most / 2).max(1));
        Ok(Arc::new(Operation {
            newcomers: Newcomers::new(self.max_handshakes.get().min(room)),
            metrics: self.admin.is_some().then(Metrics::new),
            capacity,
            admission: Arc::new(admission),
            tracer: self.tracer(log)?,
            ..Operation::default()
        }))
    }

    #[cfg(feature = "otlp")]
    fn tracer(&self, log: &Arc<Log>) -> Result<Option<Arc<dyn Tracer>>, String> {
        let Some(url) = &self.otlp else {
            return Ok(None);
        };
        let url = Some(url.as_str()).filter(|url| !url.is_empty());
        let otlp = Otlp::start(url, Arc::clone(log) as _);
        let otlp = otlp.map_err(|error| format!("--otlp: {error}"))?;
        log.line(&format!("traces go to {}", otlp.url()));
        Ok(Some(otlp))
    }

    #[cfg(not(feature = "otlp"))]
    fn tracer(&self, _: &Arc<Log>) -> Result<Option<Arc<dyn Tracer>>, String> {
        match self.otlp {
            Some(_) => Err(
                "--otlp: this program was built without traces: build it with the feature `otlp`"
                    .to_owned(),
            ),
            None => Ok(None),
        }
    }

    /// How sockets to listen with are come by: from whoever has started the program, or made.
    pub(super) fn listening(&self) -> Result<Listening, String> {
        Ok(Listening::new(supervisor::sockets()?, self.reuse_port))
    }

    /// Listens for whoever wants to know.
    pub(super) async fn open_admin(&self) -> Result<Option<Admin>, Exit> {
        let Some(address) = &self.admin else {
            return Ok(None);
        };
        let token = self.admin_token.clone();
        let token = token.or_else(|| std::env::var(TOKEN).ok());
        match Admin::bind(&address::whole(address), token).await {
            Ok(admin) => Ok(Some(admin)),
            Err(error) => {
                terminal::error(&error.to_string());
                Err(match error {
                    AdminError::Bind { .. } => Exit::NO_CONNECTION,
                    _ => Exit::USAGE,
                })
            }
        }
    }

    /// Serves, and tells of it, until a signal comes; then until the clients are gone and their traces sent, or another
    /// signal comes.
    pub(super) async fn run<F: Future<Output = ()>>(
        &self,
        mut ends: Ends,
        admin: Option<Admin>,
        operation: &Arc<Operation>,
        log: &Log,
        serve: impl FnOnce(Told) -> F,
    ) {
        let admin = async {
            if let Some(admin) = admin {
                log.line(&format!("admin at {}", admin.url()));
                // To the very end: that the server drains is news.
                admin
                    .serve(Arc::clone(operation), std::future::pending())
                    .await;
            }
            std::future::pending::<()>().await;
        };
        let (tell, told) = watch::channel(None);
        let signals = async {
            let stop = match ends.next().await {
                End::Terminate if !self.drain.is_zero() => Stop::Drain(self.drain),
                End::Terminate | End::Interrupt => Stop::Now,
            };
            supervisor::stopping(match stop {
                Stop::Drain(_) => "draining",
                Stop::Now => "stopping",
            });
            if let Stop::Drain(within) = stop {
                let seconds = within.as_secs_f64();
                log.timed(&format!(
                    "draining: clients are sent away within {seconds} s"
                ));
            }
            tell.send_replace(Some(stop));
            ends.next().await;
            log.timed("ended by a second signal");
        };
        if let Some(descriptors) = descriptors::take_all() {
            log.line(&descriptors);
        }
        supervisor::ready();
        let serve = async {
            serve(Told(told)).await;
            if let Some(tracer) = &operation.tracer {
                tracer.end(FLUSHED_WITHIN).await;
            }
        };
        tokio::select! {
            () = serve => {}
            () = signals => {}
            () = admin => {}
            () = supervisor::live() => {}
        }
    }
}

/// Hears when to stop, and how.
#[derive(Clone)]
pub(super) struct Told(watch::Receiver<Option<Stop>>);

impl Told {
    /// Waits until it is time.
    pub(super) async fn stop(mut self) -> Stop {
        match self.0.wait_for(Option::is_some).await {
            Ok(stop) => stop.unwrap_or(Stop::Now),
            // Nobody is left who could say it.
            Err(_) => Stop::Now,
        }
    }
}
