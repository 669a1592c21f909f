//! Two redis-servers, one of them a replica of the other, and three sentinels: when the master dies, they have the replica
//! take over.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use toml::{Table, Value};

use super::Redis;

/// What the sentinels call the two.
const NAME: &str = "chaos";
const WATCHERS: usize = 3;
/// How long they may take until they know each other and both servers.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// Two redis-servers and those that watch them.
pub struct Sentinels {
    servers: [Redis; 2],
    watchers: Vec<Redis>,
}

/// How much a server has been told to change.
#[derive(Clone, Copy, Debug)]
pub struct Changed {
    /// Scripts, which is what nodes write by.
    pub scripts: u64,
    /// Bytes of what replicas are told.
    pub bytes: u64,
}

impl Sentinels {
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let master = Redis::start(folder, "redis-0", "")?;
        let (host, port) = (master.address.ip(), master.address.port());
        let replica = Redis::start(folder, "redis-1", &format!("replicaof {host} {port}\n"))?;
        let settings = format!(
            "sentinel monitor {NAME} {host} {port} 2\nsentinel down-after-milliseconds {NAME} 1000\n\
             sentinel failover-timeout {NAME} 5000\n"
        );
        let watcher = |number| Redis::sentinel(folder, &format!("sentinel-{number}"), &settings);
        let watchers = (0..WATCHERS).map(watcher).collect::<anyhow::Result<_>>()?;
        let all = Self { servers: [master, replica], watchers };
        let deadline = Instant::now() + START_TIME_MAX;
        while !all.is_whole() {
            if Instant::now() > deadline {
                bail!("the sentinels do not find each other: see {}", folder.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(all)
    }

    /// What nodes are told.
    pub(super) fn storage(&self) -> Table {
        let addresses = self.watchers.iter().map(|watcher| Value::String(watcher.address.to_string()));
        let mut storage = Table::new();
        storage.insert("kind".into(), Value::String("redis".into()));
        storage.insert("topology".into(), Value::String("sentinel".into()));
        storage.insert("sentinel_master".into(), Value::String(NAME.into()));
        storage.insert("addresses".into(), Value::Array(addresses.collect()));
        storage
    }

    /// A server, by its number.
    #[must_use]
    pub fn server(&self, number: usize) -> &Redis {
        &self.servers[number]
    }

    /// Which server is the master: all sentinels name it, and it says so itself.
    #[must_use]
    pub fn master(&self) -> Option<usize> {
        let named: Vec<_> = self.watchers.iter().filter_map(|watcher| says(watcher, "master0:")).collect();
        let is_master = |server: &Redis| {
            let address = format!(",address={},", server.address);
            named.len() == WATCHERS
                && named.iter().all(|named| named.contains(&address))
                && server.fact("replication", "role:").is_ok_and(|role| role == "master")
        };
        self.servers.iter().position(is_master)
    }

    /// Whether the replica follows its master, and every sentinel knows both and all others.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let knows_all = |watcher: &Redis| {
            let all = format!(",slaves=1,sentinels={WATCHERS}");
            says(watcher, "master0:")
                .is_some_and(|known| known.contains(",status=ok,") && known.ends_with(&all))
        };
        self.master().is_some_and(|master| {
            let link = self.servers[1 - master].fact("replication", "master_link_status:");
            link.is_ok_and(|link| link == "up") && self.watchers.iter().all(knows_all)
        })
    }

    /// Stops the replica, and has the master give it up: what the master answers from now on is nowhere else.
    ///
    /// # Errors
    /// The system, or the master, does not do it.
    pub fn part(&mut self, master: usize) -> anyhow::Result<()> {
        self.servers[1 - master].pause()?;
        // It would read what the kernel keeps for it, when it goes on.
        self.servers[master].ask("CLIENT KILL TYPE replica").map(drop)
    }

    /// How much a master has changed so far.
    ///
    /// # Errors
    /// It does not answer.
    pub fn changed(&self, master: usize) -> anyhow::Result<Changed> {
        let server = &self.servers[master];
        let stats = server.ask("INFO commandstats")?;
        let calls = |name: &str| {
            let line = stats.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":calls="));
            line.map_or(Ok(0), |line| line.split(',').next().unwrap_or_default().parse::<u64>())
        };
        let scripts = calls("cmdstat_eval")? + calls("cmdstat_evalsha")?;
        Ok(Changed { scripts, bytes: server.fact("replication", "master_repl_offset:")?.parse()? })
    }

    /// How many bytes a server had been told when it became the master.
    ///
    /// # Errors
    /// It does not answer.
    pub fn had(&self, master: usize) -> anyhow::Result<u64> {
        let next: u64 = self.servers[master].fact("replication", "second_repl_offset:")?.parse()?;
        next.checked_sub(1).context("it has always been the master")
    }

    /// Ends a server as a crash does.
    ///
    /// # Errors
    /// The system does not do it.
    pub fn kill(&mut self, number: usize) -> anyhow::Result<()> {
        self.servers[number].kill()
    }

    /// Stops a server in the middle of whatever it does.
    ///
    /// # Errors
    /// The system does not do it.
    pub fn pause(&mut self, number: usize) -> anyhow::Result<()> {
        self.servers[number].pause()
    }

    /// Lets a server go on, or starts it again.
    ///
    /// # Errors
    /// It does not answer then.
    pub fn wake(&mut self, number: usize) -> anyhow::Result<()> {
        self.servers[number].heal()
    }

    /// Lets both servers go on, or starts them again. Who of them is whose replica the sentinels see to.
    ///
    /// # Errors
    /// One does not answer then.
    pub fn heal(&mut self) -> anyhow::Result<()> {
        self.servers.iter_mut().try_for_each(Redis::heal)
    }
}

/// What a sentinel says of the two.
fn says(watcher: &Redis, begin: &str) -> Option<String> {
    watcher.fact("sentinel", begin).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_that_lagged_takes_over_without_what_its_master_answered_meanwhile() {
        let folder = std::env::temp_dir().join(format!("muster-sentinels-{}", std::process::id()));
        let mut verona = Sentinels::start(&folder).unwrap();
        let (old, new) = (verona.master().unwrap(), 1 - verona.master().unwrap());
        verona.server(old).ask("SET early 1").unwrap();
        assert_eq!(verona.server(old).ask("WAIT 1 5000").unwrap(), "1");
        verona.part(old).unwrap();
        let shared = verona.changed(old).unwrap();
        verona.server(old).ask("EVAL \"return redis.call('SET',KEYS[1],1)\" 1 late").unwrap();
        let answered = verona.changed(old).unwrap();
        assert_eq!(answered.scripts - shared.scripts, 1);
        verona.kill(old).unwrap();
        verona.wake(new).unwrap();
        let deadline = Instant::now() + START_TIME_MAX;
        while verona.master() != Some(new) {
            assert!(Instant::now() < deadline, "the replica does not take over");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(verona.had(new).unwrap() < answered.bytes);
        assert_eq!(verona.server(new).ask("EXISTS early").unwrap(), "1");
        assert_eq!(verona.server(new).ask("EXISTS late").unwrap(), "0");
        drop(verona);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
