//! Secrets are taken out of a result before anybody sees it.

use std::mem::take;

use wiretalk_talk::player::{Failure, Fault, Incoming};
use wiretalk_talk::{Difference, Mismatch};

use super::result::{Outcome, TestResult};
use crate::redact::Redactor;

/// Hides secrets in all that a result tells, but not in the plan, nor in the changes that are to be written into it.
pub(super) fn hide(result: &mut TestResult, secrets: &Redactor) {
    if secrets.is_empty() {
        return;
    }
    result.source = secrets.source(&result.source);
    secrets.hide(&mut result.title);
    secrets.hide(&mut result.file);
    result.tags.iter_mut().for_each(|tag| secrets.hide(tag));
    match &mut result.outcome {
        Outcome::Passed { unconsumed } => messages(unconsumed, secrets),
        Outcome::Failed(failure) => hide_in_failure(failure, secrets),
        Outcome::Skipped(_) => {}
    }
    for record in result.log.iter_mut() {
        record.payload = secrets.bytes(take(&mut record.payload));
    }
    for connection in &mut result.connections {
        secrets.hide(&mut connection.url);
    }
}

fn hide_in_failure(failure: &mut Failure, secrets: &Redactor) {
    secrets.hide(&mut failure.expected);
    match &mut failure.fault {
        Fault::Mismatch { came, mismatch, .. } => {
            message(came, secrets);
            hide_in_mismatch(mismatch, secrets);
        }
        Fault::NotSilent { came, .. } => message(came, secrets),
        Fault::NotConnected { why, .. } | Fault::Impossible { why } => secrets.hide(why),
        Fault::Handshake { mismatch, body, .. } => {
            hide_in_mismatch(mismatch, secrets);
            secrets.hide(body);
        }
        Fault::Unconsumed { messages: left } => messages(left, secrets),
        Fault::Nothing { .. } => {}
    }
}

fn hide_in_mismatch(mismatch: &mut Mismatch, secrets: &Redactor) {
    match mismatch {
        Mismatch::Kind { expected, came } => {
            secrets.hide(expected);
            secrets.hide(came);
        }
        Mismatch::Text(Difference {
            path,
            expected,
            came,
        }) => {
            for text in [path, expected, came] {
                secrets.hide(text);
            }
        }
        Mismatch::Json(differences) => {
            for difference in differences {
                secrets.hide(&mut difference.path);
                for text in [&mut difference.expected, &mut difference.came] {
                    text.iter_mut().for_each(|text| secrets.hide(text));
                }
            }
        }
        Mismatch::NotJson(why) | Mismatch::Expression(why) => secrets.hide(why),
        Mismatch::Check { check, came } => {
            secrets.hide(check);
            secrets.hide(came);
        }
    }
}

fn messages(messages: &mut [(Option<String>, Incoming)], secrets: &Redactor) {
    for (_, what) in messages {
        message(what, secrets);
    }
}

fn message(message: &mut Incoming, secrets: &Redactor) {
    match message {
        Incoming::Text(text)
        | Incoming::Close { reason: text, .. }
        | Incoming::End { why: text, .. } => secrets.hide(text),
        Incoming::Binary(bytes) | Incoming::Ping(bytes) | Incoming::Pong(bytes) => {
            *bytes = secrets.bytes(take(bytes).into()).to_vec();
        }
    }
}
