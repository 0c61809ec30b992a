//! JUnit XML, as Jenkins and GitLab read it.
//!
//! There is no one standard. This is what both the schema of Jenkins' xUnit plugin (`junit-10.xsd`) and the older
//! `jenkins-junit.xsd` allow, so that tags and attempts are properties of the suite: neither has properties of a
//! test case. Only a test that was tried again has elements that the older schema does not know.

use std::io::{self, Write};
use std::time::SystemTime;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::explain::Explanation;
use super::human::{failure, time_line};
use super::order::{Files, Group};
use super::text::{in_one_line, visible};
use super::{Format, Output, Report, Start};
use crate::runner::{Outcome, Summary, TestResult};

/// `--junit`
pub(super) const FORMAT: Format = Format {
    name: "junit",
    help: "JUnit XML, for Jenkins, GitLab and others",
    begin: |output, start| {
        Box::new(Junit {
            output,
            start,
            files: Files::default(),
        })
    },
};

/// Messages of a test in its `system-out`.
const MOST_MESSAGES: usize = 200;
/// Characters of each message there.
const MOST_SHOWN: usize = 1000;
/// Characters of what a failure says in its attribute.
const MOST_SAID: usize = 300;

struct Junit {
    output: Output,
    start: Start,
    files: Files<Case>,
}

/// A test, as it will stand in its suite.
struct Case {
    xml: Vec<u8>,
    properties: Vec<(String, String)>,
    began: SystemTime,
}

impl Report for Junit {
    fn test(&mut self, result: &TestResult) -> io::Result<()> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        write_case(&mut writer, result)?;
        let case = Case {
            xml: writer.into_inner(),
            properties: properties(result),
            began: result.started,
        };
        self.files.push(result, case);
        Ok(())
    }

    fn finish(mut self: Box<Self>, summary: &Summary) -> io::Result<()> {
        let mut writer = Writer::new_with_indent(&mut self.output, b' ', 2);
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let mut root = BytesStart::new("testsuites");
        root.push_attribute(("name", "wiretalk"));
        push(&mut root, "tests", &summary.total());
        push(&mut root, "failures", &summary.failed);
        push(&mut root, "errors", &0);
        push(&mut root, "time", &time(summary.duration));
        writer.write_event(Event::Start(root))?;
        for group in self.files.into_sorted() {
            write_suite(&mut writer, &group, self.start)?;
        }
        writer.write_event(Event::End(BytesEnd::new("testsuites")))?;
        self.output.write_all(b"\n")?;
        self.output.commit()
    }
}

fn write_suite(
    writer: &mut Writer<impl Write>,
    group: &Group<Case>,
    start: Start,
) -> io::Result<()> {
    let began = group.tests().map(|case| case.began).min();
    let mut suite = BytesStart::new("testsuite");
    suite.push_attribute(("name", &*in_one_line(&group.file)));
    push(&mut suite, "tests", &group.summary.total());
    push(&mut suite, "failures", &group.summary.failed);
    push(&mut suite, "errors", &0);
    push(&mut suite, "skipped", &group.summary.skipped);
    push(&mut suite, "time", &time(group.summary.duration));
    push(
        &mut suite,
        "timestamp",
        &timestamp(began.unwrap_or(start.at)),
    );
    writer.write_event(Event::Start(suite))?;
    let version = ("wiretalk".to_owned(), start.version.to_owned());
    writer.write_event(Event::Start(BytesStart::new("properties")))?;
    let of_cases = group.tests().flat_map(|case| &case.properties);
    for (name, value) in std::iter::once(&version).chain(of_cases) {
        let mut property = BytesStart::new("property");
        property.push_attribute(("name", name.as_str()));
        property.push_attribute(("value", value.as_str()));
        writer.write_event(Event::Empty(property))?;
    }
    writer.write_event(Event::End(BytesEnd::new("properties")))?;
    for case in group.tests() {
        let inner = writer.get_mut();
        inner.write_all(b"\n")?;
        inner.write_all(&case.xml)?;
    }
    writer.write_event(Event::End(BytesEnd::new("testsuite")))?;
    Ok(())
}

fn write_case(writer: &mut Writer<impl Write>, result: &TestResult) -> io::Result<()> {
    let mut case = BytesStart::new("testcase");
    case.push_attribute(("name", &*name(result)));
    case.push_attribute(("classname", &*in_one_line(&result.file)));
    push(&mut case, "time", &time(result.duration));
    writer.write_event(Event::Start(case))?;
    match &result.outcome {
        Outcome::Passed { .. } => write_attempts(writer, "flakyFailure", result)?,
        Outcome::Skipped(why) => {
            writer.write_event(Event::Start(BytesStart::new("skipped")))?;
            writer.write_event(Event::Text(BytesText::new(why.reason())))?;
            writer.write_event(Event::End(BytesEnd::new("skipped")))?;
        }
        Outcome::Failed(why) => {
            let explanation = Explanation::of(result, why, MOST_SAID);
            let mut element = BytesStart::new("failure");
            element.push_attribute(("message", &*in_one_line(&explanation.sentence())));
            element.push_attribute(("type", explanation.kind));
            writer.write_event(Event::Start(element))?;
            writer.write_event(Event::Text(BytesText::new(&output(&failure(result)))))?;
            writer.write_event(Event::End(BytesEnd::new("failure")))?;
            write_attempts(writer, "rerunFailure", result)?;
        }
    }
    let said = time_line(result, MOST_MESSAGES, MOST_SHOWN);
    if !said.is_empty() {
        writer.write_event(Event::Start(BytesStart::new("system-out")))?;
        writer.write_event(Event::Text(BytesText::new(&output(&said))))?;
        writer.write_event(Event::End(BytesEnd::new("system-out")))?;
    }
    writer.write_event(Event::End(BytesEnd::new("testcase")))?;
    Ok(())
}

/// The attempts before the last, all of which failed.
fn write_attempts(
    writer: &mut Writer<impl Write>,
    element: &str,
    result: &TestResult,
) -> io::Result<()> {
    for attempt in 1..result.attempts {
        let mut start = BytesStart::new(element);
        let message = format!("attempt {attempt} of {} failed", result.attempts);
        start.push_attribute(("message", message.as_str()));
        start.push_attribute(("type", "retry"));
        writer.write_event(Event::Empty(start))?;
    }
    Ok(())
}

/// The title, which names its row of `each` already, and which of its runs this is.
fn name(result: &TestResult) -> String {
    let mut name = in_one_line(&result.title).into_owned();
    if result.repetition > 1 {
        name.push_str(&format!(" [run {}]", result.repetition));
    }
    name
}

/// What is told of a test that its element has no place for.
fn properties(result: &TestResult) -> Vec<(String, String)> {
    let mut properties = Vec::new();
    let name = name(result);
    if !result.tags.is_empty() {
        let tags = in_one_line(&result.tags.join(" ")).into_owned();
        properties.push((format!("tags: {name}"), tags));
    }
    if result.attempts > 1 {
        properties.push((format!("attempts: {name}"), result.attempts.to_string()));
    }
    if let Some(seed) = result.seed {
        properties.push((format!("seed: {name}"), seed.to_string()));
    }
    properties
}

/// What a tool shows as output. A payload must not pass for the mark by which Jenkins and GitLab find files to attach.
fn output(text: &str) -> String {
    visible(text).replace("[[ATTACHMENT|", "[[ATTACHMENT\\|")
}

fn push(element: &mut BytesStart<'_>, name: &str, value: &impl ToString) {
    element.push_attribute((name, value.to_string().as_str()));
}

fn time(time: std::time::Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// ISO 8601 without a zone, in UTC: what the schema of Ant asks for, and the others allow.
fn timestamp(at: SystemTime) -> String {
    match jiff::Timestamp::try_from(at) {
        Ok(at) => at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        // A clock that is set to before or after all years that have a name.
        Err(_) => "1970-01-01T00:00:00".to_owned(),
    }
}
