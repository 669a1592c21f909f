//! The contact list (RFC 6121 §2).

use muster_tests::acts::ask_for_roster;
use muster_tests::on_every_stage;

const NURSE: &str = "<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='nurse@capulet.lit' name='Nurse'><group>Servants</group></item></query></iq>";
const NURSE_PUSHED: &str = "<iq type='set' id='{any}' _='{any}'><query xmlns='jabber:iq:roster' _='{any}'><item jid='nurse@capulet.lit' name='Nurse' subscription='none'><group>Servants</group></item></query></iq>";
const DONE: &str = "<iq type='result' id='r1'/>";

on_every_stage! {
    fn a_new_roster_is_empty(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        juliet.asks(
            "<iq type='get' id='r0'><query xmlns='jabber:iq:roster'/></iq>",
            "<iq type='result' id='r0'><query xmlns='jabber:iq:roster' _='{any}'/></iq>",
        );
    }

    fn an_item_is_pushed_to_all_who_asked_and_kept(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let phone = stage.enter("juliet@capulet.lit/phone");
        let deaf = stage.enter("juliet@capulet.lit/chamber");
        ask_for_roster(&juliet);
        ask_for_roster(&phone);

        stage.scene("She adds the nurse");
        juliet.says(NURSE);
        juliet.hears_all(&[NURSE_PUSHED, DONE]);
        phone.hears(NURSE_PUSHED);
        deaf.hears_nothing_more();

        stage.scene("Later she asks again");
        juliet.leaves();
        phone.leaves();
        deaf.leaves();
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        juliet.asks(
            "<iq type='get' id='r0'><query xmlns='jabber:iq:roster'/></iq>",
            "<iq type='result' id='r0'><query xmlns='jabber:iq:roster' _='{any}'><item jid='nurse@capulet.lit' name='Nurse' subscription='none'><group>Servants</group></item></query></iq>",
        );
    }

    fn an_item_changes_and_goes(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        ask_for_roster(&juliet);
        juliet.says(NURSE);
        juliet.hears_all(&[NURSE_PUSHED, DONE]);

        stage.scene("Another name, two groups; what she says of the subscription is not asked for");
        juliet.says("<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='nurse@capulet.lit' name='Angelica' subscription='both'><group>Servants</group><group>Friends</group></item></query></iq>");
        juliet.hears_all(&[
            "<iq type='set' id='{any}' _='{any}'><query xmlns='jabber:iq:roster' _='{any}'><item jid='nurse@capulet.lit' name='Angelica' subscription='none'><group>Servants</group><group>Friends</group></item></query></iq>",
            DONE,
        ]);

        stage.scene("The nurse is removed");
        juliet.says("<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='nurse@capulet.lit' subscription='remove'/></query></iq>");
        juliet.hears_all(&[
            "<iq type='set' id='{any}' _='{any}'><query xmlns='jabber:iq:roster' _='{any}'><item jid='nurse@capulet.lit' subscription='remove'/></query></iq>",
            DONE,
        ]);
        juliet.asks(
            "<iq type='get' id='r0'><query xmlns='jabber:iq:roster'/></iq>",
            "<iq type='result' id='r0'><query xmlns='jabber:iq:roster' _='{any}'/></iq>",
        );
    }

    fn what_is_not_there_cannot_be_removed(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        juliet.asks(
            "<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='nurse@capulet.lit' subscription='remove'/></query></iq>",
            "<iq type='error' id='r1'>{error cancel item-not-found}</iq>",
        );
    }

    fn a_set_has_one_item_with_an_address_and_each_group_once(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        for (content, error) in [
            ("<item jid='a@capulet.lit'/><item jid='b@capulet.lit'/>", "{error modify bad-request}"),
            ("", "{error modify bad-request}"),
            ("<item name='Nurse'/>", "{error modify bad-request}"),
            ("<item jid='a@capulet.lit'><group>A</group><group>A</group></item>", "{error modify bad-request}"),
            ("<item jid='a@capulet.lit'><group/></item>", "{error modify not-acceptable}"),
        ] {
            juliet.asks(
                &format!("<iq type='set' id='r1'><query xmlns='jabber:iq:roster'>{content}</query></iq>"),
                &format!("<iq type='error' id='r1'>{error}</iq>"),
            );
        }
    }

    fn another_users_roster_is_not_ones_own(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        ask_for_roster(&juliet);
        romeo.says("<iq to='juliet@capulet.lit' type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='romeo@montague.lit'/></query></iq>");
        romeo.hears("<iq from='juliet@capulet.lit' type='error' id='r1'>{any}</iq>");
        romeo.says("<iq to='juliet@capulet.lit' type='get' id='r2'><query xmlns='jabber:iq:roster'/></iq>");
        romeo.hears("<iq from='juliet@capulet.lit' type='error' id='r2'>{any}</iq>");
        juliet.hears_nothing_more();
    }

    fn a_push_that_nobody_sent_changes_nothing(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        ask_for_roster(&juliet);
        juliet.says(NURSE);
        let heard = juliet.hears_all(&[NURSE_PUSHED, DONE]);
        juliet.says(&format!("<iq type='result' id='{}'/>", heard[0].attr("id").unwrap_or_default()));
        juliet.hears_nothing_more();
    }

    fn who_knows_the_version_is_told_nothing_new(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let empty = "<iq type='get' id='r0'><query xmlns='jabber:iq:roster' ver=''/></iq>";
        juliet.asks(empty, "<iq type='result' id='r0'><query xmlns='jabber:iq:roster' ver='{any}'/></iq>");
        juliet.says(NURSE);
        let heard = juliet.hears_all(&[NURSE_PUSHED, DONE]);
        let version = heard[0].children().next().and_then(|query| query.attr("ver")).expect("a version").to_owned();

        stage.scene("She knows the latest");
        juliet.asks(
            &format!("<iq type='get' id='r0'><query xmlns='jabber:iq:roster' ver='{version}'/></iq>"),
            "<iq type='result' id='r0'/>",
        );

        stage.scene("She knows an older one");
        juliet.says("<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='friar@capulet.lit'/></query></iq>");
        juliet.hears_all(&[
            "<iq type='set' id='{any}' _='{any}'><query xmlns='jabber:iq:roster' ver='{any}'><item jid='friar@capulet.lit' subscription='none'/></query></iq>",
            DONE,
        ]);
        juliet.says(&format!("<iq type='get' id='r0'><query xmlns='jabber:iq:roster' ver='{version}'/></iq>"));
        let answer = juliet.hears("<iq type='result' id='r0'>{any}</iq>");
        let news = match answer.children().next() {
            Some(roster) => String::from(roster),
            None => String::from(&juliet.hears("<iq type='set' id='{any}' _='{any}'>{any}</iq>")),
        };
        assert!(news.contains("friar@capulet.lit"), "{news}");
        juliet.hears_nothing_more();
    }

    fn versioning_is_announced(stage: &mut Stage) {
        use muster_tests::client::login::Outcome;
        use muster_tests::stage::PASSWORD;
        stage.account("juliet@capulet.lit");
        let visitor = stage.visit();
        let features = visitor.client(|client| {
            client.open("capulet.lit");
            assert_eq!(client.log_in("PLAIN", "juliet", PASSWORD, None), Outcome::Success);
            client.restart();
            client.open("capulet.lit")
        });
        assert!(features.has_child("ver", "urn:xmpp:features:rosterver"), "{features:?}");
        assert!(features.has_child("sub", "urn:xmpp:features:pre-approval"), "{features:?}");
    }
}
