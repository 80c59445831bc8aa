//! Ports that nobody else gets: neither another test of this process, nor one of another process, nor the kernel
//! for an outgoing connection.
//!
//! A port that was free a moment ago is not one that stays free. So ports come from below the kernel's own range
//! and each is held by a lock on a file for as long as this process lives, also while its server restarts.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::net::TcpSocket;

/// Below the range from which Linux takes the ports of outgoing connections.
const RANGE: Range<u16> = 12_000..30_000;

/// Between that range and the other: what a scheduler gives to its tasks.
const BLOCKS: Range<u16> = 30_000..32_700;

/// Ports in a block: more than the tasks of any test have, and few enough for all schedulers that a run of tests starts.
const BLOCK: u16 = 60;

static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A TCP port on loopback that is this process's own until it ends.
pub fn free_port() -> u16 {
    let mut held = held();
    for port in candidates() {
        let file = lock(&port.to_string()).filter(|_| is_free(port));
        if let Some(file) = file {
            held.push(file);
            return port;
        }
    }
    panic!("all ports of {RANGE:?} are taken");
}

/// Ports on loopback of which a server of this process hands out others, until the process ends.
pub(crate) fn free_block() -> Range<u16> {
    let mut held = held();
    for start in BLOCKS.step_by(usize::from(BLOCK)) {
        if let Some(file) = lock(&format!("block-{start}")) {
            held.push(file);
            return start..start + BLOCK;
        }
    }
    panic!("all ports of {BLOCKS:?} are taken");
}

/// What this process has. A test for which there was nothing left is not the fault of others.
fn held() -> MutexGuard<'static, Vec<File>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock of this name, if nobody has it.
fn lock(name: &str) -> Option<File> {
    let folder = std::env::temp_dir().join("biplane-ports");
    fs::create_dir_all(&folder).expect("the temporary directory is writable");
    let file = File::options().create(true).truncate(false).write(true).open(folder.join(name));
    let file = file.expect("the folder is writable");
    file.try_lock().is_ok().then_some(file)
}

/// All of the range, from a place that differs between processes, so that they seldom meet.
fn candidates() -> impl Iterator<Item = u16> {
    let size = RANGE.end - RANGE.start;
    let offset =
        u16::try_from(std::process::id().wrapping_mul(97) % u32::from(size)).expect("less than the size");
    (0..size).map(move |step| {
        RANGE.start
            + u16::try_from((u32::from(offset) + u32::from(step)) % u32::from(size))
                .expect("less than the size")
    })
}

/// Whether nobody listens there. It binds and does not listen: a process that another test starts at this very
/// moment holds a copy of the socket until it runs its own program, and a listening one would keep the port
/// from whoever asked.
fn is_free(port: u16) -> bool {
    let bind = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::UNSPECIFIED, port).into())
    };
    bind().is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: BTreeSet<u16> = (0..20).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 20);
    }

    #[test]
    fn no_two_blocks_share_a_port() {
        let (one, other) = (free_block(), free_block());
        assert!(one.end <= other.start || other.end <= one.start, "{one:?} {other:?}");
    }

    #[test]
    fn a_port_on_which_somebody_listens_is_not_free() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert!(!is_free(port));
        drop(listener);
        assert!(is_free(port));
    }

    #[test]
    fn every_port_of_the_range_is_a_candidate() {
        let all: BTreeSet<u16> = candidates().collect();
        assert_eq!(all, RANGE.collect());
    }
}
