//! How a command is cut, and what of a name comes back.

use super::*;

#[test]
fn a_command_is_its_first_word_and_what_stands_behind_it() {
    for (text, name, rest) in [
        ("/list", "/list", ""),
        ("  /list \r\n", "/list", ""),
        ("/nick  Anna Bell ", "/nick", "Anna Bell"),
        ("/nick\tAnna", "/nick", "Anna"),
        ("/say one\n/list", "/say", "one\n/list"),
        ("/", "/", ""),
        ("/ list", "/", "list"),
        ("//list", "//list", ""),
        ("/List", "/List", ""),
        ("/\u{3000}x", "/", "x"),
    ] {
        assert_eq!(parts(text), (name, rest), "{text:?}");
    }
}

#[test]
fn of_a_name_that_is_unknown_so_much_comes_back_as_a_name_may_have() {
    let longest = format!("/{}", "x".repeat(NAME_CHARS_MAX));
    for name in ["/x", "/", "//x?!", "/ñandú", longest.as_str()] {
        assert_eq!(shown(name), name);
    }
    let longer = format!("{longest}x");
    assert_eq!(shown(&longer), format!("{longest}…"));
    let long = "/".repeat(1 << 20);
    assert_eq!(shown(&long), format!("{}…", "/".repeat(NAME_CHARS_MAX + 1)));
    let wide = format!("/{}", "名".repeat(NAME_CHARS_MAX));
    assert_eq!(shown(&wide), wide);
}

#[test]
fn nothing_comes_back_that_a_screen_obeys() {
    for (name, is) in [
        ("/a\0b", "/a\u{fffd}b"),
        ("/\u{1b}[31mred", "/\u{fffd}[31mred"),
        ("/x\u{7f}\u{9b}", "/x\u{fffd}\u{fffd}"),
        // Right to left, and a mark of no width.
        ("/\u{202e}tsil", "/\u{fffd}tsil"),
        ("/li\u{200b}st", "/li\u{fffd}st"),
    ] {
        assert_eq!(shown(name), is);
    }
}
