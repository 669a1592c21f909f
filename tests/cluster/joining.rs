//! A node joins while accounts and rooms are in use: some move to it, and nobody notices.

use std::sync::Arc;

use muster_tests::Stage;
use muster_tests::stage::Nodes;

use super::{Couple, talk_until};

#[test]
fn what_is_said_while_a_node_joins_arrives() {
    let nodes = Arc::new(Nodes::prepare(3, ""));
    nodes.run(0);
    nodes.wait_for(1);
    let mut stage = Stage::at(&nodes, vec![0]);
    let mut couples = Couple::some(&mut stage, 6);
    let addresses: Vec<String> =
        couples.iter().flat_map(Couple::addresses).map(|address| stage.real(&address)).collect();

    for number in [1, 2] {
        stage.scene(&format!("Node {number} joins"));
        nodes.run(number);
        talk_until(&mut couples, || nodes.are_settled(number + 1));
    }

    stage.scene("The new ones own some of what they talk by");
    let owners: Vec<_> = addresses.iter().map(|address| nodes.owner_of(address)).collect();
    for number in 0..3 {
        assert!(owners.contains(&format!("node-{number}")), "{owners:?}");
    }

    stage.scene("Newcomers on the new nodes find everybody");
    let mut late = Stage::at(&nodes, vec![1, 2]);
    let nurse = late.enter("nurse@capulet.lit/kitchen");
    let friar = late.enter("friar@capulet.lit/cell");
    nurse.says("<message to='{friar}' type='chat'><body>Help!</body></message>");
    friar.hears("<message from='{nurse}' type='chat'><body>Help!</body></message>");
}
