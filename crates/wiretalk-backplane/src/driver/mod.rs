//! The one driver of every broker: it connects and connects again, appends in batches, reads, and lets the hub follow.

mod backoff;
mod task;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wiretalk_hub::log::Log;
use wiretalk_hub::record::Record;
use wiretalk_hub::{Backplane, Capabilities, Hub, HubOptions, Route};

use crate::Broker;

/// Puts a hub on a broker's log, and drives it in a task of this runtime for as long as the [`Running`] lives.
///
/// `make` gets the options, with a node number if they had none, and the backplane, and makes the hub of them: with
/// [`Hub::with_options`] or [`Hub::sibling_with`].
///
/// Nothing is waited for: [`Running::ready`] tells when the hub knows what the log knows.
///
/// ```no_run
/// use std::time::Duration;
///
/// use wiretalk_backplane::{connect, wall_clock};
/// use wiretalk_hub::{HistoryLimits, Hub, HubOptions, Keeping, Target};
/// # use wiretalk_backplane::Broker;
/// # use wiretalk_proto::Prepared;
///
/// # async fn two_nodes(broker: impl Broker) {
/// // `broker` is `Redis::new("redis://127.0.0.1", "wiretalk:/chat")?`, for example.
/// let options = HubOptions {
///     history: HistoryLimits::default(),
///     clock: wall_clock(),
///     ..HubOptions::default()
/// };
/// let (hub, running) = connect(broker, options, Hub::<()>::with_options);
/// hub.set_listener(|event| println!("{event:?}"));
/// running.ready().await;
/// let keeping = Keeping { history: true, keep: false };
/// hub.deliver_with(Target::Room("lobby"), &Prepared::text("hello, all nodes"), keeping);
/// running.close(Duration::from_secs(5)).await;
/// # }
/// ```
pub fn connect<C, B>(
    broker: B,
    mut options: HubOptions,
    make: impl FnOnce(HubOptions, Line) -> Hub<C>,
) -> (Hub<C>, Running)
where
    C: Send + 'static,
    B: Broker,
{
    if options.node == 0 {
        options.node = random().max(1);
    }
    let shared = Arc::new(Shared {
        log: Mutex::new(Log::new(&options)),
        capabilities: broker.capabilities(),
        news: Notify::new(),
    });
    let hub = make(options, Line(Arc::clone(&shared)));
    let (ready, is_ready) = watch::channel(false);
    let (stop, is_stopping) = watch::channel(false);
    let driver = task::Driver {
        broker,
        ends: task::Ends {
            hub: hub.clone(),
            shared: Arc::clone(&shared),
            ready,
            stop: is_stopping,
        },
    };
    let running = Running {
        task: Some(tokio::spawn(driver.run())),
        shared,
        ready: is_ready,
        stop,
    };
    (hub, running)
}

/// The system's clock, as a hub's options want it.
#[must_use]
pub fn wall_clock() -> Arc<dyn Fn() -> u64 + Send + Sync> {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
    })
}

/// The backplane of a hub whose log a [`Running`] drives.
#[derive(Debug)]
pub struct Line(Arc<Shared>);

impl Backplane for Line {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities
    }

    fn append(&mut self, record: &Record<'_>) -> Route {
        self.0.log().push(record);
        self.0.news.notify_one();
        Route::Away
    }
}

/// The task that drives a hub's log. Dropping it ends the task at once; what waits is lost.
#[derive(Debug)]
#[must_use = "dropping it ends the connection to the broker"]
pub struct Running {
    task: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    ready: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
}

impl Running {
    /// Waits until the log has been read to its end for the first time: the hub's history, its kept values and who is
    /// present are those of all nodes. Dropping the future changes nothing.
    pub async fn ready(&self) {
        let mut ready = self.ready.clone();
        // The task ends only by being told to; then nobody waits for this.
        if ready.wait_for(|ready| *ready).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The bytes of records that wait until they are read back from the broker.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.shared.log().pending()
    }

    /// How many records were read that are of no known form: of somebody else, or of a later version.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.shared.log().foreign()
    }

    /// Ends: what waits is appended, the others are told that this node is gone, and the connection ends. After `limit`
    /// it is given up. Whether all was appended. Dropping the future ends the task at once.
    pub async fn close(mut self, limit: Duration) -> bool {
        let _ = self.stop.send(true);
        let Some(task) = &mut self.task else {
            return true;
        };
        timeout(limit, task).await.is_ok_and(|ended| ended.is_ok())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What hub and task share.
#[derive(Debug)]
struct Shared {
    log: Mutex<Log>,
    capabilities: Capabilities,
    /// There is something to append, or to say.
    news: Notify,
}

impl Shared {
    /// Held for one step of the log, never while the hub is called: the hub calls under its own lock.
    fn log(&self) -> MutexGuard<'_, Log> {
        // No foreign code runs under this lock.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A random number; where the system has none, one of the clock.
pub(crate) fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| wall_clock()())
}
