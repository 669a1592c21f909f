//! Stages: the same scene with machines in memory, with one node, and with a cluster whose players are on different nodes.

pub mod certificates;
mod memory;
pub mod nodes;

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use muster_proto::Jid;

use crate::client::{Client, Mask, Pipe};
use crate::pattern;
use crate::player::Player;
use crate::script::Script;

pub use memory::options;
pub use nodes::{Door, Nodes, NodesHouse};

/// The password of every account of a stage.
pub const PASSWORD: &str = "wherefore art thou";

/// What a stage is built on.
pub trait House {
    /// How failures call it.
    fn name(&self) -> &'static str;

    /// Makes an account, if there is none.
    fn account(&mut self, jid: &str);

    /// A new connection, without TLS.
    fn dial(&mut self) -> Box<dyn Pipe>;
}

/// Where a scene is played.
pub struct Stage {
    house: Box<dyn House>,
    mask: Mask,
    play: Rc<Play>,
}

/// What the players of a scene share.
pub(crate) struct Play {
    script: RefCell<Script>,
    cast: RefCell<Vec<Player>>,
    number: Cell<u64>,
}

impl Stage {
    /// A stage in a house. Scenes that share a house wear different masks.
    pub fn new(house: Box<dyn House>, mask: Mask) -> Self {
        let play = Play { script: RefCell::default(), cast: RefCell::default(), number: Cell::new(0) };
        Self { house, mask, play: Rc::new(play) }
    }

    /// Machines in memory, with streams before them, all in one thread.
    pub fn memory() -> Self {
        Self::new(Box::new(memory::Memory::default()), Mask::default())
    }

    /// One node, which other scenes use too.
    pub fn node() -> Self {
        Self::on(&Nodes::one())
    }

    /// Three nodes, each player on the next of them, which other scenes use too.
    pub fn cluster() -> Self {
        Self::on(&Nodes::three())
    }

    /// A scene on these nodes.
    pub fn on(nodes: &Arc<Nodes>) -> Self {
        Self::at(nodes, (0..nodes.most()).collect())
    }

    /// A scene on these nodes, whose players connect only to some of them.
    pub fn at(nodes: &Arc<Nodes>, doors: Vec<usize>) -> Self {
        static SCENES: AtomicUsize = AtomicUsize::new(0);
        let number = SCENES.fetch_add(1, Ordering::Relaxed);
        Self::new(Box::new(NodesHouse::new(nodes.clone(), doors, number)), Mask::of(number))
    }

    /// The same scene from other nodes: its accounts are those of the earlier stage.
    pub fn resume(earlier: &Stage, nodes: &Arc<Nodes>, doors: Vec<usize>) -> Self {
        Self::new(Box::new(NodesHouse::new(nodes.clone(), doors, 0)), earlier.mask.clone())
    }

    /// Says what comes next: the title of a failure.
    pub fn scene(&self, title: &str) {
        self.play.script().scene(title);
    }

    /// Makes an account.
    pub fn account(&mut self, jid: &str) {
        self.house.account(&self.mask.hide(jid));
    }

    /// An address as the server knows it.
    pub fn real(&self, jid: &str) -> String {
        self.mask.hide(jid)
    }

    /// A client on a connection of the scene's own making.
    pub fn client(&self, pipe: Box<dyn Pipe>) -> Client {
        Client::new(pipe, self.mask.clone())
    }

    /// A player logs in (the account is made if needed), binds the resource of the JID, and sends initial presence. What it
    /// hears meanwhile is forgotten, and what its account's other clients hear of it too.
    pub fn enter(&mut self, jid: &str) -> Player {
        let player = self.bind(jid);
        player.says("<presence/>");
        player.forgets();
        let jid = player.jid().expect("it has just been bound");
        for other in self.play.cast() {
            if other.account() == player.account() && other.jid().as_ref() != Some(&jid) {
                other.forgets_presence_of(&jid);
            }
        }
        player
    }

    /// A player logs in (the account is made if needed) and binds the resource of the JID, without presence.
    pub fn bind(&mut self, jid: &str) -> Player {
        self.account(jid.split('/').next().unwrap_or(jid));
        let player = self.visit();
        let jid = Jid::new(jid).expect("the scene's JID is valid");
        let user = jid.node().map(|node| node.as_str()).expect("a player has a name");
        let resource = jid.resource().map(|resource| resource.as_str());
        let full = player.client(|client| client.enter(user, jid.domain().as_str(), PASSWORD, resource));
        player.bound(&full);
        player
    }

    /// A connection on which nothing was said yet.
    pub fn visit(&mut self) -> Player {
        let client = Client::new(self.house.dial(), self.mask.clone());
        let mut cast = self.play.cast.borrow_mut();
        let player = Player::new(self.play.clone(), format!("visitor {}", cast.len() + 1), client);
        cast.push(player.clone());
        player
    }

    /// Plays a scene; a failure tells the conversation so far.
    ///
    /// # Panics
    /// The scene does.
    pub fn play(mut self, scene: impl FnOnce(&mut Stage)) {
        scene(&mut self);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let script = self.play.script.borrow();
            let title = script.title().unwrap_or("the scene");
            eprintln!(
                "\nOn the stage \"{}\", in \"{title}\", it went otherwise:\n{}",
                self.house.name(),
                script.text()
            );
        }
        // Players know the play, and the play its players.
        self.play.cast.borrow_mut().clear();
    }
}

impl Play {
    pub(crate) fn script(&self) -> RefMut<'_, Script> {
        self.script.borrow_mut()
    }

    pub(crate) fn cast(&self) -> Vec<Player> {
        self.cast.borrow().clone()
    }

    /// A number not given before.
    pub(crate) fn number(&self) -> u64 {
        self.number.set(self.number.get() + 1);
        self.number.get()
    }

    /// Puts full JIDs in the place of names, and errors in the place of their conditions.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut text = pattern::with_errors(text);
        for player in self.cast() {
            let Some(jid) = player.jid() else { continue };
            let name = player.name();
            text = text.replace(&format!("{{{name}}}"), jid.as_str());
            if let Some((node, _)) = name.split_once('/') {
                text = text.replace(&format!("{{{node}}}"), jid.as_str());
            }
        }
        text
    }
}

/// Makes each scene three tests: in memory, on one node, and on a cluster of three with each player on the next node.
#[macro_export]
macro_rules! on_every_stage {
    ($($(#[$meta:meta])* fn $name:ident($stage:ident: &mut Stage) $scene:block)*) => {
        $($(#[$meta])* mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn scene($stage: &mut $crate::Stage) $scene

            #[test]
            fn memory() {
                $crate::Stage::memory().play(scene);
            }

            #[test]
            fn node() {
                $crate::Stage::node().play(scene);
            }

            #[test]
            fn cluster() {
                $crate::Stage::cluster().play(scene);
            }
        })*
    };
}
