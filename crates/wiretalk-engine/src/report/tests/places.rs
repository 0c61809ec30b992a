//! Where reports go.

use std::fs;
use std::io::{ErrorKind, Write};

use super::super::Output;

#[test]
fn a_file_is_there_when_it_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.xml");
    fs::write(&path, "the last one").expect("it is written");
    let mut output = Output::file(&path).expect("it can be written");
    output.write_all(b"half").expect("it is written");
    output.flush().expect("it is written");
    assert_eq!(
        fs::read_to_string(&path).expect("it is there"),
        "the last one"
    );
    drop(output);
    assert_eq!(
        fs::read_to_string(&path).expect("it is there"),
        "the last one"
    );

    let mut output = Output::file(&path).expect("it can be written");
    output.write_all(b"whole").expect("it is written");
    output.commit().expect("it takes its name");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "whole");
    let left = fs::read_dir(folder.path())
        .expect("it can be listed")
        .count();
    assert_eq!(left, 1, "nothing else stays");
}

#[test]
fn what_cannot_be_written_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing/report.xml");
    for (path, kind) in [
        (folder.path(), ErrorKind::IsADirectory),
        (missing.as_path(), ErrorKind::NotFound),
    ] {
        let error = Output::file(path).expect_err("it cannot be written");
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[cfg(unix)]
#[test]
fn links_and_devices_stay_what_they_are() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "").expect("it is written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("it is ours");
    symlink(&file, &link).expect("it is made");
    let mut output = Output::file(&link).expect("it can be written");
    output.write_all(b"new").expect("it is written");
    output.commit().expect("it takes its name");
    assert!(
        fs::symlink_metadata(&link)
            .expect("it is there")
            .is_symlink()
    );
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "new");
    let mode = fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);

    let mut output = Output::file("/dev/null".as_ref()).expect("it can be written");
    output.write_all(b"gone").expect("it is written");
    output.commit().expect("there is nothing to replace");
    let device = fs::metadata("/dev/null").expect("it is there").file_type();
    assert!(device.is_char_device());
}
