//! Every refusal of a session is delivered: each code and reason of the catalogue in `docs/wire.md` is reached by its
//! stimulus and read by the client, on any number of shards; and so is each code of an error.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use worldshard::policy::{Ban, Banned, RateAction, RateLimit, RateScope, RateUnit, TenantOptions};
use worldshard::prelude::*;
use worldshard::{Applicant, Auth, Decide, Decider, OnExceed, Runtime, Secret, ServerOptions};
use worldshard_client::{Connection, Event as ClientEvent};
use worldshard_protocol::{ClientMessage, InterestWish, ViewpointMode};
use worldshard_transport::MessageKind;

use crate::documents::{between, read};
use crate::hub_requests::request;
use crate::socket::{Client, Heard, PATIENCE, end, on_each_runtime, serve};

const SECRET: &str = "sixteen letters!";

/// What a client was closed with.
type Close = (u16, String);

/// Echoes; sends much to who asks for much, closes who asks for that, and keeps the requests that are to be kept.
fn app(runtime: Runtime, shards: u16, change: impl FnOnce(&mut ServerOptions)) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .raw("/ws")
        .lanes("/world")
        .world(WorldConfig::default())
        .avatar(|_, at| Draft::at(at))
        .resource(Vec::<Request>::new)
        .system(Update, serve_wishes)
        .rooms(Rooms::at("/room/{room}", |_| Cursed).members_max(1))
        .options(|options| {
            options.limits.message_bytes_max = 1 << 16;
            options.limits.requests_open_max = 1;
            options.limits.resume_grace = Duration::from_secs(60);
            change(options);
        });
    app
}

/// Cannot bear to be told anything.
struct Cursed;

impl Service for Cursed {
    fn message(&mut self, _: &mut Room<'_>, _: SessionId, _: &Payload) {
        panic!("as asked");
    }
}

fn serve_wishes(cx: &mut Context<'_>) {
    for request in cx.requests() {
        match request.payload.as_text() {
            Some("\"keep\"") => cx.resource_mut::<Vec<Request>>().push(request),
            _ => drop(request),
        }
    }
    for message in cx.messages() {
        let session = message.session;
        match message.payload.as_text() {
            Some("close") => cx.close(session, 4000, "as asked"),
            Some("much") => {
                for _ in 0..MUCH {
                    cx.send(Audience::One(session), vec![7; 64 * 1024]);
                }
            }
            _ => cx.send(Audience::One(session), message.payload.clone()),
        }
    }
}

/// Messages of 64 KiB: more than a socket and a queue hold.
const MUCH: u32 = 400;

/// The close that it hears, past everything else.
fn closed(mut client: Client) -> Close {
    loop {
        match client.hear() {
            Heard::Close(code, reason) => return (code.unwrap_or(1005), reason),
            Heard::End => panic!("an end without a close"),
            Heard::Message(..) | Heard::Ping(_) | Heard::Pong(_) => {}
        }
    }
}

fn after(address: SocketAddr, bytes: &[u8]) -> Close {
    let mut client = Client::connect(address, "/ws");
    client.write(bytes);
    closed(client)
}

fn after_text(address: SocketAddr, text: &str) -> Close {
    let mut client = Client::connect(address, "/ws");
    client.say(MessageKind::Text, text.as_bytes());
    closed(client)
}

/// A frame with this first byte, masked by zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).unwrap();
    [&[first, 0x80 | len, 0, 0, 0, 0], payload].concat()
}

/// What the connection of a session hears with which another one goes on.
fn replaced(address: SocketAddr) -> Close {
    let mut old = Connection::enter(address, "/world", PATIENCE).unwrap();
    old.join(ViewpointMode::Avatar, None, InterestWish::Default);
    old.flush().unwrap();
    let joined = old.until(PATIENCE, |event| {
        matches!(event, ClientEvent::Delta(_)).then_some(())
    });
    joined.unwrap();
    let next = Connection::resume(address, "/world", &old, PATIENCE).unwrap();
    let close = old.until(PATIENCE, |event| match event {
        ClientEvent::Closed { code, reason } => Some((*code, reason.clone())),
        _ => None,
    });
    drop(next);
    close.unwrap()
}

/// What the member of a room hears whose service panics again and again.
fn cursed(address: SocketAddr) -> Close {
    let mut member = Client::connect(address, "/room/cursed");
    for _ in 0..4 {
        member.say(MessageKind::Text, b"boo");
    }
    closed(member)
}

/// What anybody can be closed with.
fn of_all(runtime: Runtime, shards: u16) -> Vec<Close> {
    let (running, address) = serve(&mut app(runtime, shards, |_| {}));
    let fragments = [frame(0x01, b""), frame(0x00, b"").repeat(2000)].concat();
    let huge = [&[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0][..], &[0; 4]].concat();
    let mut heard = vec![
        after_text(address, "close"),
        after(address, &frame(0x83, b"")),
        after(address, &frame(0x81, &[0xff, 0xfe])),
        after(address, &fragments),
        after(address, &huge),
        after_text(address, "much"),
        replaced(address),
        cursed(address),
    ];
    let last = Client::connect(address, "/ws");
    running.stop();
    heard.push(closed(last));
    running.join().unwrap();
    heard
}

/// What becomes of who does not say who it is, or says nothing at all.
fn of_strangers(runtime: Runtime, shards: u16) -> Vec<Close> {
    let (running, address) = serve(&mut app(runtime, shards, |options| {
        options.auth = Some(Auth::Secret(Secret::new(SECRET.as_bytes()).unwrap()));
        options.limits.auth_deadline = Duration::from_millis(300);
        options.limits.ping_interval = Duration::from_millis(150);
        options.limits.silence_max = Duration::from_millis(400);
    }));
    let heard = vec![
        closed(Client::connect(address, "/ws?token=another")),
        closed(Client::connect(address, "/ws")),
        closed(Client::connect(
            address,
            &format!("/ws?token={}", SECRET.replace(' ', "%20")),
        )),
    ];
    end(running);
    heard
}

/// What becomes of who says who it is when its room is full.
fn of_late(runtime: Runtime, shards: u16) -> Close {
    let (running, address) = serve(&mut app(runtime, shards, |options| {
        options.auth = Some(Auth::Secret(Secret::new(SECRET.as_bytes()).unwrap()));
    }));
    // The room took it when it asked, and takes another before it says who it is.
    let mut late = Client::connect(address, "/room/full");
    let shown = format!("/room/full?token={SECRET}").replace(' ', "%20");
    let early = Client::connect(address, &shown);
    let data = format!(r#"{{"token":"{SECRET}"}}"#);
    let auth = format!(r#"{{"v":1,"svc":"sys","type":"auth","data":{data}}}"#);
    late.say(MessageKind::Text, auth.as_bytes());
    let late = closed(late);
    drop(early);
    end(running);
    late
}

/// Never says who is let in.
struct Undecided(Mutex<Vec<Applicant>>);

impl Decide for Undecided {
    fn decide(&self, applicant: Applicant) {
        self.0.lock().unwrap().push(applicant);
    }
}

/// What becomes of who waits for a decision that does not come, and of who may not wait.
fn of_undecided(runtime: Runtime, shards: u16) -> Vec<Close> {
    let both = [1, 0].map(|decisions_max| {
        let (running, address) = serve(&mut app(runtime, shards, |options| {
            options.auth = Some(Auth::Decided(Decider::new(Undecided(Mutex::default()))));
            options.limits.auth_deadline = Duration::from_millis(100);
            options.limits.decisions_max = decisions_max;
        }));
        let close = closed(Client::connect(address, "/ws?token=any"));
        end(running);
        close
    });
    both.to_vec()
}

/// What becomes of who comes too often.
fn of_many(runtime: Runtime, shards: u16) -> Vec<Close> {
    let both = [OnExceed::Deny, OnExceed::KickOldest].map(|rule| {
        let (running, address) = serve(&mut app(runtime, shards, |options| {
            options.auth = Some(Auth::None);
            options.on_exceed = rule;
            options.limits.sessions_per_user = 1;
        }));
        let path = "/ws?user=anna";
        let mut first = Client::connect(address, path);
        first.echoes(MessageKind::Text, b"there");
        let second = Client::connect(address, path);
        let heard = match rule {
            OnExceed::Deny => closed(second),
            OnExceed::KickOldest => closed(first),
        };
        end(running);
        heard
    });
    both.to_vec()
}

/// A tenant whose clients say one thing a second, or what `action` does to them.
fn slow_tenant(action: RateAction) -> Vec<TenantOptions> {
    let mut tenant = TenantOptions::new("acme");
    tenant.policy.rates.push(RateLimit {
        scope: RateScope::Connection,
        unit: RateUnit::Messages,
        per_second: 1,
        burst: 1,
        action,
    });
    vec![tenant]
}

/// What becomes of who says too much at once.
fn of_fast(runtime: Runtime, shards: u16) -> Close {
    let (running, address) = serve(&mut app(runtime, shards, |options| {
        options.tenants = slow_tenant(RateAction::Disconnect);
    }));
    let mut fast = Client::connect(address, "/ws?tenant=acme");
    fast.write(&frame(0x81, b"more").repeat(20));
    let close = closed(fast);
    end(running);
    close
}

/// What becomes of who may not come, and of who comes to a tenant that is full.
fn of_refused(runtime: Runtime, shards: u16) -> Vec<Close> {
    let (running, address) = serve(&mut app(runtime, shards, |options| {
        options.auth = Some(Auth::Secret(Secret::new(SECRET.as_bytes()).unwrap()));
        let mut acme = TenantOptions::new("acme");
        acme.limits.sessions_max = 1;
        options.tenants = vec![acme, TenantOptions::new("other")];
        options.bans = vec![Ban {
            whom: Banned::User {
                tenant: "other".to_owned(),
                user: UserId::new("anna").unwrap(),
            },
            reason: "spam".to_owned(),
            until: None,
        }];
    }));
    let secret = SECRET.replace(' ', "%20");
    let of = |tenant: &str, user: &str| format!("/ws?tenant={tenant}&token={secret}&user={user}");
    let banned = closed(Client::connect(address, &of("other", "anna")));
    let _first = Client::connect(address, &of("acme", "bert"));
    let mut second = Client::connect(address, "/ws?tenant=acme");
    let data = format!(r#"{{"token":"{SECRET}"}}"#);
    let auth = format!(r#"{{"v":1,"svc":"sys","type":"auth","data":{data}}}"#);
    second.say(MessageKind::Text, auth.as_bytes());
    let full = closed(second);
    end(running);
    vec![banned, full]
}

#[test]
fn every_close_of_the_catalogue_is_read_by_its_client() {
    let document = read("docs/wire.md");
    let rows = between(&document, "### 9.1", "\n## 10").lines();
    let rows: Vec<(u16, &str)> = rows
        .filter_map(|row| {
            let mut cells = row.strip_prefix("| ")?.split(" | ");
            let code = cells.next()?.parse().ok()?;
            Some((code, cells.next()?.trim_matches('`')))
        })
        .collect();
    assert!(rows.len() > 10, "{rows:?}");
    // A reason may go on where the catalogue has an ellipsis.
    let fits = |(code, reason): &Close, row: &(u16, &str)| {
        let (begin, rest) = row.1.split_once('…').unwrap_or((row.1, ""));
        let whole = begin.len() == row.1.len();
        *code == row.0
            && reason.starts_with(begin)
            && reason.ends_with(rest)
            && (!whole || reason == begin)
    };
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let mut heard = of_all(runtime, shards);
            assert_eq!(heard.remove(0), (4000, "as asked".to_owned()));
            heard.extend(of_strangers(runtime, shards));
            heard.push(of_late(runtime, shards));
            heard.extend(of_undecided(runtime, shards));
            heard.extend(of_many(runtime, shards));
            heard.push(of_fast(runtime, shards));
            heard.extend(of_refused(runtime, shards));
            for close in &heard {
                let known = rows.iter().filter(|row| fits(close, row)).count();
                assert_eq!(known, 1, "{close:?} on {shards} shards");
            }
            for row in &rows {
                let read = heard.iter().any(|close| fits(close, row));
                assert!(read, "{row:?} was not read on {shards} shards");
            }
        }
    });
}

/// The code of the next error or reject that it hears.
fn refusal(client: &mut Client) -> ErrorCode {
    loop {
        let Heard::Message(kind, bytes) = client.hear() else {
            panic!("no refusal");
        };
        if kind == MessageKind::Binary {
            continue;
        }
        let said: Value = serde_json::from_slice(&bytes).unwrap();
        if matches!(said["type"].as_str(), Some("error" | "reject")) {
            break ErrorCode::from_name(said["data"]["code"].as_str().unwrap()).unwrap();
        }
    }
}

fn lanes(address: SocketAddr, texts: &[&str]) -> Client {
    let mut client = Client::connect(address, "/world");
    for text in texts {
        client.say(MessageKind::Text, text.as_bytes());
    }
    client
}

#[test]
fn every_code_of_an_error_is_read_by_the_client_that_it_is_for() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, |_| {}));
            let long = format!(
                r#"{{"v":1,"svc":"sys","type":"ping","data":"{}"}}"#,
                "x".repeat(200)
            );
            let (kept, dropped) = (request(1, "\"keep\""), request(2, "\"drop\""));
            let full = request(3, "\"keep\"");
            let mut codes = vec![
                refusal(&mut lanes(address, &["what"])),
                refusal(&mut lanes(address, &[&long])),
                refusal(&mut lanes(
                    address,
                    &[r#"{"v":2,"svc":"sys","type":"ping"}"#],
                )),
                refusal(&mut lanes(address, &[&dropped])),
                refusal(&mut lanes(address, &[&kept, &full])),
            ];
            let mut client = lanes(address, &[]);
            let mut steer = Vec::new();
            let direction = [1.0, 0.0, 0.0];
            ClientMessage::Steer { direction }.encode(None, None, &mut steer);
            client.say(MessageKind::Binary, &steer);
            codes.push(refusal(&mut client));
            for _ in 0..2000 {
                client.say(MessageKind::Binary, &steer);
            }
            let mut later = std::iter::repeat_with(|| refusal(&mut client));
            codes.extend(later.find(|code| *code != ErrorCode::NotAllowed));
            end(running);
            assert_eq!(
                codes,
                [
                    ErrorCode::BadRequest,
                    ErrorCode::PayloadTooLarge,
                    ErrorCode::UnsupportedVersion,
                    ErrorCode::Internal,
                    ErrorCode::ResourceExhausted,
                    ErrorCode::NotAllowed,
                    ErrorCode::RateLimited,
                ]
            );
        }
    });
}

/// What a server must be like for some of what clients do; any will do for the rest.
fn server_for(stimulus: &str) -> Option<fn(&mut ServerOptions)> {
    match stimulus {
        "says more than its policy allows" => Some(|options| {
            options.tenants = slow_tenant(RateAction::Drop);
        }),
        "comes once more than it may" => Some(|options| {
            options.auth = Some(Auth::None);
            options.limits.sessions_per_user = 1;
        }),
        "shows a wrong credential"
        | "says nothing in its first seconds, where a credential is asked for" => Some(|options| {
            options.auth = Some(Auth::Secret(Secret::new(SECRET.as_bytes()).unwrap()));
            options.limits.auth_deadline = Duration::from_millis(300);
        }),
        _ => None,
    }
}

/// Does to a server what the document says that a client may do, and gives the code of the error that comes of it.
fn provoked(stimulus: &str, address: SocketAddr) -> ErrorCode {
    let ping =
        |v: u8, data: &str| format!(r#"{{"v":{v},"svc":"sys","type":"ping","data":"{data}"}}"#);
    let mut steer = Vec::new();
    let direction = [1.0, 0.0, 0.0];
    ClientMessage::Steer { direction }.encode(None, None, &mut steer);
    let (path, texts) = match stimulus {
        "says a text that is no JSON" => ("/world", vec!["what".to_owned()]),
        "pings with more than 125 bytes of `data`" => ("/world", vec![ping(1, &"x".repeat(124))]),
        r#"says `"v":2`"# => ("/world", vec![ping(2, "")]),
        "asks what no system takes" => ("/world", vec![request(1, "\"drop\"")]),
        "asks one request more than it may" => {
            let kept = [1, 2].map(|number| request(number, "\"keep\""));
            ("/world", kept.to_vec())
        }
        "says more than its policy allows" => ("/world?tenant=acme", vec![ping(1, ""); 20]),
        "comes once more than it may" => ("/world?user=anna", Vec::new()),
        "shows a wrong credential" => ("/world?token=another", Vec::new()),
        "steers before it has joined"
        | "says nothing in its first seconds, where a credential is asked for" => {
            ("/world", Vec::new())
        }
        other => panic!("nobody knows how a client {other}"),
    };
    let first = (stimulus == "comes once more than it may").then(|| {
        let mut first = Client::connect(address, path);
        first.hear();
        first
    });
    let mut client = Client::connect(address, path);
    for text in &texts {
        client.say(MessageKind::Text, text.as_bytes());
    }
    if stimulus == "steers before it has joined" {
        client.say(MessageKind::Binary, &steer);
    }
    let code = refusal(&mut client);
    drop(first);
    code
}

#[test]
fn every_code_of_the_catalogue_comes_of_what_the_document_says_that_it_comes_of() {
    let document = read("docs/wire.md");
    let rows = between(&document, "## 5. Errors", "### 5.1").lines();
    let rows: Vec<(ErrorCode, &str)> = rows
        .filter_map(|row| {
            let mut cells = row.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
            let code = ErrorCode::from_name(cells.next()?.trim_matches('`'))?;
            Some((code, cells.nth(1)?))
        })
        .collect();
    assert_eq!(rows.len(), 10, "{rows:?}");
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (plain, of_plain) = serve(&mut app(runtime, shards, |_| {}));
            for (code, stimulus) in &rows {
                let heard = match server_for(stimulus) {
                    None => provoked(stimulus, of_plain),
                    Some(change) => {
                        let (running, address) = serve(&mut app(runtime, shards, change));
                        let heard = provoked(stimulus, address);
                        end(running);
                        heard
                    }
                };
                assert_eq!(heard, *code, "when a client {stimulus}, on {shards} shards");
            }
            end(plain);
        }
    });
}
