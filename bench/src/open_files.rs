//! How many files this process may open: connections are files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process open as many files as it may allow itself. Where that fails, the limit is as it was.
pub(crate) fn raise_to_the_most() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}

/// How many files this process may open; `None` for any number.
pub(crate) fn most() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}
