//! Who may connect: nodes that prove which fleet is theirs, and strangers who get nothing of it.
//!
//! ```text
//!  biplane pki init -> certificates, settings -> Biplane <- TLS - Envoys of two fleets
//!                                                        <- TLS - a client that tries everything else
//! ```

mod changes;
mod issued;
mod shown;
mod strangers;
mod tokens;
mod world;
