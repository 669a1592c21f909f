//! Ways to break a server on purpose, so that it can be proved that this is noticed (`muster-chaos prove`). They are there in
//! a build with the feature `sabotage` only, which no release has: elsewhere each question is `false` when it is compiled.

/// Effects are released before the backup has their changes.
pub const ACKS_BEFORE_BACKUP: &str = "acks-before-backup";
/// An owner without a lease goes on, and waits for no backup.
pub const FENCE_OFF: &str = "fence-off";
/// What has come before is taken again.
pub const DEDUP_OFF: &str = "dedup-off";

#[cfg(feature = "sabotage")]
thread_local! {
    static HERE: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") };
}

/// Whether the environment asks for it (`MUSTER_SABOTAGE`), or this thread has.
#[cfg(feature = "sabotage")]
pub fn is_on(what: &str) -> bool {
    static ASKED: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| std::env::var("MUSTER_SABOTAGE").unwrap_or_default());
    *ASKED == what || HERE.get() == what
}

/// Breaks whatever this thread runs from now on; a simulation runs on one.
#[cfg(feature = "sabotage")]
pub fn ask(what: &'static str) {
    HERE.set(what);
}

/// Never.
#[cfg(not(feature = "sabotage"))]
pub const fn is_on(_: &str) -> bool {
    false
}
