//! Against moto: where credentials are found, and whether STS takes what is signed with them.

mod asking;
mod chain;
mod identity;
mod instance;
