//! The connections of this node, by number, spread over the arbiters.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_cluster::map::HashMap;
use muster_proto::machine::{SocketId, ToSocket};
use muster_proto::stream::StreamError;
use tokio::time::Instant;

use crate::floor::Floor;
use crate::mail::Mail;
use crate::socket::{Connection, Socket};
use crate::world::World;

/// Letters that may wait for one socket: its client reads or is cut off long before.
const LETTERS_MAX: usize = 65_536;

/// What a socket is told.
pub enum SocketCall {
    /// By the session of its account.
    Owner(ToSocket),
    /// Sessions in these slots died with their node.
    SlotsLost(Arc<Vec<bool>>),
    /// The node ends it.
    End(StreamError),
    /// By the clock: whether its client has been silent since the last time.
    Look,
}

/// The connections of this node.
pub struct Sockets {
    shelves: Vec<Shelf>,
    last: AtomicU64,
    count: AtomicUsize,
    looks: Mutex<Looks>,
}

/// When sockets are told to look: a few at a time, each once in so long. None needs a timer of its own.
struct Looks {
    every: Duration,
    next: Instant,
    turn: u64,
}

/// What is later than this by so much has been missed.
const LATE_MAX: Duration = Duration::from_secs(2);
/// All sockets look once in so many turns.
const TURNS: u64 = 64;

struct Shelf {
    floor: Floor,
    sockets: Mutex<HashMap<u64, Mail<Socket>>>,
}

impl Shelf {
    fn sockets(&self) -> MutexGuard<'_, HashMap<u64, Mail<Socket>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sockets {
    /// No connections yet.
    pub fn new(floors: &[Floor], idle_time_max: Duration) -> Self {
        let shelf = |floor: &Floor| Shelf { floor: floor.clone(), sockets: Mutex::default() };
        Self {
            shelves: floors.iter().map(shelf).collect(),
            last: AtomicU64::new(0),
            count: AtomicUsize::new(0),
            looks: Mutex::new(Looks {
                every: (idle_time_max / u32::try_from(TURNS).unwrap_or(u32::MAX))
                    .max(Duration::from_millis(1)),
                next: Instant::now(),
                turn: 0,
            }),
        }
    }

    /// Tells those whose turn has come to look after their clients. Called again and again.
    pub fn look(&self) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, every) = (Instant::now(), looks.every);
        // Who stood still himself has heard nobody.
        if now.saturating_duration_since(looks.next) > every * 16 + LATE_MAX {
            looks.next = now;
        }
        while looks.next <= now {
            looks.next += every;
            looks.turn = (looks.turn + 1) % TURNS;
            for shelf in &self.shelves {
                for (_, mail) in shelf.sockets().iter().filter(|(number, _)| *number % TURNS == looks.turn) {
                    drop(mail.send(SocketCall::Look, usize::MAX));
                }
            }
        }
    }

    /// Starts the actor of a new connection.
    pub fn open(&self, world: &Arc<World>, connection: Connection) {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let shelf = self.shelf(number);
        let mut sockets = shelf.sockets();
        let id = SocketId { node: world.me(), number };
        let world = world.clone();
        let mail = Mail::start(&shelf.floor, move |_| Socket::new(world, id, connection));
        sockets.insert(number, mail);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection is gone.
    pub fn closed(&self, number: u64) {
        if self.shelf(number).sockets().remove(&number).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Tells one of them.
    pub fn tell(&self, world: &Arc<World>, socket: SocketId, message: ToSocket) {
        let told = match self.shelf(socket.number).sockets().get(&socket.number) {
            Some(mail) => mail.send(SocketCall::Owner(message), LETTERS_MAX),
            None => Err(SocketCall::Owner(message)),
        };
        if let Err(SocketCall::Owner(message)) = told {
            world.undo(socket, &message);
        }
    }

    /// Tells all of them.
    pub fn tell_all(&self, mut call: impl FnMut() -> SocketCall) {
        for shelf in &self.shelves {
            for mail in shelf.sockets().values() {
                drop(mail.send(call(), usize::MAX));
            }
        }
    }

    /// Up to `most` of them, for closing them at a measured pace.
    pub fn end_some(&self, most: usize, why: &StreamError) {
        let mut left = most;
        for shelf in &self.shelves {
            for mail in shelf.sockets().values().take(left) {
                drop(mail.send(SocketCall::End(why.clone()), usize::MAX));
                left -= 1;
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn shelf(&self, number: u64) -> &Shelf {
        &self.shelves[usize::try_from(number).unwrap_or_default() % self.shelves.len()]
    }
}
