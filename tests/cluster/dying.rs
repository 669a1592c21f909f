//! A node is killed: the others notice and take over, and whoever was connected elsewhere notices nothing.

use std::sync::Arc;
use std::time::Duration;

use muster_tests::acts::{configure, enter_room, gather, listen_for};
use muster_tests::stage::Nodes;
use muster_tests::{Player, Stage};

const PATIENCE: Duration = Duration::from_secs(20);
const GUESTS: usize = 12;
const ROOMS: usize = 4;

/// People on the nodes 0 and 1. The accounts of some of them are owned by node 2.
struct Feast {
    nodes: Arc<Nodes>,
    stage: Stage,
    people: Vec<Player>,
    accounts: Vec<String>,
    orphans: Vec<bool>,
}

#[test]
fn the_others_take_over_and_who_is_connected_elsewhere_notices_nothing() {
    let feast = Feast::begins();
    let room = feast.makes_rooms();
    feast.loses_a_node();
    feast.goes_on();

    feast.stage.scene("In the room of the dead node they go on talking");
    let stay = feast.those_who_stay();
    stay[0].says(&format!(
        "<message to='{room}' type='groupchat' id='on'><body>On with the feast</body></message>"
    ));
    for person in &stay[..2] {
        listen_for(person, |heard| {
            assert_ne!(heard.attr("type"), Some("unavailable"), "nobody has left: {heard:?}");
            heard.attr("id") == Some("on")
        });
    }

    feast.stage.scene("Rooms that stay are there");
    let newcomer = feast.people.iter().find(|person| person.name() != stay[0].name()).unwrap();
    for number in 0..ROOMS {
        let heard = enter_room(newcomer, &format!("hall{number}@conference.verona.lit/Newcomer"));
        assert!(!heard.iter().any(|heard| String::from(heard).contains("code='201'")), "{heard:?}");
    }

    feast.stage.scene("The node comes again");
    feast.nodes.run(2);
    feast.nodes.wait_for(3);
    let mut late = Stage::resume(&feast.stage, &feast.nodes, vec![2]);
    let guest = late.enter("latecomer@verona.lit/feast");
    guest.says(&format!(
        "<message to='{}' type='chat' id='late'><body>Late</body></message>",
        feast.accounts[0]
    ));
    listen_for(&feast.people[0], |heard| heard.attr("id") == Some("late"));
}

impl Feast {
    fn begins() -> Self {
        let nodes = Arc::new(Nodes::start(3, ""));
        let mut stage = Stage::at(&nodes, vec![0, 1]);
        let people: Vec<Player> =
            (0..GUESTS).map(|number| stage.enter(&format!("guest{number}@verona.lit/feast"))).collect();
        let accounts: Vec<String> = people.iter().map(Player::account).collect();
        let is_orphan = |account: &String| nodes.owner_of(&stage.real(account)) == "node-2";
        let orphans: Vec<bool> = accounts.iter().map(is_orphan).collect();
        assert!(orphans.contains(&true) && orphans.contains(&false), "{orphans:?}");
        Self { nodes, stage, people, accounts, orphans }
    }

    fn those_who_stay(&self) -> Vec<Player> {
        self.people.iter().zip(&self.orphans).filter(|(_, orphan)| !**orphan).map(|it| it.0.clone()).collect()
    }

    /// Persistent rooms, wherever they are, and a temporary one of the node that will die, with two who will stay.
    fn makes_rooms(&self) -> String {
        self.stage.scene("They make rooms");
        let stay = self.those_who_stay();
        for number in 0..ROOMS {
            let room = format!("hall{number}@conference.verona.lit");
            gather(&room, &[(&stay[0], "Host")]);
            configure(&stay[0], &room, &[("persistentroom", "1")]);
        }
        let room = (0..)
            .map(|number| format!("feast{number}@conference.verona.lit"))
            .find(|room| self.nodes.owner_of(&self.stage.real(room)) == "node-2")
            .unwrap();
        gather(&room, &[(&stay[0], "Host"), (&stay[1], "Guest")]);
        stay.iter().for_each(Player::forgets);
        room
    }

    fn loses_a_node(&self) {
        self.stage.scene("A node is killed");
        self.nodes.take(2).kill();
        self.nodes.wait_until(PATIENCE, "the others notice", |statuses| {
            statuses.iter().all(|status| Nodes::count(status, "up") == 2 && Nodes::count(status, "down") == 1)
        });
    }

    /// Also those whose sessions were there: each hears what it says to itself, and nothing else.
    fn goes_on(&self) {
        self.stage.scene("They go on");
        for (person, account) in self.people.iter().zip(&self.accounts) {
            person.forgets();
            person.says(&format!(
                "<message to='{account}' type='chat' id='self'><body>I am here</body></message>"
            ));
        }
        for person in &self.people {
            listen_for(person, |heard| {
                assert!(heard.is("message", "jabber:client"), "nothing has happened: {heard:?}");
                heard.attr("id") == Some("self")
            });
        }
    }
}
