//! A server with a control plane behind it, on a port of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use biplane_admin::{Access, AccessOptions, Listener, NewToken, Role, serve};
use biplane_admin_api::Client;
use biplane_admin_api::client::{Address, ClientOptions, Token};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::contract::Contract;
use crate::plane::Plane;
use crate::raw::{self, Answer};
use crate::shelf::Shelf;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<std::io::Result<()>>,
    contract: Contract,
}

impl Server {
    pub(crate) async fn start(plane: Plane, access: &AccessOptions) -> Self {
        Self::listening(plane, access, Vec::new()).await
    }

    /// Who reaches it may write.
    pub(crate) async fn open() -> Self {
        Self::start(Plane::default(), &anonymous()).await
    }

    /// Listens in more places too.
    pub(crate) async fn listening(plane: Plane, access: &AccessOptions, more: Vec<Listener>) -> Self {
        let listener = Listener::tcp(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = listener.tcp_address().expect("bound above").expect("TCP");
        let shutdown = CancellationToken::new();
        let shelf = plane.shelf.clone();
        let access = Access::open(access).expect("readable");
        let listeners = [listener].into_iter().chain(more).collect();
        let task = tokio::spawn(serve(listeners, Arc::new(plane), access, shutdown.clone()));
        Self { address, shelf, shutdown, task, contract: Contract::of_server() }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    pub(crate) fn client_with(&self, token: &str) -> Client {
        let options = ClientOptions::new(Address::from(self.address));
        Client::open(ClientOptions { token: Some(Token::text(token)), ..options }).expect("local")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    /// Asks, and holds the answer against the document.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let answer = self.send(&raw::request(method, path, headers, body)).await.expect("an answer");
        self.contract.check(method, path, &answer);
        answer
    }

    /// Sends bytes; none if the server closed without a word.
    pub(crate) async fn send(&self, request: &str) -> Option<Answer> {
        let stream = TcpStream::connect(self.address).await.expect("the server listens");
        raw::exchange(stream, request).await
    }
}

pub(crate) fn anonymous() -> AccessOptions {
    AccessOptions { anonymous_write: true, ..AccessOptions::default() }
}

/// A file with two tokens.
pub(crate) struct Tokens {
    pub(crate) directory: TempDir,
    pub(crate) reader: String,
    pub(crate) writer: String,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let make = |name, role| NewToken::generate(name, role, None).expect("randomness");
        let (reader, writer) = (make("viewer", Role::Read), make("ci", Role::Write));
        let tokens = Self { reader: reader.token.to_string(), writer: writer.token.to_string(), directory };
        std::fs::write(tokens.path(), format!("# two tokens\n{}\n{}\n", reader.rule, writer.rule))
            .expect("written");
        tokens
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("tokens")
    }

    pub(crate) fn access(&self) -> AccessOptions {
        AccessOptions { tokens_file: Some(self.path()), ..AccessOptions::default() }
    }
}

/// The header of a token.
pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Waits for a condition that the server brings about soon.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}
