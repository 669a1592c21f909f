//! Processes by their pid files: found, checked to be ours, ended.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to end by itself.
pub(super) const END_TIME_MAX: Duration = Duration::from_secs(30);

/// The folders in which a process may have been started.
fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut folders: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.join("pid").is_file()).collect();
    folders.sort();
    folders
}

/// The process of a folder's pid file, if it runs and was started for that folder: pids are used again by the system.
fn running(folder: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(folder.join("pid")).ok()?;
    let pid = Pid::from_raw(text.trim().parse().ok()?)?;
    let command = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).ok()?;
    let command = String::from_utf8_lossy(&command).into_owned();
    let of_muster = command.contains(&*folder.join("muster.toml").to_string_lossy());
    // redis-server shows its address instead of its arguments; its folder is where it works.
    let of_redis = command.starts_with("redis-server")
        && std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_pid())).is_ok_and(|cwd| cwd == folder);
    (of_muster || of_redis).then_some(pid)
}

/// A process of this cluster that runs.
pub(super) fn any_running(dir: &Path) -> Option<i32> {
    folders(dir).iter().find_map(|folder| running(folder)).map(Pid::as_raw_pid)
}

/// Ends all processes of a cluster, nodes first, and returns how many.
pub(super) async fn stop_all(dir: &Path) -> usize {
    let (stores, nodes): (Vec<_>, Vec<_>) =
        folders(dir).into_iter().partition(|folder| folder.ends_with("redis"));
    let mut stopped = 0;
    for group in [nodes, stores] {
        stopped += stop(&group).await;
    }
    stopped
}

async fn stop(folders: &[PathBuf]) -> usize {
    let found: Vec<_> = folders.iter().filter_map(|folder| Some((folder, running(folder)?))).collect();
    for (_, pid) in &found {
        // One that has just ended needs no signal.
        let _ = kill_process(*pid, Signal::TERM);
    }
    let deadline = Instant::now() + END_TIME_MAX;
    for (folder, pid) in &found {
        while running(folder) == Some(*pid) {
            if Instant::now() >= deadline {
                let _ = kill_process(*pid, Signal::KILL);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for folder in folders {
        let _ = std::fs::remove_file(folder.join("pid"));
    }
    found.len()
}
