//! `muster user`: through the node that runs here, or straight to the store when none does.

use std::path::PathBuf;

use clap::Subcommand;
use muster_actors::storage;

use super::password::PasswordSource;
use super::remote::{Remote, escaped};
use super::{ConfigFile, Failure, refused};
use crate::admin::User;
use crate::config::Config;
use crate::users::{self, UserError, Users};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add an account; its password is read from standard input
    Add {
        /// Its address, such as romeo@example.org
        jid: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Remove an account and all that is stored of it; its streams end
    Remove {
        /// Its address
        jid: String,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Give an account another password, read from standard input; its streams end
    Password {
        /// Its address
        jid: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// List all accounts
    List {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Add many accounts, or give them other passwords: a line each, address, space, password (or SCRAM keys, RFC 5803)
    Import {
        /// The file
        accounts: PathBuf,
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(super) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Add { jid, password, file } => add(&file.load()?, &jid, password.read()?),
        Command::Remove { jid, file } => remove(&file.load()?, &jid),
        Command::Password { jid, password, file } => set_password(&file.load()?, &jid, password.read()?),
        Command::List { file } => list(&file.load()?),
        Command::Import { accounts, file } => import(&file.load()?, &accounts),
    }
}

fn add(config: &Config, jid: &str, password: String) -> Result<(), Failure> {
    match Remote::find(config)? {
        Some(node) => drop(node.post("/users", &User { jid: jid.to_owned(), password })?.done()?),
        None => drop(in_store(config, async |users| users.add(jid, &password).await)?),
    }
    say!("{jid}: added");
    Ok(())
}

fn remove(config: &Config, jid: &str) -> Result<(), Failure> {
    match Remote::find(config)? {
        Some(node) => drop(node.delete(&format!("/users?jid={}", escaped(jid)))?.done()?),
        None => drop(in_store(config, async |users| users.remove(jid).await)?),
    }
    say!("{jid}: removed");
    Ok(())
}

fn set_password(config: &Config, jid: &str, password: String) -> Result<(), Failure> {
    match Remote::find(config)? {
        Some(node) => drop(node.put("/users", &User { jid: jid.to_owned(), password })?.done()?),
        None => drop(in_store(config, async |users| users.set_password(jid, &password).await)?),
    }
    say!("{jid}: has another password");
    Ok(())
}

fn list(config: &Config) -> Result<(), Failure> {
    let all: Vec<String> = match Remote::find(config)? {
        Some(node) => serde_json::from_value(node.get("/users")?.done()?).map_err(refused)?,
        None => in_store(config, async |users| users.list().await)?,
    };
    all.iter().for_each(|jid| say!("{jid}"));
    Ok(())
}

fn import(config: &Config, file: &std::path::Path) -> Result<(), Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| refused(format!("{} cannot be read: {error}", file.display())))?;
    let accounts = users::lines(&text).map_err(|error| refused(format!("{}: {error}", file.display())))?;
    let count = accounts.len();
    match Remote::find(config)? {
        Some(node) => drop(node.post_text("/users/import", &text)?.done()?),
        None => drop(in_store(config, async |users| users.import(accounts).await)?),
    }
    say!("{count} accounts");
    Ok(())
}

/// Works on the store itself, as no node runs here.
fn in_store<T>(config: &Config, work: impl AsyncFnOnce(Users) -> Result<T, UserError>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
    runtime.block_on(async {
        let storage = storage::open(&config.storage).await.map_err(refused)?;
        let domains = config.options.domains.iter().map(|domain| domain.name.clone()).collect();
        let iterations = config.auth.iterations;
        let done = work(Users { storage: storage.clone(), domains, iterations }).await.map_err(refused);
        storage.close().await;
        done
    })
}
