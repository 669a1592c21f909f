//! How an owner goes: its machine moves to the new owner of its slot, and older copies stay until that one has a second.

use actix::{AsyncContext, Context};
use muster_proto::stanza::Condition;

use super::{Call, GIVE_AGAIN, Known, Owned, Owner, State};

impl<M: Owned> Owner<M> {
    /// Gives its machine to the new owner of its slot.
    pub(super) fn leave(&mut self, to: u64, ctx: &mut Context<Self>) {
        let State::Ready(machine) = std::mem::replace(&mut self.state, State::Gone) else { return };
        let is_nothing = machine.is_idle() && self.ledger.is_blank();
        if is_nothing {
            self.copying.end::<M>(&self.world, &self.address);
            return self.left(ctx);
        }
        // Until the new owner's backup has a copy there are this one and those that there were: what is given may be lost
        // with this node. It is there before the new owner can say so.
        let copies = M::copies(&self.world);
        let (ledger, formers) = (self.ledger.clone(), self.copying.keepers());
        let known = Known { machine: machine.clone(), ledger, formers };
        let is_kept = copies.keep(to, self.world.epoch(), self.address.clone(), known).is_some();
        let Err((machine, condition)) = machine.give(&self.world, to, &self.ledger) else {
            if !is_kept {
                self.copying.end::<M>(&self.world, &self.address);
            }
            return self.left(ctx);
        };
        copies.forget(to, &self.address);
        self.state = State::Ready(Box::new(machine));
        if condition == Condition::ResourceConstraint {
            ctx.run_later(GIVE_AGAIN, |owner, ctx| owner.settle(ctx));
        } else {
            // The new owner is gone: the next table says who it is.
            self.leaving = None;
        }
    }

    fn left(&mut self, ctx: &mut Context<Self>) {
        self.retire(ctx);
        std::mem::take(&mut self.put_off).into_iter().for_each(|letter| self.take(letter.body, ctx));
        for (input, via) in std::mem::take(&mut self.resuming) {
            self.world.call::<M>(&self.address, Call::Input(input, via));
        }
        self.world.moves.left(M::ROLE, self.slot, &self.address, &self.world);
    }
}
