//! The channels between shards: envelopes and letters as they are moved, within one thread and between two.
//! `cargo bench -p worldshard-bench --bench mailbox`.
//!
//! CPU time of all threads: who sleeps at a channel pays for being woken.

mod measure;

use std::hint::black_box;
use std::thread;

use criterion::{Criterion, Throughput};
use flume::{Receiver, Sender, bounded};
use worldshard::prelude::*;
use worldshard::{Commons, Envelope, Hub, Letter, Subscribers, worlds};
use worldshard_bench::stopwatch::busy_process;

use measure::CpuTime;

fn main() -> Result<()> {
    let mut criterion = measure::criterion(busy_process);
    within_one_thread(&mut criterion)?;
    between_two_threads(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn within_one_thread(criterion: &mut Criterion<CpuTime>) -> Result<()> {
    let mut group = criterion.benchmark_group("mailbox/one-thread");
    group.throughput(Throughput::Elements(1));
    let (sender, receiver) = bounded(ENVELOPES_MAX);
    let mut envelope = Some(envelope()?);
    group.bench_function("envelope", |bencher| {
        bencher.iter(|| {
            let sent = sender.try_send(envelope.take().expect("it came back"));
            sent.expect("there is room");
            envelope = receiver.try_recv().ok();
        });
    });
    group.throughput(Throughput::Elements(LETTERS as u64));
    let (sender, receiver) = bounded(LETTERS);
    group.bench_function("letters", |bencher| {
        bencher.iter(|| {
            send_all(&sender);
            while let Ok(letter) = receiver.try_recv() {
                black_box(letter);
            }
        });
    });
    group.finish();
    Ok(())
}

fn between_two_threads(criterion: &mut Criterion<CpuTime>) -> Result<()> {
    let mut group = criterion.benchmark_group("mailbox/two-threads");
    let envelope = envelope()?;
    let (there, theirs) = bounded(ENVELOPES_MAX);
    let (back, ours) = bounded(ENVELOPES_MAX);
    let (letters, unread) = bounded(LETTERS);
    let (done, answers) = bounded(1);
    thread::scope(|scope| {
        // Each ends when what it receives from is dropped, at the end of this closure.
        let echo = thread::Builder::new().spawn_scoped(scope, move || send_back(&theirs, &back));
        echo.expect("a thread can be had");
        let reader = thread::Builder::new().spawn_scoped(scope, move || read(&unread, &done));
        reader.expect("a thread can be had");
        let mut envelope = Some(envelope);
        // Each side sends one and takes one, as in a tick.
        group.throughput(Throughput::Elements(2));
        group.bench_function("envelope", |bencher| {
            bencher.iter(|| {
                let sent = there.send(envelope.take().expect("it came back"));
                sent.expect("the other thread waits");
                envelope = ours.recv().ok();
            });
        });
        group.throughput(Throughput::Elements(LETTERS as u64));
        group.bench_function("letters", |bencher| {
            bencher.iter(|| {
                send_all(&letters);
                answers.recv().expect("the other thread reads");
            });
        });
        drop((there, letters));
    });
    group.finish();
    Ok(())
}

fn send_all(letters: &Sender<Letter>) {
    for plain in 0..LETTERS as u32 {
        let letter = Letter::Subscribers(Subscribers { plain, ghosts: 0 });
        letters.send(letter).expect("somebody reads");
    }
}

fn send_back(from: &Receiver<Envelope>, to: &Sender<Envelope>) {
    for envelope in from {
        to.send(envelope).expect("who sent it waits for it");
    }
}

/// Answers once for each batch.
fn read(letters: &Receiver<Letter>, done: &Sender<()>) {
    for (number, letter) in letters.iter().enumerate() {
        black_box(letter);
        if (number + 1).is_multiple_of(LETTERS) {
            done.send(()).expect("who sent them waits");
        }
    }
}

/// One tick's envelope between two shards of a flock. What it holds does not matter to a channel, its own size does.
fn envelope() -> Result<Envelope> {
    let recipe = App::new().plugin(worlds::flock(1000)).shards(2).build()?;
    let commons = Commons::new(&recipe, 2)?;
    let mut hub = Hub::new(ShardId(0), recipe, commons)?;
    let mut envelopes = hub.advance(Tick(1));
    Ok(envelopes.pop().expect("there is another shard"))
}

/// Of one sender: this tick's and the next.
const ENVELOPES_MAX: usize = 2;
/// In one batch.
const LETTERS: usize = 1000;
