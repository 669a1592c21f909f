//! What happens to people when nodes come, go and die. Each scene here has nodes of its own.

mod dying;
mod joining;
mod leaving;
mod slow;

use muster_tests::acts::gather;
use muster_tests::{Player, Stage};

/// Two people and the room they are in, with what has been said so far.
struct Couple {
    romeo: Player,
    juliet: Player,
    room: String,
    said: usize,
}

impl Couple {
    /// Several couples, so that every node owns some of them.
    fn some(stage: &mut Stage, count: usize) -> Vec<Self> {
        (0..count)
            .map(|number| {
                let romeo = stage.enter(&format!("romeo{number}@montague.lit/orchard"));
                let juliet = stage.enter(&format!("juliet{number}@capulet.lit/balcony"));
                let room = format!("hall{number}@conference.capulet.lit");
                gather(&room, &[(&juliet, "Juliet"), (&romeo, "Romeo")]);
                Self { romeo, juliet, room, said: 0 }
            })
            .collect()
    }

    /// The addresses that have an owner.
    fn addresses(&self) -> [String; 3] {
        [self.romeo.account(), self.juliet.account(), self.room.clone()]
    }

    /// Both say something, to each other and in the room.
    fn talk(&mut self) {
        let number = self.said;
        self.said += 1;
        self.romeo.says(&format!(
            "<message to='{}' type='chat' id='p{number}'><body>{number}</body></message>",
            self.juliet.account()
        ));
        self.juliet.says(&format!(
            "<message to='{}' type='chat' id='p{number}'><body>{number}</body></message>",
            self.romeo.account()
        ));
        self.romeo.says(&format!(
            "<message to='{}' type='groupchat' id='g{number}'><body>{number}</body></message>",
            self.room
        ));
    }

    /// Both hear all that has been said since the given number, in order.
    fn listen(&self, since: usize) {
        let all: Vec<String> = (since..self.said).map(|number| number.to_string()).collect();
        for player in [&self.romeo, &self.juliet] {
            let (mut private, mut public) = (vec![], vec![]);
            while private.len() + public.len() < 2 * all.len() {
                let heard = player.hears_something();
                assert_eq!(heard.name(), "message", "{}: nobody goes anywhere: {heard:?}", player.name());
                let said = if heard.attr("type") == Some("groupchat") { &mut public } else { &mut private };
                said.extend(heard.get_child("body", "jabber:client").map(|body| body.text()));
            }
            assert_eq!((&private, &public), (&all, &all), "{}: in order, each once", player.name());
        }
    }
}

/// All couples talk, a few words at a time, until this is so, and then a little more.
fn talk_until(couples: &mut [Couple], mut is_so: impl FnMut() -> bool) {
    const ROUNDS_MAX: usize = 5_000;
    let mut rounds_left = 5;
    for _ in 0..ROUNDS_MAX {
        let since: Vec<usize> = couples.iter().map(|couple| couple.said).collect();
        for _ in 0..3 {
            couples.iter_mut().for_each(Couple::talk);
        }
        for (couple, since) in couples.iter().zip(since) {
            couple.listen(since);
        }
        if is_so() {
            rounds_left -= 1;
        }
        if rounds_left == 0 {
            return;
        }
    }
    panic!("it does not come to an end");
}
