//! What owners and backups must keep, for any members.

use proptest::prelude::*;

use super::*;
use crate::Roles;

fn member(name: &str, incarnation: u64, zone: &str, weight: u16) -> Member {
    Member {
        node: NodeId::new(name).unwrap(),
        incarnation: Incarnation(incarnation),
        zone: zone.into(),
        weight,
        roles: Roles::all(),
        state: State::Up,
        voter: true,
        link: None,
    }
}

fn view(members: impl IntoIterator<Item = Member>) -> View {
    members.into_iter().fold(View::default(), |view, m| view.with(m))
}

fn named(count: usize, salt: u32) -> View {
    view((0..count).map(|i| member(&format!("node-{salt}-{i}"), i as u64 + 1, "", 100)))
}

fn peak_over_mean(view: &View) -> f64 {
    let table = Table::new(view.clone());
    let owned = view.members.iter().map(|m| f64::from(table.share(Role::Sessions, m.incarnation).owned));
    owned.fold(0.0, f64::max) * view.members.len() as f64 / f64::from(Slot::COUNT)
}

fn owner(table: &Table, slot: Slot) -> Option<Incarnation> {
    table.owner(Role::Sessions, slot).map(|m| m.incarnation)
}

fn backup(table: &Table, slot: Slot) -> Option<Incarnation> {
    table.backup(Role::Sessions, slot).map(|m| m.incarnation)
}

#[test]
fn ten_nodes_of_any_name_are_balanced() {
    let worst = (0..100).map(|salt| peak_over_mean(&named(10, salt))).fold(0.0, f64::max);
    assert!(worst <= 1.15, "peak over mean {worst}");
}

#[test]
fn a_hundred_nodes_are_balanced_as_well_as_so_few_slots_each_can_be() {
    let peak = peak_over_mean(&named(100, 1));
    assert!(peak <= 1.4, "peak over mean {peak}");
}

#[test]
fn weights_are_honoured() {
    let table = Table::new(view([
        member("half", 1, "", 50),
        member("one", 2, "", 100),
        member("two", 3, "", 200),
        member("none", 4, "", 0),
    ]));
    let owned = [1, 2, 3, 4].map(|i| f64::from(table.share(Role::Rooms, Incarnation(i)).owned));
    let unit = f64::from(Slot::COUNT) / 7.0;
    assert!((owned[0] / unit - 1.0).abs() < 0.1, "{owned:?}");
    assert!((owned[1] / unit - 2.0).abs() < 0.1, "{owned:?}");
    assert!((owned[2] / unit - 4.0).abs() < 0.2, "{owned:?}");
    assert_eq!(owned[3], 0.0);
}

#[test]
fn the_logarithm_is_that_of_mathematics() {
    for n in [0, 1, 2, 3, 1 << 20, (1 << 63) - 1, 1 << 63, u64::MAX / 3, u64::MAX - 1, u64::MAX] {
        let expected = -(((n as f64 + 1.0) / 2f64.powi(64)).ln());
        assert!((minus_ln(n) - expected).abs() < 1e-9, "{n}: {} {expected}", minus_ln(n));
    }
}

#[test]
fn the_owners_of_a_known_view_never_change() {
    let table = Table::new(named(5, 0));
    let owners: Vec<u64> = (0..16).map(|s| owner(&table, Slot(s * 1000)).unwrap().0).collect();
    assert_eq!(owners, FROZEN);
}

/// Nodes of different versions must compute the same owners.
const FROZEN: [u64; 16] = [4, 2, 2, 3, 2, 1, 2, 2, 3, 3, 4, 3, 2, 5, 3, 3];

#[test]
fn zones_alternate_as_long_as_they_can() {
    let zones = ["a", "b", "c"];
    let table = Table::new(view((0..9).map(|i| member(&format!("n{i}"), i + 1, zones[i as usize % 3], 100))));
    for slot in Slot::all() {
        let list = table.preference(Role::Sessions, slot);
        assert_eq!(list.len(), 9);
        for (i, pair) in list.windows(2).enumerate() {
            let others_left = list[i + 1..].iter().any(|m| m.zone != pair[0].zone);
            assert!(pair[0].zone != pair[1].zone || !others_left);
        }
        assert_ne!(
            table.owner(Role::Sessions, slot).unwrap().zone,
            table.backup(Role::Sessions, slot).unwrap().zone
        );
    }
}

#[test]
fn who_joins_or_drains_owns_nothing_unless_nobody_else_can() {
    let mut members = [member("a", 1, "", 100), member("b", 2, "", 100)];
    members[0].state = State::Joining;
    members[1].state = State::Draining;
    let table = Table::new(view(members.clone()));
    assert!(Slot::all().all(|s| owner(&table, s) == Some(Incarnation(2)) && backup(&table, s).is_none()));
    members[0].state = State::Up;
    let table = table.next(view(members));
    assert!(Slot::all().all(|s| owner(&table, s) == Some(Incarnation(1)) && backup(&table, s).is_none()));
}

#[test]
fn each_role_is_spread_over_those_who_have_it() {
    let mut members = [member("a", 1, "", 100), member("b", 2, "", 100), member("c", 3, "", 100)];
    members[0].roles = Roles::EDGE;
    members[1].roles = Roles::SESSIONS;
    let table = Table::new(view(members));
    let shares = [1, 2, 3].map(|i| table.share(Role::Sessions, Incarnation(i)).owned);
    assert!(shares[0] == 0 && shares[1] > 7000 && shares[2] > 7000);
    assert_eq!(table.share(Role::Rooms, Incarnation(3)).owned, Slot::COUNT);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn slots_of_a_lost_member_go_exactly_to_their_backups_and_return(
        count in 2usize..9, zones in 1usize..4, lost in 0usize..9, salt: u32,
    ) {
        let before_view = view((0..count).map(|i| {
            member(&format!("n-{salt}-{i}"), i as u64 + 1, &(i % zones).to_string(), 100)
        }));
        let lost = Incarnation((lost % count) as u64 + 1);
        let before = Table::new(before_view.clone());
        let without = before.next(before_view.with_state(lost, State::Down).unwrap());
        for slot in Slot::all() {
            let was = owner(&before, slot);
            if was == Some(lost) {
                prop_assert_eq!(owner(&without, slot), backup(&before, slot));
            } else {
                prop_assert_eq!(owner(&without, slot), was);
            }
            let touched = was == Some(lost) || backup(&before, slot) == Some(lost);
            let epoch = if touched { without.epoch() } else { before.epoch() };
            prop_assert_eq!(without.slot_epoch(Role::Sessions, slot), epoch);
        }
        let again = without.next(without.view().with_state(lost, State::Up).unwrap());
        for slot in Slot::all() {
            prop_assert_eq!(owner(&again, slot), owner(&before, slot));
            prop_assert_eq!(backup(&again, slot), backup(&before, slot));
        }
    }

    #[test]
    fn a_forgotten_member_moves_only_its_own_slots(count in 3usize..9, salt: u32) {
        let before = Table::new(named(count, salt));
        let gone = before.view().members[0].clone();
        let after = before.next(before.view().without(&gone.node));
        for slot in Slot::all() {
            if owner(&before, slot) != Some(gone.incarnation) {
                prop_assert_eq!(owner(&after, slot), owner(&before, slot));
            } else {
                prop_assert_eq!(owner(&after, slot), backup(&before, slot));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn from_view_to_view_the_same_are_picked_as_from_all(
        count in 1usize..12, changes in prop::collection::vec((0usize..14, 0u8..5), 1..12), salt: u32,
    ) {
        let mut table = Table::new(named(count, salt));
        for (which, change) in changes {
            let name = NodeId::new(&format!("node-{salt}-{which}")).unwrap();
            let mut member = member(name.as_str(), which as u64 + 1, "", if which == 13 { 50 } else { 100 });
            member.state = [State::Up, State::Joining, State::Down, State::Draining, State::Up][usize::from(change)];
            let next = if change == 4 { table.view().without(&name) } else { table.view().with(member) };
            table = table.next(next);
            let anew = Table::new(table.view().clone());
            prop_assert_eq!(&table.sessions.pairs, &anew.sessions.pairs);
            prop_assert_eq!(&table.rooms.pairs, &anew.rooms.pairs);
        }
    }
}

#[test]
fn the_quick_way_picks_whom_the_walk_picks() {
    let states = [State::Up, State::Joining, State::Down, State::Draining, State::Up];
    for count in [1, 2, 3, 9, 54] {
        let mut view = named(count, 7);
        for (i, member) in view.members.iter_mut().enumerate() {
            member.state = states[(i * i + count) % states.len()];
        }
        let draws = Draw::all(&view, Role::Sessions);
        assert!(Draw::are_even(&draws));
        for slot in Slot::all() {
            assert_eq!(Owners::pick_even(&view, &draws, slot), Owners::pick(&view, &draws, slot), "{slot:?}");
        }
    }
}
