//! A client that does not read: it is cut off, and those who share a room with it notice nothing but its going.

use std::sync::Arc;

use muster_tests::Stage;
use muster_tests::acts::gather;
use muster_tests::stage::Nodes;

#[test]
fn a_client_that_does_not_read_is_cut_off_and_slows_nobody() {
    const HALL: &str = "hall@conference.verona.lit";
    /// More than the buffers of the operating system hold.
    const MESSAGES_MAX: usize = 4_000;
    let nodes = Arc::new(Nodes::start(1, "[limits]\nunsent_bytes_max = 300000\n"));
    let mut stage = Stage::on(&nodes);
    let romeo = stage.enter("romeo@verona.lit/orchard");
    let juliet = stage.enter("juliet@verona.lit/balcony");
    let sloth = stage.enter("sloth@verona.lit/bed");
    gather(HALL, &[(&romeo, "Romeo"), (&juliet, "Juliet"), (&sloth, "Sloth")]);

    stage.scene("He talks on and on, and Sloth does not listen");
    let body = "a".repeat(16 << 10);
    let mut gone = 0;
    for number in 0..MESSAGES_MAX {
        romeo.says(&format!(
            "<message to='{HALL}' type='groupchat' id='m{number}'><body>{body}</body></message>"
        ));
        for player in [&romeo, &juliet] {
            loop {
                let heard = player.hears_something();
                match heard.name() {
                    "presence" if heard.attr("type") == Some("unavailable") => {
                        assert_eq!(heard.attr("from"), Some("hall@conference.verona.lit/Sloth"));
                        gone += 1;
                    }
                    _ => {
                        assert_eq!(heard.attr("id"), Some(format!("m{number}").as_str()));
                        break;
                    }
                }
            }
        }
        if gone == 2 {
            return;
        }
    }
    panic!("Sloth was never cut off");
}
