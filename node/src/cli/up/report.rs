//! What a person needs to connect.

use super::plan::Plan;

/// Prints it.
pub(super) fn print(plan: &Plan, accounts: &[(String, String)]) {
    let width = accounts.iter().map(|(jid, _)| jid.len()).max().unwrap_or(0);
    say!("\n{} is up: {} nodes, one domain. Connect to any of them.\n", plan.domain, plan.nodes.len());
    say!(
        "  node     STARTTLS         direct TLS       {}metrics and health",
        if plan.plaintext { "no TLS           " } else { "" }
    );
    for node in &plan.nodes {
        let plain = if plan.plaintext { format!("{:<17}", node.plain.to_string()) } else { String::new() };
        let (starttls, direct) = (node.starttls.to_string(), node.direct.to_string());
        say!("  {:<8} {starttls:<16} {direct:<16} {plain}http://{}", node.id, node.http);
    }
    say!("\n  {:<width$}  password", "account");
    for (jid, password) in accounts {
        let note = if jid.starts_with("admin@") { "  (administrator)" } else { "" };
        say!("  {jid:<width$}  {password}{note}");
    }
    let ca = plan.dir.join("ca.pem");
    say!("\nClients must trust {}:", ca.display());
    say!("  in the client's own settings, or for this machine:");
    say!(
        "  sudo cp {} /usr/local/share/ca-certificates/muster.crt && sudo update-ca-certificates",
        ca.display()
    );
    say!(
        "Rooms are at conference.{}. Each node's log and configuration: {}/node-*/\n",
        plan.domain,
        plan.dir.display()
    );
}
