//! Help for whoever writes a talk: completion, hover, definitions and an outline. It works on a text that is half
//! written, and knows nothing of editors or their protocols.

mod names;
mod place;
mod words;

pub use names::{Symbol, SymbolKind};
pub use words::{Role, WORDS, Word};

use crate::source::{Source, Span};
use place::Place;

/// Something that could stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What would be written.
    pub text: String,
    /// What it is.
    pub role: Role,
    /// How it is written with what belongs to it; for a name of the talk, the line that binds it.
    pub form: String,
    /// What it means; empty for a name of the talk.
    pub meaning: &'static str,
}

/// What could stand at an offset of a talk, and the span that it would replace.
#[must_use]
pub fn complete(source: &Source, offset: usize) -> (Span, Vec<Completion>) {
    let (line_start, line) = line_at(source, offset);
    let (place, from, _) = place::at(line, offset - line_start);
    let span = Span::new(line_start + from, offset);
    let roles = roles_at(place);
    let mut found: Vec<Completion> = roles
        .iter()
        .flat_map(|role| words::of(*role))
        .map(|word| Completion {
            text: word.text.to_owned(),
            role: word.role,
            form: word.form.to_owned(),
            meaning: word.meaning,
        })
        .collect();
    let of_talk = |kind: SymbolKind, role: Role| {
        let symbols = names::symbols(source);
        let mut own: Vec<Completion> = symbols
            .filter(|symbol| symbol.kind == kind)
            .map(|symbol| Completion {
                form: source
                    .line(source.position(symbol.span.start).0)
                    .trim()
                    .to_owned(),
                text: symbol.name,
                role,
                meaning: "",
            })
            .collect();
        own.sort_by(|a, b| a.text.cmp(&b.text));
        own.dedup_by(|a, b| a.text == b.text);
        own
    };
    match place {
        Place::Start => found.extend(of_talk(SymbolKind::Client, Role::Who)),
        Place::Hole => found.extend(of_talk(SymbolKind::Variable, Role::Name)),
        Place::Filter => found.extend(words::FILTERS.iter().map(|name| Completion {
            text: (*name).to_owned(),
            role: Role::Name,
            form: format!("{{{{ x|{name} }}}}"),
            meaning: "A filter of MiniJinja.",
        })),
        _ => {}
    }
    (span, found)
}

/// What there is to say about the word at an offset, and its span.
#[must_use]
pub fn hover(source: &Source, offset: usize) -> Option<(Span, &'static Word)> {
    let (line_start, line) = line_at(source, offset);
    let (place, from, to) = place::at(line, offset - line_start);
    let text = &line[from..to];
    let roles = roles_at(place);
    let counted = text
        .strip_prefix('x')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let text = if place == Place::Options && counted {
        "x"
    } else {
        text
    };
    let word = roles.iter().find_map(|role| words::find(*role, text))?;
    Some((Span::new(line_start + from, line_start + to), word))
}

/// Where the name at an offset comes from: the `connect` of a client, the `set`, capture or hole that binds a
/// variable; and from a message, the first rule of the talk that takes it.
#[must_use]
pub fn definitions(source: &Source, offset: usize) -> Vec<Span> {
    let (line_start, line) = line_at(source, offset);
    let (place, from, to) = place::at(line, offset - line_start);
    let name = &line[from..to];
    let bound = |kind: SymbolKind| {
        let symbols = names::symbols(source);
        let own = symbols.filter(|symbol| symbol.kind == kind && symbol.name == name);
        own.map(|symbol| symbol.span).collect::<Vec<_>>()
    };
    match place {
        Place::Hole | Place::Query | Place::Predicate => {
            let found = bound(SymbolKind::Variable);
            if !found.is_empty() {
                return found;
            }
        }
        Place::Start => {
            let found = bound(SymbolKind::Client);
            if !found.is_empty() {
                return found;
            }
        }
        _ => {}
    }
    names::rule_for(source, offset).into_iter().collect()
}

/// The outline of a talk: its tests, rules, clocks and connections, in the order of the text.
#[must_use]
pub fn outline(source: &Source) -> Vec<Symbol> {
    let symbols = names::symbols(source);
    symbols
        .filter(|symbol| symbol.kind != SymbolKind::Variable)
        .collect()
}

/// What words of the language may be at a place.
fn roles_at(place: Place<'_>) -> &'static [Role] {
    match place {
        Place::Start => &[Role::Directive, Role::Who],
        Place::Kind => &[Role::Kind],
        Place::Options => &[Role::FrameOption],
        Place::Hole => &[Role::Name],
        Place::Type => &[Role::Type],
        Place::Query => &[Role::Query],
        Place::Predicate => &[Role::Predicate],
        Place::Behind("option") => &[Role::TalkOption],
        Place::Behind("on") => &[Role::Trigger],
        // `alice silence 5s`, `alice join lobby`
        Place::Behind(name) if words::find(Role::Directive, name).is_none() => &[Role::Directive],
        Place::Behind(_) | Place::Filter | Place::Elsewhere => &[],
    }
}

/// The line around an offset, and where it begins.
fn line_at(source: &Source, offset: usize) -> (usize, &str) {
    let start = source.text()[..offset].rfind('\n').map_or(0, |at| at + 1);
    (start, source.line(source.position(offset).0))
}

#[cfg(test)]
mod tests;
