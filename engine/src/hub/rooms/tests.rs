use std::collections::BTreeSet;

use super::names::short;

#[test]
fn no_short_name_comes_again_before_all_have_come() {
    let names: BTreeSet<String> = (0..17_576).map(|count| short(count, 3)).collect();
    assert_eq!(names.len(), 17_576);
    assert!(names.iter().all(|name| name.len() == 3));
    let all = |name: &String| name.bytes().all(|byte| byte.is_ascii_uppercase());
    assert!(names.iter().all(all));
    assert_eq!(short(17_576, 3), short(0, 3));
}

#[test]
fn long_short_names_differ_too() {
    let names: BTreeSet<String> = (0..10_000).map(|count| short(count, 12)).collect();
    assert_eq!(names.len(), 10_000);
    assert_eq!(short(u64::MAX, 12).len(), 12);
}
