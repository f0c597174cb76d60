//! A message to many, from its arrival at a hub to frames for the driver, per recipient: the same for few and for many.
//! `cargo bench -p worldshard-bench --bench fanout`.

mod measure;

use criterion::Throughput;
use worldshard::prelude::*;
use worldshard::{Commons, Framing, Hub, Opening, Output};
use worldshard_bench::stopwatch::busy;
use worldshard_client::transport::MessageKind;

fn main() -> Result<()> {
    let mut criterion = measure::criterion(busy);
    let mut group = criterion.benchmark_group("fanout");
    for recipients in [10, 100, 1000, 10_000] {
        let recipe = App::new().raw("/").system(Update, pass_on).build()?;
        let commons = Commons::new(&recipe, 1)?;
        let mut hub = Hub::new(ShardId(0), recipe, commons)?;
        let sessions: Vec<SessionId> = (0..recipients).map(|_| open(&mut hub)).collect();
        let mut output = Output::default();
        group.throughput(Throughput::Elements(sessions.len() as u64));
        group.bench_function(recipients.to_string(), |bencher| {
            bencher.iter(|| {
                hub.message(sessions[0], MessageKind::Binary, &[b'b'; 64]);
                hub.handle();
                // As a driver does, which takes the whole output out and says what the kernel took.
                std::mem::swap(hub.output(), &mut output);
                assert_eq!(output.frames.len(), sessions.len());
                for (session, _, _) in output.frames.drain(..) {
                    hub.written(session, 1);
                }
            });
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

fn open(hub: &mut Hub) -> SessionId {
    hub.open(Opening {
        path: "/".to_owned(),
        framing: Framing::Raw,
    })
}

fn pass_on(cx: &mut Context<'_>) {
    for message in cx.messages() {
        cx.send(Audience::All, message.payload.clone());
    }
}
