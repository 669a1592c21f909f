//! Administration by commands (XEP-0133 over XEP-0050).

use muster_tests::client::login::Outcome;
use muster_tests::{Player, Stage, on_every_stage};

const COMMANDS: &str = "http://jabber.org/protocol/commands";
const ADMIN: &str = "http://jabber.org/protocol/admin";

/// Runs a command of one form at `montague.lit`; whether it was done.
fn run(admin: &Player, command: &str, fields: &[(&str, &str)]) -> bool {
    admin.says(&format!("<iq to='montague.lit' id='a1' type='set'><command xmlns='{COMMANDS}' node='{ADMIN}#{command}' action='execute'/></iq>"));
    let form = admin.hears(&format!(
        "<iq from='montague.lit' id='a1' type='result'><command xmlns='{COMMANDS}' node='{ADMIN}#{command}' sessionid='{{any}}' status='executing'><x xmlns='jabber:x:data' type='form'>{{any}}</x>{{any}}</command></iq>"
    ));
    let session =
        form.children().next().and_then(|command| command.attr("sessionid")).expect("a session").to_owned();
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("<field var='{name}'><value>{value}</value></field>"))
        .collect();
    admin.says(&format!(
        "<iq to='montague.lit' id='a2' type='set'><command xmlns='{COMMANDS}' node='{ADMIN}#{command}' sessionid='{session}'>\
         <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{ADMIN}</value></field>{fields}</x></command></iq>"
    ));
    let end = admin.hears("<iq from='montague.lit' id='a2' _='{any}'>{any}</iq>");
    let command = end.children().next().expect("a command or an error");
    let is_error =
        |child: &muster_proto::Element| child.name() == "note" && child.attr("type") == Some("error");
    command.attr("status") == Some("completed") && !command.children().any(is_error)
}

fn log_in(stage: &mut Stage, user: &str, password: &str) -> Outcome {
    let visitor = stage.visit();
    visitor.client(|client| {
        client.open("montague.lit");
        client.log_in("PLAIN", user, password, None)
    })
}

on_every_stage! {
    fn an_administrator_adds_and_deletes_an_account(stage: &mut Stage) {
        let admin = stage.enter("admin@montague.lit/desk");
        let account = [("accountjid", "mercutio@montague.lit"), ("password", "queen mab"), ("password-verify", "queen mab")];
        assert!(run(&admin, "add-user", &account));
        assert_eq!(log_in(stage, "mercutio", "queen mab"), Outcome::Success);

        stage.scene("It cannot be added twice");
        assert!(!run(&admin, "add-user", &account));

        stage.scene("It is deleted");
        assert!(run(&admin, "delete-user", &[("accountjids", "mercutio@montague.lit")]));
        assert_eq!(log_in(stage, "mercutio", "queen mab"), Outcome::Failure("not-authorized".into()));
    }

    fn others_may_not(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says(&format!("<iq to='montague.lit' id='a1' type='set'><command xmlns='{COMMANDS}' node='{ADMIN}#add-user' action='execute'/></iq>"));
        romeo.hears("<iq from='montague.lit' id='a1' type='error'>{error auth forbidden}</iq>");
    }

    fn the_commands_are_listed_for_administrators(stage: &mut Stage) {
        let admin = stage.enter("admin@montague.lit/desk");
        admin.says(&format!("<iq to='montague.lit' id='a1' type='get'><query xmlns='http://jabber.org/protocol/disco#items' node='{COMMANDS}'/></iq>"));
        let answer = admin.hears("<iq from='montague.lit' id='a1' type='result'>{any}</iq>");
        let text = String::from(&answer);
        assert!(text.contains("#add-user") && text.contains("#delete-user"), "{text}");
    }
}
