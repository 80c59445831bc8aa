//! Random edits and random timing against a model of Envoy. The client checks every response as it
//! comes (see `client`); in the end it must hold what the snapshot says.

use std::time::Duration;

use biplane_xds::Protocol;
use proptest::prelude::*;

mod client;
mod world;

use client::Client;
use world::{Edit, World};

/// One step of a run.
#[derive(Clone, Debug)]
enum Step {
    /// Several edits in one change.
    Publish(Vec<Edit>),
    /// The next response arrives.
    Deliver,
    /// The client sends the oldest answer of a type that it holds back.
    Answer(usize),
    /// Time passes.
    Pass(u64),
    /// The client asks again for a name that it holds.
    Repeat(usize),
    /// A request that answers nothing any more.
    Stale(usize),
    /// A new stream; with clusters asked for last if the old one was cut between a cluster and its endpoints.
    Reconnect { cut_off: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(world::edit(), 1..5).prop_map(Step::Publish),
        6 => Just(Step::Deliver),
        6 => (0..5_usize).prop_map(Step::Answer),
        1 => (0..1500_u64).prop_map(Step::Pass),
        1 => (0..16_usize).prop_map(Step::Repeat),
        1 => (0..5_usize).prop_map(Step::Stale),
        1 => any::<bool>().prop_map(|cut_off| Step::Reconnect { cut_off }),
    ]
}

fn run(protocol: Protocol, steps: Vec<Step>) {
    let world = World::new();
    let mut client = Client::connect(protocol, world.fleets.clone());
    for step in steps {
        match step {
            Step::Publish(edits) => {
                world.publish(&edits);
                client.advance();
            }
            Step::Deliver => _ = client.deliver(),
            Step::Answer(kind) => client.answer(kind),
            Step::Pass(millis) => client.pass(Duration::from_millis(millis)),
            Step::Repeat(name) => client.repeat(name),
            Step::Stale(kind) => client.stale(kind),
            Step::Reconnect { cut_off } => client = client.reconnect(cut_off),
        }
    }
    client.settle();
    client.check_converged();
    world.tell_all();
    client.advance();
    client.settle();
    client.check_converged();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn delta_client_converges_and_never_dangles(steps in prop::collection::vec(step(), 0..80)) {
        run(Protocol::Delta, steps);
    }

    #[test]
    fn sotw_client_converges_and_never_dangles(steps in prop::collection::vec(step(), 0..80)) {
        run(Protocol::Sotw, steps);
    }
}
