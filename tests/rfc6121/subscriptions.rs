//! Who may see whose presence (RFC 6121 §3 and appendix A).

use muster_tests::acts::{ask_for_roster, befriend};
use muster_tests::on_every_stage;

/// A roster push with one item of these attributes.
fn push(attributes: &str) -> String {
    format!(
        "<iq type='set' id='{{any}}' _='{{any}}'><query xmlns='jabber:iq:roster' _='{{any}}'><item {attributes}>{{any}}</item></query></iq>"
    )
}

on_every_stage! {
    fn two_people_become_friends(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        ask_for_roster(&romeo);
        ask_for_roster(&juliet);

        stage.scene("Romeo asks");
        romeo.says("<presence to='juliet@capulet.lit' type='subscribe'/>");
        romeo.hears(&push("jid='juliet@capulet.lit' subscription='none' ask='subscribe'"));
        juliet.hears("<presence from='romeo@montague.lit' type='subscribe'/>");

        stage.scene("Juliet agrees");
        juliet.says("<presence to='romeo@montague.lit' type='subscribed'/>");
        juliet.hears(&push("jid='romeo@montague.lit' subscription='from'"));
        romeo.hears_all(&[
            "<presence from='juliet@capulet.lit' type='subscribed'/>",
            &push("jid='juliet@capulet.lit' subscription='to'"),
            "<presence from='{juliet}'/>",
        ]);

        stage.scene("Juliet asks");
        juliet.says("<presence to='romeo@montague.lit' type='subscribe'/>");
        juliet.hears(&push("jid='romeo@montague.lit' subscription='from' ask='subscribe'"));
        romeo.hears("<presence from='juliet@capulet.lit' type='subscribe'/>");

        stage.scene("Romeo agrees");
        romeo.says("<presence to='juliet@capulet.lit' type='subscribed'/>");
        romeo.hears(&push("jid='juliet@capulet.lit' subscription='both'"));
        juliet.hears_all(&[
            "<presence from='romeo@montague.lit' type='subscribed'/>",
            &push("jid='romeo@montague.lit' subscription='both'"),
            "<presence from='{romeo}'/>",
        ]);
        romeo.hears_nothing_more();
        juliet.hears_nothing_more();
    }

    fn a_request_says_what_its_sender_said(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        romeo.says("<presence to='juliet@capulet.lit/balcony' type='subscribe' id='s1'><status>It is me</status></presence>");
        juliet.hears("<presence from='romeo@montague.lit' type='subscribe' _='{any}'><status>It is me</status></presence>");
    }

    fn a_request_can_be_denied(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        ask_for_roster(&romeo);
        ask_for_roster(&juliet);
        romeo.says("<presence to='juliet@capulet.lit' type='subscribe'/>");
        romeo.hears(&push("jid='juliet@capulet.lit' subscription='none' ask='subscribe'"));
        juliet.hears("<presence from='romeo@montague.lit' type='subscribe'/>");

        juliet.says("<presence to='romeo@montague.lit' type='unsubscribed'/>");
        romeo.hears_all(&[
            "<presence from='juliet@capulet.lit' type='unsubscribed'/>",
            &push("jid='juliet@capulet.lit' subscription='none'"),
        ]);
        juliet.hears_nothing_more();
        romeo.hears_nothing_more();
    }

    fn a_request_waits_for_whoever_is_away_until_it_is_answered(stage: &mut Stage) {
        stage.account("juliet@capulet.lit");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<presence to='juliet@capulet.lit' type='subscribe'/>");
        romeo.reaches("juliet@capulet.lit");
        romeo.forgets();

        stage.scene("She comes, and goes without an answer");
        for _ in 0..2 {
            let juliet = stage.bind("juliet@capulet.lit/balcony");
            juliet.says("<presence/>");
            juliet.hears_all(&["<presence from='{juliet}'/>", "<presence from='romeo@montague.lit' type='subscribe'/>"]);
            juliet.leaves();
        }

        stage.scene("She answers");
        let juliet = stage.bind("juliet@capulet.lit/balcony");
        juliet.says("<presence/>");
        juliet.hears_all(&["<presence from='{juliet}'/>", "<presence from='romeo@montague.lit' type='subscribe'/>"]);
        juliet.says("<presence to='romeo@montague.lit' type='subscribed'/>");
        romeo.hears("<presence from='juliet@capulet.lit' type='subscribed'/>");
        romeo.hears("<presence from='{juliet}'/>");
        juliet.forgets();
        juliet.leaves();
        let juliet = stage.bind("juliet@capulet.lit/balcony");
        juliet.says("<presence/>");
        juliet.hears("<presence from='{juliet}'/>");
        juliet.hears_nothing_more();
    }

    fn the_same_request_again_is_granted_at_once_if_it_was_before(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        befriend(&romeo, &juliet);
        romeo.says("<presence to='juliet@capulet.lit' type='subscribe'/>");
        juliet.hears_nothing_more();
    }

    fn who_does_not_exist_grants_nothing(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says("<presence to='nobody@capulet.lit' type='subscribe'/>");
        romeo.reaches("nobody@capulet.lit");
        romeo.says("<iq type='get' id='r0'><query xmlns='jabber:iq:roster'/></iq>");
        let answer = muster_tests::acts::listen_for(&romeo, |heard| heard.name() == "iq");
        assert!(!String::from(&answer).contains("subscription='to'"), "{answer:?}");
    }

    fn consent_may_be_given_before_it_is_asked_for(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        ask_for_roster(&romeo);
        ask_for_roster(&juliet);

        stage.scene("Juliet agrees in advance");
        juliet.says("<presence to='romeo@montague.lit' type='subscribed'/>");
        juliet.hears(&push("jid='romeo@montague.lit' subscription='none' approved='true'"));
        romeo.hears_nothing_more();

        stage.scene("Romeo asks, and she is not bothered");
        romeo.says("<presence to='juliet@capulet.lit' type='subscribe'/>");
        // The first push may tell already what the second one does.
        romeo.hears_all(&[
            "<presence from='juliet@capulet.lit' type='subscribed'/>",
            &push("jid='juliet@capulet.lit' subscription='to'"),
            &push("jid='juliet@capulet.lit' subscription='{any}' _='{any}'"),
            "<presence from='{juliet}'/>",
        ]);
        juliet.hears(&push("jid='romeo@montague.lit' subscription='from' _='{any}'"));
        juliet.hears_nothing_more();
    }

    fn a_subscription_can_be_cancelled_by_either_side(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        befriend(&romeo, &juliet);

        stage.scene("Juliet does not want to be seen any more");
        juliet.says("<presence to='romeo@montague.lit' type='unsubscribed'/>");
        juliet.hears(&push("jid='romeo@montague.lit' subscription='to'"));
        romeo.hears_all(&[
            "<presence from='{juliet}' type='unavailable'/>",
            "<presence from='juliet@capulet.lit' type='unsubscribed'/>",
            &push("jid='juliet@capulet.lit' subscription='from'"),
        ]);

        stage.scene("And she does not want to see him");
        juliet.says("<presence to='romeo@montague.lit' type='unsubscribe'/>");
        juliet.hears_all(&[
            &push("jid='romeo@montague.lit' subscription='none'"),
            "<presence from='{romeo}' type='unavailable'/>",
        ]);
        romeo.hears_all(&[
            "<presence from='juliet@capulet.lit' type='unsubscribe'/>",
            &push("jid='juliet@capulet.lit' subscription='none'"),
        ]);
        juliet.says("<presence><show>away</show></presence>");
        juliet.hears("<presence from='{juliet}'><show>away</show></presence>");
        romeo.hears_nothing_more();
        juliet.hears_nothing_more();
    }

    fn who_is_removed_from_a_roster_is_unsubscribed_both_ways(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        befriend(&romeo, &juliet);
        juliet.says("<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='romeo@montague.lit' subscription='remove'/></query></iq>");
        juliet.hears_all(&[
            &push("jid='romeo@montague.lit' subscription='remove'"),
            "<iq type='result' id='r1'/>",
            "<presence from='{romeo}' type='unavailable'/>",
        ]);
        romeo.hears_all(&[
            "<presence from='juliet@capulet.lit' type='unsubscribe'/>",
            "<presence from='juliet@capulet.lit' type='unsubscribed'/>",
            "<presence from='{juliet}' type='unavailable'/>",
            &push("jid='juliet@capulet.lit' subscription='none'"),
            &push("jid='juliet@capulet.lit' subscription='{any}'"),
        ]);
        romeo.hears_nothing_more();
    }

    fn consent_that_nobody_asked_for_is_not_passed_on(stage: &mut Stage) {
        let romeo = stage.enter("romeo@montague.lit/orchard");
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        ask_for_roster(&romeo);
        juliet.says("<presence to='romeo@montague.lit' type='subscribed'/>");
        juliet.says("<presence to='romeo@montague.lit' type='unsubscribed'/>");
        romeo.hears_nothing_more();
        juliet.says("<presence to='romeo@montague.lit' type='unsubscribe'/>");
        romeo.hears_nothing_more();
    }
}
