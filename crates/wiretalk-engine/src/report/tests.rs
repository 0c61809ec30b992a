//! Every format over the same results: word for word, and with whatever bytes may come.
//!
//! `BLESS=1 cargo test -p wiretalk-engine report` writes the goldens anew.

mod formats;
mod places;
mod properties;
mod results;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

pub(super) use self::results::{log, passed};
use super::{FORMATS, Output, Report, Start};
use crate::runner::{Summary, TestResult};

/// A stream that a test can look into.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(super) fn text(&self) -> String {
        let bytes = self.0.lock().expect("no test panics with it").clone();
        String::from_utf8(bytes).expect("a report is UTF-8")
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics with it").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The moment at which all of these runs began.
pub(super) fn start() -> Start {
    Start {
        at: UNIX_EPOCH + Duration::from_millis(1_767_225_600_125),
        version: "1.2.3",
    }
}

/// Hands the results to a report, and ends it.
pub(super) fn write_all(mut report: Box<dyn Report>, results: &[TestResult]) {
    let mut summary = Summary::default();
    for result in results {
        summary.count(result);
        report.test(result).expect("it is written to memory");
    }
    summary.duration = Duration::from_millis(1234);
    report.finish(&summary).expect("it is written to memory");
}

/// What a format makes of results.
pub(super) fn written(format: &str, results: &[TestResult]) -> String {
    let shared = Shared::default();
    let format = FORMATS
        .iter()
        .find(|it| it.name == format)
        .expect("there is such a format");
    let report = (format.begin)(Output::stream(shared.clone()), start());
    write_all(report, results);
    shared.text()
}
