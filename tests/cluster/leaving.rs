//! A node leaves in order: what it owned moves, its clients are asked to come again, and nobody else notices.

use std::sync::Arc;

use muster_tests::Stage;
use muster_tests::stage::Nodes;

use super::{Couple, talk_until};

#[test]
fn sessions_and_rooms_of_others_go_on_when_a_node_leaves() {
    let nodes = Arc::new(Nodes::start(3, ""));
    let mut stage = Stage::at(&nodes, vec![0, 1]);
    let mut couples = Couple::some(&mut stage, 6);
    let addresses: Vec<String> =
        couples.iter().flat_map(Couple::addresses).map(|address| stage.real(&address)).collect();
    assert!(addresses.iter().any(|address| nodes.owner_of(address) == "node-2"), "it owns some of them");

    let mut guests = Stage::at(&nodes, vec![2]);
    let guest = guests.enter("paris@verona.lit/street");
    let node = nodes.take(2);
    let leaves = std::thread::spawn(move || node.stop());
    talk_until(&mut couples, || leaves.is_finished() && nodes.are_settled(2));
    leaves.join().unwrap().unwrap();

    guests.scene("Its own client is asked to come again, and finds another node");
    guest.hears_the_end("system-shutdown");
    let mut guests = Stage::resume(&guests, &nodes, vec![0, 1]);
    let paris = guests.enter("paris@verona.lit/street");
    paris.asks("<iq id='p1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>", "<iq id='p1' type='result'/>");

    stage.scene("All is with those who stayed");
    for address in &addresses {
        assert_ne!(nodes.owner_of(address), "node-2");
    }
}
