//! The source against a real OpenBao. What OpenBao has not (the engine and the login of AWS) runs against a fake that
//! speaks the documented wire.

mod absence;
mod auth;
mod aws;
mod aws_login;
mod aws_method;
mod canary;
mod conformance;
mod fake;
mod faults;
mod harness;
mod kv;
mod pki;
mod pki_faults;
mod pki_roots;
mod policies;
mod rights;
mod tokens;
