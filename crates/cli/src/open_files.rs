//! How many files the process may have open, connections among them.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::{info, warn};

/// What is open besides Envoys' connections, at most: stores, sources, callers of the HTTP API, files that are read.
const OTHERS: u64 = 1000;

/// Takes as many as the process may have: shells and containers give 1,024 to programs that do not ask for more.
fn raise() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        warn!(%error, "the limit of open files stays as it is");
    }
    getrlimit(Resource::Nofile).current
}

/// As many connections as are wanted, or as leave enough files to everything else: without any, no store could be read.
pub(crate) fn connections(wanted: usize) -> usize {
    let fit = raise().map_or(usize::MAX, fitting);
    if fit < wanted {
        info!(
            wanted,
            connections = fit,
            "fewer xDS connections may be open, as the limit of open files says (ulimit -Hn, LimitNOFILE)"
        );
    }
    wanted.min(fit)
}

fn fitting(files: u64) -> usize {
    let fit = files - OTHERS.min(files / 2);
    usize::try_from(fit).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_as_are_allowed_may_be_open() {
        assert_eq!(raise(), getrlimit(Resource::Nofile).maximum);
        assert_eq!(connections(1), 1);
    }

    #[test]
    fn connections_leave_files_to_everything_else() {
        assert_eq!((fitting(65_536), fitting(1024), fitting(0)), (64_536, 512, 0));
    }
}
