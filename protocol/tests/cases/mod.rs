//! The messages whose bytes are golden. Changing one changes `golden/`; adding one is free.

use serde_json::{Value, json};
use worldshard_protocol::delta::{DELTA_FULL, DeltaHead};
use worldshard_protocol::ext::{EXT_DEPTH_MAX, EXT_NAME_BYTES_MAX};
use worldshard_protocol::greeting::{ComponentInfo, InterestInfo, SpaceInfo, TerritoryInfo};
use worldshard_protocol::{
    ClientMessage, Dot, ErrorCode, Extra, Greeting, InterestWish, LAYOUT_VERSION, Overview, Record,
    ViewpointMode, error_envelope, write_delta,
};

/// One delta of a client's life; each follows the one before it.
pub(crate) struct DeltaCase {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) head: DeltaHead,
    pub(crate) entered: Vec<Record>,
    pub(crate) changed: Vec<Record>,
    pub(crate) left: Vec<u64>,
    pub(crate) extras: Vec<Extra>,
    pub(crate) blob: Vec<u8>,
}

impl DeltaCase {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let laid_out =
            |records: &[Record]| records.iter().map(Record::to_bytes).collect::<Vec<_>>();
        let (entered, changed) = (laid_out(&self.entered), laid_out(&self.changed));
        let mut out = Vec::new();
        write_delta(
            &self.head,
            &entered,
            &changed,
            &self.left,
            &self.extras,
            &self.blob,
            &mut out,
        );
        out
    }

    pub(crate) fn describe(&self) -> Value {
        let records = |records: &[Record]| -> Vec<Value> {
            let describe = |r: &Record| {
                json!({
                    "id": r.id, "x": f64::from(r.x), "y": f64::from(r.y), "z": f64::from(r.z),
                    "kind": r.kind, "heading": r.heading,
                })
            };
            records.iter().map(describe).collect()
        };
        let extra = |e: &Extra| {
            let value = (e.offset != Extra::REMOVED)
                .then(|| hex(&self.blob[e.offset as usize..][..usize::from(e.length)]));
            json!({ "id": e.id, "component": e.component, "value": value })
        };
        json!({
            "description": self.about,
            "tick": self.head.tick,
            "base_tick": self.head.base_tick,
            "command_sequence": self.head.command_sequence,
            "full": self.head.flags == DELTA_FULL,
            "entered": records(&self.entered),
            "changed": records(&self.changed),
            "left": self.left,
            "extras": self.extras.iter().map(extra).collect::<Vec<_>>(),
        })
    }
}

fn record(id: u64, x: f32, y: f32, z: f32, kind: u8, heading: u8) -> Record {
    Record {
        id,
        x,
        y,
        z,
        kind,
        heading,
        spare: 0,
    }
}

fn head(tick: u64, base_tick: u64, command_sequence: u32) -> DeltaHead {
    let flags = if base_tick == 0 { DELTA_FULL } else { 0 };
    DeltaHead {
        tick,
        base_tick,
        command_sequence,
        flags,
    }
}

/// A full delta, a change of every sort, one with nothing in it, and a full one that replaces the set.
pub(crate) fn deltas() -> Vec<DeltaCase> {
    let extra = |id, component, length, offset| Extra {
        id,
        component,
        length,
        offset,
    };
    vec![
        DeltaCase {
            name: "delta_1_full",
            about: "first delta: three entities, two components of one of them",
            head: head(100, 0, 0),
            entered: vec![
                record(1, 1.5, -2.25, 0.0, 0, 64),
                record(2, 0.1, 1e-3, 0.0, 1, 255),
                record(1 << 53, -1e6, 3.0, 4.0, 7, 0),
            ],
            changed: vec![],
            left: vec![],
            extras: vec![extra(2, 0, 4, 0), extra(2, 5, 2, 4)],
            blob: vec![0xde, 0xad, 0xbe, 0xef, 0x01, 0x02],
        },
        DeltaCase {
            name: "delta_2_change",
            about: "one enters, one changes, one leaves; a component changes, another goes",
            head: head(101, 100, 7),
            entered: vec![record(3, 0.5, 0.5, 0.5, 2, 128)],
            changed: vec![record(1, 1.75, -2.25, 0.0, 0, 65)],
            left: vec![1 << 53],
            extras: vec![
                extra(2, 0, 1, 0),
                extra(2, 5, 0, Extra::REMOVED),
                extra(3, 1, 0, 1),
            ],
            blob: vec![0x2a],
        },
        DeltaCase {
            name: "delta_3_empty",
            about: "nothing changed but the command sequence",
            head: head(105, 101, 9),
            entered: vec![],
            changed: vec![],
            left: vec![],
            extras: vec![],
            blob: vec![],
        },
        DeltaCase {
            name: "delta_4_replaces",
            about: "a full delta replaces the set: components not repeated are gone",
            head: head(106, 0, 9),
            entered: vec![
                record(2, 0.25, 0.0, 0.0, 1, 0),
                record(9, 9.0, 9.0, 9.0, 9, 9),
            ],
            changed: vec![],
            left: vec![],
            extras: vec![],
            blob: vec![],
        },
    ]
}

pub(crate) fn overview() -> (Overview, Value) {
    let dot = |id, x, owner, kind| Dot {
        id,
        x,
        y: -0.5,
        z: 2.0,
        owner,
        kind,
        spare: 0,
    };
    let overview = Overview {
        tick: 1 << 40,
        shard: 1,
        total: 5000,
        dots: vec![dot(4, 1.0, 1, 0), dot(1 << 53, 2.5, 1, 3)],
        ghosts: vec![dot(5, -3.0, 0, 1)],
    };
    let dots = |dots: &[Dot]| -> Vec<Value> {
        let describe = |d: &Dot| {
            json!({
                "id": d.id, "x": f64::from(d.x), "y": f64::from(d.y), "z": f64::from(d.z),
                "owner": d.owner, "kind": d.kind,
            })
        };
        dots.iter().map(describe).collect()
    };
    let description = json!({
        "tick": overview.tick, "shard": overview.shard, "total": overview.total,
        "dots": dots(&overview.dots), "ghosts": dots(&overview.ghosts),
    });
    (overview, description)
}

/// The first five are the vectors of wsPrism.
pub(crate) fn headers() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("seq, no payload", vec![1, 1, 1, 1, 0xd2, 0x04, 0, 0]),
        ("payload, no seq", vec![1, 1, 2, 0, 0x61, 0x62, 0x63, 0x64]),
        ("unsupported version", vec![2, 1, 1, 0]),
        ("seq announced but missing", vec![1, 1, 1, 1]),
        ("shorter than a header", vec![1, 1, 1]),
        ("nothing", vec![]),
        ("delta acknowledgement", vec![1, 2, 7, 8, 0x2a, 0, 0, 0]),
        (
            "seq, then delta acknowledgement",
            vec![1, 2, 3, 9, 5, 0, 0, 0, 4, 0, 0, 0, 0xff],
        ),
        (
            "delta acknowledgement cut short",
            vec![1, 2, 7, 9, 5, 0, 0, 0, 4, 0, 0],
        ),
        ("seq cut short", vec![1, 1, 1, 1, 0xff, 0xff]),
        ("reserved flag ROOM", vec![1, 1, 1, 2, 0, 0, 0, 0]),
        ("ACK without seq", vec![1, 1, 1, 4, 0, 0, 0, 0]),
        ("unknown flag", vec![1, 1, 1, 0x10, 0, 0, 0, 0]),
        (
            "seq, and an acknowledgement is asked for",
            vec![1, 3, 0, 5, 7, 0, 0, 0, 0x68, 0x69],
        ),
        (
            "seq, delta acknowledgement, and an acknowledgement is asked for",
            vec![1, 3, 0, 13, 8, 0, 0, 0, 42, 0, 0, 0],
        ),
        (
            "a request to the application",
            vec![1, 3, 1, 1, 9, 0, 0, 0, 0x68, 0x69],
        ),
        (
            "its rejection",
            b"\x01\x03\x04\x01\x09\0\0\0NOT_ALLOWED\0no".to_vec(),
        ),
    ]
}

/// A message, its `seq` and its acknowledgement.
type MessageCase = (ClientMessage<'static>, Option<u32>, Option<u32>);

pub(crate) fn client_messages() -> Vec<MessageCase> {
    use ClientMessage::{Ack, Custom, Interest, Leave, Look, Move, Overview, Steer};
    let [avatar, camera] = joins();
    let half = [8.0, 4.0, 2.0];
    let nearest = InterestWish::Nearest {
        k: 300,
        radius: 50.0,
    };
    let predicate = InterestWish::Custom {
        predicate: 3,
        radius: 20.0,
    };
    let direction = [0.6, 0.8, 0.0];
    let payload: &[u8] = &[0xca, 0xfe];
    vec![
        (avatar, Some(1), None),
        (camera, None, None),
        (Leave, None, None),
        (Steer { direction }, Some(2), Some(1)),
        (
            Move {
                to: [10.0, 20.0, 0.5],
            },
            Some(3),
            None,
        ),
        (
            Look {
                at: [-1.0, 0.0, 1.0],
            },
            Some(4),
            None,
        ),
        (Interest(InterestWish::Box { half }), None, None),
        (Interest(nearest), None, None),
        (Interest(predicate), None, None),
        (Ack, None, Some(4_000_000_000)),
        (
            Overview {
                on: true,
                ghosts: true,
            },
            None,
            None,
        ),
        (
            Overview {
                on: false,
                ghosts: false,
            },
            None,
            None,
        ),
        (
            Custom {
                opcode: 64,
                payload,
            },
            Some(5),
            None,
        ),
    ]
}

fn joins() -> [ClientMessage<'static>; 2] {
    let avatar = ClientMessage::Join {
        mode: ViewpointMode::Avatar,
        at: None,
        interest: InterestWish::Default,
        full: false,
        acks: true,
    };
    let camera = ClientMessage::Join {
        mode: ViewpointMode::Camera,
        at: Some([1.5, -2.0, 0.0]),
        interest: InterestWish::Radius(60.0),
        full: true,
        acks: false,
    };
    [avatar, camera]
}

/// The message in words of JSON, for other languages.
pub(crate) fn describe_message(message: &ClientMessage) -> Value {
    match *message {
        ClientMessage::Join {
            mode,
            at,
            interest,
            full,
            acks,
        } => json!({
            "type": "join",
            "mode": match mode {
                ViewpointMode::Avatar => "avatar",
                ViewpointMode::Camera => "camera",
            },
            "at": at,
            "interest": describe_wish(interest),
            "full": full,
            "acks": acks,
        }),
        ClientMessage::Leave => json!({ "type": "leave" }),
        ClientMessage::Steer { direction } => json!({ "type": "steer", "direction": direction }),
        ClientMessage::Move { to } => json!({ "type": "move", "to": to }),
        ClientMessage::Look { at } => json!({ "type": "look", "at": at }),
        ClientMessage::Interest(wish) => {
            json!({ "type": "interest", "interest": describe_wish(wish) })
        }
        ClientMessage::Ack => json!({ "type": "ack" }),
        ClientMessage::Overview { on, ghosts } => {
            json!({ "type": "overview", "on": on, "ghosts": ghosts })
        }
        ClientMessage::Custom { opcode, payload } => {
            json!({ "type": "custom", "opcode": opcode, "payload": hex(payload) })
        }
    }
}

fn describe_wish(wish: InterestWish) -> Value {
    match wish {
        InterestWish::Default => json!({ "kind": "default" }),
        InterestWish::Radius(radius) => json!({ "kind": "radius", "radius": radius }),
        InterestWish::Box { half } => json!({ "kind": "box", "half": half }),
        InterestWish::Nearest { k, radius } => {
            json!({ "kind": "nearest", "k": k, "radius": radius })
        }
        InterestWish::Custom { predicate, radius } => {
            json!({ "kind": "custom", "predicate": predicate, "radius": radius })
        }
    }
}

/// Two of wsPrism's envelopes, one of each refusal, the server's own, and what is said to the application.
pub(crate) fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        r#"{"v":1,"svc":"chat","type":"send","flags":7,"seq":123,"room":"party:1","data":{"text":"hi"}}"#,
        r#"{"v":1,"svc":"sys","type":"ping","flags":0}"#,
        r#"{"v":2,"svc":"sys","type":"ping"}"#,
        r#"{"v":1,"type":"ping"}"#,
        r#"{"v":1,"svc":"sys","type":"ping","sqe":1}"#,
        r#"{"v":1,"svc":"sys","type":"ping","seq":"1"}"#,
        r#"{"v":1,"svc":"sys","type":"ping","flags":8}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push(error_envelope(
        ErrorCode::BadRequest,
        "seq: not a number",
        Some(9),
    ));
    texts.push(greeting().to_text());
    texts.extend(
        [
            r#"{"v":1,"svc":"app","type":"message","flags":5,"seq":7,"data":{"text":"hi"}}"#,
            r#"{"v":1,"svc":"app","type":"request","seq":9,"data":["buy",2]}"#,
            r#"{"v":1,"svc":"app","type":"response","seq":9,"data":"sold"}"#,
            r#"{"v":1,"svc":"app","type":"reject","seq":9,"data":{"code":"NOT_ALLOWED","msg":"no"}}"#,
            r#"{"v":1,"svc":"sys","type":"ping","data":[1,"two"]}"#,
        ]
        .map(str::to_owned),
    );
    texts
}

/// Texts that are refused, each with the field that its refusal names.
pub(crate) fn refused_texts() -> Vec<(String, &'static str)> {
    let long = format!(
        r#"{{"v":1,"svc":"{}","type":"ping"}}"#,
        "s".repeat(EXT_NAME_BYTES_MAX + 1)
    );
    let nested = format!(
        r#"{{"v":1,"svc":"app","type":"message","data":{}{}}}"#,
        "[".repeat(EXT_DEPTH_MAX),
        "]".repeat(EXT_DEPTH_MAX)
    );
    let mut texts: Vec<(String, &str)> = [
        ("", "message"),
        ("[]", "message"),
        (r#"{"v":1,"svc":"sys","type":"ping""#, "message"),
        (r#"{"v":1,"svc":"sys","type":"ping"} {}"#, "message"),
        (r#"{"svc":"sys","type":"ping"}"#, "`v`"),
        (r#"{"v":1,"type":"ping"}"#, "`svc`"),
        (r#"{"v":1,"svc":"sys"}"#, "`type`"),
        (r#"{"v":1,"svc":"sys","type":"ping","sqe":1}"#, "`sqe`"),
        (
            r#"{"v":1,"svc":"sys","type":"ping","seq":1,"seq":2}"#,
            "`seq`",
        ),
        (r#"{"v":2,"svc":"sys","type":"ping"}"#, "v"),
        (r#"{"v":0,"svc":"sys","type":"ping"}"#, "v"),
        (r#"{"v":"1","svc":"sys","type":"ping"}"#, "v"),
        (r#"{"v":1.5,"svc":"sys","type":"ping"}"#, "v"),
        (r#"{"v":1,"svc":"","type":"ping"}"#, "svc"),
        (r#"{"v":1,"svc":7,"type":"ping"}"#, "svc"),
        (r#"{"v":1,"svc":"sys","type":null}"#, "type"),
        (r#"{"v":1,"svc":"sys","type":"ping","flags":8}"#, "flags"),
        (r#"{"v":1,"svc":"sys","type":"ping","flags":-1}"#, "flags"),
        (r#"{"v":1,"svc":"sys","type":"ping","flags":1}"#, "seq"),
        (
            r#"{"v":1,"svc":"sys","type":"ping","seq":4294967296}"#,
            "seq",
        ),
        (r#"{"v":1,"svc":"sys","type":"ping","flags":2}"#, "room"),
        (r#"{"v":1,"svc":"sys","type":"ping","room":""}"#, "room"),
    ]
    .map(|(text, names)| (text.to_owned(), names))
    .to_vec();
    texts.push((long, "svc"));
    texts.push((nested, "message"));
    texts
}

/// Messages of the hot lane whose header is refused, each with what its refusal names.
pub(crate) fn refused_headers() -> Vec<(Vec<u8>, &'static str)> {
    vec![
        (vec![], "header"),
        (vec![1, 3, 0], "header"),
        (vec![0, 3, 0, 0], "v"),
        (vec![2, 3, 0, 0], "v"),
        (vec![1, 3, 0, 0x02], "flags"),
        (vec![1, 3, 0, 0x10], "flags"),
        (vec![1, 3, 0, 0x80], "flags"),
        (vec![1, 3, 0, 0x04], "flags"),
        (vec![1, 3, 0, 0x01, 1, 2, 3], "seq"),
        (vec![1, 3, 0, 0x08, 1, 2, 3], "delta_ack"),
        (vec![1, 3, 0, 0x09, 1, 2, 3, 4, 5], "delta_ack"),
    ]
}

pub(crate) fn greeting() -> Greeting {
    let territory = |shard, from: f32, to: f32| TerritoryInfo {
        shard,
        min: [from, -100.0, 0.0],
        max: [to, 100.0, 1.0],
    };
    Greeting {
        session: (1 << 43) + 12,
        layout: LAYOUT_VERSION,
        tick: 4711,
        tick_rate_hz: 20.0,
        shards: 2,
        home: 1,
        world: "flock".to_owned(),
        space: SpaceInfo {
            min: [-100.0, -100.0, 0.0],
            max: [100.0, 100.0, 1.0],
            metric: "plane".to_owned(),
            cell_edge_m: 10.0,
        },
        territories: vec![territory(0, -100.0, 0.0), territory(1, 0.0, 100.0)],
        interest: InterestInfo {
            radius_m: 60.0,
            hysteresis_m: 5.0,
            radius_max_m: 90.0,
        },
        border_m: 96.0,
        components: vec![ComponentInfo {
            index: 0,
            name: "health".to_owned(),
        }],
        entity: Some(77),
        command_sequence: None,
        resume: None,
        user: None,
        tenant: None,
        trace: None,
        connect: None,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
