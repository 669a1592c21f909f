//! Real Redis servers, started by the test on free loopback ports, and ended with it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::Value;
use tempfile::TempDir;

/// A Redis server of this test.
pub(crate) struct Server {
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    folder: TempDir,
    child: Option<Child>,
    sentinel: bool,
}

impl Server {
    /// Starts one, with these lines in its configuration.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::new(settings, false)
    }

    /// Starts a sentinel.
    pub(crate) fn sentinel(settings: &[&str]) -> Self {
        Self::new(settings, true)
    }

    fn new(settings: &[&str], sentinel: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = folder.path().join("log");
        let mut text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nlogfile {}\n",
            folder.path().display(),
            log.display()
        );
        if !sentinel {
            text.push_str("save \"\"\nappendonly yes\nappendfsync everysec\n");
        }
        text.push_str(&settings.join("\n"));
        text.push('\n');
        fs::write(folder.path().join("conf"), text).unwrap();
        let mut server = Self { port, folder, child: None, sentinel };
        server.resume();
        server
    }

    /// Starts it again, at the same port and with the same data.
    pub(crate) fn resume(&mut self) {
        let errors = File::create(self.folder.path().join("stderr")).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(self.folder.path().join("conf")).stdout(Stdio::null()).stderr(errors);
        if self.sentinel {
            command.arg("--sentinel");
        }
        self.child = Some(command.spawn().unwrap_or_else(|error| {
            panic!("redis-server is needed for this test ({error}); install it: apt-get install redis-server")
        }));
        let until = Instant::now() + Duration::from_secs(20);
        while self.command(&["PING"]).is_err() {
            assert!(Instant::now() < until, "redis-server does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Where it is.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Runs one command on a connection of its own.
    pub(crate) fn command(&self, words: &[&str]) -> redis::RedisResult<Value> {
        let client = redis::Client::open(format!("redis://{}", self.address()))?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(2))?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut connection)
    }

    fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("log") + &read("stderr")
    }

    /// A place for files of the test.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn free_port() -> u16 {
    // A cluster's servers use port + 10000 too, which must be a port.
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if port < 55_000 {
            return port;
        }
    }
}
