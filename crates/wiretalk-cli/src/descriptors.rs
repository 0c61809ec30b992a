//! How many connections the system lets this program have.

/// Takes as many as the system allows without a privilege: what it gives at first is little, 1024 on many, for the
/// sake of programs that could not count further.
pub(crate) fn take_all() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let all = Rlimit {
            current: limit.maximum,
            ..limit
        };
        // With fewer it works as well, for fewer clients.
        let _ = setrlimit(Resource::Nofile, all);
    }
}
