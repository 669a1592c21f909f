//! A machine and its shadow: the shadow only applies the changes, and must stay equal. So event sourcing is checked
//! by every test that plays in a [`super::World`].

use jid::BareJid;

use crate::machine::{Env, Machine, Out};
use crate::store::Reply;

/// A machine, and what its log makes of its snapshot.
pub(super) struct Copies<M: Machine> {
    machine: M,
    shadow: serde_json::Value,
}

impl<M: Machine> Copies<M> {
    pub(super) fn new(address: BareJid, replies: Vec<Reply>) -> Self {
        let machine = M::new(address, replies);
        let shadow = snapshot(&machine);
        Self { machine, shadow }
    }

    pub(super) fn machine(&self) -> &M {
        &self.machine
    }

    /// Takes a step, and checks that its changes alone lead to the same state.
    pub(super) fn step(&mut self, env: &Env<'_>, step: impl FnOnce(&mut M, &Env<'_>, &mut Out<M>)) -> Out<M> {
        let mut out = Out::default();
        step(&mut self.machine, env, &mut out);
        let mut shadow: M = serde_json::from_value(self.shadow.take()).expect("a snapshot can be read");
        for change in &out.changes {
            let record = serde_json::to_vec(change).expect("a change can be written");
            shadow.apply(serde_json::from_slice(&record).expect("a change can be read"));
        }
        self.shadow = snapshot(&shadow);
        assert_eq!(snapshot(&self.machine), self.shadow, "the changes alone must lead to the same state");
        out
    }
}

fn snapshot<M: Machine>(machine: &M) -> serde_json::Value {
    serde_json::to_value(machine).expect("a machine is its own snapshot")
}
