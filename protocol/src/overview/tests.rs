//! Overviews survive the way, and hostile ones are refused.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn overview(dots: usize, ghosts: usize) -> Overview {
    let dot = |id: usize| Dot {
        id: id as u64,
        x: id as f32 / 3.0,
        y: -2.0,
        z: 0.0,
        owner: 1,
        kind: 4,
        spare: 0,
    };
    Overview {
        tick: 12,
        shard: 1,
        total: 90,
        dots: (0..dots).map(dot).collect(),
        ghosts: (0..ghosts).map(dot).collect(),
    }
}

fn bytes(overview: &Overview) -> Vec<u8> {
    let mut out = Vec::new();
    overview.write(&mut out);
    out
}

#[test]
fn overview_is_read_as_written() {
    for (dots, ghosts) in [(0, 0), (1, 0), (0, 1), (7, 3)] {
        let overview = overview(dots, ghosts);
        let bytes = bytes(&overview);
        let read = read_overview(&bytes).unwrap();
        let back = rkyv::deserialize::<Overview, rkyv::rancor::Error>(read);
        assert_eq!(back.unwrap(), overview);
    }
}

#[test]
fn overview_with_a_broken_promise_is_refused() {
    let refused = |edit: fn(&mut Overview), error| {
        let mut overview = overview(3, 2);
        edit(&mut overview);
        assert_eq!(read_overview(&bytes(&overview)).err(), Some(error));
    };
    refused(|o| o.dots[1].y = f32::NAN, OverviewError::Position(1));
    refused(
        |o| o.ghosts[1].x = f32::INFINITY,
        OverviewError::Position(1),
    );
    refused(|o| o.ghosts[0].id = u64::MAX, OverviewError::Id(u64::MAX));
    refused(|o| o.tick = u64::MAX, OverviewError::Id(u64::MAX));
    let mut longer = vec![0];
    longer.extend(bytes(&overview(1, 1)));
    assert_eq!(read_overview(&longer).err(), Some(OverviewError::Size));
    assert_eq!(read_overview(&[]).err(), Some(OverviewError::Layout));
}

proptest! {
    #[test]
    fn mutated_overview_never_panics(
        cut in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = bytes(&overview(5, 2));
        prop_assert!(read_overview(&bytes[..cut.index(bytes.len())]).is_err());
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        if let Ok(read) = read_overview(&bytes) {
            prop_assert_eq!((read.dots.len() + read.ghosts.len()) * DOT_BYTES + OVERVIEW_ROOT_BYTES, bytes.len());
        }
    }
}
