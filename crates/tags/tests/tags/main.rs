//! What tags become, seen from outside: services in, documents and findings out, and the requests that the
//! documents answer.

mod deploys;
mod envoy;
mod fabio;
mod hosts;
mod meaning;
mod objects;
mod policy;
mod properties;
mod rules;
mod services;
mod traefik;
