//! Who says more than a turn's worth: all of it is heard, by and by, and nobody else waits for more than a little of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use worldshard::prelude::*;
use worldshard::runtime::Running;
use worldshard::{Runtime, ServerOptions};
use worldshard_transport::{MessageKind, masked_frame, masked_ping};

use crate::net_tls::{enter, sealed_echo};
use crate::socket::{
    Client, Heard, MASK, PATIENCE, echo_app, end, eventually, on_each_runtime, serve,
};
use crate::tls::Authority;

#[test]
fn a_thousand_pings_in_one_write_are_all_answered_and_so_is_what_comes_behind_them() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("pings", runtime);
        authority.issue();
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut echo_app(runtime, shards));
            burst_is_answered(&mut Client::connect(address, "/ws"));
            end(running);
            let (running, address) = serve(&mut sealed_echo(&authority, runtime, shards));
            burst_is_answered(&mut enter(address, &authority.client()));
            end(running);
        }
    });
}

/// And then nothing more is said.
fn burst_is_answered(client: &mut Client<impl Read + Write>) {
    let mut burst = Vec::new();
    for number in 0..1000_u32 {
        burst.extend(masked_ping(&number.to_le_bytes(), MASK));
    }
    burst.extend(masked_frame(MessageKind::Text, b"behind", MASK));
    client.write(&burst);
    for number in 0..1000_u32 {
        assert_eq!(client.hear(), Heard::Pong(number.to_le_bytes().to_vec()));
    }
    let behind = Heard::Message(MessageKind::Text, b"behind".to_vec());
    assert_eq!(client.hear(), behind);
}

#[test]
fn messages_of_a_thousand_fragments_in_one_write_all_come_back() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("fragments", runtime);
        authority.issue();
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut echo_app(runtime, shards));
            fragments_come_back(&mut Client::connect(address, "/ws"));
            end(running);
            let (running, address) = serve(&mut sealed_echo(&authority, runtime, shards));
            fragments_come_back(&mut enter(address, &authority.client()));
            end(running);
        }
    });
}

fn fragments_come_back(client: &mut Client<impl Read + Write>) {
    let fragmented = fragmented(1000);
    client.write(&fragmented.repeat(5));
    for _ in 0..5 {
        let joined = Heard::Message(MessageKind::Binary, vec![b'f'; 1000]);
        assert_eq!(client.hear(), joined);
    }
}

/// A binary message in fragments of one byte.
fn fragmented(fragments: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for at in 0..fragments {
        let mut frame = masked_frame(MessageKind::Binary, b"f", MASK).to_vec();
        let opcode = if at == 0 { 0x02 } else { 0x00 };
        frame[0] = if at + 1 == fragments { 0x80 } else { 0x00 } | opcode;
        bytes.extend(frame);
    }
    bytes
}

#[test]
fn beside_a_turn_of_another_each_flooder_has_a_few_pings_heard() {
    let pings = masked_ping(b"", MASK).repeat(PINGS_PER_TURN);
    others_wait_for_little(&pings, PINGS_PER_TURN);
}

#[test]
fn beside_a_turn_of_another_each_flooder_has_a_few_pongs_heard() {
    let mut pong = masked_ping(b"", MASK).to_vec();
    pong[0] = 0x8a;
    others_wait_for_little(&pong.repeat(PINGS_PER_TURN), 0);
}

#[test]
fn beside_a_turn_of_another_each_flooder_has_as_many_fragments_heard_as_it_might_have_messages() {
    others_wait_for_little(&fragmented(FRAMES_PER_TURN - 1), 0);
}

/// While the shard is held up, flooders say as much as a turn may have, again and again, each time with a message behind it;
/// then another says some turns full of messages. The application hears all of it in the order in which it was read.
fn others_wait_for_little(turn_full: &[u8], pongs: usize) {
    let told = |number: u32| masked_frame(MessageKind::Binary, &number.to_le_bytes(), MASK);
    let flood = (1..=FLOODS).map(|number| [turn_full, &told(number)].concat());
    let flood = flood.collect::<Vec<_>>().concat();
    let said = told(0).repeat(OTHERS_TURNS * FRAMES_PER_TURN);
    on_each_runtime(|runtime| {
        let held = HeldUp::serve(runtime, |_| {});
        let mut flooders: Vec<Client> = (0..8).map(|_| held.client()).collect();
        let mut other = held.client();
        let log = held.meanwhile(|| {
            for flooder in &mut flooders {
                write_whole(flooder, &flood);
            }
            write_whole(&mut other, &said);
        });
        for flooder in &mut flooders {
            for _ in 0..FLOODS as usize * pongs {
                assert_eq!(flooder.hear(), Heard::Pong(Vec::new()));
            }
        }
        let numbers =
            log.numbers(flooders.len() * FLOODS as usize + OTHERS_TURNS * FRAMES_PER_TURN);
        let (mut of_other, mut of_flooders) = (0, BTreeMap::new());
        for (session, number) in numbers {
            if number == 0 {
                of_other += 1;
                continue;
            }
            let of_one: &mut usize = of_flooders.entry(session).or_default();
            *of_one += 1;
            assert_eq!(*of_one, number as usize, "out of order");
            let turns = of_other / FRAMES_PER_TURN;
            assert!(
                turns == OTHERS_TURNS || *of_one <= turns + 1,
                "{of_one} floods of one were heard beside {turns} turns of another"
            );
        }
        assert_eq!(of_flooders.len(), flooders.len());
        held.end();
    });
}

#[test]
fn a_turn_hears_no_more_connections_the_more_have_something_to_say() {
    on_each_runtime(|runtime| {
        let held = HeldUp::serve(runtime, |_| {});
        let mut crowd: Vec<Client> = (0..200).map(|_| held.client()).collect();
        let told = masked_frame(MessageKind::Binary, &1_u32.to_le_bytes(), MASK);
        let said = told.repeat(3 * FRAMES_PER_TURN);
        let log = held.meanwhile(|| {
            for client in &mut crowd {
                write_whole(client, &said);
            }
        });
        log.numbers(crowd.len() * 3 * FRAMES_PER_TURN);
        // So many connections go on with what was read before, and of so many more is read.
        let most = (64 + 64) * FRAMES_PER_TURN;
        let turns = log.turns();
        assert!(turns.iter().all(|heard| *heard <= most), "{turns:?}");
        held.end();
    });
}

#[test]
fn no_more_bytes_of_a_connection_are_read_in_a_turn_than_is_said() {
    on_each_runtime(|runtime| {
        let held = HeldUp::serve(runtime, |options| options.limits.turn_bytes_max = 15);
        let mut client = held.client();
        let told = masked_frame(MessageKind::Binary, &1_u32.to_le_bytes(), MASK);
        assert_eq!(told.len(), 10);
        let log = held.meanwhile(|| write_whole(&mut client, &told.repeat(300)));
        log.numbers(300);
        let turns = log.turns();
        assert!(turns.iter().all(|heard| *heard <= 2), "{turns:?}");
        held.end();
    });
}

/// A server of one shard that can be held up, and says what it heard.
struct HeldUp {
    running: Running,
    address: SocketAddr,
    log: Log,
    begun: Receiver<()>,
    go_on: SyncSender<()>,
}

/// What the application heard.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Heards>>);

#[derive(Default)]
struct Heards {
    /// Who said which number, in order.
    numbers: Vec<(SessionId, u32)>,
    /// How many at once.
    turns: Vec<usize>,
}

impl HeldUp {
    fn serve(runtime: Runtime, options: impl Fn(&mut ServerOptions)) -> HeldUp {
        let log = Log::default();
        let (begin, begun) = sync_channel(1);
        let (go_on, held) = sync_channel::<()>(1);
        let (held, heard) = (Mutex::new(held), log.clone());
        let mut app = App::new();
        app.bind("127.0.0.1:0")
            .runtime(runtime)
            .shards(1)
            .options(|all| all.limits.close_deadline = Duration::from_millis(500))
            .options(options)
            .system(Update, move |cx: &mut Context<'_>| {
                let mut all = heard.0.lock().unwrap();
                let before = all.numbers.len();
                let mut is_held = false;
                for message in cx.messages() {
                    match <[u8; 4]>::try_from(&message.payload.bytes()[..]) {
                        Ok(number) => {
                            let number = u32::from_le_bytes(number);
                            all.numbers.push((message.session, number));
                        }
                        Err(_) => is_held |= message.payload.as_text() == Some("hold it"),
                    }
                }
                let count = all.numbers.len() - before;
                all.turns.push(count);
                drop(all);
                if is_held {
                    begin.send(()).unwrap();
                    held.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                }
            });
        let (running, address) = serve(&mut app);
        HeldUp {
            running,
            address,
            log,
            begun,
            go_on,
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.address, "/ws")
    }

    /// Does this while the shard does nothing.
    fn meanwhile(&self, act: impl FnOnce()) -> Log {
        self.client().say(MessageKind::Text, b"hold it");
        self.begun.recv_timeout(PATIENCE).unwrap();
        act();
        self.go_on.send(()).unwrap();
        self.log.clone()
    }

    fn end(self) {
        end(self.running);
    }
}

impl Log {
    /// All that was heard, once it is so many.
    fn numbers(&self, count: usize) -> Vec<(SessionId, u32)> {
        eventually(PATIENCE, "all is heard", || {
            self.0.lock().unwrap().numbers.len() >= count
        });
        self.0.lock().unwrap().numbers.clone()
    }

    fn turns(&self) -> Vec<usize> {
        self.0.lock().unwrap().turns.clone()
    }
}

/// Writes, and waits until all of it lies with the server's end of the connection, which does not read.
fn write_whole(client: &mut Client, bytes: &[u8]) {
    client.write(bytes);
    let theirs = format!(":{:04X}", client.stream.peer_addr().unwrap().port());
    let ours = format!(":{:04X}", client.stream.local_addr().unwrap().port());
    eventually(PATIENCE, "it has arrived", || {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        sockets.lines().any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, from, to, _, queues, ..] = fields[..] else {
                return false;
            };
            let waiting = queues.split_once(':').map(|(_, read)| read);
            let waiting = waiting.and_then(|bytes| usize::from_str_radix(bytes, 16).ok());
            from.ends_with(&theirs) && to.ends_with(&ours) && waiting == Some(bytes.len())
        })
    });
}

/// As many as the server takes of a connection in a turn.
const PINGS_PER_TURN: usize = 16;

/// As many as the server takes of a connection in a turn, unless it is told otherwise.
const FRAMES_PER_TURN: usize = 64;

/// Each with a message behind it, which has its number.
const FLOODS: u32 = 10;

/// Of another: fewer, so that it is heard out before the floods are.
const OTHERS_TURNS: usize = 5;
