//! The view register: only one of those who propose a successor wins, and only one holds the lease key.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::Subject;

pub(super) async fn play(store: &Subject) {
    let register = store.0.register();
    assert_eq!(register.load().await, Ok(None));
    assert_eq!(register.compare_and_set(3, 4, b"four".to_vec()).await, Ok(false), "there is no view yet");
    assert_eq!(register.compare_and_set(0, 1, b"one".to_vec()).await, Ok(true));
    assert_eq!(register.compare_and_set(0, 1, b"another".to_vec()).await, Ok(false));
    assert_eq!(register.load().await, Ok(Some(b"one".to_vec())));
    assert_eq!(register.compare_and_set(1, 2, vec![0, 255, 0]).await, Ok(true));
    assert_eq!(register.load().await, Ok(Some(vec![0, 255, 0])));
    assert_eq!(register.compare_and_set(1, 9, b"late".to_vec()).await, Ok(false));

    for round in 2..12 {
        let rivals = (0..8u8).map(|rival| {
            let register = store.0.register();
            async move { register.compare_and_set(round, round + 1, vec![rival]).await.unwrap() }
        });
        let winners: Vec<_> =
            join_all(rivals).await.into_iter().enumerate().filter(|(_, won)| *won).collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(register.load().await, Ok(Some(vec![winners[0].0 as u8])));
    }

    let (one, other, time) = (7, u64::MAX, Duration::from_secs(10));
    assert_eq!(register.claim(one, 11, time).await, Ok(false), "that view is not the registered one");
    assert_eq!(register.claim(one, 12, time).await, Ok(true));
    assert_eq!(register.claim(other, 12, time).await, Ok(false), "it is taken");
    let short = Duration::from_millis(10);
    assert_eq!(register.claim(one, 12, short).await, Ok(true), "its holder may say for how long");
    let deadline = Instant::now() + Duration::from_secs(10);
    while register.claim(other, 12, time).await != Ok(true) {
        assert!(Instant::now() < deadline, "time takes it from its holder");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(register.claim(one, 12, time).await, Ok(false));
    assert_eq!(register.compare_and_set(12, 13, b"next".to_vec()).await, Ok(true));
    assert_eq!(
        register.claim(other, 12, time).await,
        Ok(false),
        "nor does its holder keep it by an old view"
    );
}
