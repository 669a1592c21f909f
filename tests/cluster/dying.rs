//! A node is killed: the others notice, take over, and whoever comes again is served.

use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_tests::acts::{configure, enter_room, gather, listen_for};
use muster_tests::stage::Nodes;
use muster_tests::{Player, Stage};

/// What the nodes promise, and what a busy machine may add.
const NOTICED_WITHIN: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_others_notice_and_everybody_who_comes_again_is_served() {
    let nodes = Arc::new(Nodes::start(3, ""));
    let mut stage = Stage::at(&nodes, vec![0, 1]);
    let people: Vec<Player> =
        (0..12).map(|number| stage.enter(&format!("guest{number}@verona.lit/feast"))).collect();
    let accounts: Vec<String> = people.iter().map(Player::account).collect();
    let is_orphan = |account: &String| nodes.owner_of(&stage.real(account)) == "node-2";
    let orphans: Vec<bool> = accounts.iter().map(is_orphan).collect();
    assert!(orphans.contains(&true) && orphans.contains(&false), "{orphans:?}");

    stage.scene("A room that stays, wherever it is");
    let owner = orphans.iter().position(|orphan| !orphan).unwrap();
    for number in 0..4 {
        let room = format!("hall{number}@conference.verona.lit");
        gather(&room, &[(&people[owner], "Host")]);
        configure(&people[owner], &room, &[("persistentroom", "1")]);
    }

    stage.scene("A room of the node that will die, with two who will stay");
    let stay: Vec<&Player> =
        people.iter().zip(&orphans).filter(|(_, orphan)| !**orphan).map(|it| it.0).collect();
    let orphaned = (0..)
        .map(|number| format!("feast{number}@conference.verona.lit"))
        .find(|room| nodes.owner_of(&stage.real(room)) == "node-2")
        .unwrap();
    gather(&orphaned, &[(stay[0], "Host"), (stay[1], "Guest")]);
    stay.iter().for_each(|person| person.forgets());

    stage.scene("A node is killed");
    let killed = Instant::now();
    nodes.take(2).kill();
    nodes.wait_until(PATIENCE, "the others notice", |statuses| {
        statuses.iter().all(|status| Nodes::count(status, "up") == 2 && Nodes::count(status, "down") == 1)
    });
    let noticed = killed.elapsed();
    assert!(noticed < NOTICED_WITHIN + Duration::from_secs(2), "noticed after {noticed:?}");

    stage.scene("Whose session died with it is told, and comes again; the others stay");
    for (person, _) in people.iter().zip(&orphans).filter(|(_, orphan)| **orphan) {
        listen_for(person, |heard| heard.is("error", "http://etherx.jabber.org/streams"));
        person.vanishes();
    }
    let mut again = Stage::resume(&stage, &nodes, vec![1, 0]);
    let back: Vec<Player> = people
        .iter()
        .zip(&orphans)
        .zip(&accounts)
        .map(|((person, orphan), account)| match orphan {
            true => again.enter(&format!("{account}/feast")),
            false => person.clone(),
        })
        .collect();
    for (person, account) in back.iter().zip(&accounts) {
        person.forgets();
        person
            .says(&format!("<message to='{account}' type='chat' id='self'><body>I am here</body></message>"));
    }
    for person in &back {
        listen_for(person, |heard| heard.attr("id") == Some("self"));
    }

    stage.scene("In the room of the dead node they go on talking");
    stay[0].says(&format!(
        "<message to='{orphaned}' type='groupchat' id='on'><body>On with the feast</body></message>"
    ));
    for person in &stay[..2] {
        listen_for(person, |heard| {
            assert_ne!(heard.attr("type"), Some("unavailable"), "nobody has left: {heard:?}");
            heard.attr("id") == Some("on")
        });
    }

    stage.scene("Rooms that stay are there");
    for number in 0..4 {
        let heard = enter_room(&back[(owner + 1) % 12], &format!("hall{number}@conference.verona.lit/Guest"));
        assert!(!heard.iter().any(|heard| String::from(heard).contains("'201'")), "{heard:?}");
    }

    stage.scene("The node comes again");
    nodes.run(2);
    nodes.wait_for(3);
    let mut late = Stage::resume(&stage, &nodes, vec![2]);
    let guest = late.enter("guest12@verona.lit/feast");
    guest.says(&format!("<message to='{}' type='chat' id='late'><body>Late</body></message>", accounts[0]));
    listen_for(&back[0], |heard| heard.attr("id") == Some("late"));
}
