//! Listening sockets: bound before anything else starts, and accepted from whatever happens to descriptors.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use metrics::{Unit, counter, describe_counter};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};

/// Connections that the kernel may hold until they are accepted.
const BACKLOG: u32 = 4096;
/// How long accepting waits when there is no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the same trouble is logged.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Tells the recorder what each metric means.
pub fn describe() {
    describe_counter!(
        "muster_accept_errors_total",
        Unit::Count,
        "Connections that could not be accepted, mostly for want of file descriptors."
    );
}

/// Raises the soft limit of open files to the hard one; every connection takes one.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return tracing::info!(limit = ?limit.current, "open files: the limit is as high as it may be");
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => {
            tracing::info!(from = ?limit.current, to = ?limit.maximum, "open files: the soft limit was raised")
        }
        Err(error) => {
            tracing::warn!(%error, limit = ?limit.current, "open files: the soft limit could not be raised");
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

/// Accepts for ever.
pub async fn accept_all(listener: TcpListener, mut take: impl FnMut(TcpStream, SocketAddr)) {
    let mut logged: Option<Instant> = None;
    loop {
        match listener.accept().await.and_then(|(socket, peer)| Ok((socket.into_std()?, peer))) {
            Ok((socket, peer)) => take(socket, peer),
            Err(error) => {
                counter!("muster_accept_errors_total").increment(1);
                if !is_exhaustion(&error) {
                    continue;
                }
                if logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
                    logged = Some(Instant::now());
                    tracing::error!(%error, "new connections wait: raise the limit of open files (LimitNOFILE, ulimit -n)");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_exhaustion(error: &io::Error) -> bool {
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_descriptors_is_waited_out_and_a_lost_connection_is_not() {
        assert!(is_exhaustion(&io::Error::from(Errno::MFILE)));
        assert!(!is_exhaustion(&io::Error::from(Errno::CONNABORTED)));
    }
}
