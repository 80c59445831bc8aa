//! One test a rule, named after it.

mod fleet;
mod order;
mod reconnect;
mod refusals;
mod sotw;
mod subscriptions;
mod unknown;
mod warming;
