//! Configuration in a real Consul: its bad days are not the fleet's.
