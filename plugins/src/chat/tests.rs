use super::names::{RESERVED, check, on_a_line};

#[test]
fn a_nickname_is_short_can_be_seen_and_is_nobody_elses() {
    let reserved = RESERVED.map(String::from);
    for name in [
        "Anna",
        "Jos\u{e9} 2",
        "\u{1f980}",
        "x",
        "user",
        "Users",
        &"n".repeat(32),
    ] {
        let is_free = name != "user";
        assert_eq!(check(name, &reserved).is_ok(), is_free, "{name:?}");
    }
    for name in [
        "",
        " ",
        " Anna",
        "Anna ",
        "An  na",
        "An\nna",
        "An\tna",
        "An\u{200b}na",
        "\u{202e}Anna",
        "An\u{a0}na",
        "[System]",
        "System",
        "sYSTEM",
        "Error",
        "User 7",
        "user7",
        "User \u{0663}",
        "a:b",
        "a/b",
        &"n".repeat(33),
    ] {
        assert!(check(name, &reserved).is_err(), "{name:?}");
    }
}

#[test]
fn nobody_ends_a_line() {
    assert_eq!(
        on_a_line("a\r\n[System] b\u{2028}c\u{7}"),
        "a  [System] b c "
    );
    assert_eq!(on_a_line("as it is"), "as it is");
}
