//! A private redis-server on a free loopback port, with its data in the cluster's folder.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use super::folder::{random_hex, write_secret};
use super::nodes::Nodes;
use super::plan::Plan;
use super::{Failure, refused};

/// How long it may take to answer: it reads its data first.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// Where it listens.
pub(super) struct Redis {
    pub(super) address: SocketAddr,
}

/// Starts it.
pub(super) async fn start(plan: &Plan, nodes: &mut Nodes) -> Result<Redis, Failure> {
    let folder = plan.dir.join("redis");
    std::fs::create_dir_all(&folder).map_err(|error| refused(format!("{}: {error}", folder.display())))?;
    let password = random_hex();
    write_secret(&folder.join("password"), password.as_bytes())?;
    // Asking the system for a free port and closing it again leaves a moment in which another program can take it.
    let address =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).map_err(refused)?;
    let settings = format!(
        "bind 127.0.0.1\nport {}\nrequirepass {password}\ndir \"{}\"\nappendonly yes\nappendfsync everysec\nsave \"\"\n\
         maxmemory-policy noeviction\ndaemonize no\n",
        address.port(),
        folder.display()
    );
    let file = folder.join("redis.conf");
    write_secret(&file, settings.as_bytes())?;
    let mut command = Command::new("redis-server");
    command.arg(&file).current_dir(&folder);
    nodes.spawn("redis-server", &folder, command).map_err(|failure| {
        refused(format!("{failure} (is redis-server installed? `make up STORE=redis` installs it)"))
    })?;
    let deadline = Instant::now() + START_TIME_MAX;
    while TcpStream::connect(address).is_err() {
        nodes.check()?;
        if Instant::now() > deadline {
            return Err(refused(format!(
                "redis-server does not answer on {address}; see {}",
                folder.join("log").display()
            )));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Redis { address })
}
