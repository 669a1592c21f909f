//! What a machine needs to be run by an owner, and what owners are told.

use std::sync::Arc;

use jid::BareJid;
use muster_cluster::{Lsn, Role};
use muster_proto::machine::{Machine, Out, SocketId};
use muster_proto::stanza::{Condition, Stanza};

use crate::copies::Copies;
use crate::deliveries::Goods;
use crate::ledger::{Ledger, Note};
use crate::office::Office;
use crate::receipt::Via;
use crate::remote::Remote;
use crate::world::World;

/// A machine that an [`super::Owner`] runs.
pub trait Owned: Machine<Input: Unpin> + Clone + Send + Unpin {
    /// Whose ring says where it lives.
    const ROLE: Role;
    /// What it is called in logs.
    const NAME: &'static str;
    /// Whether each of its inputs may become many messages.
    const MULTIPLIES: bool;

    /// Where actors of this kind are found.
    fn office(world: &World) -> &Office<Self>;

    /// Where copies of this kind are kept.
    fn copies(world: &World) -> &Copies<Self>;

    /// The stanza that an input carries, for refusing it.
    fn stanza(input: &Self::Input) -> Option<&Stanza>;

    /// What the client is told whose stanza was refused on its way; its socket writes it.
    fn refusal(input: &Self::Input, condition: Condition) -> Option<Stanza> {
        Self::stanza(input).and_then(|stanza| stanza.error(condition))
    }

    /// Refuses an input.
    fn refuse(world: &Arc<World>, input: Self::Input, condition: Condition, via: &Via);

    /// What is delivered to the owner of the address on another node and kept until it is safe there.
    ///
    /// # Errors
    /// Gives back what its sender keeps itself.
    fn goods(address: &BareJid, input: Self::Input) -> Result<Goods, Self::Input>;

    /// Sends an input that its sender keeps to the node that owns the address.
    ///
    /// # Errors
    /// Gives it back with the reason.
    fn send(
        world: &World,
        to: u64,
        address: &BareJid,
        input: Self::Input,
        said: Option<(SocketId, u64)>,
    ) -> Result<(), (Self::Input, Condition)>;

    /// Sends the machine to its new owner.
    ///
    /// # Errors
    /// Gives it back with the reason, as [`World::send`] names it.
    fn give(self, world: &World, to: u64, ledger: &Ledger) -> Result<(), (Self, Condition)>;

    /// The word that carries all of the machine to its backup, with the owner's epoch and the number of its last change.
    fn copy(self, epoch: u64, lsn: Lsn, ledger: Ledger) -> Remote;

    /// The word that carries the copy of a dead owner to its heir.
    fn orphan(self, ledger: Ledger) -> Remote;

    /// The word that carries changes to its backup, with the owner's epoch and the number of the last.
    fn changes(&self, epoch: u64, lsn: Lsn, changes: Vec<Self::Change>, note: Note) -> Remote;

    /// What place an input of a client has among what that client said.
    fn spoken(_input: &Self::Input) -> Spoken {
        Spoken::Other
    }

    /// All that the client of this session said is safe up to the stanza of that number.
    fn count(&mut self, _sid: u64, _number: u32, _out: &mut Out<Self>) {}

    /// What takes the place of an input that was handled by an owner which is gone.
    fn known(_input: Self::Input) -> Option<Self::Input> {
        None
    }

    /// The same again, of an input that asks.
    fn again(_input: &Self::Input) -> Option<Self::Input> {
        None
    }
}

/// A machine that comes from another node, or from its second copy here.
pub struct Known<M> {
    /// It.
    pub machine: Box<M>,
    /// What its former owner knew beside it.
    pub ledger: Ledger,
    /// Who keeps copies of it until there is another: who gave it, at least.
    pub formers: Vec<u64>,
}

/// What place an input has among what a client said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// None.
    Other,
    /// It is told when all that this led to is safe.
    Says {
        /// Which session.
        sid: u64,
        /// The number in a managed stream.
        number: Option<u32>,
        /// Whether it is done twice if it comes twice.
        counts: bool,
    },
    /// It asks what of all before it is safe.
    Asks {
        /// Which session.
        sid: u64,
    },
    /// A new connection asks what of all that was said is safe.
    Resumes,
}

/// What an owner is told.
pub enum Call<M: Machine> {
    /// Something happens to its machine.
    Input(M::Input, Via),
    /// Something that this session's client said, and that was waited for, is safe.
    Safe(u64),
    /// What a step led to is safe.
    Done(u32),
    /// It was a copy until now: what its former owner did not see safe is done again.
    Resume,
    /// The slot moves to this node.
    Leave(u64),
    /// That node holds a copy with every change up to this one.
    Backed(u64, Lsn),
    /// That node does not hold the copy, or not any more.
    Lacking(u64),
    /// The slot's backup may be another one.
    Copy,
    /// The slot was lost, or the node was ousted: forget everything at once.
    Forget,
}
