//! What can be asked of `muster-bench`, and how it is done.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use muster_chaos::client::{
    Accounts, Distance, Engine, Load, Manners, Mechanism, Purpose, Security, Spread, Targets, scram_keys,
};
use muster_chaos::load::{
    Chat, Failover, Groups, Idle, Offline, Pace, Register, Report, Rooms, Scene, Storm,
};
use muster_chaos::measure::{Cores, Processes};
use muster_chaos::{compare, floor, million};

/// More than this on one machine is refused.
const CLIENTS_MAX: usize = 1_100_000;
const SECONDS_MAX: f64 = 3_600.0;
/// What Muster derives with.
const SCRAM_ROUNDS: u32 = 10_000;

/// Measures XMPP servers on this machine: CPU time per unit of work, memory per session, latency, loss.
#[derive(Parser)]
#[command(name = "muster-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Log in, over and over
    Login(Crowd),
    /// Hold sessions that do nothing
    Idle(Crowd),
    /// Have pairs write to each other
    Chat {
        #[command(flatten)]
        crowd: Crowd,
        #[command(flatten)]
        messages: Messages,
        /// Messages in a second of all clients together, instead of a closed loop
        #[arg(long)]
        rate: Option<f64>,
        /// The target is a floor: no log-in
        #[arg(long)]
        bare: bool,
    },
    /// Have occupants of rooms speak in turn
    Room {
        #[command(flatten)]
        crowd: Crowd,
        #[command(flatten)]
        messages: Messages,
        /// Rooms
        #[arg(long, default_value_t = 10)]
        rooms: usize,
        /// Occupants of each
        #[arg(long, default_value_t = 50)]
        occupants: usize,
        /// The service; conference.DOMAIN if not given
        #[arg(long)]
        conference: Option<String>,
    },
    /// Have members of groups, who are all contacts of each other, change their presence
    Presence {
        #[command(flatten)]
        crowd: Crowd,
        /// Groups
        #[arg(long, default_value_t = 2)]
        groups: usize,
        /// Members of each
        #[arg(long, default_value_t = 50)]
        members: usize,
    },
    /// Write to those who are away, and let them come
    Offline {
        #[command(flatten)]
        crowd: Crowd,
        /// Messages to each; servers keep 100 at least
        #[arg(long, default_value_t = 50)]
        each: u64,
        /// Bytes of a message
        #[arg(long, default_value_t = 260)]
        bytes: usize,
    },
    /// Hold sessions that write to each other, kill a node, and see how they come back
    Failover {
        #[command(flatten)]
        crowd: Crowd,
        /// Messages in a second of all clients together
        #[arg(long, default_value_t = 1000.0)]
        rate: f64,
        /// Bytes of a message
        #[arg(long, default_value_t = 260)]
        bytes: usize,
        /// The process that is killed with SIGKILL after the warm-up
        #[arg(long)]
        victim: Option<u32>,
    },
    /// Make accounts over the wire (XEP-0077)
    Register(Crowd),
    /// Write a file of accounts for `muster user import`
    Accounts {
        /// How many
        #[arg(long)]
        clients: usize,
        #[command(flatten)]
        who: Who,
        /// Write the password itself, not keys that were derived once: importing them takes long
        #[arg(long)]
        passwords: bool,
        /// The file
        file: PathBuf,
    },
    /// Run the relay that all servers are compared with
    Floor {
        /// Where it listens
        address: SocketAddr,
        /// The core it runs on
        #[arg(long)]
        core: Option<usize>,
    },
    /// Hold a million sessions in one domain, have messages flow, kill a node
    Million(million::Options),
    /// One of the processes that hold sessions for `million`
    #[command(hide = true)]
    Part(million::Part),
    /// Start Muster, the floor and, if asked for, other servers, and measure them side by side
    Compare(compare::Options),
}

#[derive(Args)]
struct Who {
    /// The domain of the accounts
    #[arg(long, default_value = "localhost")]
    domain: String,
    /// The password of all accounts
    #[arg(long, default_value = "bench-password")]
    password: String,
    /// The number of the first account
    #[arg(long, default_value_t = 0)]
    first: usize,
}

#[derive(Args)]
struct Messages {
    /// Messages under way for each client, or in each room
    #[arg(long, default_value_t = 1)]
    window: u32,
    /// Bytes of a message
    #[arg(long, default_value_t = 260)]
    bytes: usize,
}

#[derive(Args)]
struct Crowd {
    /// Addresses of the server, taken in turn
    #[arg(long, value_delimiter = ',', required = true)]
    target: Vec<SocketAddr>,
    /// How many clients
    #[arg(long, default_value_t = 100)]
    clients: usize,
    #[command(flatten)]
    who: Who,
    /// How the connections are protected
    #[arg(long, value_enum, default_value_t = Security::Plain)]
    security: Security,
    /// How the password is shown
    #[arg(long, value_enum, default_value_t = Mechanism::ScramSha1)]
    mechanism: Mechanism,
    /// With stream management and sessions that can be resumed
    #[arg(long)]
    managed: bool,
    /// After how many stanzas an acknowledgement is asked for
    #[arg(long, default_value_t = 5)]
    ask_every: u32,
    /// Log-ins at the same time
    #[arg(long, default_value_t = 50)]
    concurrency: usize,
    /// Processes of the server whose time and memory are measured, with their children
    #[arg(long, value_delimiter = ',')]
    pids: Vec<u32>,
    /// Seconds before the measurement
    #[arg(long, default_value_t = 3.0)]
    warm_up: f64,
    /// Seconds of measurement
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Use many source addresses of 127.0.0.0/8
    #[arg(long)]
    spread: bool,
    /// The two of a pair meet the same target instead of different ones
    #[arg(long)]
    together: bool,
    /// The core this runs on
    #[arg(long)]
    core: Option<usize>,
    /// Where the figures are written, too
    #[arg(long)]
    json: Option<PathBuf>,
}

pub(super) fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Login(crowd) => {
            let mut storm = Storm::new(crowd.scene()?, crowd.clients);
            crowd.measure(crowd.clients, Purpose::Session, &mut storm, Storm::report)
        }
        Command::Idle(crowd) => {
            let mut idle = Idle::new(crowd.scene()?, crowd.clients);
            crowd.measure(crowd.clients, Purpose::Session, &mut idle, Idle::report)
        }
        Command::Register(crowd) => {
            let mut register = Register::new(&crowd.scene()?, crowd.clients);
            crowd.measure(crowd.clients, Purpose::Register, &mut register, Register::report)
        }
        Command::Chat { crowd, messages, rate, bare } => {
            let pace = rate.map_or(Pace::Closed(messages.window), Pace::Open);
            let mut chat = Chat::new(crowd.scene()?, crowd.clients, pace, messages.bytes);
            let purpose = if bare { Purpose::Bare } else { Purpose::Session };
            crowd.measure(crowd.clients, purpose, &mut chat, Chat::report)
        }
        Command::Room { crowd, messages, rooms, occupants, conference } => {
            let conference = conference.unwrap_or_else(|| format!("conference.{}", crowd.who.domain));
            let Messages { window, bytes } = messages;
            let mut load = Rooms::new(crowd.scene()?, &conference, rooms, occupants, window, bytes);
            crowd.measure(rooms * occupants, Purpose::Session, &mut load, Rooms::report)
        }
        Command::Presence { crowd, groups, members } => {
            let mut load = Groups::new(crowd.scene()?, groups, members);
            crowd.measure(groups * members, Purpose::Session, &mut load, Groups::report)
        }
        Command::Offline { crowd, each, bytes } => {
            let mut load = Offline::new(crowd.scene()?, crowd.clients / 2, each, bytes);
            crowd.measure(crowd.clients, Purpose::Session, &mut load, Offline::report)
        }
        Command::Failover { crowd, rate, bytes, victim } => {
            let failover = Failover { clients: crowd.clients, rate, bytes, victim };
            let mut scene = crowd.scene()?;
            (scene.manners.managed, scene.manners.resumes) = (true, true);
            crowd.bind()?;
            crowd.tell(&failover.run(&scene, &crowd.targets())?)
        }
        Command::Accounts { clients, who, passwords, file } => {
            let secret =
                if passwords { who.password.clone() } else { scram_keys(&who.password, SCRAM_ROUNDS)? };
            who.accounts().write(&file, clients, &secret)
        }
        Command::Floor { address, core } => {
            core.map_or(Ok(()), |core| Cores::one(core).bind())?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            tokio::task::LocalSet::new().block_on(&runtime, floor::serve(address))
        }
        Command::Million(options) => million::run(&options),
        Command::Part(part) => part.run(),
        Command::Compare(options) => compare::run(&options),
    }
}

impl Who {
    fn accounts(&self) -> Accounts {
        Accounts {
            domain: self.domain.clone(),
            password: self.password.clone(),
            resource: "bench".into(),
            first: self.first,
        }
    }
}

impl Crowd {
    fn targets(&self) -> Targets {
        Targets {
            addresses: self.target.clone(),
            spread: if self.spread { Spread::Many } else { Spread::One },
            distance: if self.together { Distance::Together } else { Distance::Apart },
        }
    }

    fn manners(&self, purpose: Purpose) -> Manners {
        Manners {
            accounts: self.who.accounts(),
            security: self.security,
            mechanism: self.mechanism,
            managed: self.managed,
            resumes: self.managed,
            ask_every: self.ask_every.max(1),
            purpose,
            eager: false,
        }
    }

    fn scene(&self) -> anyhow::Result<Scene> {
        if self.clients > CLIENTS_MAX || self.warm_up + self.seconds > SECONDS_MAX {
            bail!("at most {CLIENTS_MAX} clients and {SECONDS_MAX} seconds");
        }
        Ok(Scene {
            manners: self.manners(Purpose::Session),
            server: Processes::new(self.pids.clone()),
            warm_up_seconds: self.warm_up,
            seconds: self.seconds,
            concurrency: self.concurrency,
        })
    }

    fn measure<L: Load>(
        &self,
        clients: usize,
        purpose: Purpose,
        load: &mut L,
        report: fn(&L) -> Report,
    ) -> anyhow::Result<()> {
        self.bind()?;
        let mut engine = Engine::new(&self.targets(), self.manners(purpose), clients)?;
        engine.run(load)?;
        engine.close();
        self.tell(&report(load))
    }

    fn bind(&self) -> anyhow::Result<()> {
        self.core.map_or(Ok(()), |core| Cores::one(core).bind())
    }

    fn tell(&self, report: &Report) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(report)?;
        if let Some(file) = &self.json {
            std::fs::write(file, &text).with_context(|| format!("{} cannot be written", file.display()))?;
        }
        println!("{text}");
        Ok(())
    }
}
