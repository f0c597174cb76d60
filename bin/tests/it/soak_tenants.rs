//! Two who share a server by rules of their own, while clients come without end, say too much, or do not read: each has
//! what its limits allow and not one more, no place is lost, and the server holds no more in the end.
//!
//! WORLDSHARD_FULL=1 runs it for a minute.

use std::process::Command;
use std::time::Duration;

use rustix::net::sockopt;
use serde_json::Value;
use worldshard_client::{ClientError, Connection, Event, Framing};

use crate::operators::OwnFile;
use crate::server::{PROGRAM, Server, Status, WAIT, eventually, full, now, on_each_runtime};

on_each_runtime!(tenants_that_share_a_server_lose_no_place_and_it_holds_no_more);

/// Many are heard late in the hall, and in the yard not at all; who is one too many is denied there, and kicks here.
const RULES: &str = "
version: 1
gateway:
  writer_send_timeout_ms: 60000
limits:
  messages_queue_bytes_max: 4194304
tenants:
  - id: hall
    limits: { max_frame_bytes: 65536, max_sessions_total: 8, max_rooms_total: 2 }
    policy:
      rates: [{ scope: connection, per_second: 100, burst: 8, action: throttle }]
      sessions: { max_sessions_per_user: 2, on_exceed: deny }
  - id: yard
    limits: { max_sessions_total: 5 }
    policy:
      rate_limit_rps: 20
      rate_limit_burst: 10
      sessions: { mode: single, max_sessions_per_user: 1, on_exceed: kick_oldest }
";

fn tenants_that_share_a_server_lose_no_place_and_it_holds_no_more(runtime: &str) {
    let length = Duration::from_secs(if full() { 60 } else { 3 });
    let rules = OwnFile::new(&format!("soak-{runtime}.yaml"), RULES);
    let server = start(runtime, &rules);
    let mut hall = Hall::open(&server);
    let mut yard = Yard::new();
    let mut crowd = |hall: &mut Hall, number: usize| {
        hall.turn(&server, number);
        yard.turn(&server, number);
        let status = server.status();
        status.assert_bounded();
        hall.look(&status);
        within(&status);
    };
    let (mut number, warming) = (0, now());
    while hall.stalled < WARM_STALLS {
        assert!(warming.elapsed() < WAIT * 2, "nobody is closed");
        crowd(&mut hall, number);
        number += 1;
    }
    let (before, began) = (server.usage(), now());
    // It ends as it began, when somebody was closed: nobody's queue is in the memory then.
    let is_new = |hall: &Hall| hall.stalled > WARM_STALLS && hall.deaf.is_none();
    while began.elapsed() < length || !is_new(&hall) || hall.fullest == 0 {
        assert!(began.elapsed() < length + WAIT, "nobody is closed");
        crowd(&mut hall, number);
        number += 1;
    }
    let after = server.usage();
    println!(
        "{runtime}, {length:?}, {number} turns: {} stalled and were closed, the fullest queue {} bytes; {} to {} KiB resident; let in and turned away: hall {:?}, yard {:?}",
        hall.stalled, hall.fullest, before.resident_kib, after.resident_kib, hall.door, yard.door
    );
    let grown_kib = after.resident_kib.saturating_sub(before.resident_kib);
    assert!(grown_kib <= GROWTH_KIB_MAX, "{grown_kib} KiB more");
    let status = server.status();
    let sum = |what: &str| status.each(what).sum::<u64>();
    assert!(sum("throttled") > 0, "nobody was throttled");
    assert!(sum("rate_limited") > 0, "nothing was dropped");
    for door in [&hall.door, &yard.door] {
        assert!(door.full > 0, "no session was one too many: {door:?}");
    }
    assert!(hall.door.rooms_full > 0, "no room was one too many");
    assert!(hall.door.user_denied > 0 && yard.door.user_denied == 0);
    assert!(yard.kicked > 0, "nobody gave way");
    let doors = [hall.leave(), yard.leave()];
    eventually("nothing is left of them", || {
        is_there(&server, [(0, 0), (0, 0)])
    });
    fill_again(&server, doors);
    server.end();
}

/// In and out of the hall: a band that plays to a full queue, and visitors who come for the places that are left.
struct Hall {
    door: Door,
    /// The first one speaks, and all hear it.
    band: Vec<Connection>,
    /// Keeps the second of the two rooms.
    _resident: Connection,
    /// Hears nothing, until it is closed for that.
    deaf: Option<Connection>,
    visitors: [Option<Connection>; VISITORS],
    /// How many were closed because their queue was full.
    stalled: u64,
    /// The most that waited for anybody, in bytes.
    fullest: u64,
}

impl Hall {
    fn open(server: &Server) -> Self {
        let mut door = Door::of("hall");
        let mut in_stage = |user| door.come(server, "stage", user).unwrap();
        let band = vec![in_stage("anna"), in_stage("anna"), in_stage("bert")];
        let resident = door.come(server, "foyer", "bert").unwrap();
        assert!(door.come(server, "foyer", "anna").is_none());
        door.come_for_another_room(server);
        assert_eq!((door.user_denied, door.rooms_full), (1, 1));
        Self {
            door,
            band,
            _resident: resident,
            deaf: None,
            visitors: Default::default(),
            stalled: 0,
            fullest: 0,
        }
    }

    fn turn(&mut self, server: &Server, number: usize) {
        self.play(number);
        let visitor = &mut self.visitors[number % VISITORS];
        // The one before is gone without a word, and may still be counted.
        *visitor = None;
        self.door.come_for_another_room(server);
        if self.deaf.is_some() {
            *visitor = self.door.come(server, "foyer", "");
            return;
        }
        // Nobody else comes before it has a place again.
        self.deaf = self.door.come(server, "stage", "deaf");
        if let Some(deaf) = &self.deaf {
            // So that what it does not read waits in the server.
            sockopt::set_socket_recv_buffer_size(deaf.stream(), 16 * 1024).unwrap();
        }
    }

    /// One says as much as half of what may wait for a client, and all who read hear it in order.
    fn play(&mut self, number: usize) {
        let payload = |note: usize| {
            let mut payload = vec![0; MESSAGE_BYTES];
            payload[..8].copy_from_slice(&(number * NOTES + note).to_le_bytes());
            payload
        };
        for note in 0..NOTES {
            self.band[0].binary(&payload(note));
        }
        self.band[0].flush().unwrap();
        for one in &mut self.band {
            for note in 0..NOTES {
                let is_heard = |event: &Event| match event {
                    Event::Binary(heard) => Some(heard[..] == payload(note)),
                    // Somebody has come.
                    _ => None,
                };
                assert_eq!(one.until(WAIT, is_heard).ok(), Some(true), "note {note}");
            }
        }
    }

    fn look(&mut self, status: &Status) {
        let stalled = status.each("closed_slow").sum();
        if self.stalled < stalled {
            assert!(self.deaf.is_some(), "somebody else was closed as too slow");
            assert_eq!(self.stalled + 1, stalled);
            self.stalled = stalled;
            self.deaf = None;
        }
        let fullest = status.each("queue_bytes_largest").max().unwrap();
        self.fullest = self.fullest.max(fullest);
    }

    /// All go.
    fn leave(self) -> Door {
        self.door
    }
}

/// In and out of the yard: whoever comes opens a room of its own and says too much.
struct Yard {
    door: Door,
    visitors: [Option<Connection>; VISITORS],
    /// How many gave way to a later session of theirs.
    kicked: u64,
}

impl Yard {
    fn new() -> Self {
        Self {
            door: Door::of("yard"),
            visitors: Default::default(),
            kicked: 0,
        }
    }

    fn turn(&mut self, server: &Server, number: usize) {
        for visitor in &mut self.visitors {
            self.kicked += u64::from(visitor.as_mut().is_some_and(was_kicked));
        }
        let place = number % VISITORS;
        self.visitors[place] = None;
        // Half of them are nobody's.
        let user = ["dora", "", "emil", ""][place % 4];
        let came = self.door.come(server, &format!("room {number}"), user);
        self.visitors[place] = came.map(|mut visitor| {
            for _ in 0..TOO_MANY {
                visitor.text("too much");
            }
            visitor.flush().unwrap();
            visitor
        });
    }

    /// All go.
    fn leave(self) -> Door {
        self.door
    }
}

/// Whether this is the moment in which a client learns that it gave way.
fn was_kicked(client: &mut Connection) -> bool {
    while let Ok(Some(event)) = client.try_receive() {
        match event {
            Event::Text(_) => {}
            Event::Closed { code: 1008, reason } if reason == "kicked" => return true,
            other => panic!("{other:?}"),
        }
    }
    false
}

/// Who was let in to a tenant, and who was not, as the clients have seen it.
#[derive(Debug)]
struct Door {
    tenant: &'static str,
    came: u64,
    full: u64,
    rooms_full: u64,
    user_denied: u64,
}

impl Door {
    fn of(tenant: &'static str) -> Self {
        Self {
            tenant,
            came: 0,
            full: 0,
            rooms_full: 0,
            user_denied: 0,
        }
    }

    /// Goes to a room, as nobody if `user` is empty; none if that is refused, and counts why.
    fn come(&mut self, server: &Server, room: &str, user: &str) -> Option<Connection> {
        let room = room.replace(' ', "%20");
        let mut path = format!("/ws/{room}?tenant={}", self.tenant);
        if !user.is_empty() {
            path += &format!("&user={user}");
        }
        let mut client = Connection::connect(server.addr(), &path, Framing::Raw).unwrap();
        match client.receive(WAIT) {
            Ok(Some(Event::Opened)) => {}
            Err(ClientError::Handshake(refusal)) => {
                assert_eq!(refusal.status, 503, "{refusal:?}");
                self.full += 1;
                return None;
            }
            other => panic!("{other:?}"),
        }
        let hello = format!("{} are here", self.came + self.user_denied);
        client.text(&hello);
        client.flush().unwrap();
        let in_or_out = client.until(WAIT, |event| match event {
            Event::Text(heard) => (*heard == hello).then_some(true),
            Event::Closed { code: 1008, reason } if reason.starts_with("TOO_MANY_SESSIONS") => {
                Some(false)
            }
            _ => None,
        });
        if in_or_out.unwrap() {
            self.came += 1;
            return Some(client);
        }
        self.user_denied += 1;
        None
    }

    /// Goes to a room that would be one too many.
    fn come_for_another_room(&mut self, server: &Server) {
        let path = format!("/ws/cellar?tenant={}", self.tenant);
        let (status, why) = server.ask(&path, UPGRADE);
        assert_eq!(status, 503, "{why}");
        match why.trim_end() {
            "Tenant Capacity Exceeded" => self.full += 1,
            "tenant room limit reached" => self.rooms_full += 1,
            other => panic!("{other}"),
        }
    }
}

/// No tenant has more than its limits allow.
fn within(status: &Status) {
    for tenant in status.0["tenants"].as_array().unwrap() {
        for (gauge, limit) in [("sessions", "sessions_max"), ("rooms", "rooms_max")] {
            let [gauge, limit] = [gauge, limit].map(|name| tenant[name].as_u64().unwrap());
            assert!(limit == 0 || gauge <= limit, "{tenant}");
        }
    }
}

/// Whether the hall and the yard have so many sessions and rooms, and all shards as many sessions.
fn is_there(server: &Server, wanted: [(u64, u64); 2]) -> bool {
    let status = server.status();
    within(&status);
    let tenants = status.0["tenants"].as_array().unwrap();
    let number = |tenant: &Value, name: &str| tenant[name].as_u64().unwrap();
    let have = tenants
        .iter()
        .map(|one| (number(one, "sessions"), number(one, "rooms")));
    let sessions: u64 = status.each("sessions").sum();
    let rooms: u64 = status.each("rooms").sum();
    let sum = |(sessions, rooms), (more, other): (u64, u64)| (sessions + more, rooms + other);
    have.eq(wanted) && (sessions, rooms) == wanted.into_iter().fold((0, 0), sum)
}

/// Every place is free again, and there is not one more; and what was counted is what the clients have seen.
fn fill_again(server: &Server, [mut hall, mut yard]: [Door; 2]) {
    let mut all = Vec::new();
    for _ in 0..2 {
        all.push(hall.come(server, "stage", "anna").unwrap());
    }
    assert!(hall.come(server, "stage", "anna").is_none());
    all.push(hall.come(server, "foyer", "").unwrap());
    let before = hall.rooms_full;
    hall.come_for_another_room(server);
    assert_eq!(hall.rooms_full, before + 1, "{hall:?}");
    for _ in 3..HALL_SESSIONS {
        all.push(hall.come(server, "foyer", "").unwrap());
    }
    for number in 0..YARD_SESSIONS {
        all.push(yard.come(server, &format!("room {number}"), "").unwrap());
    }
    let mut judged = [hall, yard].map(|mut door| {
        let before = door.full;
        assert!(door.come(server, "stage", "").is_none());
        assert_eq!(door.full, before + 1, "{door:?}");
        door
    });
    let wanted = [(HALL_SESSIONS, 2), (YARD_SESSIONS, YARD_SESSIONS)];
    eventually("all places are taken", || is_there(server, wanted));
    let status = server.status();
    for (door, tenant) in judged
        .iter_mut()
        .zip(status.0["tenants"].as_array().unwrap())
    {
        assert_eq!(tenant["tenant"], door.tenant);
        assert_eq!(tenant["opened"], door.came, "{tenant}");
        let refused = |why: &str| tenant["refused"][why].as_u64().unwrap();
        assert_eq!(refused("tenant_capacity"), door.full, "{tenant}");
        assert_eq!(refused("user_sessions"), door.user_denied, "{tenant}");
    }
    drop(all);
    eventually("all places are free", || is_there(server, [(0, 0), (0, 0)]));
}

fn start(runtime: &str, rules: &OwnFile) -> Server {
    // Huge pages would count memory by two megabytes.
    let mut command = Command::new(PROGRAM);
    command.env("MIMALLOC_ALLOW_THP", "0");
    let flags = ["--app", "rooms", "--auth", "none", "--shards", "2"];
    let flags = [&flags[..], &["--config", rules.path()]].concat();
    Server::start_by(command, runtime, &flags)
}

/// What makes a request one for a WebSocket.
const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/// As the rules have it.
const HALL_SESSIONS: u64 = 8;
const YARD_SESSIONS: u64 = 5;

/// More than there are places.
const VISITORS: usize = 8;

/// More than a bucket of the yard holds.
const TOO_MANY: usize = 16;

/// The longest message of the hall, and as many as its bucket holds.
const MESSAGE_BYTES: usize = 64 * 1024;
const NOTES: usize = 8;

/// When so many were closed for reading nothing, the server's memory is as it stays.
const WARM_STALLS: u64 = 2;

/// What the server may hold more in the end.
const GROWTH_KIB_MAX: u64 = 4096;
