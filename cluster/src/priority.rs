//! Who goes first where many threads share few cores.

use rustix::process::{getpriority_process, setpriority_process};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// The nice value of who goes first.
const FIRST: i32 = -10;
/// What the library takes for nice 0.
const NICE_0: u8 = 48;

/// This thread goes before others. Without the right to that (CAP_SYS_NICE) it has a share as all others.
pub fn go_first() {
    if let Err(error) = setpriority_process(None, FIRST) {
        tracing::debug!(%error, "this thread has no priority");
    }
}

/// This thread has a share as all others, but whoever runs when it is woken ends its turn first (SCHED_BATCH): so it is woken
/// less often, and has more to do each time.
pub fn give_way() {
    let nice = getpriority_process(None);
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    let done = ThreadPriorityValue::try_from(NICE_0).map(|priority| {
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(priority), policy)
    });
    if !matches!(done, Ok(Ok(()))) {
        tracing::debug!(?done, "this thread does not give way");
    }
    // The library sets both; what was asked for all threads of this process stands.
    let _ = nice.and_then(|nice| setpriority_process(None, nice));
}

#[cfg(test)]
mod tests {
    use thread_priority::thread_schedule_policy;

    use super::*;

    #[test]
    fn who_gives_way_is_as_nice_as_before() {
        // A thread of its own, and nicer than the rest, which needs no right.
        let found = std::thread::spawn(|| {
            setpriority_process(None, 3).unwrap();
            give_way();
            (thread_schedule_policy(), getpriority_process(None))
        });
        let (policy, nice) = found.join().unwrap();
        assert_eq!(policy.unwrap(), ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch));
        assert_eq!(nice.unwrap(), 3);
    }
}
