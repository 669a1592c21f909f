//! Listening sockets: bound before anything else starts, and accepted from whatever happens to descriptors.

use std::fs::Permissions;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{Unit, counter, describe_counter};
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};

use crate::error::StartError;
use crate::pace::Pace;

/// Connections that the kernel may hold until they are accepted.
const BACKLOG: u32 = 4096;
/// Descriptors that clients leave for others: links to up to a hundred nodes among them.
const RESERVE: usize = 384;
/// How long accepting waits when there is no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may be silent before the kernel asks whether the peer is there.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(120);
/// How long the kernel waits between two questions.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Fewer than so many seconds more, for each connection as many as its peer's port says.
const KEEP_ALIVE_SPREAD_SECONDS: u16 = 31;
/// How many questions may go unanswered.
const KEEP_ALIVE_COUNT: u32 = 4;
/// How often the same trouble is logged.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Tells the recorder what each metric means.
pub fn describe() {
    describe_counter!(
        "muster_accept_errors_total",
        Unit::Count,
        "Times that no connection could be accepted, mostly for want of file descriptors."
    );
}

/// Raises the soft limit of open files to the hard one; every connection takes one.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return tracing::info!(limit = limit.current, "open files: the limit is as high as it may be");
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => {
            tracing::info!(from = limit.current, to = limit.maximum, "open files: the soft limit was raised")
        }
        Err(error) => {
            tracing::warn!(%error, limit = limit.current, "open files: the soft limit could not be raised");
        }
    }
}

/// Binds an address.
///
/// # Errors
/// It is taken, or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted node takes its port back while old connections linger in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Binds a Unix socket that only this user can connect to. One that a node left behind which has died is replaced.
///
/// # Errors
/// It cannot be bound, or somebody answers there.
pub fn bind_unix(path: &Path) -> Result<UnixListener, StartError> {
    let failed = |error| StartError::Socket { path: path.to_path_buf(), error };
    let is_left_behind = std::fs::symlink_metadata(path).is_ok_and(|facts| facts.file_type().is_socket());
    if is_left_behind {
        if UnixStream::connect(path).is_ok() {
            return Err(failed(io::ErrorKind::AddrInUse.into()));
        }
        std::fs::remove_file(path).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// How many clients there may be at once: every one takes a descriptor, and some are kept for probes, links and the store.
pub fn connections_max() -> usize {
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    limit.map_or(usize::MAX, without_reserve)
}

fn without_reserve(limit: usize) -> usize {
    limit.saturating_sub(RESERVE).max(limit / 2)
}

/// Accepts for ever. While `is_full`, new connections are closed at once: another node may have a place, and who waited here
/// would not look for it.
pub async fn accept_all(
    listener: TcpListener,
    pace: Option<Arc<Pace>>,
    is_full: impl Fn() -> bool,
    mut take: impl FnMut(TcpStream, SocketAddr),
) {
    let mut logged: Option<Instant> = None;
    let mut complain = |error: &dyn std::fmt::Display| {
        counter!("muster_accept_errors_total").increment(1);
        if logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            logged = Some(Instant::now());
            tracing::error!(%error, "new connections are not taken: raise the limit of open files (LimitNOFILE, ulimit -n)");
        }
    };
    loop {
        if let Some(pace) = &pace {
            pace.turn().await;
        }
        match listener.accept().await.and_then(|(socket, peer)| Ok((socket.into_std()?, peer))) {
            Ok(_) if is_full() => complain(&"as many clients as there are descriptors for"),
            Ok((socket, peer)) => {
                // One that is gone already will be noticed when it is read.
                let _ = keep_alive(&socket, peer);
                take(socket, peer);
            }
            Err(error) => {
                if !is_exhaustion(&error) {
                    counter!("muster_accept_errors_total").increment(1);
                    continue;
                }
                complain(&error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Lets the kernel notice peers that vanished without a word, in three to five and a half minutes. It costs no wake-up of ours, and none of
/// a phone's radio while anything is sent.
///
/// The kernel gathers timers that are far away, so it asks thousands of clients in one instant, more than a queue of packets
/// holds, and those whose packet was dropped again together. So each has an interval of its own.
fn keep_alive(socket: &TcpStream, peer: SocketAddr) -> rustix::io::Result<()> {
    let spread = spread(peer);
    sockopt::set_tcp_keepidle(socket, KEEP_ALIVE_IDLE + spread)?;
    sockopt::set_tcp_keepintvl(socket, KEEP_ALIVE_INTERVAL + spread)?;
    sockopt::set_tcp_keepcnt(socket, KEEP_ALIVE_COUNT)?;
    sockopt::set_socket_keepalive(socket, true)
}

fn spread(peer: SocketAddr) -> Duration {
    Duration::from_secs(u64::from(peer.port() % KEEP_ALIVE_SPREAD_SECONDS))
}

fn is_exhaustion(error: &io::Error) -> bool {
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_asks_whether_a_silent_client_is_there() {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mut accepted) = tokio::sync::mpsc::unbounded_channel();
        let accepting =
            tokio::spawn(accept_all(listener, None, || false, move |socket, _| sender.send(socket).unwrap()));
        let client = TcpStream::connect(address).unwrap();
        let socket = accepted.recv().await.unwrap();
        assert!(sockopt::socket_keepalive(&socket).unwrap());
        let spread_of = |port| spread(SocketAddr::from(([192, 0, 2, 1], port)));
        let own = spread_of(client.local_addr().unwrap().port());
        assert_eq!(sockopt::tcp_keepidle(&socket).unwrap(), KEEP_ALIVE_IDLE + own);
        assert_eq!(sockopt::tcp_keepintvl(&socket).unwrap(), KEEP_ALIVE_INTERVAL + own);
        assert_ne!(spread_of(50_000), spread_of(50_001), "not all at once");
        accepting.abort();
    }

    #[tokio::test]
    async fn who_comes_when_all_places_are_taken_is_sent_away_at_once() {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(accept_all(listener, None, || true, |_, _| panic!("it was taken")));
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        let read = tokio::io::AsyncReadExt::read(&mut client, &mut [0]).await;
        assert!(matches!(read, Ok(0) | Err(_)), "its connection ends");
        accepting.abort();
    }

    #[test]
    fn only_its_user_can_connect_to_a_unix_socket_and_a_dead_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let first = bind_unix(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(bind_unix(&path).is_err(), "somebody answers there");
        drop(first);
        drop(bind_unix(&path).unwrap());
        let file = folder.path().join("file");
        std::fs::write(&file, "not a socket").unwrap();
        assert!(bind_unix(&file).is_err());
        assert!(file.exists(), "a file that is no socket is not removed");
    }

    #[test]
    fn want_of_descriptors_is_waited_out_and_a_lost_connection_is_not() {
        assert!(is_exhaustion(&io::Error::from(Errno::MFILE)));
        assert!(!is_exhaustion(&io::Error::from(Errno::CONNABORTED)));
        assert_eq!((without_reserve(80), without_reserve(1024)), (40, 640));
    }
}
