//! What a server shares with other nodes.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::time::timeout;
use wiretalk_engine::serve::{Location, Mock};

use super::log::Log;

/// The environment variable with the URL of `--backplane`.
const URL: &str = "WIRETALK_BACKPLANE";
/// What `--backplane` says for none.
const ALONE: &str = "memory";
/// How long a server waits for its backplane before it serves without.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Nodes {
    /// Share rooms, users, history and kept values with other servers of these talks, through a broker: a URL such as
    /// redis://HOST:PORT, redis+cluster://HOST:PORT,HOST:PORT, redis+sentinel://HOST:PORT/MASTER, nats://HOST:PORT,
    /// amqp://USER:PASSWORD@HOST:PORT; or memory, for none. By default that of WIRETALK_BACKPLANE, which no list of
    /// processes shows, else memory
    #[arg(long, value_name = "URL", conflicts_with = "echo")]
    backplane: Option<String>,
    /// Keep apart from other servers at the same broker: those of the same namespace share
    #[arg(
        long,
        value_name = "NAME",
        default_value = "wiretalk",
        conflicts_with = "echo"
    )]
    namespace: String,
}

impl Nodes {
    /// Where the other nodes are met; `None`: there are none.
    pub(super) fn location(&self) -> Result<Option<Location>, String> {
        let (url, from) = match (&self.backplane, std::env::var(URL)) {
            (Some(url), _) => (url.clone(), "--backplane"),
            (None, Ok(url)) => (url, URL),
            (None, Err(_)) => return Ok(None),
        };
        if url == ALONE {
            return Ok(None);
        }
        let location = Location::new(&url, &self.namespace);
        location
            .map(Some)
            .map_err(|error| format!("{from}: {error}"))
    }

    /// Waits until the mocks know what other nodes know; not for ever, for a server that serves is worth more than one that
    /// waits.
    pub(super) async fn ready(mocks: impl Iterator<Item = &Arc<Mock>>, log: &Log) {
        let all = async {
            for mock in mocks {
                mock.ready().await;
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            log.timed(&format!(
                "the backplane is not ready after {} s: served without what other nodes know, until it is",
                PATIENCE.as_secs()
            ));
        }
    }
}
