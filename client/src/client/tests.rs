//! A client against frames laid out by the server's own half of `transport` and `protocol`.

use worldshard_protocol::greeting::{InterestInfo, SpaceInfo};
use worldshard_protocol::world::OPCODE_S2C_DELTA;
use worldshard_protocol::{
    Delta, ErrorCode, Greeting, HotHeader, LAYOUT_VERSION, Record, Tick, WORLD_SVC, error_envelope,
};
use worldshard_transport::{
    Event as FrameEvent, Limits, OriginPolicy, Reader, Role, close_code, close_frame, data_frame,
    parse_head, ping_frame, upgrade,
};

use super::*;
use crate::lanes::Refused;

/// The server's end: reads what the client wrote, in events of its own.
struct Server {
    reader: Reader,
}

#[derive(PartialEq, Debug)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

impl Server {
    fn hear(&mut self, client: &mut Client) -> Vec<Said> {
        let mut bytes = std::mem::take(client.output());
        let (mut said, mut at) = (Vec::new(), 0);
        loop {
            let step = self.reader.read(&mut bytes[at..]).unwrap();
            at += step.consumed;
            let Some(event) = step.event else { return said };
            said.push(match event {
                FrameEvent::Message {
                    kind: MessageKind::Text,
                    payload,
                } => Said::Text(String::from_utf8(payload.to_vec()).unwrap()),
                FrameEvent::Message {
                    kind: MessageKind::Binary,
                    payload,
                } => Said::Binary(payload.to_vec()),
                FrameEvent::Pong(payload) => Said::Pong(payload.to_vec()),
                FrameEvent::Close { code, .. } => Said::Close(code),
                FrameEvent::Ping(_) => panic!("no test pings the server"),
            });
        }
    }
}

fn open(framing: Framing) -> (Client, Server) {
    let mut client = Client::new("127.0.0.1:8080", "/world", framing, 7);
    let request = std::mem::take(client.output());
    let (head, len) = parse_head(&request).unwrap().unwrap();
    assert_eq!(len, request.len());
    let answer = upgrade(&head, &OriginPolicy::Any).unwrap();
    // One byte at a time: the answer may come in any pieces.
    for byte in &answer {
        assert_eq!(client.poll().unwrap(), None);
        client.receive(&[*byte]);
    }
    assert_eq!(client.poll().unwrap(), Some(Event::Opened));
    (
        client,
        Server {
            reader: Reader::new(Role::Server, Limits::default()),
        },
    )
}

fn greeting() -> Greeting {
    Greeting {
        session: 1,
        layout: LAYOUT_VERSION,
        tick: 7,
        tick_rate_hz: 20.0,
        shards: 1,
        home: 0,
        world: "flock".to_owned(),
        space: SpaceInfo {
            min: [0.0; 3],
            max: [10.0; 3],
            metric: "plane".to_owned(),
            cell_edge_m: 5.0,
        },
        territories: Vec::new(),
        interest: InterestInfo {
            radius_m: 1.0,
            hysteresis_m: 0.0,
            radius_max_m: 1.0,
        },
        border_m: 1.0,
        components: Vec::new(),
        entity: None,
        command_sequence: None,
        resume: None,
        user: None,
        tenant: None,
        trace: None,
        connect: None,
    }
}

fn record(x: f32) -> Record {
    Record {
        id: 5,
        x,
        ..Record::default()
    }
}

fn delta_frame(sequence: u32, delta: &Delta) -> Bytes {
    let mut message = Vec::new();
    HotHeader {
        svc: WORLD_SVC,
        opcode: OPCODE_S2C_DELTA,
        seq: Some(sequence),
        delta_ack: None,
        ack: false,
    }
    .write(&mut message);
    let head = worldshard_protocol::DeltaHead {
        tick: delta.tick,
        base_tick: delta.base_tick,
        command_sequence: delta.command_sequence,
        flags: delta.flags,
    };
    let entered: Vec<_> = delta.entered.iter().map(Record::to_bytes).collect();
    let changed: Vec<_> = delta.changed.iter().map(Record::to_bytes).collect();
    worldshard_protocol::write_delta(
        &head,
        &entered,
        &changed,
        &delta.left,
        &[],
        &[],
        &mut message,
    );
    data_frame(MessageKind::Binary, &message)
}

fn first_delta() -> Bytes {
    let delta = Delta {
        tick: 8,
        flags: worldshard_protocol::delta::DELTA_FULL,
        entered: vec![record(1.0)],
        ..Delta::default()
    };
    delta_frame(1, &delta)
}

fn second_delta() -> Bytes {
    let delta = Delta {
        tick: 10,
        base_tick: 8,
        changed: vec![record(3.0)],
        ..Delta::default()
    };
    delta_frame(2, &delta)
}

fn ack(delta_sequence: u32) -> Said {
    let mut bytes = Vec::new();
    ClientMessage::Ack.encode(None, Some(delta_sequence), &mut bytes);
    Said::Binary(bytes)
}

#[test]
fn deltas_build_the_view_and_are_acknowledged_together() {
    let (mut client, mut server) = open(Framing::Lanes);
    client.receive(&data_frame(
        MessageKind::Text,
        greeting().to_text().as_bytes(),
    ));
    client.receive(&first_delta());
    client.receive(&second_delta());
    assert_eq!(
        client.poll().unwrap(),
        Some(Event::Greeting(Box::new(greeting())))
    );
    assert!(matches!(client.poll().unwrap(), Some(Event::Delta(applied)) if applied.entered == 1));
    assert!(
        matches!(client.poll().unwrap(), Some(Event::Delta(applied)) if applied.tick == Tick(10))
    );
    assert_eq!(server.hear(&mut client), []);
    assert_eq!(client.poll().unwrap(), None);
    assert_eq!(server.hear(&mut client), [ack(2)]);
    assert_eq!(client.view().len(), 1);

    // Two ticks of 50 ms lie between the positions.
    let x_at = |ms| {
        client
            .position_at(EntityId(5), Duration::from_millis(ms))
            .unwrap()[0]
    };
    assert_eq!(x_at(0), 1.0);
    assert!((x_at(50) - 2.0).abs() < 1e-4);
    assert_eq!(x_at(500), 3.0);
}

#[test]
fn an_acknowledgement_travels_with_the_next_message() {
    let (mut client, mut server) = open(Framing::Lanes);
    client.receive(&first_delta());
    client.poll().unwrap().unwrap();
    client.steer([1.0, 0.0, 0.0]);
    assert_eq!(client.poll().unwrap(), None);
    let mut expected = Vec::new();
    ClientMessage::Steer {
        direction: [1.0, 0.0, 0.0],
    }
    .encode(Some(1), Some(1), &mut expected);
    assert_eq!(server.hear(&mut client), [Said::Binary(expected)]);
}

#[test]
fn manual_and_unannounced_clients_acknowledge_nothing_by_themselves() {
    for policy in [AckPolicy::Manual, AckPolicy::Never] {
        let (mut client, mut server) = open(Framing::Lanes);
        client.set_ack_policy(policy);
        client.join(ViewpointMode::Camera, None, InterestWish::Default);
        let [Said::Binary(join)] = &server.hear(&mut client)[..] else {
            panic!("one message")
        };
        let (header, payload) = HotHeader::parse(join).unwrap();
        let ClientMessage::Join { acks, .. } = ClientMessage::parse(&header, payload).unwrap()
        else {
            panic!("a join")
        };
        assert_eq!(acks, policy == AckPolicy::Manual);
        client.receive(&first_delta());
        while client.poll().unwrap().is_some() {}
        assert_eq!(server.hear(&mut client), []);
        client.acknowledge(1);
        assert_eq!(server.hear(&mut client), [ack(1)]);
    }
}

#[test]
fn a_delta_that_skips_another_ends_the_client() {
    let (mut client, _) = open(Framing::Lanes);
    client.receive(&second_delta());
    assert!(matches!(client.poll(), Err(ClientError::View(_))));
    assert!(client.is_ended());
    assert_eq!(client.poll().unwrap(), None);
}

#[test]
fn refusals_are_events_and_unknown_texts_stay_texts() {
    let (mut client, _) = open(Framing::Lanes);
    let refusal = error_envelope(ErrorCode::NotAllowed, "interest: too far", Some(3));
    let joined = r#"{"v":1,"svc":"world","type":"joined"}"#;
    let newer = r#"{"v":1,"svc":"sys","type":"error","data":{"code":"NEWER","msg":""}}"#;
    for text in [&refusal, joined, newer] {
        client.receive(&data_frame(MessageKind::Text, text.as_bytes()));
    }
    let refused = Refused {
        code: ErrorCode::NotAllowed,
        message: "interest: too far".to_owned(),
        seq: Some(3),
    };
    assert_eq!(client.poll().unwrap(), Some(Event::Error(refused)));
    assert_eq!(client.poll().unwrap(), Some(Event::Text(joined.to_owned())));
    assert_eq!(client.poll().unwrap(), Some(Event::Text(newer.to_owned())));
}

#[test]
fn raw_paths_keep_payload_and_type() {
    let (mut client, mut server) = open(Framing::Raw);
    client.text("é");
    client.binary("é".as_bytes());
    client.fragments(MessageKind::Text, &[&[0xc3], &[], &[0xa9]]);
    let text = || Said::Text("é".to_owned());
    assert_eq!(
        server.hear(&mut client),
        [text(), Said::Binary("é".into()), text()]
    );
    client.receive(&data_frame(MessageKind::Binary, b"\x01 no header"));
    assert_eq!(
        client.poll().unwrap(),
        Some(Event::Binary(Bytes::from_static(b"\x01 no header")))
    );
}

#[test]
fn pings_and_closes_are_answered() {
    let (mut client, mut server) = open(Framing::Raw);
    client.receive(&ping_frame(b"still there?"));
    client.receive(&close_frame(close_code::AWAY, "stopping"));
    let closed = Event::Closed {
        code: close_code::AWAY,
        reason: "stopping".to_owned(),
    };
    assert_eq!(client.poll().unwrap(), Some(closed));
    let answers = [
        Said::Pong(b"still there?".to_vec()),
        Said::Close(Some(close_code::AWAY)),
    ];
    assert_eq!(server.hear(&mut client), answers);
    assert_eq!(client.end_of_input(), None);
}

#[test]
fn a_client_that_closes_hears_what_was_under_way() {
    let (mut client, mut server) = open(Framing::Raw);
    client.close(close_code::NORMAL, "");
    assert_eq!(
        server.hear(&mut client),
        [Said::Close(Some(close_code::NORMAL))]
    );
    client.receive(&data_frame(MessageKind::Text, b"late"));
    client.receive(&close_frame(close_code::NORMAL, ""));
    assert_eq!(client.poll().unwrap(), Some(Event::Text("late".to_owned())));
    assert!(matches!(
        client.poll().unwrap(),
        Some(Event::Closed {
            code: close_code::NORMAL,
            ..
        })
    ));
    assert_eq!(server.hear(&mut client), []);
}

#[test]
fn a_connection_that_breaks_off_is_lost() {
    let (mut client, _) = open(Framing::Raw);
    assert!(matches!(
        client.end_of_input(),
        Some(Event::Closed { code: LOST, .. })
    ));
    assert_eq!(client.end_of_input(), None);
}

#[test]
fn a_refused_upgrade_names_its_status() {
    let mut client = Client::new("127.0.0.1:8080", "/nowhere", Framing::Raw, 7);
    client.receive(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(client.poll(), Err(ClientError::Handshake(refusal)) if refusal.status == 404));
}
