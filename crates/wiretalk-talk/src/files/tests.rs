use super::*;
use crate::testing::show;

/// Links a talk with files, and gives what is wrong with them.
fn linked(talk: &str, files: &[(&str, &str)]) -> (Talk, Vec<String>) {
    let parsed = crate::parse("t", talk);
    assert_eq!(parsed.diagnostics, [], "{talk}");
    let mut talk = parsed.talk;
    let mut asked = Vec::new();
    let found = talk.link(&mut |path| {
        assert!(!asked.contains(&path.to_owned()), "{path} is read twice");
        asked.push(path.to_owned());
        let file = files.iter().find(|(name, _)| *name == path);
        file.map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| "there is no such file".to_owned())
    });
    assert_eq!(asked, talk.file_names());
    let shown = found.iter().map(|one| show(talk.source(), one)).collect();
    (talk, shown)
}

#[test]
fn every_file_that_a_talk_names_is_read_once() {
    let talk = "each users.csv\n\
        on >file c.bin\n  <file a.bin\n\
        repeat 2\n  unordered\n    <file(bytes 1..2) b.bin\n\
        finally\n  >file a.bin\n\
        ignore <file d.bin\n";
    let files = [
        ("users.csv", "name,age\nalice,30\nbob,\"x, y\"\n"),
        ("a.bin", "aa"),
        ("b.bin", "bbb"),
        ("c.bin", ""),
        ("d.bin", "d"),
    ];
    let (talk, found) = linked(talk, &files);
    assert_eq!(found, [""; 0]);
    assert_eq!(
        talk.file_names(),
        ["users.csv", "c.bin", "a.bin", "b.bin", "d.bin"]
    );
    assert_eq!(&*talk.files.bytes["b.bin"], b"bbb");
    assert_eq!(talk.files.bytes.len(), 4);
    let rows = &talk.files.rows["users.csv"];
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["name"], Value::Text("alice".into()));
    assert_eq!(rows[0]["age"], Value::read("30"));
    assert_eq!(rows[1]["age"], Value::Text("x, y".into()));
}

#[test]
fn rows_may_be_json_lines() {
    let rows = "{\"a\":1,\"b\":{\"c\":[2]}}\n\n{\"a\":\"x\"}\r\n";
    let (talk, found) = linked("each r.jsonl\n", &[("r.jsonl", rows)]);
    assert_eq!(found, [""; 0]);
    let rows = &talk.files.rows["r.jsonl"];
    assert_eq!(rows[0]["b"].to_string(), "{\"c\":[2]}");
    assert_eq!(rows[1]["a"], Value::Text("x".into()));
}

#[test]
fn what_is_wrong_with_a_file_is_told_where_it_is_named() {
    #[rustfmt::skip]
    let table = [
        (">file gone", "", "1:7 error: the file `gone` cannot be read: there is no such file / the path is relative to the talk"),
        ("each gone.csv", "", "1:6 error: the file `gone.csv` cannot be read: there is no such file / the path is relative to the talk"),
        ("< a\n  ? schema gone", "", "2:12 error: the file `gone` cannot be read: there is no such file / the path is relative to the talk"),
        (">file(bytes 0..3) f", "abc", "1:19 error: the file `f` has 3 bytes, and not all of this part / its last byte is 2: `(bytes 0..2)`"),
        (">file(bytes 3..) f", "abc", "1:18 error: the file `f` has 3 bytes, and not all of this part / its last byte is 2: `(bytes 0..2)`"),
        (">file(bytes 0..0) f", "", "1:19 error: the file `f` has 0 bytes, and not all of this part / leave the part out"),
        ("each f.csv", "a,b\n1\n", "1:6 error: the rows of `f.csv` cannot be read: line 2 has 1 columns, and the first has 2 / ROWS"),
        ("each f.csv", "a b\n1\n", "1:6 error: the rows of `f.csv` cannot be read: the column `a b` has no name that could be bound: letters, digits and underscores / ROWS"),
        ("each f.csv", "message\n1\n", "1:6 error: the rows of `f.csv` cannot be read: the column `message` has a meaning of its own and cannot be bound / ROWS"),
        ("each f.csv", "a,a\n1,2\n", "1:6 error: the rows of `f.csv` cannot be read: two columns are called `a` / ROWS"),
        ("each f.csv", "a\n", "1:6 error: the rows of `f.csv` cannot be read: there are none / ROWS"),
        ("each f.jsonl", "{}\n[]\n", "1:6 error: the rows of `f.jsonl` cannot be read: line 2 is not a JSON object / ROWS"),
        ("each f.jsonl", "{", "1:6 error: the rows of `f.jsonl` cannot be read: line 1 is not JSON: EOF while parsing an object at line 1 column 1 / ROWS"),
    ];
    for (talk, text, expected) in table {
        let name = talk
            .rsplit([' ', ')'])
            .next()
            .filter(|name| name.starts_with('f'));
        let files: Vec<(&str, &str)> = name.map(|name| (name, text)).into_iter().collect();
        let rows = "a CSV file begins with a line of names; a file of JSON lines has one object on each line";
        let (_, found) = linked(talk, &files);
        assert_eq!(found, [expected.replace("ROWS", rows)], "{talk}");
    }
}

#[cfg(feature = "schema")]
#[test]
fn a_schema_is_compiled_when_the_talk_is_linked() {
    let talk = "< a\n  ? schema s.json\n  ? $.a schema s.json\n";
    let (_, found) = linked(talk, &[("s.json", "{\"type\":\"object\"}")]);
    assert_eq!(found, [""; 0]);
    let (_, found) = linked("< a\n  ? schema s.json", &[("s.json", "{\"type\":5}")]);
    assert!(
        found[0].starts_with("2:12 error: `s.json` is no schema: it is not a JSON Schema: "),
        "{found:?}"
    );
}
