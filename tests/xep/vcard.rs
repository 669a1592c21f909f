//! Cards of people (XEP-0054).

use muster_tests::on_every_stage;

const CARD: &str = "<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN><N><FAMILY>Capulet</FAMILY></N></vCard>";

on_every_stage! {
    fn a_card_is_kept_and_shown_to_others(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        juliet.asks(&format!("<iq id='v1' type='set'>{CARD}</iq>"), "<iq id='v1' type='result'/>");
        juliet.asks("<iq id='v2' type='get'><vCard xmlns='vcard-temp'/></iq>", &format!("<iq id='v2' type='result'>{CARD}</iq>"));
        romeo.asks(
            "<iq to='juliet@capulet.lit' id='v3' type='get'><vCard xmlns='vcard-temp'/></iq>",
            &format!("<iq from='juliet@capulet.lit' id='v3' type='result'>{CARD}</iq>"),
        );
        juliet.leaves();
        romeo.asks(
            "<iq to='juliet@capulet.lit' id='v4' type='get'><vCard xmlns='vcard-temp'/></iq>",
            &format!("<iq from='juliet@capulet.lit' id='v4' type='result'>{CARD}</iq>"),
        );
    }

    fn nobody_changes_the_card_of_another(stage: &mut Stage) {
        stage.account("juliet@capulet.lit");
        let romeo = stage.enter("romeo@montague.lit/orchard");
        romeo.says(&format!("<iq to='juliet@capulet.lit' id='v1' type='set'>{CARD}</iq>"));
        romeo.hears("<iq from='juliet@capulet.lit' id='v1' type='error'>{any}</iq>");
    }

    fn without_a_card_there_is_nothing_to_show(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        juliet.says("<iq id='v1' type='get'><vCard xmlns='vcard-temp'/></iq>");
        let answer = juliet.hears("<iq id='v1' _='{any}'>{any}</iq>");
        let text = String::from(&answer);
        assert!(text.contains("item-not-found") || !text.contains("<FN>"), "{text}");
    }

    fn a_card_has_a_largest_size(stage: &mut Stage) {
        let juliet = stage.enter("juliet@capulet.lit/balcony");
        let photo = "A".repeat(200 << 10);
        juliet.says(&format!("<iq id='v1' type='set'><vCard xmlns='vcard-temp'><PHOTO><BINVAL>{photo}</BINVAL></PHOTO></vCard></iq>"));
        juliet.hears("<iq id='v1' type='error'>{any}</iq>");
    }
}
