//! Texts: checked while they arrive, failed at the byte that cannot be mended.

mod common;

use common::case::run;
use common::tables;

#[test]
fn texts_are_utf8_wherever_their_characters_are_cut() {
    run(tables::good_texts());
}

#[test]
fn bad_utf8_fails_with_1007_at_the_byte_that_cannot_be_mended() {
    run(tables::bad_texts());
}

#[test]
fn a_message_that_ends_inside_a_character_fails_with_1007() {
    run(tables::cut_texts());
}
