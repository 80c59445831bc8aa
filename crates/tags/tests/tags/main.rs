//! What tags become, seen from outside: services in, documents and findings out.

mod traefik;
