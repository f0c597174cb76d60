//! What a client pays for a delta: the checked read, its visible set, the whole way from bytes off the socket.
//! `cargo bench -p worldshard-bench --bench client`.

mod measure;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use worldshard::prelude::Result;
use worldshard_bench::recording::{Recording, opened_client};
use worldshard_bench::stopwatch::busy;
use worldshard_client::protocol::{View, read_delta};
use worldshard_client::{Client, Event};

use measure::CpuTime;

fn main() -> Result<()> {
    let mut criterion = measure::criterion(busy);
    for visible in [64, 1000] {
        hear(&mut criterion, visible)?;
    }
    criterion.final_summary();
    Ok(())
}

/// Each iteration hears a whole recording.
fn hear(criterion: &mut Criterion<CpuTime>, visible: u16) -> Result<()> {
    let recording = Recording::new(visible)?;
    let mut group = criterion.benchmark_group(format!("client/{visible}"));
    group.throughput(Throughput::Elements(recording.deltas().len() as u64));
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            for delta in recording.deltas() {
                let delta = read_delta(delta).expect("the server lays deltas out well");
                black_box(delta.changed.len());
            }
        });
    });
    group.bench_function("apply", |bencher| {
        bencher.iter_with_large_drop(|| {
            let mut view = View::new();
            for delta in recording.deltas() {
                view.apply(delta).expect("deltas follow each other");
            }
            view
        });
    });
    group.bench_function("receive", |bencher| {
        bencher.iter_batched_ref(
            opened_client,
            |client| receive(client, &recording),
            BatchSize::SmallInput,
        );
    });
    group.finish();
    Ok(())
}

fn receive(client: &mut Client, recording: &Recording) {
    for frame in recording.frames() {
        client.receive(frame);
        while let Some(event) = client.poll().expect("the server keeps the protocol") {
            assert!(matches!(event, Event::Delta(_)), "{event:?}");
        }
        // Acknowledgements.
        client.output().clear();
    }
}
