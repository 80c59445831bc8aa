//! Connections, and what befalls the bytes on them.
//!
//! Each way of a connection is a reader and a writer with a bounded queue between: the reader stamps what it reads,
//! the writer lets it wait until it is due and does the harm, so that a delay does not become a throttle.

use std::future::pending;
use std::io::{Error, ErrorKind, Result};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Command, Faults, Mode, Shared, http};

/// What is read at once.
const CHUNK: usize = 16 << 10;

/// Chunks on their way: a mebibyte, enough for a delay of 50 ms at 20 MiB/s.
const QUEUE: usize = 64;

/// How often a throttled connection writes.
const SLICES_PER_SECOND: u64 = 50;

/// Accepts and obeys until the test is over.
pub(super) async fn run(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let address = listener.local_addr().expect("it is bound");
    listener.set_nonblocking(true).expect("a listener can be made non-blocking");
    let mut listener = Some(tokio::net::TcpListener::from_std(listener).expect("the runtime has I/O"));
    let mut links = JoinSet::new();
    let closing = watch::Sender::new(());
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => {
                let Some(command) = command else { return };
                let refuse = shared.faults.borrow().refuse;
                listener = match listener {
                    _ if refuse => None,
                    None => Some(tokio::net::TcpListener::bind(address).await.expect("the port is ours")),
                    open => open,
                };
                if command.close {
                    closing.send_replace(());
                    while links.join_next().await.is_some() {}
                }
                let _ = command.done.send(());
            }
            Some(_) = links.join_next() => {}
            client = accept(listener.as_ref()) => {
                links.spawn(link(client, Arc::clone(&shared), closing.subscribe()));
            }
        }
    }
}

async fn accept(listener: Option<&tokio::net::TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return pending().await };
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            return stream;
        }
    }
}

/// One connection, until either side or the test ends it.
async fn link(mut client: TcpStream, shared: Arc<Shared>, mut closing: watch::Receiver<()>) {
    shared.tally.accepted.fetch_add(1, Ordering::SeqCst);
    shared.tally.open.fetch_add(1, Ordering::SeqCst);
    let _ = client.set_nodelay(true);
    let ended = tokio::select! {
        ended = carry(&mut client, &shared) => ended,
        _ = closing.changed() => Err(ErrorKind::ConnectionReset.into()),
    };
    if ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset) {
        let _ = client.set_zero_linger();
    }
    drop(client);
    shared.tally.open.fetch_sub(1, Ordering::SeqCst);
}

async fn carry(client: &mut TcpStream, shared: &Arc<Shared>) -> Result<()> {
    if shared.faults.borrow().swallow {
        return swallow(client, shared).await;
    }
    match shared.mode {
        Mode::Tcp => {
            let server = TcpStream::connect(shared.target).await.map_err(|_| ErrorKind::ConnectionReset)?;
            server.set_nodelay(true)?;
            both_ways(client, server, shared).await
        }
        Mode::Http => {
            let (server, theirs) = tokio::io::duplex(CHUNK);
            let hop = async {
                http::serve(theirs, shared).await;
                pending::<()>().await;
            };
            tokio::select! {
                ended = both_ways(client, server, shared) => ended,
                () = hop => Ok(()),
            }
        }
    }
}

/// A connection that was made while nothing went through: it never reaches the server.
async fn swallow(client: &mut TcpStream, shared: &Shared) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    let lost = async { while client.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
    let mut faults = shared.faults.subscribe();
    let healed = faults.wait_for(|faults| !faults.swallow);
    tokio::select! {
        _ = healed => {}
        () = async { lost.await; pending().await } => {}
    }
    Err(ErrorKind::ConnectionReset.into())
}

async fn both_ways<S>(client: &mut TcpStream, server: S, shared: &Shared) -> Result<()>
where
    S: AsyncRead + AsyncWrite,
{
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = tokio::io::split(server);
    let way = |to_client, carried| Way {
        faults: shared.faults.subscribe(),
        carried,
        meter: Meter { to_client, ..Meter::default() },
        lost: false,
    };
    let up = way(false, &shared.tally.to_server).carry(from_client, to_server);
    let down = way(true, &shared.tally.to_client).carry(from_server, to_client);
    tokio::try_join!(up, down).map(drop)
}

/// One way of a connection.
struct Way<'a> {
    faults: watch::Receiver<Faults>,
    carried: &'a AtomicU64,
    meter: Meter,
    /// Whether bytes were swallowed: what came behind them would make no sense.
    lost: bool,
}

/// Bytes, and when they are due.
type Chunk = (Instant, Vec<u8>);

impl Way<'_> {
    async fn carry(self, from: impl AsyncRead + Unpin, to: impl AsyncWrite + Unpin) -> Result<()> {
        let (send, receive) = mpsc::channel(QUEUE);
        tokio::try_join!(read(from, send, self.faults.clone()), self.write(to, receive)).map(drop)
    }

    async fn write(
        mut self,
        mut to: impl AsyncWrite + Unpin,
        mut chunks: mpsc::Receiver<Chunk>,
    ) -> Result<()> {
        loop {
            let mut faults = self.faults.clone();
            let chunk = tokio::select! {
                chunk = chunks.recv() => chunk,
                () = healed(&mut faults), if self.lost => return Err(ErrorKind::ConnectionReset.into()),
            };
            let Some((due, chunk)) = chunk else { break };
            sleep_until(due).await;
            let swallow = self.faults.borrow_and_update().swallow;
            if swallow {
                self.lost = true;
            } else if self.lost {
                return Err(ErrorKind::ConnectionReset.into());
            } else {
                self.deliver(&mut to, chunk).await?;
            }
        }
        // An end that gets lost on the way is none.
        if self.lost || self.faults.borrow().swallow {
            healed(&mut self.faults).await;
            return Err(ErrorKind::ConnectionReset.into());
        }
        to.shutdown().await
    }

    async fn deliver(&mut self, to: &mut (impl AsyncWrite + Unpin), mut chunk: Vec<u8>) -> Result<()> {
        let fate = self.meter.harm(&self.faults.borrow(), &mut chunk);
        let mut rest = chunk.as_slice();
        while !rest.is_empty() {
            // Looked at each time: a slow chunk does not outlive the fault.
            let Faults { swallow, bytes_per_second, .. } = *self.faults.borrow();
            if swallow {
                self.lost = true;
                return Ok(());
            }
            let (slice, behind) = rest.split_at(slice(bytes_per_second).min(rest.len()));
            if let Some(rate) = bytes_per_second {
                sleep(Duration::from_nanos(1_000_000_000 * slice.len() as u64 / rate)).await;
            }
            self.put(to, slice).await?;
            rest = behind;
        }
        fate
    }

    async fn put(&self, to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<()> {
        to.write_all(bytes).await?;
        to.flush().await?;
        self.carried.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(())
    }
}

/// Counts bytes towards the client since a fault was ordered, and does the harm that is due.
#[derive(Debug, Default)]
struct Meter {
    to_client: bool,
    count: u64,
    passed: u64,
}

impl Meter {
    /// Changes the chunk; an error if the connection ends behind what is left of it.
    fn harm(&mut self, faults: &Faults, chunk: &mut Vec<u8>) -> Result<()> {
        if !self.to_client {
            return Ok(());
        }
        if self.count != faults.count {
            (self.count, self.passed) = (faults.count, 0);
        }
        let room = |limit: u64| usize::try_from(limit.saturating_sub(self.passed)).unwrap_or(usize::MAX);
        let good = faults.corrupt_after.map_or(usize::MAX, room);
        let until = faults.cut_after.map_or(usize::MAX, room);
        self.passed += chunk.len() as u64;
        for byte in chunk.iter_mut().skip(good) {
            *byte = !*byte;
        }
        if chunk.len() < until {
            return Ok(());
        }
        chunk.truncate(until);
        Err(Error::other("cut"))
    }
}

/// What is written at once.
fn slice(bytes_per_second: Option<u64>) -> usize {
    let slice = bytes_per_second.map(|rate| usize::try_from(rate / SLICES_PER_SECOND).unwrap_or(CHUNK));
    slice.unwrap_or(CHUNK).clamp(1, CHUNK)
}

async fn read(
    mut from: impl AsyncRead + Unpin,
    chunks: mpsc::Sender<Chunk>,
    mut faults: watch::Receiver<Faults>,
) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) => {
                // The other side learns of it only if something goes through.
                healed(&mut faults).await;
                return Err(error);
            }
        };
        let due = Instant::now() + faults.borrow().delay;
        if chunks.send((due, buffer[..read].to_vec())).await.is_err() {
            return Ok(());
        }
    }
}

/// Waits until bytes go through.
async fn healed(faults: &mut watch::Receiver<Faults>) {
    if faults.wait_for(|faults| !faults.swallow).await.is_err() {
        pending::<()>().await;
    }
}
