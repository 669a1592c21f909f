//! Slots on their way from here: to whom, and who of them is here still. A slot that left, came back and left again before it had
//! arrived anywhere departs once for each time, in order.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::Mutex;

use jid::BareJid;
use muster_cluster::Role;
use muster_cluster::map::{HashMap, HashSet};

use super::{Place, lock};
use crate::world::World;

/// All slots on their way from here.
#[derive(Default)]
pub(super) struct Departures(Mutex<HashMap<Place, VecDeque<Departure>>>);

struct Departure {
    to: u64,
    /// Its actors have not all been told yet.
    is_being_told: bool,
    /// It has not come here yet: what comes goes on.
    is_awaited: bool,
    /// Those who are here still.
    actors: HashSet<BareJid>,
    /// Those who have left.
    gone: HashSet<BareJid>,
}

impl Departure {
    fn is_over(&self) -> bool {
        !self.is_being_told && !self.is_awaited && self.actors.is_empty()
    }
}

impl Departures {
    /// A slot goes to that node. It is not over before all its actors were told.
    pub(super) fn begin(&self, place: Place, to: u64) {
        let (actors, gone) = Default::default();
        let departure = Departure { to, is_being_told: true, is_awaited: false, actors, gone };
        match lock(&self.0).entry(place) {
            Entry::Occupied(mut queue) => queue.get_mut().push_back(departure),
            // Room for one: slots leave by the thousand.
            Entry::Vacant(place) => drop(place.insert(VecDeque::from([departure]))),
        }
    }

    /// Where a slot goes that is on its way.
    pub(super) fn goes_to(&self, place: Place) -> Option<u64> {
        lock(&self.0).get(&place)?.back().map(|departure| departure.to)
    }

    /// A slot came here that is another's already: it goes there, with what goes there anyway.
    pub(super) fn begin_or_go_on(&self, place: Place, to: u64) {
        if let Some(departure) = lock(&self.0).get_mut(&place).and_then(VecDeque::back_mut) {
            departure.is_being_told = true;
            return;
        }
        self.begin(place, to);
    }

    /// Notes that an actor of a slot has to go, and says where to, if the slot does.
    pub(super) fn tell(&self, place: Place, address: &BareJid) -> Option<u64> {
        let mut departures = lock(&self.0);
        let departure = departures.get_mut(&place)?.back_mut()?;
        departure.actors.insert(address.clone());
        Some(departure.to)
    }

    /// All actors of these slots were told. What `is_awaited` has not come here yet.
    pub(super) fn all_are_told(
        &self,
        places: impl Iterator<Item = Place>,
        is_awaited: impl Fn(&Place) -> bool,
        world: &World,
    ) {
        let mut departures = lock(&self.0);
        let mut moved: HashMap<(Role, u64), Vec<u16>> = HashMap::default();
        for place in places {
            let Some(last) = departures.get_mut(&place).and_then(VecDeque::back_mut) else { continue };
            last.is_being_told = false;
            last.is_awaited |= is_awaited(&place);
            for to in end(&mut departures, place) {
                moved.entry((place.0, to)).or_default().push(place.1);
            }
        }
        // Under the lock: whoever awaits a slot sees that it leaves, or has left.
        moved.into_iter().for_each(|((role, to), slots)| world.departed(role, to, slots));
    }

    /// An actor has left; the last one lets the new owner begin.
    pub(super) fn left(&self, place: Place, address: &BareJid, world: &World) {
        self.change(place, world, |departure| {
            let left = departure.actors.take(address);
            let is_first = left.is_some();
            departure.gone.extend(left);
            is_first
        });
    }

    /// Whether an actor of a slot that is still on its way from here has left already.
    pub(super) fn has_left(&self, place: Place, address: &BareJid) -> bool {
        let departures = lock(&self.0);
        departures.get(&place).is_some_and(|queue| queue.iter().any(|it| it.gone.contains(address)))
    }

    /// A slot has come that is to go on from here, if it is.
    pub(super) fn arrived(&self, place: Place, world: &World) -> bool {
        self.change(place, world, |departure| std::mem::take(&mut departure.is_awaited))
    }

    /// Changes the first departure of a slot of which there is something to change.
    fn change(&self, place: Place, world: &World, change: impl FnMut(&mut Departure) -> bool) -> bool {
        let mut departures = lock(&self.0);
        let is_changed = departures.get_mut(&place).is_some_and(|queue| queue.iter_mut().any(change));
        if is_changed {
            depart(&mut departures, place, world);
        }
        is_changed
    }

    /// Slots that were to go to nodes that are gone go to whom `owner` says, or nowhere. Whether there are any.
    pub(super) fn turn_from(
        &self,
        dead: &HashSet<u64>,
        owner: impl Fn(&Place) -> Option<u64>,
        world: &World,
    ) -> bool {
        let mut departures = lock(&self.0);
        let goes_there = |departure: &Departure| dead.contains(&departure.to);
        let strays: Vec<Place> = departures
            .iter()
            .filter(|(_, queue)| queue.iter().any(goes_there))
            .map(|(place, _)| *place)
            .collect();
        for place in &strays {
            let owner = owner(place);
            departures.entry(*place).or_default().retain_mut(|departure| {
                !goes_there(departure) || owner.map(|owner| departure.to = owner).is_some()
            });
            // Who waited behind one that goes nowhere may be over.
            depart(&mut departures, *place, world);
        }
        !strays.is_empty()
    }

    /// The slots of one ring that are on their way.
    pub(super) fn slots(&self, role: Role) -> HashSet<u16> {
        lock(&self.0).keys().filter(|place| place.0 == role).map(|place| place.1).collect()
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.0).len()
    }

    pub(super) fn forget(&self) {
        lock(&self.0).clear();
    }
}

/// Lets those begin to whom a slot has gone. Under the lock, as above.
fn depart(departures: &mut HashMap<Place, VecDeque<Departure>>, place: Place, world: &World) {
    end(departures, place).into_iter().for_each(|to| world.departed(place.0, to, vec![place.1]));
}

/// Takes out what is over of a slot, and says where it went.
fn end(departures: &mut HashMap<Place, VecDeque<Departure>>, place: Place) -> Vec<u64> {
    let Some(queue) = departures.get_mut(&place) else { return vec![] };
    let over = queue.iter().take_while(|departure| departure.is_over()).count();
    let went = queue.drain(..over).map(|departure| departure.to).collect();
    if queue.is_empty() {
        departures.remove(&place);
    }
    went
}

#[cfg(test)]
mod tests {
    use muster_proto::feature::Features;
    use muster_proto::options::Limits;

    use super::*;
    use crate::stage;

    const PLACE: Place = (Role::Sessions, 7);

    fn departures(to: &[u64]) -> Departures {
        let departures = Departures::default();
        to.iter().for_each(|to| departures.begin(PLACE, *to));
        departures
    }

    fn address(name: &str) -> BareJid {
        BareJid::new(name).unwrap()
    }

    #[actix_rt::test]
    async fn a_slot_has_left_when_all_who_were_told_have_left_however_often_they_were_told() {
        let world = stage::world(Features::new(vec![]), Limits::default()).await;
        let (leaving, romeo) = (departures(&[2]), address("romeo@capulet.lit"));
        assert_eq!(leaving.tell(PLACE, &romeo), Some(2));
        assert_eq!(leaving.tell(PLACE, &romeo), Some(2));
        leaving.all_are_told([PLACE].into_iter(), |_| true, &world);
        leaving.left(PLACE, &romeo, &world);
        leaving.left(PLACE, &romeo, &world);
        assert_eq!(leaving.count(), 1, "it has not come here yet");
        assert!(leaving.has_left(PLACE, &romeo));
        assert!(leaving.arrived(PLACE, &world));
        assert_eq!((leaving.count(), leaving.arrived(PLACE, &world)), (0, false));
    }

    #[actix_rt::test]
    async fn who_leaves_twice_leaves_in_order() {
        let world = stage::world(Features::new(vec![]), Limits::default()).await;
        let (leaving, romeo) = (departures(&[2]), address("romeo@capulet.lit"));
        leaving.tell(PLACE, &romeo);
        leaving.all_are_told([PLACE].into_iter(), |_| false, &world);
        leaving.begin(PLACE, 3);
        leaving.all_are_told([PLACE].into_iter(), |_| false, &world);
        assert_eq!(leaving.count(), 1, "the second waits for the first");
        leaving.left(PLACE, &romeo, &world);
        assert_eq!(leaving.count(), 0);
    }

    #[actix_rt::test]
    async fn who_was_to_go_to_the_dead_goes_elsewhere_or_nowhere() {
        let world = stage::world(Features::new(vec![]), Limits::default()).await;
        let (dead, leaving, romeo) =
            (HashSet::from_iter([2]), departures(&[2]), address("romeo@capulet.lit"));
        leaving.tell(PLACE, &romeo);
        leaving.all_are_told([PLACE].into_iter(), |_| false, &world);
        assert!(leaving.turn_from(&dead, |_| Some(4), &world));
        assert_eq!(
            (leaving.tell(PLACE, &romeo), leaving.turn_from(&dead, |_| None, &world)),
            (Some(4), false)
        );
        assert!(leaving.turn_from(&HashSet::from_iter([4]), |_| None, &world));
        assert_eq!(leaving.count(), 0);
    }
}
