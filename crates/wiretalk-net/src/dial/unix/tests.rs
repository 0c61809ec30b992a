use std::time::Duration;

use super::{Deadline, UnixAddress, dial};
use crate::ErrorKind;

async fn refused(address: UnixAddress) -> (ErrorKind, String) {
    let error = dial(&address, Deadline::from_now(Duration::from_secs(5)))
        .await
        .unwrap_err();
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn paths_that_cannot_be() {
    let long = format!("/{}", "x".repeat(120));
    let (kind, sentence) = refused(UnixAddress::Path(long.into())).await;
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(
        sentence.contains("too long: it has 121 bytes"),
        "{sentence}"
    );

    let (kind, sentence) = refused(UnixAddress::Path("a\0b".into())).await;
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(sentence.contains("NUL byte"), "{sentence}");

    let (kind, sentence) = refused(UnixAddress::Path("/nowhere/at.sock".into())).await;
    assert_eq!(kind, ErrorKind::Unreachable);
    assert_eq!(sentence, "the Unix socket /nowhere/at.sock does not exist");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn abstract_names_that_cannot_be() {
    let (kind, sentence) = refused(UnixAddress::Abstract(vec![b'x'; 108])).await;
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(
        sentence.contains("too long: it has 108 bytes"),
        "{sentence}"
    );

    let longest = UnixAddress::Abstract(vec![b'x'; 107]);
    let (kind, sentence) = refused(longest).await;
    assert_eq!(kind, ErrorKind::Refused);
    assert!(
        sentence.starts_with("the abstract Unix socket @xxx"),
        "{sentence}"
    );
}
