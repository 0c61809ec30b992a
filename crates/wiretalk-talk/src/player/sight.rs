//! What a line has in sight: names, options, files; and what it binds.

use std::collections::BTreeSet;
use std::time::Duration;

use super::block::LevelKind;
use super::connection::Item;
use super::plan::{Common, DEFAULT_TIMEOUT, Rule};
use super::run::{Owner, Played, Run, RunId};
use super::{ConnectionId, Player, Side};
use crate::pattern::{Captures, Pattern};
use crate::query::Subject;
use crate::scope::{Bindings, Context};
use crate::source::Span;
use crate::syntax::{Arrow, RefuseBy, Set, SetScope};
use crate::value::Value;

/// No names at all.
pub(super) static NOTHING: Bindings = Bindings::new();

/// Values of watched names that are remembered; in the end the oldest of a name are forgotten.
const MOST_REMEMBERED: usize = 10_000;

/// Where a name is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// In a run.
    Locals,
    /// With a connection.
    Connection(ConnectionId),
    /// In a test's dialogue.
    Dialogue,
    /// In the whole talk.
    Talk,
}

impl Player {
    /// What holds for the whole talk, and for the part that is played.
    pub(super) fn commons(&self) -> impl Iterator<Item = &Common> {
        let part = self.part.and_then(|part| self.plan.parts.get(part));
        std::iter::once(&self.plan.shared).chain(part.map(|part| &part.common))
    }

    pub(super) fn timeout(&self) -> Duration {
        let own = self.commons().filter_map(|common| common.timeout).last();
        own.unwrap_or(DEFAULT_TIMEOUT)
    }

    pub(super) fn strict(&self) -> bool {
        let own = self.commons().filter_map(|common| common.strict).last();
        self.manner.strict || own.unwrap_or(false)
    }

    /// Whether the talk says that permessage-deflate is offered or agreed to.
    pub(super) fn compression(&self) -> Option<bool> {
        self.commons()
            .filter_map(|common| common.compression)
            .last()
    }

    /// How a mock refuses.
    pub(super) fn refuses_by(&self) -> RefuseBy {
        let own = self.commons().filter_map(|common| common.refuse).last();
        own.unwrap_or(RefuseBy::Status)
    }

    /// The subprotocols that the talk names.
    pub(super) fn subprotocols(&self) -> Vec<String> {
        let lists = self.commons().map(|common| &common.subprotocols);
        lists
            .filter(|list| !list.is_empty())
            .last()
            .cloned()
            .unwrap_or_default()
    }

    /// The rules for messages from the other side.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Rule> {
        let rules = self.commons().flat_map(|common| &common.rules);
        rules.filter(|rule| !self.is_ours(rule.arrow))
    }

    /// Whether lines of this arrow are ours to send.
    pub(super) fn is_ours(&self, arrow: Arrow) -> bool {
        (arrow == Arrow::ToServer) == (self.side == Side::Client)
    }

    /// All that is in sight of a run.
    pub(super) fn context<'a>(&'a self, run: &'a Run) -> Context<'a> {
        self.context_on(run, None)
    }

    /// The same for a line about one of several connections.
    pub(super) fn context_on<'a>(&'a self, run: &'a Run, on: Option<ConnectionId>) -> Context<'a> {
        let on = on.or(run.connection);
        let mut context = self.context_for(run, on, run.message_text());
        context.parsed = run.message.as_ref().map(|item| &item.parsed);
        context
    }

    /// The same with another message.
    pub(super) fn context_for<'a>(
        &'a self,
        run: &'a Run,
        on: Option<ConnectionId>,
        message: Option<&'a str>,
    ) -> Context<'a> {
        let mut context = self.context_of(&run.locals, on, message);
        context.layers[2] = self.names_beside(run);
        context
    }

    pub(super) fn context_of<'a>(
        &'a self,
        locals: &'a Bindings,
        connection: Option<ConnectionId>,
        message: Option<&'a str>,
    ) -> Context<'a> {
        let connection = connection.and_then(|id| self.connections.get(&id));
        let own = connection.map_or(&NOTHING, |connection| &connection.bindings);
        Context {
            layers: [locals, own, &self.dialogue, &self.talk],
            global: &self.global,
            message,
            parsed: None,
            client: connection
                .filter(|_| self.side == Side::Server)
                .map(|connection| &connection.client),
            clients: self.open,
            rooms: &self.rooms,
            directory: &self.directory,
            load: self.manner.load,
            world: &self.world,
        }
    }

    /// What a check can see of something that came.
    pub(super) fn subject<'a>(&self, id: ConnectionId, item: &'a Item) -> Subject<'a> {
        let sent = self.connections.get(&id).and_then(|c| c.last_sent);
        Subject {
            document: item.document(),
            size: item.what.bytes().len(),
            latency: sent.map(|sent| item.at.saturating_sub(sent)),
            headers: &[],
        }
    }

    /// Fills a template, and binds what it made up.
    pub(super) fn render(
        &mut self,
        id: RunId,
        on: Option<ConnectionId>,
        pattern: &Pattern,
    ) -> Result<String, String> {
        let Some(run) = self.runs.get(&id) else {
            return Err("the line is over".into());
        };
        let rendered = pattern.render(&self.context_on(run, on))?;
        self.bind(id, on, rendered.bound);
        Ok(rendered.text)
    }

    /// Fills a template that binds nothing.
    pub(super) fn filled(&self, run: &Run, pattern: &Pattern) -> Result<String, String> {
        let rendered = pattern.render(&self.context(run))?;
        Ok(rendered.text)
    }

    /// Where a line of a run binds names, if it is about a connection.
    fn scope_of(&self, run: &Run, on: Option<ConnectionId>) -> Scope {
        let one_of_many = on.filter(|id| {
            let connection = self.connections.get(id);
            connection.is_some_and(|connection| connection.is_one_of_many())
        });
        match (run.owner, self.side, run.connection) {
            (Owner::Rule | Owner::Clock | Owner::Close, _, _) => Scope::Locals,
            (Owner::Settings, _, _) => Scope::Talk,
            _ if one_of_many.is_some() && self.side == Side::Client => {
                one_of_many.map_or(Scope::Dialogue, Scope::Connection)
            }
            _ if run.repeats() => Scope::Locals,
            (_, Side::Server, Some(id)) => Scope::Connection(id),
            _ => Scope::Dialogue,
        }
    }

    /// Binds what a line of a run captured or made up, for as long as it lasts.
    pub(super) fn bind(&mut self, id: RunId, on: Option<ConnectionId>, captures: Captures) {
        if captures.is_empty() {
            return;
        }
        let Some(run) = self.runs.get(&id) else {
            return;
        };
        let scope = self.scope_of(run, on);
        for (name, value) in captures {
            self.remember(&name, &value);
            if let Scope::Connection(on) = scope
                && self.side == Side::Server
            {
                self.share(on, &name, &value);
            }
            let before = self.rebind(id, scope, &name, Some(value));
            if let Some(run) = self.runs.get_mut(&id) {
                run.keep_for_later(scope, name, before);
            }
        }
    }

    /// Gives a name a value, or takes it; what it had before.
    pub(super) fn rebind(
        &mut self,
        id: RunId,
        scope: Scope,
        name: &str,
        value: Option<Value>,
    ) -> Option<Value> {
        let names = match scope {
            Scope::Locals => self.runs.get_mut(&id).map(|run| &mut run.locals),
            Scope::Connection(on) => self.connections.get_mut(&on).map(|c| &mut c.bindings),
            Scope::Dialogue => Some(&mut self.dialogue),
            Scope::Talk => Some(&mut self.talk),
        }?;
        match value {
            Some(value) => names.insert(name.to_owned(), value),
            None => names.remove(name),
        }
    }

    /// Whether a name was given from outside, or by the row of `each`: that wins over a `set` line.
    pub(super) fn is_given(&self, name: &str, connection: Option<ConnectionId>) -> bool {
        let connection = connection.and_then(|id| self.connections.get(&id));
        let row = connection.and_then(|connection| connection.row.as_ref());
        self.variables.contains_key(name) || row.is_some_and(|row| row.contains_key(name))
    }

    pub(super) fn play_set(&mut self, id: RunId, span: Span, set: &Set) -> Played {
        let Some(run) = self.runs.get(&id) else {
            return Played::Failed;
        };
        let connection = run.connection;
        if set.scope == SetScope::Run && self.is_given(&set.name, connection) {
            return Played::Done;
        }
        let value = match set.value.value(&self.context(run)) {
            Ok((value, bound)) => {
                self.bind(id, None, bound);
                value
            }
            Err(why) => return self.impossible(id, span, why),
        };
        match set.scope {
            SetScope::Run => self.bind(id, None, vec![(set.name.clone(), value)]),
            SetScope::Global => {
                self.remember(&set.name, &value);
                self.global.insert(set.name.clone(), value);
            }
            SetScope::Client => {
                self.remember(&set.name, &value);
                match connection.and_then(|id| self.connections.get_mut(&id)) {
                    Some(connection) => {
                        connection.client.values.insert(set.name.clone(), value);
                    }
                    None => {
                        let why = "`set client.NAME` needs a client".to_owned();
                        return self.impossible(id, span, why);
                    }
                }
            }
        }
        Played::Done
    }

    /// From now on, remembers every value that one of these names gets, for [`Player::values_of`]. To be told before
    /// the first event.
    pub fn watch(&mut self, names: &[String]) {
        self.watched.extend(names.iter().cloned());
    }

    /// Every value that one of these names has anywhere in the talk, and those that it had since [`Player::watch`], as
    /// they stand in a text: what a report must not show of a secret. Sorted, none twice.
    #[must_use]
    pub fn values_of(&self, names: &[String]) -> Vec<String> {
        let connections = self.connections.values();
        let everywhere = [&self.variables, &self.talk, &self.dialogue, &self.global]
            .into_iter()
            .chain(connections.flat_map(|c| [&c.bindings, &c.client.values]))
            .chain(self.runs.values().map(|run| &run.locals))
            .chain(self.groups.values().map(|group| &group.bindings));
        let mut values: BTreeSet<String> = everywhere
            .flat_map(|bindings| names.iter().filter_map(|name| bindings.get(name)))
            .map(Value::to_string)
            .collect();
        let had = names.iter().filter_map(|name| self.had.get(name));
        values.extend(had.flatten().cloned());
        values.into_iter().collect()
    }

    /// A name gets a value.
    pub(super) fn remember(&mut self, name: &str, value: &Value) {
        if !self.watched.contains(name) {
            return;
        }
        let had = self.had.entry(name.to_owned()).or_default();
        let value = value.to_string();
        if !had.contains(&value) {
            if had.len() >= MOST_REMEMBERED {
                had.pop_front();
            }
            had.push_back(value);
        }
    }
}

impl Run {
    /// Whether the line at hand is in a `repeat`.
    fn repeats(&self) -> bool {
        let mut levels = self.inner.iter();
        levels.any(|level| matches!(level.kind, LevelKind::Repeat { .. }))
    }

    /// In a `repeat`, keeps what a name was before, to give it back when this run of the body ends.
    pub(super) fn keep_for_later(&mut self, scope: Scope, name: String, before: Option<Value>) {
        let mut levels = self.inner.iter_mut().rev();
        let kept = levels.find_map(|level| match &mut level.kind {
            LevelKind::Repeat { before, .. } => Some(before),
            LevelKind::Unordered { .. } => None,
        });
        if let Some(kept) = kept
            && !kept.iter().any(|(s, n, _)| *s == scope && *n == name)
        {
            kept.push((scope, name, before));
        }
    }
}
