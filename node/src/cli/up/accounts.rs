//! The accounts of a development cluster: random passwords, kept in a file, made through the first node.

use super::folder::write_secret;
use super::plan::Plan;
use super::{Failure, refused};
use crate::admin::User;
use crate::cli::remote::{Answer, Remote};
use crate::users;

const NAMES: [&str; 3] = ["romeo", "juliet", "admin"];

/// Makes the accounts that are missing, and returns all with their passwords.
pub(super) async fn create(plan: &Plan) -> Result<Vec<(String, String)>, Failure> {
    let file = plan.dir.join("accounts");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let mut accounts =
        users::lines(&text).map_err(|error| refused(format!("{}: {error}", file.display())))?;
    let mut fresh = Vec::new();
    for name in NAMES {
        let jid = format!("{name}@{}", plan.domain);
        if !accounts.iter().any(|(known, _)| *known == jid) {
            accounts.push((jid.clone(), password()));
            fresh.push(jid);
        }
    }
    let ours = |jid: &str| jid.rsplit_once('@').is_some_and(|(_, domain)| domain == plan.domain);
    // Those of another domain that was started here before are kept, last.
    accounts.sort_by_key(|(jid, _)| !ours(jid));
    let lines: String = accounts.iter().map(|(jid, password)| format!("{jid} {password}\n")).collect();
    write_secret(&file, lines.as_bytes())?;

    let Some(node) = plan.nodes.first() else { return Ok(accounts) };
    let token = std::fs::read_to_string(node.folder.join("data").join("admin-token")).map_err(refused)?;
    let node = Remote::at(node.http, token.trim());
    for (jid, password) in accounts.iter().filter(|(jid, _)| ours(jid)) {
        let user = User { jid: jid.clone(), password: password.clone() };
        match node.post("/users", &user)? {
            Answer::Done(_) => {}
            // It is there. If its password was only made now, the one in the store is not known to anybody.
            Answer::Not(409, _) if fresh.contains(jid) => drop(node.put("/users", &user)?.done()?),
            Answer::Not(409, _) => {}
            Answer::Not(_, why) => return Err(refused(format!("{jid} could not be made: {why}"))),
        }
    }
    accounts.retain(|(jid, _)| ours(jid));
    Ok(accounts)
}

/// 96 random bits that a person can type.
fn password() -> String {
    rand::random::<[u8; 12]>().iter().map(|byte| format!("{byte:02x}")).collect()
}
