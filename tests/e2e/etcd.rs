//! Configuration in a real etcd: its bad days are not the fleet's.
