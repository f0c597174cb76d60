//! WebSocket frames: a message laid out for sending, and what a client said read. `cargo bench -p worldshard-bench --bench frames`.

mod measure;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use worldshard_bench::stopwatch::busy;
use worldshard_client::transport::{
    Event, Limits, MessageKind, Reader, Role, data_frame, data_header, masked_frame,
};

use measure::CpuTime;

fn main() {
    let mut criterion = measure::criterion(busy);
    encode(&mut criterion);
    read(&mut criterion);
    criterion.final_summary();
}

fn encode(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("frames/encode");
    group.throughput(Throughput::Elements(1));
    for bytes in [64, 1024, 16 * 1024] {
        let payload = vec![b'b'; bytes];
        group.bench_function(format!("whole-{bytes}"), |bencher| {
            bencher.iter(|| data_frame(MessageKind::Binary, black_box(&payload)));
        });
        // The payload is shared and goes out from where it lies.
        group.bench_function(format!("header-{bytes}"), |bencher| {
            bencher.iter(|| data_header(MessageKind::Binary, black_box(bytes)));
        });
    }
    group.finish();
}

fn read(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("frames/read");
    for (kind, bytes, frames) in [
        (MessageKind::Binary, 32, 1),
        (MessageKind::Binary, 32, 16),
        (MessageKind::Binary, 1024, 1),
        (MessageKind::Binary, 16 * 1024, 1),
        (MessageKind::Text, 1024, 1),
    ] {
        let frame = masked_frame(kind, &vec![b'b'; bytes], MASK);
        let mut input = frame.repeat(frames);
        let mut reader = Reader::new(Role::Server, Limits::default());
        group.throughput(Throughput::Elements(frames as u64));
        let name = format!("{kind:?}-{bytes}x{frames}").to_lowercase();
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert_eq!(messages(&mut reader, &mut input), frames));
        });
    }
    group.finish();
}

/// Reads all of it, as a server does. Payloads are unmasked where they lie, so that every other time they are the
/// masked ones: with this mask still text.
fn messages(reader: &mut Reader, mut input: &mut [u8]) -> usize {
    let mut messages = 0;
    loop {
        let step = reader
            .read(input)
            .expect("what a client says keeps the rules");
        let consumed = step.consumed;
        match step.event {
            Some(Event::Message { payload, .. }) => messages += usize::from(!payload.is_empty()),
            Some(other) => unreachable!("a message, not {other:?}"),
            None => return messages,
        }
        input = &mut input[consumed..];
    }
}

const MASK: [u8; 4] = [1, 2, 3, 4];
