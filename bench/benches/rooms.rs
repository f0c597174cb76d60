//! A message to the members of a room, from its arrival at a hub to frames for the driver, per recipient, beside one to all.
//! `cargo bench -p worldshard-bench --bench rooms`.

mod measure;

use criterion::Throughput;
use worldshard::Result;
use worldshard_bench::stopwatch::busy;
use worldshard_bench::talk::{Hearers, Talk};

fn main() -> Result<()> {
    let mut criterion = measure::criterion(busy);
    let mut group = criterion.benchmark_group("rooms");
    for (name, shards, hearers, per_turn) in SCENES {
        for (how, coalesce) in [("at once", false), ("gathered", true)] {
            let mut talk = Talk::new(shards, hearers, coalesce)?;
            group.throughput(Throughput::Elements(talk.hearers().into()));
            group.bench_function(format!("{name}, {how}"), |bencher| {
                bencher.iter(|| talk.round(&[b'b'; 64], per_turn));
            });
        }
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// Their names, shards, who hears, and how many speak before a hub runs.
const SCENES: [(&str, u16, Hearers, usize); 8] = [
    ("1 to 50 000", 8, Hearers::Everyone(50_000), 1),
    ("10 000 of 5", 8, rooms(10_000, 5), 1),
    ("10 000 of 5, 64 a turn", 8, rooms(10_000, 5), 64),
    ("1 000 of 50", 8, rooms(1000, 50), 1),
    ("1 to 1 000", 1, Hearers::Everyone(1000), 1),
    ("1 of 1 000", 1, rooms(1, 1000), 1),
    ("1 to 5", 1, Hearers::Everyone(5), 1),
    ("1 of 5", 1, rooms(1, 5), 1),
];

const fn rooms(rooms: u32, members: u32) -> Hearers {
    Hearers::Rooms { rooms, members }
}
