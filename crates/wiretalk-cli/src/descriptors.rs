//! How many connections the system lets this program have.

/// Takes as many as the system allows without a privilege: what it gives at first is little, 1024 on many, for the
/// sake of programs that could not count further. A sentence about it, for the log.
pub(crate) fn take_all() -> Option<String> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let all = Rlimit {
            current: limit.maximum,
            ..limit
        };
        // With fewer it works as well, for fewer clients.
        let raised = setrlimit(Resource::Nofile, all).is_ok();
        let shown = |limit: Option<u64>| limit.map_or("no limit".to_owned(), |n| n.to_string());
        let (before, all) = (shown(limit.current), shown(limit.maximum));
        Some(match raised {
            true if before == all => format!("file descriptors: {all}, one for each client"),
            true => format!("file descriptors: {all}, one for each client (raised from {before})"),
            false => {
                format!("file descriptors: {before}, one for each client (not raised to {all})")
            }
        })
    }
    #[cfg(not(unix))]
    None
}

/// How many descriptors the program may have once it has taken all; `None` if nothing bounds them that is known.
pub(crate) fn most() -> Option<usize> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        let most = getrlimit(Resource::Nofile).maximum?;
        usize::try_from(most).ok()
    }
    #[cfg(not(unix))]
    None
}
