//! A link that can be broken: a TCP proxy in front of any server, whose faults are changed while it runs.
//!
//! ```text
//!  client <--- link: cut, delay, throttle, swallow, corrupt ---> server
//!  client <--- the same link ---> hop: answers some requests itself ---> server      (http)
//! ```
//!
//! A method that changes something returns when it is in force: after [`cut`](FaultProxy::cut) every connection is
//! closed and the port is refused. Faults add up until [`heal`](FaultProxy::heal). The proxy runs on a thread of
//! its own, and knows nothing of what it carries, except in HTTP mode.

mod http;
mod link;
mod rules;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc as standard};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::background::Background;
use crate::ports::free_port;
use rules::Rules;
pub use rules::{ALWAYS, Answer, Matcher, Seen};

/// A running proxy.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    _thread: Background,
}

/// What the thread and the test both see.
#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    mode: Mode,
    faults: watch::Sender<Faults>,
    tally: Tally,
    rules: Rules,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Tcp,
    Http,
}

/// What is wrong with the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Faults {
    /// New connections are refused.
    refuse: bool,
    /// Bytes get lost, both ways.
    swallow: bool,
    /// Bytes travel so long, each way.
    delay: Duration,
    /// Each connection carries no more, each way.
    bytes_per_second: Option<u64>,
    /// From this byte on, what comes from the server is garbage.
    corrupt_after: Option<u64>,
    /// At this byte from the server the connection ends.
    cut_after: Option<u64>,
    /// Bytes are counted anew when this moves.
    count: u64,
}

#[derive(Debug, Default)]
struct Tally {
    accepted: AtomicU64,
    open: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
}

/// What the proxy has carried so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that are open now.
    pub open: u64,
    /// Bytes that reached the server.
    pub to_server: u64,
    /// Bytes that reached the clients.
    pub to_client: u64,
    /// Requests that came in, in HTTP mode.
    pub requests: u64,
    /// Requests that the proxy has answered itself.
    pub answered: u64,
}

/// Tells the thread that the faults have changed.
#[derive(Debug)]
struct Command {
    /// Closes every connection.
    close: bool,
    done: standard::Sender<()>,
}

impl FaultProxy {
    /// Stands in front of a server, on a free port.
    pub fn start(target: SocketAddr) -> Self {
        Self::start_in(Mode::Tcp, target)
    }

    /// Stands in front of a server that speaks HTTP without TLS, and can answer in its place.
    pub fn http(target: SocketAddr) -> Self {
        Self::start_in(Mode::Http, target)
    }

    fn start_in(mode: Mode, target: SocketAddr) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let listener = TcpListener::bind(address).expect("the port is ours");
        let shared = Arc::new(Shared {
            target,
            mode,
            faults: watch::Sender::new(Faults::default()),
            tally: Tally::default(),
            rules: Rules::default(),
        });
        // Unbounded: a test sends one command at a time and waits for it.
        let (commands, received) = mpsc::unbounded_channel();
        let theirs = Arc::clone(&shared);
        let thread = Background::spawn("fault-proxy", move || link::run(listener, theirs, received));
        Self { address, shared, commands, _thread: thread }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port to which clients connect.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Closes every connection with a reset, and refuses new ones.
    pub fn cut(&self) {
        self.change(true, |faults| faults.refuse = true);
    }

    /// Closes every connection with a reset; new ones are taken.
    pub fn reset(&self) {
        self.change(true, |_| {});
    }

    /// Refuses new connections; those that are open go on.
    pub fn refuse_new(&self) {
        self.change(false, |faults| faults.refuse = true);
    }

    /// Loses every byte both ways, and the end of a connection too: half-open connections. New ones are accepted and
    /// answered by nobody. A connection that has lost something is closed when the link heals.
    pub fn blackhole(&self) {
        self.change(false, |faults| faults.swallow = true);
    }

    /// Lets bytes travel so long, each way.
    pub fn delay(&self, time: Duration) {
        self.change(false, |faults| faults.delay = time);
    }

    /// Lets each connection carry no more than this, each way.
    pub fn throttle(&self, bytes_per_second: u64) {
        assert!(bytes_per_second > 0, "a link without bytes is a blackhole");
        self.change(false, |faults| faults.bytes_per_second = Some(bytes_per_second));
    }

    /// Lets `bytes` more come from the server on each connection, and then only garbage.
    pub fn corrupt(&self, bytes: u64) {
        self.change(false, |faults| {
            faults.corrupt_after = Some(bytes);
            faults.count += 1;
        });
    }

    /// Lets `bytes` more come from the server on each connection, and then ends it.
    pub fn cut_after(&self, bytes: u64) {
        self.change(false, |faults| {
            faults.cut_after = Some(bytes);
            faults.count += 1;
        });
    }

    /// Ends all faults, those of HTTP included.
    pub fn heal(&self) {
        self.shared.rules.clear();
        self.change(false, |faults| *faults = Faults { count: faults.count, ..Faults::default() });
    }

    /// In HTTP mode: answers the next so many requests that match ([`ALWAYS`] for all of them) in the server's
    /// place. Of several rules the oldest that matches is used, until it is used up.
    pub fn answer(&self, matcher: Matcher, answer: Answer, times: u64) {
        assert_eq!(self.shared.mode, Mode::Http, "only a proxy made by FaultProxy::http answers");
        self.shared.rules.add(matcher, answer, times);
    }

    /// How many connections are open.
    pub fn connections(&self) -> u64 {
        self.counters().open
    }

    /// How many requests came in, in HTTP mode.
    pub fn requests(&self) -> u64 {
        self.counters().requests
    }

    /// The last requests, oldest first, in HTTP mode.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.rules.seen()
    }

    /// Everything that is counted.
    pub fn counters(&self) -> Counters {
        let Tally { accepted, open, to_server, to_client } = &self.shared.tally;
        let load = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Counters {
            accepted: load(accepted),
            open: load(open),
            to_server: load(to_server),
            to_client: load(to_client),
            requests: self.shared.rules.requests(),
            answered: self.shared.rules.answered(),
        }
    }

    fn change(&self, close: bool, change: impl FnOnce(&mut Faults)) {
        self.shared.faults.send_modify(change);
        let (done, wait) = standard::channel();
        self.commands.send(Command { close, done }).expect("the thread lives as long as we do");
        wait.recv().expect("the thread answers every command");
    }
}
