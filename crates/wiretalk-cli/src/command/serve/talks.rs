//! `wiretalk serve FILE…`: talks, each at its place.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::task::JoinSet;
use wiretalk_engine::SeededWorld;
use wiretalk_engine::load::{self, Loaded};
use wiretalk_engine::redact::{self, Redactor};
use wiretalk_engine::serve::control::{Control, Controlled};
use wiretalk_engine::serve::journal::{self, Journal};
use wiretalk_engine::serve::{Mock, Options, Performance, Place, Server, Shared, Site};
use wiretalk_talk::player::{Manner, Setup};
use wiretalk_talk::{Role, World};

use super::super::Outside;
use super::address::{self, Scheme};
use super::log::Log;
use super::nodes::Nodes;
use super::operation::Told;
use super::reload::{self, Watched};
use super::security::tls;
use super::{Serve, usage, with_certificate};
use crate::exit::Exit;
use crate::signals::Ends;
use crate::{diagnostics, terminal};

/// The environment variable with the token of `--control`.
const TOKEN: &str = "WIRETALK_CONTROL_TOKEN";

/// A talk that can be served.
pub(super) struct Ready {
    pub(super) file: PathBuf,
    pub(super) loaded: Loaded,
    setup: Setup,
    /// Where it listens: at all that `--listen` says, or where the talk itself does.
    addresses: Vec<String>,
    /// The path that its `listen` names, or else its `connect`; empty for none.
    path: String,
    /// Whether the path is that of `listen`.
    named: bool,
}

impl Ready {
    /// The addresses and the path.
    pub(super) fn listens(&self) -> (Vec<String>, String) {
        (self.addresses.clone(), self.path.clone())
    }

    /// The files that it is read from.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let named = self.loaded.linked.iter().cloned();
        std::iter::once(self.file.clone()).chain(named).collect()
    }
}

/// The thread that writes the journal to its file.
struct Filing {
    journal: Arc<Journal>,
    file: PathBuf,
    writer: JoinHandle<std::io::Result<()>>,
}

impl Serve {
    pub(super) async fn serve_talks(
        &self,
        outside: &Outside,
        tls: Option<tls::Ready>,
        options: Options,
        log: Arc<Log>,
        ends: Ends,
    ) -> Exit {
        let ready = match self.prepare_all(outside, tls.is_some()) {
            Ok(ready) => ready,
            Err(exit) => return exit,
        };
        let control = match self.open_control().await {
            Ok(control) => control,
            Err(why) => return usage(&why),
        };
        let admin = match self.operation.open_admin().await {
            Ok(admin) => admin,
            Err(exit) => return exit,
        };
        let location = match self.nodes.location() {
            Ok(location) => location,
            Err(why) => return usage(&why),
        };
        let operation = Arc::clone(&options.operation);
        let mut shared = Shared::new(options, Arc::clone(&log) as _);
        if let Some(location) = location {
            shared = shared.with_backplane(location);
        }
        let journal = Journal::new(journal::DEFAULT_BYTES);
        let mut secrets = Secrets::of(outside);
        for talk in &ready {
            secrets.add(talk);
        }
        journal.hide(secrets.redactor());
        if self.journal.is_some() || control.is_some() {
            shared = shared.with_journal(Arc::clone(&journal));
        }
        let tls_is_on = tls.is_some();
        let scheme = Scheme::of(tls.as_ref());
        let mut listening = match self.operation.listening() {
            Ok(listening) => listening,
            Err(why) => return usage(&why),
        };
        let mut sites = Vec::new();
        let mut found = Vec::new();
        let mut announced = Vec::new();
        let mut watched = Vec::new();
        for group in by_address(ready) {
            let mocks = match self.mocks(&shared, &group) {
                Ok(mocks) => mocks,
                Err(why) => return usage(&why),
            };
            let site = match Site::new(mocks.clone()) {
                Ok(site) => site,
                Err(error) => return usage(&error.to_string()),
            };
            let server = match listening.listen(&group[0].addresses, tls.as_ref()).await {
                Ok(server) => server,
                Err(exit) => return exit,
            };
            for (mock, talk) in mocks.into_iter().zip(&group) {
                // Alone at its address, the path that its `connect` names is as good as any, and nicer to read.
                let path = match mock.place() {
                    Place::Anywhere => &talk.path,
                    place => place.path(),
                };
                let urls = scheme.urls(&server, path);
                // Orders name a talk once, by the first of its addresses.
                found.extend(urls.first().map(|url| (url.clone(), Arc::clone(&mock))));
                announced.extend(urls.into_iter().map(|url| (url, mock.name())));
                watched.push(Watched::new(mock, talk));
            }
            self.security.warn(&server, &log);
            sites.push((site, server));
        }
        if let Err(why) = listening.all_taken() {
            return usage(&why);
        }
        // The file is there before anybody is told that the server is.
        let filing = match self.open_journal(&journal) {
            Ok(filing) => filing,
            Err(why) => return usage(&why),
        };
        Nodes::ready(found.iter().map(|(_, mock)| mock), &log).await;
        for (url, name) in &announced {
            scheme.announce(&log, url, name);
        }
        let controlled = Controlled {
            talks: found,
            journal: Arc::clone(&journal),
        };
        if let Some(control) = &control {
            self.announce(control, &log);
        }
        let control = control.map(|control| (control, controlled));
        let serving = |stop| serve_all(sites, control, stop);
        let serving = self.operation.run(ends, admin, &operation, &log, serving);
        let serving = with_certificate(tls.as_ref(), &log, serving);
        tokio::select! {
            () = serving => {}
            () = reload::watch(self, outside, watched, tls_is_on, &log, |talk| {
                secrets.add(talk);
                journal.hide(secrets.redactor());
            }) => {}
        }
        // Tasks that are about to end may hold it still.
        log.finish();
        match filing {
            Some(filing) => filing.end(),
            None => Exit::SUCCESS,
        }
    }

    async fn open_control(&self) -> Result<Option<Control>, String> {
        let Some(address) = &self.control else {
            return Ok(None);
        };
        let token = self.control_token.clone();
        let token = token.or_else(|| std::env::var(TOKEN).ok());
        let control = Control::bind(&address::whole(address), token).await;
        control.map(Some).map_err(|error| error.to_string())
    }

    fn announce(&self, control: &Control, log: &Log) {
        let given = self.control_token.is_some() || std::env::var_os(TOKEN).is_some();
        let url = control.url();
        if given {
            log.line(&format!("control at {url}, with the token that was given"));
        } else {
            log.line(&format!("control at {url}, token {}", control.token()));
        }
    }

    /// Reads the talks, and looks them over.
    fn prepare_all(&self, outside: &Outside, tls: bool) -> Result<Vec<Ready>, Exit> {
        let read = self.files.iter().map(|file| read(outside, file));
        let read = read.collect::<Result<Vec<_>, _>>()?;
        let all: Vec<_> = read.iter().collect();
        outside.know_secrets(&all).map_err(|why| usage(&why))?;
        let talks = self.files.iter().zip(read);
        talks
            .map(|(file, loaded)| self.ready(outside, file, loaded, tls))
            .collect()
    }

    /// Reads a talk, and looks it over.
    pub(super) fn prepare(&self, outside: &Outside, file: &Path, tls: bool) -> Result<Ready, Exit> {
        self.ready(outside, file, read(outside, file)?, tls)
    }

    fn ready(
        &self,
        outside: &Outside,
        file: &Path,
        loaded: Loaded,
        tls: bool,
    ) -> Result<Ready, Exit> {
        let loaded = self.look_over(outside, loaded)?;
        let setup = Setup {
            variables: outside.variables.clone(),
            manner: Manner {
                strict: self.strict,
                workers: self.workers,
                ..Manner::default()
            },
            ..Setup::new(self.world(outside, file))
        };
        let url = loaded.plan().address(setup.clone());
        let addresses = match (&self.listen[..], &url) {
            ([], Ok(None)) => vec![address::DEFAULT.to_owned()],
            ([], Ok(Some(url))) => {
                vec![address::host_and_port(url, tls).map_err(|why| usage(&why))?]
            }
            ([], Err(why)) => return Err(usage(why)),
            (given, _) => address::all_given(given, tls).map_err(|why| usage(&why))?,
        };
        let path = match &url {
            Ok(Some(url)) => address::path_of(url).to_owned(),
            _ => String::new(),
        };
        // No other line begins so: a payload stands behind an arrow or a bar.
        let listens = |line: &str| line.starts_with("listen ");
        let named = !path.is_empty() && loaded.source().text().lines().any(listens);
        Ok(Ready {
            file: file.to_owned(),
            loaded,
            setup,
            addresses: addresses.iter().map(|at| address::whole(at)).collect(),
            path,
            named,
        })
    }

    /// What the expressions of a talk see; without a seed, with one that nobody chose.
    fn world(&self, outside: &Outside, file: &Path) -> Arc<dyn World> {
        let environment = Arc::clone(&outside.environment);
        let seed = self.seed.unwrap_or_else(wiretalk_engine::fresh_seed);
        Arc::new(SeededWorld::new(seed, file, environment))
    }

    /// Shows what is wrong with a talk.
    fn look_over(&self, outside: &Outside, mut loaded: Loaded) -> Result<Loaded, Exit> {
        let given = outside.names();
        if let Some(title) = &self.test {
            let part = loaded.plan().test_named(title);
            let found = wiretalk_talk::check_served(&loaded.talk, part, &given);
            loaded.diagnostics.extend(found);
        }
        let loaded = loaded.check(Role::Mock, &given);
        diagnostics::show(&loaded);
        if loaded.has_errors() {
            return Err(Exit::USAGE);
        }
        Ok(loaded)
    }

    /// The mocks at one address, each at its path.
    fn mocks(&self, shared: &Shared, group: &[Ready]) -> Result<Vec<Arc<Mock>>, String> {
        let alone = group.len() == 1;
        let mocks = group.iter().map(|talk| {
            let place = match (talk.named, alone) {
                (true, _) => Place::Named(talk.path.clone()),
                (false, true) => Place::Anywhere,
                (false, false) if talk.path.is_empty() => Place::Given(path_of_file(&talk.file)),
                (false, false) => Place::Given(talk.path.clone()),
            };
            let performance = Performance {
                plan: talk.loaded.plan(),
                test: self.test.clone(),
                setup: talk.setup.clone(),
                place,
            };
            Mock::new(shared, performance).map_err(|error| error.to_string())
        });
        mocks.collect()
    }

    fn open_journal(&self, journal: &Arc<Journal>) -> Result<Option<Filing>, String> {
        let Some(path) = &self.journal else {
            return Ok(None);
        };
        let cannot = |error: std::io::Error| {
            format!("cannot write the journal `{}`: {error}", path.display())
        };
        let file: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(cannot)?;
        let writer = journal.write_to(file).map_err(cannot)?;
        Ok(Some(Filing {
            journal: Arc::clone(journal),
            file: path.clone(),
            writer,
        }))
    }
}

/// Reads a talk, about which nothing has been said yet.
fn read(outside: &Outside, file: &Path) -> Result<Loaded, Exit> {
    let loaded = load::load(file).map_err(|error| usage(&error.to_string()))?;
    outside.hide_secrets_of(loaded.source());
    Ok(loaded)
}

/// The values that are shown nowhere: those from outside, and those that the talks give.
struct Secrets<'a> {
    names: &'a [String],
    values: Vec<String>,
}

impl<'a> Secrets<'a> {
    fn of(outside: &'a Outside) -> Self {
        let values = outside.secrets.iter().flat_map(|name| {
            let variable = outside.variables.get(name).map(ToString::to_string);
            let of_file = outside.environment.get(name).cloned();
            [variable, of_file, std::env::var(name).ok()]
        });
        Self {
            names: &outside.secrets,
            values: values.flatten().collect(),
        }
    }

    fn add(&mut self, talk: &Ready) {
        if !self.names.is_empty() {
            let values = redact::set_in(talk.loaded.source(), self.names);
            self.values.extend(values);
            self.values.sort_unstable();
            self.values.dedup();
        }
    }

    fn redactor(&self) -> Redactor {
        Redactor::new(&self.values)
    }
}

impl Filing {
    /// Waits until all is written.
    fn end(self) -> Exit {
        self.journal.end();
        match self.writer.join() {
            Ok(Ok(())) => Exit::SUCCESS,
            Ok(Err(error)) => {
                terminal::error(&format!(
                    "the journal `{}` is not whole: {error}",
                    self.file.display()
                ));
                Exit::FAILED
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Talks that listen at the same addresses, together; in the order of the arguments.
fn by_address(ready: Vec<Ready>) -> Vec<Vec<Ready>> {
    let mut groups: Vec<Vec<Ready>> = Vec::new();
    for talk in ready {
        let same = |group: &&mut Vec<Ready>| group[0].addresses == talk.addresses;
        match groups.iter_mut().find(same) {
            Some(group) => group.push(talk),
            None => groups.push(vec![talk]),
        }
    }
    groups
}

/// The path of a talk that names none: its file's name without the ending.
fn path_of_file(file: &Path) -> String {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut path = "/".to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// Serves at every address, and takes orders, until it is told to stop.
async fn serve_all(
    sites: Vec<(Arc<Site>, Server)>,
    control: Option<(Control, Controlled)>,
    stop: Told,
) {
    let mut serving = JoinSet::new();
    for (site, server) in sites {
        serving.spawn(site.serve(server, stop.clone().stop()));
    }
    if let Some((control, controlled)) = control {
        let stop = stop.stop();
        serving.spawn(control.serve(controlled, async {
            stop.await;
        }));
    }
    while serving.join_next().await.is_some() {}
}
