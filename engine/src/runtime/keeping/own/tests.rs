//! What becomes of commands whose tick panics with one of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use worldshard_protocol::{ClientMessage, InterestWish, SessionId, ViewpointMode};
use worldshard_transport::MessageKind;

use super::*;
use crate::hub::{Commons, Opening};
use crate::prelude::*;

fn hub() -> Hub {
    let recipe = App::new()
        .world(WorldConfig::default())
        .lanes("/world")
        .avatar(|_, at| Draft::at(at))
        .command(200, |_, payload| {
            assert_ne!(payload, b"poison", "poisoned");
            Ok(())
        })
        .build()
        .unwrap();
    let commons = Commons::new(&recipe, 1).unwrap();
    Hub::new(ShardId(0), recipe, commons).unwrap()
}

fn open(hub: &mut Hub) -> SessionId {
    let (path, framing) = ("/world".to_owned(), crate::app::Framing::Lanes);
    hub.open(Opening { path, framing })
}

fn say(hub: &mut Hub, session: SessionId, number: u32, message: &ClientMessage<'_>) {
    let mut bytes = Vec::new();
    message.encode(Some(number), None, &mut bytes);
    hub.message(session, MessageKind::Binary, &bytes);
}

fn join(hub: &mut Hub, session: SessionId) {
    let message = ClientMessage::Join {
        mode: ViewpointMode::Avatar,
        at: None,
        interest: InterestWish::Default,
        full: false,
        acks: false,
    };
    say(hub, session, 1, &message);
}

fn custom(payload: &[u8]) -> ClientMessage<'_> {
    let opcode = 200;
    ClientMessage::Custom { opcode, payload }
}

/// The second half of a tick, and what sessions were told in it.
fn absorb(hub: &mut Hub, tick: Tick) -> Vec<(SessionId, String)> {
    hub.absorb(tick, &mut []);
    hub.handle();
    let frames = hub.output().take_frames();
    frames
        .map(|(session, frame, _)| (session, String::from_utf8_lossy(&frame).into_owned()))
        .collect()
}

#[test]
fn commands_dropped_with_a_tick_that_panics_leave_no_gap_and_nobody_waits_for_a_join_or_leave() {
    let mut hub = hub();
    hub.keep_calls(Keep::All);
    let archive = Arc::new(hub.freeze().encode());
    let image = Image {
        tick: Tick(0),
        archive: Arc::clone(&archive),
    };
    let (to_keeper, _kept) = flume::bounded(16);
    let (to_scribe, _to_write) = flume::bounded(1);
    let shared = Arc::new(Shared::new(1, Tick(0)));
    let ways = (to_keeper, to_scribe);
    let mut own = OwnKeeping::new(
        ShardId(0),
        shared,
        Durability::Tick,
        100,
        false,
        image,
        ways,
    );
    let [guilty, leaver, joiner] = [(); 3].map(|()| open(&mut hub));
    join(&mut hub, guilty);
    join(&mut hub, leaver);
    hub.advance(Tick(1));
    own.advanced(&mut hub, Tick(1));
    absorb(&mut hub, Tick(1));

    say(&mut hub, guilty, 2, &custom(b"poison"));
    let direction = [1.0, 0.0, 0.0];
    say(&mut hub, leaver, 2, &ClientMessage::Steer { direction });
    say(&mut hub, leaver, 3, &ClientMessage::Leave);
    join(&mut hub, joiner);
    let panicked = catch_unwind(AssertUnwindSafe(|| hub.advance(Tick(2))));
    assert!(panicked.is_err());
    own.listen(&mut hub);
    let half = own.take_back(|call| {
        if let Call::Command(command) = call {
            command.body.drop_wish();
        }
    });
    assert!(matches!(half, Some(Call::Advance(Tick(2)))), "{half:?}");
    let calls = own.calls().to_vec();
    hub.rebuild(&archive, calls, Keep::All).unwrap();
    hub.advance(Tick(2));
    let told = absorb(&mut hub, Tick(2));
    let hears = |session: SessionId, words: [&str; 2]| {
        let mut told = told.iter();
        told.any(|(of, text)| *of == session && words.iter().all(|word| text.contains(word)))
    };
    assert!(hears(guilty, [r#""seq":2"#, "INTERNAL"]), "{told:?}");
    assert!(hears(leaver, [r#""seq":2"#, "INTERNAL"]), "{told:?}");
    assert!(hears(leaver, ["world", "left"]), "{told:?}");
    assert!(hears(joiner, ["world", "joined"]), "{told:?}");

    say(&mut hub, guilty, 3, &custom(b"harmless"));
    hub.advance(Tick(3));
    absorb(&mut hub, Tick(3));
    let viewer = hub.shard().viewer(guilty).unwrap();
    let commands = (
        viewer.commands_done,
        viewer.commands_pending,
        viewer.client_sequence,
    );
    assert_eq!(commands, (3, 0, 3));
}
