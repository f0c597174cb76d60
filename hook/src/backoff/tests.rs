use super::*;

const FIRST: Duration = Duration::from_millis(100);

#[test]
fn pauses_double_and_differ_and_have_an_end() {
    for (tries, whole_ms) in [(1, 100), (2, 200), (3, 400), (4, 800), (40, 10_000)] {
        let whole = Duration::from_millis(whole_ms);
        let pauses: Vec<_> = (0..100)
            .map(|chance| pause(FIRST, tries, chance, None))
            .collect();
        assert!(
            pauses.iter().all(|one| (whole / 2..=whole).contains(one)),
            "{tries}"
        );
        let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(*most - *least > whole / 4, "{tries}: {least:?} to {most:?}");
    }
}

#[test]
fn what_the_service_asks_for_is_heeded_up_to_a_bound() {
    let asked = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(pause(FIRST, 1, 7, asked(3)), Duration::from_secs(3));
    assert_eq!(pause(FIRST, 1, 7, asked(3600)), HookOptions::PAUSE_MAX);
    assert_eq!(pause(FIRST, 9, 7, asked(0)), pause(FIRST, 9, 7, None));
}
