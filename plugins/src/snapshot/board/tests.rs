use std::collections::BTreeMap;

use super::{REMOVED_MAX, SnapshotBoard, VALUES_MAX};

/// What a reader builds from changes alone.
#[derive(Default)]
struct Reader {
    version: u64,
    values: BTreeMap<String, String>,
    fulls: u32,
}

impl Reader {
    fn read(&mut self, board: &SnapshotBoard) {
        let Some(changes) = board.since(self.version) else {
            return;
        };
        if changes.is_full {
            self.values.clear();
            self.fulls += 1;
        }
        for name in &changes.removed {
            self.values.remove(&**name);
        }
        let upserted = changes.upserted.iter();
        self.values
            .extend(upserted.map(|(name, json)| (name.to_string(), json.get().to_owned())));
        self.version = changes.version;
    }
}

#[test]
fn a_reader_has_the_board_however_seldom_it_reads() {
    let mut state = 7_u64;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let board = SnapshotBoard::new();
    let mut expected = BTreeMap::new();
    let (mut often, mut seldom) = (Reader::default(), Reader::default());
    for step in 0..30_000_u64 {
        let name = format!("{}", step / 2 + draw(20));
        if draw(2) == 0 {
            let value = draw(4);
            assert!(board.set(&name, &value));
            expected.insert(name, value.to_string());
        } else {
            assert_eq!(board.remove(&name), expected.remove(&name).is_some());
        }
        if step % 5 == 0 {
            often.read(&board);
            assert_eq!(often.values, expected);
        }
        if step % 9_999 == 0 {
            seldom.read(&board);
            assert_eq!(seldom.values, expected);
        }
    }
    assert_eq!(often.fulls, 0, "who keeps up is never told all");
    assert!(seldom.fulls > 0, "who does not, is");
    let kept = board.values().changes.len();
    assert!(
        kept <= expected.len() + REMOVED_MAX + 1,
        "{kept} changes are kept"
    );
}

#[test]
fn a_board_has_a_bound_and_the_same_value_is_no_change() {
    let board = SnapshotBoard::new();
    for n in 0..VALUES_MAX {
        assert!(board.set(&n.to_string(), &1));
    }
    assert!(!board.set("one more", &1));
    let version = board.all().version;
    assert!(board.set("7", &1));
    assert!(board.since(version).is_none());
    assert!(board.set("7", &2) && board.remove("8") && board.set("one more", &1));
    let changes = board.since(version).unwrap();
    assert_eq!((changes.upserted.len(), changes.removed.len()), (2, 1));
}
