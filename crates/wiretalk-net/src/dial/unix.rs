//! Unix sockets: by a path in the file system, or by a name in Linux's abstract namespace (unix(7)).

use std::{ffi::OsString, fmt, path::PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

use super::deadline::Deadline;
#[cfg(unix)]
use crate::error::{Blame, ErrorKind};
use crate::{error::Error, transport::Transport};

/// Where a Unix socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnixAddress {
    Path(PathBuf),
    /// A name without a file, as Linux has it; without the NUL that the system puts before it.
    Abstract(Vec<u8>),
}

/// Takes what follows `ws+unix:` apart: the socket, and what to ask for behind it, which begins with a slash. The error
/// says what is wrong.
pub(super) fn split_url(rest: &str) -> Result<(UnixAddress, String), &'static str> {
    let rest = match rest.strip_prefix("//") {
        Some(rest) if rest.starts_with(['/', '@']) => rest,
        Some(_) => {
            return Err(
                "there is no host before a Unix socket: write `ws+unix:///absolute/path`, or \
                 `ws+unix:relative/path` without slashes",
            );
        }
        None => rest,
    };
    let (socket, resource) = rest.split_once(':').unwrap_or((rest, ""));
    if socket.contains(['?', '#']) {
        return Err(
            "what is asked for stands behind a colon (`ws+unix:///path/to.sock:/resource?query`); a `?` or `#` in \
             the socket's own path is written %3F or %23",
        );
    }
    let resource = match resource.chars().next() {
        None => "/".to_owned(),
        Some('/') => resource.to_owned(),
        Some('?') => format!("/{resource}"),
        Some(_) => {
            return Err(
                "what stands behind the socket's colon must begin with `/`; a colon in the socket's own path is \
                 written %3A",
            );
        }
    };
    let (is_abstract, name) = match socket.strip_prefix('@') {
        Some(name) => (true, name),
        None => (false, socket),
    };
    let bytes: Vec<u8> = percent_decode_str(name).collect();
    if bytes.is_empty() {
        return Err("it names no Unix socket");
    }
    let address = if is_abstract {
        UnixAddress::Abstract(bytes)
    } else {
        UnixAddress::Path(path(bytes).ok_or("its path is not text that this system takes")?)
    };
    Ok((address, resource))
}

impl UnixAddress {
    /// As it stands in a URL.
    pub(super) fn in_url(&self) -> String {
        const SET: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b':').add(b'?').add(b'#');
        match self {
            Self::Path(path) => {
                percent_encode(path.as_os_str().as_encoded_bytes(), SET).to_string()
            }
            Self::Abstract(name) => format!("@{}", percent_encode(name, SET)),
        }
    }
}

impl fmt::Display for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "the Unix socket {}", path.display()),
            Self::Abstract(name) => {
                write!(f, "the abstract Unix socket @{}", name.escape_ascii())
            }
        }
    }
}

#[cfg(unix)]
fn path(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn path(bytes: Vec<u8>) -> Option<PathBuf> {
    Some(OsString::from(String::from_utf8(bytes).ok()?).into())
}

/// Connects to it.
#[cfg(unix)]
pub(super) async fn dial(address: &UnixAddress, deadline: Deadline) -> Result<Transport, Error> {
    let path = system_path(address)?;
    let late = |limit| Error::timeout(Blame::Peer, format_args!("{address} did not answer"), limit);
    let connected = deadline.within(tokio::net::UnixStream::connect(path), late);
    match connected.await? {
        Ok(stream) => Ok(Transport::Unix(stream)),
        Err(error) => Err(not_connected(address, error)),
    }
}

/// The path as the system's calls take it: an abstract name begins with a NUL there.
#[cfg(unix)]
fn system_path(address: &UnixAddress) -> Result<PathBuf, Error> {
    use std::os::unix::{ffi::OsStringExt, net::SocketAddr};

    let (path, length) = match address {
        UnixAddress::Path(path) => {
            if let Err(error) = SocketAddr::from_pathname(path) {
                let length = path.as_os_str().len();
                return Err(bad_path(address, length, &error));
            }
            return Ok(path.clone());
        }
        UnixAddress::Abstract(name) => {
            if cfg!(not(any(target_os = "linux", target_os = "android"))) {
                return Err(Error::invalid(format!(
                    "{address} cannot be dialed: only Linux has abstract sockets"
                )));
            }
            let mut bytes = vec![0];
            bytes.extend_from_slice(name);
            (OsString::from_vec(bytes).into(), name.len())
        }
    };
    // The field of the system's address that holds it, and the NUL before it.
    if length >= ABSTRACT_LIMIT {
        let error = std::io::Error::from(std::io::ErrorKind::InvalidInput);
        return Err(bad_path(address, length, &error));
    }
    Ok(path)
}

/// `sun_path` of Linux has 108 bytes.
#[cfg(unix)]
const ABSTRACT_LIMIT: usize = 108;

#[cfg(unix)]
fn bad_path(address: &UnixAddress, length: usize, error: &std::io::Error) -> Error {
    let zero = match address {
        UnixAddress::Path(path) => path.as_os_str().as_encoded_bytes().contains(&0),
        UnixAddress::Abstract(_) => false,
    };
    Error::invalid(if zero {
        "the path of a Unix socket has a NUL byte; an abstract socket's name is written with `@`"
            .to_owned()
    } else if error.kind() == std::io::ErrorKind::InvalidInput {
        format!(
            "the path of a Unix socket is too long: it has {length} bytes, and the system takes about a hundred \
             (sun_path in unix(7))"
        )
    } else {
        format!("{address} cannot be dialed: {error}")
    })
}

#[cfg(unix)]
fn not_connected(address: &UnixAddress, error: std::io::Error) -> Error {
    use std::io::ErrorKind as Why;
    let (kind, blame, sentence) = match error.kind() {
        Why::ConnectionRefused => (
            ErrorKind::Refused,
            Blame::Peer,
            format!("{address} refused the connection: nobody listens there"),
        ),
        Why::NotFound => (
            ErrorKind::Unreachable,
            Blame::Us,
            format!("{address} does not exist"),
        ),
        Why::PermissionDenied => (
            ErrorKind::Unreachable,
            Blame::Us,
            format!("{address} may not be used by this user: permission denied"),
        ),
        _ => (
            ErrorKind::Unreachable,
            Blame::Us,
            format!("{address} cannot be reached: {error}"),
        ),
    };
    Error::with_source(kind, blame, sentence, error)
}

#[cfg(not(unix))]
pub(super) async fn dial(address: &UnixAddress, _deadline: Deadline) -> Result<Transport, Error> {
    Err(Error::invalid(format!(
        "{address} cannot be dialed: this system has no Unix sockets"
    )))
}

#[cfg(all(test, unix))]
mod tests;
