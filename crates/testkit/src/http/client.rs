//! Requests one after the other, over a connection that is kept as long as the server keeps it.
//!
//! A request that could not be written at all goes over another connection, as with any HTTP client; one that was on
//! its way and got no answer is an error. There are no other retries.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::time::timeout;

use super::connection::{Connection, SendError};
use super::{Request, Response};

/// A client of one server. All its requests share the first one's protocol and TLS.
pub struct Client {
    address: SocketAddr,
    connection: Option<Connection>,
    connected: u64,
}

impl Client {
    /// A client of a port on loopback. It connects with its first request.
    pub fn new(port: u16) -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), connection: None, connected: 0 }
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&mut self, request: &Request) -> Result<Response> {
        let address = self.address;
        request.explain(address, timeout(request.patience, self.exchange(request)).await)
    }

    /// How often the server has closed the connection and another was opened.
    pub fn reconnects(&self) -> u64 {
        self.connected.saturating_sub(1)
    }

    /// Takes the connection out while it is used: a request that is cut off takes its connection with it.
    async fn exchange(&mut self, request: &Request) -> Result<Response> {
        let mut connection = match self.connection.take().filter(Connection::is_open) {
            Some(kept) => kept,
            None => self.connect(request).await?,
        };
        let response = match connection.send(request).await {
            Err(SendError::NotSent(_)) => {
                connection = self.connect(request).await?;
                connection.send(request).await.map_err(SendError::into_error)?
            }
            answer => answer.map_err(SendError::into_error)?,
        };
        if response.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(response)
    }

    async fn connect(&mut self, request: &Request) -> Result<Connection> {
        let connection = Connection::open(self.address, request).await?;
        self.connected += 1;
        Ok(connection)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address).finish_non_exhaustive()
    }
}
