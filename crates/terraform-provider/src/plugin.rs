//! What every program of this sort does, whatever it provides: it says hello on stdout, serves gRPC on a socket, and ends
//! when it is told to or when whoever started it has gone.

mod handshake;
mod server;
mod service;
mod tls;

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::provider::Provider;
use handshake::Handshake;
use server::Server;

/// Serves until the end.
pub(crate) fn run() -> Result<()> {
    let handshake = Handshake::of_environment(|name| std::env::var(name).ok())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(&handshake))
}

async fn serve(handshake: &Handshake) -> Result<()> {
    let tls = handshake.client_certificate.as_deref().map(tls::mutual).transpose().context("TLS")?;
    let (tls, certificate) = tls.map_or((None, None), |(acceptor, own)| (Some(acceptor), Some(own)));
    let server =
        Server::bind(handshake.socket_folder.as_deref(), tls).context("cannot listen on a socket")?;
    handshake.say_hello(&mut std::io::stdout(), server.path(), certificate.as_deref())?;
    server.serve(&Arc::new(Provider::new())).await;
    Ok(())
}
