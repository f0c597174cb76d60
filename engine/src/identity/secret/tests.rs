//! Only the secret itself is taken for it, and it is not shown.

use super::*;

#[test]
fn the_secret_is_told_from_all_others() {
    let text = "sixteen bytes ok";
    let secret = Secret::new(text.as_bytes()).unwrap();
    assert!(secret.is(text));
    for other in [
        "",
        "sixteen bytes o",
        "sixteen bytes ok ",
        "Sixteen bytes ok",
    ] {
        assert!(!secret.is(other), "{other:?}");
    }
    assert!(Secret::new(b"fifteen bytes..").is_none());
    assert!(!format!("{secret:?}").contains("sixteen"));
}

#[test]
fn the_end_of_a_files_line_is_no_part_of_it() {
    for file in [
        "sixteen bytes ok",
        "sixteen bytes ok\n",
        "sixteen bytes ok\r\n",
    ] {
        assert!(
            Secret::from_file(file.as_bytes())
                .unwrap()
                .is("sixteen bytes ok")
        );
    }
    assert!(Secret::from_file(b"fifteen bytes..\n").is_none());
}
