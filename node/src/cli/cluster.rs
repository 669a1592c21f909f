//! `muster cluster` and `muster node`: what the running node knows, for people or as JSON.

use clap::Subcommand;
use serde_json::Value;

use super::remote::{Remote, escaped};
use super::{ConfigFile, Failure, refused};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Nodes, their state, what they own and what they carry
    Status {
        /// Everything, as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// The slot of an account or a room, its owner, and who would own it next
    Ring {
        /// Its address
        jid: String,
        #[command(flatten)]
        file: ConfigFile,
    },
}

#[derive(Subcommand)]
pub(super) enum NodeCommand {
    /// Move everything to the other nodes; the node stays, empty and not ready, until it is stopped
    Drain {
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(super) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Status { json, file } => {
            let status = Remote::must_find(&file.load()?)?.get("/status")?.done()?;
            match json {
                true => say!("{}", serde_json::to_string_pretty(&status).map_err(refused)?),
                false => say!("{}", table(&status).trim_end()),
            }
        }
        Command::Ring { jid, file } => {
            let path = format!("/ring?jid={}", escaped(&jid));
            let ring = Remote::must_find(&file.load()?)?.get(&path)?.done()?;
            say!("address     {}", text(&ring["jid"]));
            say!("slot        {}", text(&ring["slot"]));
            say!("owner       {}", text(&ring["owner"]));
            let preference: Vec<_> = ring["preference"].as_array().into_iter().flatten().map(text).collect();
            say!("preference  {}", preference.join(", "));
        }
    }
    Ok(())
}

pub(super) fn run_node(command: NodeCommand) -> Result<(), Failure> {
    let NodeCommand::Drain { file } = command;
    Remote::must_find(&file.load()?)?.post("/drain", &Value::Null)?.done()?;
    say!("drained: the node is empty and can be stopped");
    Ok(())
}

const COLUMNS: [&str; 11] = [
    "NODE",
    "INCARNATION",
    "ZONE",
    "ROLES",
    "STATE",
    "LINK",
    "OWNED",
    "BACKED",
    "CONNECTIONS",
    "SESSIONS",
    "ROOMS",
];

/// The cluster for people.
fn table(status: &Value) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned).to_vec()];
    for node in status["nodes"].as_array().into_iter().flatten() {
        let member = &node["member"];
        let own = member["node"] == status["me"];
        let load = if own { &status["load"] } else { &node["gossip"]["load"] };
        let both = |what: &str| {
            let count = |of: &str| node[format!("{of}_{what}")].as_u64().unwrap_or(0);
            format!("{}+{}", count("sessions"), count("rooms"))
        };
        rows.push(vec![
            text(&member["node"]),
            text(&member["incarnation"]),
            text(&member["zone"]),
            text(&member["roles"]).to_lowercase().replace(" | ", "+"),
            text(&member["state"]),
            text(&node["link"]),
            both("owned"),
            both("backed"),
            text(&load["connections"]),
            text(&load["sessions"]),
            text(&load["rooms"]),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..COLUMNS.len()).map(width).collect();
    let register =
        if status["register_reachable"] == Value::Bool(true) { "" } else { ", the store does not answer" };
    let mut out = format!("epoch {}, seen by {}{register}\n", text(&status["epoch"]), text(&status["me"]));
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out.push_str("OWNED and BACKED count slots: of sessions + of rooms.\n");
    out
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
