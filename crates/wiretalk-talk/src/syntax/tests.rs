use super::*;

#[test]
fn the_examples_are_read_without_a_finding() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "talk") {
            let text = std::fs::read_to_string(&path).expect("a talk");
            let name = path.display().to_string();
            let parsed = parse(&name, &text);
            assert_eq!(parsed.diagnostics, [], "{name}");
            let roles = [
                (
                    crate::Role::Test,
                    text.contains("connect ws") || text.contains("connect alice"),
                ),
                (crate::Role::Mock, text.contains("\nlisten ")),
            ];
            for (role, plays) in roles {
                if plays {
                    assert_eq!(
                        crate::check(&parsed.talk, role, &[]),
                        [],
                        "{name} as {role:?}"
                    );
                }
            }
            let laid_out = crate::format(&name, &text).expect("a layout");
            let again = crate::format(&name, &laid_out).expect("a layout");
            assert_eq!(laid_out, again, "{name}");
            count += 1;
        }
    }
    assert!(count >= 7, "{count} examples");
}
