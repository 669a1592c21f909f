//! Who dials: a connection on loopback says a port only; the system knows whose it is (proc(5), `/proc/net/tcp`).

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// The system gives the table in pieces, and may leave out a line while others come and go: it is read so often until there is one.
const READS_MAX: usize = 5;

/// Which of the processes holds the socket with this local address.
pub(super) fn find(local: SocketAddr, pids: &[Option<u32>]) -> Option<usize> {
    let SocketAddr::V4(local) = local else { return None };
    let inode = (0..READS_MAX).find_map(|_| inode(local))?;
    let wanted = format!("socket:[{inode}]");
    pids.iter().position(|pid| pid.is_some_and(|pid| holds(pid, &wanted)))
}

fn inode(local: SocketAddrV4) -> Option<String> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let shown = shown(local);
    table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        // A connection that is over, and is only remembered, has none.
        let inode = fields.get(9).filter(|inode| **inode != "0")?;
        (fields.get(1) == Some(&shown.as_str())).then(|| (*inode).to_owned())
    })
}

/// An address as the table has it: the bytes of the address in the order of this machine.
fn shown(address: SocketAddrV4) -> String {
    let ip: Ipv4Addr = *address.ip();
    format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port())
}

fn holds(pid: u32, wanted: &str) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    entries.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_connection_of_this_process_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dialed = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let local = dialed.local_addr().unwrap();
        assert_eq!(find(local, &[None, Some(std::process::id())]), Some(1));
        assert_eq!(find(local, &[None, None]), None);
    }
}
