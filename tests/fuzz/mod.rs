//! Whatever people say, in whatever order: nothing panics, what the server says is XML, the shadow of each machine stays
//! equal (the world in memory checks that at every step), and whoever said nothing wrong is still served.
//!
//! Each runs for a moment; `FUZZ_SECONDS=600 cargo test -p muster-tests --test scenes fuzz` runs longer. A failure names its
//! seed, and `FUZZ_SEED` plays it again.

mod chance;
mod words;

use std::time::{Duration, Instant};

use chance::Chance;
use muster_proto::Jid;
use muster_tests::client::{Client, Heard};
use muster_tests::{Player, Stage};

/// Tries seeds until the time is over.
fn try_for_a_moment(play: impl Fn(&mut Chance) + std::panic::RefUnwindSafe) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seconds = number("FUZZ_SECONDS").unwrap_or(1);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut seed = number("FUZZ_SEED").unwrap_or(1);
    loop {
        if std::panic::catch_unwind(|| play(&mut Chance::new(seed))).is_err() {
            panic!("play it again with FUZZ_SEED={seed}");
        }
        seed += 1;
        if Instant::now() >= deadline {
            return;
        }
    }
}

#[test]
fn whatever_people_say_those_who_say_nothing_wrong_are_served() {
    try_for_a_moment(|chance| {
        let mut stage = Stage::memory();
        let witness = stage.enter("benvolio@montague.lit/street");
        let names = ["romeo@montague.lit/orchard", "juliet@capulet.lit/balcony", "juliet@capulet.lit/phone"];
        let enter = |stage: &mut Stage, name: &str| {
            // Not `Stage::enter`: it asks things of everybody, and some are in the middle of a word.
            let player = stage.bind(name);
            player.says("<presence/>");
            player
        };
        let mut players: Vec<Player> = names.iter().map(|name| enter(&mut stage, name)).collect();
        for _ in 0..150 {
            let who = chance.below(players.len());
            let mut said = words::stanza(chance);
            if chance.one_in(4) {
                said = chance.spoil(said);
            }
            players[who].says_bytes(&said);
            if players[who].client(hears_the_end) || chance.one_in(50) {
                players[who].vanishes();
                players[who] = enter(&mut stage, names[who]);
            }
        }
        for player in &players {
            player.client(hears_the_end);
        }
        witness
            .asks("<iq id='p1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>", "<iq id='p1' type='result'/>");
    });
}

#[test]
fn whatever_strangers_say_those_who_are_in_are_served() {
    try_for_a_moment(|chance| {
        let mut stage = Stage::memory();
        let witness = stage.enter("benvolio@montague.lit/street");
        for _ in 0..40 {
            let stranger = stage.visit();
            for _ in 0..chance.below(6) + 1 {
                let said = words::knock(chance);
                let said = if chance.one_in(3) { chance.spoil(said) } else { said };
                for piece in said.chunks(chance.below(said.len().max(1)) + 1) {
                    stranger.client(|client| client.send(piece));
                }
            }
            stranger.client(hears_the_end);
        }
        witness
            .asks("<iq id='p1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>", "<iq id='p1' type='result'/>");
    });
}

#[test]
fn preparing_an_address_comes_to_an_end() {
    try_for_a_moment(|chance| {
        for _ in 0..500 {
            let text = words::address(chance);
            let text = String::from_utf8_lossy(&chance.spoil(text.into_bytes())).into_owned();
            let Ok(jid) = Jid::new(&text) else { continue };
            // Preparation may lead to what is prepared further (U+03F9 becomes Σ, which becomes σ), but it comes to an end.
            let Ok(again) = Jid::new(jid.as_str()) else { continue };
            assert_eq!(Jid::new(again.as_str()).as_ref(), Ok(&again), "{text:?}");
            assert!(jid.as_str().starts_with(jid.to_bare().as_str()), "{text:?}");
            assert!(jid.domain().as_str().len() <= 1023 && !jid.domain().as_str().is_empty(), "{text:?}");
        }
    });
}

/// Hears all there is, which is checked to be XML; whether the stream has ended.
fn hears_the_end(client: &mut Client) -> bool {
    loop {
        match client.next(Duration::ZERO) {
            None => return false,
            Some(Heard::End | Heard::Closed) => return true,
            Some(Heard::Header(_) | Heard::Element(_)) => {}
        }
    }
}
