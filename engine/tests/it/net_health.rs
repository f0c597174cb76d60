//! `/healthz` while a shard stands still: whoever asks is told so, on any number of shards.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use worldshard::Runtime;
use worldshard_transport::MessageKind;

use crate::socket::{
    Client, PATIENCE, answer, echo_app, end, eventually, get, now, on_each_runtime, serve, tcp,
};

#[test]
fn a_shard_that_stands_still_is_named_by_healthz_on_any_number_of_shards() {
    on_each_runtime(|runtime| {
        // At the same time: they all do nothing for most of it.
        std::thread::scope(|scope| {
            for shards in [1, 2, 8] {
                scope.spawn(move || names_the_frozen_one(runtime, shards));
            }
        });
    });
}

fn names_the_frozen_one(runtime: Runtime, shards: u16) {
    let frozen = shards - 1;
    let (running, address) = serve(&mut echo_app(runtime, shards));
    eventually(PATIENCE, "all shards live", || {
        get(address, "/healthz") == (200, "ok\n".to_owned())
    });
    let began = now();
    running.debug_freeze(frozen, FROZEN_FOR);
    let named = format!("stale shards: {frozen}\n");
    eventually(FROZEN_FOR, "the frozen shard is named", || {
        asked(address) == Some((503, named.clone()))
    });
    let took = began.elapsed();
    println!("{shards} shards on {runtime}: named after {took:?}");
    assert!(!full() || took < NAMED_WITHIN, "{took:?}");
    // Once it is known to stand still, nobody is given to it: it would answer when it lives again, and differently.
    for _ in 0..8 {
        let (status, body) = get(address, "/healthz");
        assert_eq!(status, 503, "{body:?} after {:?}", began.elapsed());
    }
    if shards > 1 {
        Client::connect(address, "/ws").echoes(MessageKind::Text, b"by another shard");
    }
    eventually(FROZEN_FOR * 2, "the shard lives again", || {
        asked(address).is_some_and(|(status, _)| status == 200)
    });
    Client::connect(address, "/ws").echoes(MessageKind::Text, b"again");
    end(running);
}

/// The answer of `/healthz`; `None` when there is none for longer than a prober waits.
fn asked(address: SocketAddr) -> Option<(u16, String)> {
    let mut request = tcp(address);
    request.set_read_timeout(Some(PROBE_WAIT)).unwrap();
    // Who is refused is answered before it has asked.
    let _ = request.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    Some(answer(&mut request)).filter(|(status, _)| *status != 0)
}

fn full() -> bool {
    std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1")
}

/// On a machine that has time for its shards.
const NAMED_WITHIN: Duration = Duration::from_secs(2);

/// Long enough for a machine that has not.
const FROZEN_FOR: Duration = Duration::from_secs(5);

const PROBE_WAIT: Duration = Duration::from_millis(300);
