//! Values by type.

use super::Resources;

#[derive(Debug, PartialEq)]
struct Score(u32);

#[test]
fn each_type_has_one_value() {
    let mut resources = Resources::new();
    assert!(!resources.contains::<Score>());
    assert!(resources.get::<Score>().is_none());
    assert_eq!(resources.insert(Score(1)), None);
    assert_eq!(resources.insert(7u8), None);
    assert_eq!(resources.insert(Score(2)), Some(Score(1)));
    assert_eq!(*resources.expect::<Score>(), Score(2));
    assert!(resources.contains::<u8>());
}

#[test]
fn values_are_borrowed_one_by_one() {
    let mut resources = Resources::new();
    resources.insert(Score(1));
    resources.insert(7u8);
    {
        let mut score = resources.expect_mut::<Score>();
        score.0 += u32::from(*resources.expect::<u8>());
    }
    assert_eq!(*resources.get::<Score>().unwrap(), Score(8));
    *resources.get_mut::<u8>().unwrap() = 1;
    assert_eq!(*resources.expect::<u8>(), 1);
}

#[test]
#[should_panic(expected = "Score: add it with `App::resource`")]
fn a_missing_value_is_named() {
    let _ = Resources::new().expect::<Score>();
}
