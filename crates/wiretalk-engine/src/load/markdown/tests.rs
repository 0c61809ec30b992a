use super::*;

/// Title, whether it runs, and its lines with their numbers.
type Found = (String, bool, Vec<(usize, String)>);

fn found(document: &str) -> Vec<Found> {
    blocks(document)
        .into_iter()
        .map(|block| {
            let lines = block.text.lines().enumerate();
            let lines = lines.filter(|(_, line)| !line.is_empty());
            let lines = lines.map(|(index, line)| (index + 1, line.to_owned()));
            (block.title, block.runs, lines.collect())
        })
        .collect()
}

fn lines(lines: &[(usize, &str)]) -> Vec<(usize, String)> {
    let lines = lines.iter();
    lines.map(|(at, line)| (*at, (*line).to_owned())).collect()
}

#[test]
fn blocks_keep_their_lines_and_take_the_heading_above() {
    let document = "\
```talk
> before
```
# A `first` heading

```talk
connect ws://a

> 1
```

Another heading
---------------

~~~talk,no-run
> 2
```
~~~

````talk ignore
> not at all
````

```rust
let talk = 1;
```

````talk  no-run
> 3
```
````
### Empty
```talk
```
";
    assert_eq!(
        found(document),
        [
            (String::new(), true, lines(&[(2, "> before")])),
            (
                "A first heading".to_owned(),
                true,
                lines(&[(7, "connect ws://a"), (9, "> 1")])
            ),
            (
                "Another heading (1)".to_owned(),
                false,
                lines(&[(16, "> 2"), (17, "```")])
            ),
            (
                "Another heading (2)".to_owned(),
                false,
                lines(&[(29, "> 3"), (30, "```")])
            ),
            ("Empty".to_owned(), true, lines(&[])),
        ]
    );
}

#[test]
fn the_margin_of_a_list_or_a_quotation_is_no_part_of_the_talk() {
    let document = "\
1. Do this:

   ```talk
   connect ws://a
     Header: x

   >
   | é
   ```

> ```talk
> > hi
> ```

  ```talk
    > less than the fence
 > more
  ```
";
    let shown = found(document);
    let texts: Vec<_> = shown.iter().map(|(_, _, lines)| lines.clone()).collect();
    assert_eq!(
        texts,
        [
            lines(&[
                (4, "connect ws://a"),
                (5, "  Header: x"),
                (7, ">"),
                (8, "| é")
            ]),
            lines(&[(12, "> hi")]),
            lines(&[(16, "  > less than the fence"), (17, "> more")]),
        ]
    );
    let margins: Vec<_> = blocks(document)
        .into_iter()
        .map(|b| (b.first, b.margins))
        .collect();
    assert_eq!(margins[0].0, 4);
    assert_eq!(margins[0].1[0], "   ");
    assert_eq!(margins[1], (12, vec!["> ".to_owned()]));
    assert_eq!(margins[2], (16, vec!["  ".to_owned(), " ".to_owned()]));
}

#[test]
fn line_endings_and_open_blocks_do_no_harm() {
    assert_eq!(
        found("# T\r\n```talk\r\n> a\r\n\r\n> b\r\n```\r\n"),
        [("T".to_owned(), true, lines(&[(3, "> a"), (5, "> b")]))]
    );
    assert_eq!(
        found("```talk\n> a"),
        [(String::new(), true, lines(&[(2, "> a")]))]
    );
    assert_eq!(found("```talk"), [(String::new(), true, lines(&[]))]);
    assert_eq!(found(""), []);
}

/// The same lines as in the document, but for the margin.
#[test]
fn each_line_stands_where_it_stood() {
    let document = "a\n\n- x\n\n  ```talk\n  > 1\n\n  | 2\n  ```\n\n```talk\n> {{x}}\n```\n";
    for block in blocks(document) {
        for (index, margin) in block.margins.iter().enumerate() {
            let number = block.first + index;
            let own = block.text.lines().nth(number - 1).unwrap_or_default();
            let there = document.lines().nth(number - 1).unwrap_or_default();
            assert_eq!(format!("{margin}{own}"), there);
        }
    }
}

#[test]
fn a_word_that_looks_like_no_run_is_a_mistake_in_its_line() {
    let path = std::path::Path::new("a.md");
    for (word, wrong) in [
        ("norun", true),
        ("no_run", true),
        ("Ignore", true),
        ("skip", true),
        ("no-run", false),
        ("title=x", false),
    ] {
        let document = format!("# T\n\n```talk {word}\nconnect ws://a\n> a\n< a\n```\n");
        let talks = crate::load::parse_all(path, &document);
        assert_eq!(talks[0].has_errors(), wrong, "{word}");
        if wrong {
            let found = &talks[0].diagnostics[0];
            assert!(found.what.contains(word), "{}", found.what);
            assert_eq!(talks[0].source().position(found.span.start).0, 3);
        }
    }
}
