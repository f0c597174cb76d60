//! Every audience over real sockets, against an oracle of sets: who is meant gets one copy, in order, and nobody else any.

use std::collections::{BTreeMap, BTreeSet};

use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_transport::MessageKind;

use crate::socket::{Client, Heard, PATIENCE, end, eventually, get, on_each_runtime, serve};

#[test]
fn every_audience_gets_one_copy_each_in_order_on_one_two_and_eight_shards() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut addressed(runtime, shards));
            let clients = (0..CLIENTS).map(|_| Client::connect(address, "/ws"));
            let mut scene = Scene::new(clients.collect(), shards);
            scene.close_some();
            let open = scene.open.len() as u64;
            eventually(PATIENCE, "closed sessions are gone", || {
                let status: serde_json::Value =
                    serde_json::from_str(&get(address, "/status").1).unwrap();
                let shards = status["shards"].as_array().unwrap().iter();
                open == shards
                    .map(|one| one["sessions"].as_u64().unwrap())
                    .sum::<u64>()
            });
            for _ in 0..ORDERS {
                scene.order();
            }
            scene.judge();
            end(running);
        }
    });
}

/// Sends on what it is told, to whom it is told: `one 7|text`, `group 7 8|text` and so on; `id` asks who one is.
fn addressed(runtime: Runtime, shards: u16) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .raw("/ws")
        .options(|options| options.limits.close_deadline = PATIENCE / 20)
        .system(Update, |cx: &mut Context| {
            for message in cx.messages() {
                let said = message.payload.as_text().unwrap();
                let Some((to_whom, text)) = said.split_once('|') else {
                    let id = message.session.value().to_string();
                    cx.send(Audience::One(message.session), id);
                    continue;
                };
                cx.send(audience(to_whom), text.to_owned());
            }
        });
    app
}

fn audience(to_whom: &str) -> Audience {
    let (kind, ids) = to_whom.split_once(' ').unwrap_or((to_whom, ""));
    let ids = ids.split_whitespace().map(|id| id.parse().unwrap());
    let ids: Vec<SessionId> = ids.filter_map(SessionId::from_value).collect();
    match kind {
        "one" => Audience::One(ids[0]),
        "all" => Audience::All,
        "all-but" => Audience::AllBut(ids[0]),
        "group" => Audience::Group(ids),
        "all-but-group" => Audience::AllButGroup(ids),
        other => panic!("{other}"),
    }
}

/// Clients, and what each of them must get.
struct Scene {
    /// By the number of its session.
    open: BTreeMap<u64, Client>,
    closed: Vec<u64>,
    /// By receiver and sender, in order.
    expected: BTreeMap<(u64, u64), Vec<String>>,
    said: u64,
    chance: u64,
}

impl Scene {
    fn new(clients: Vec<Client>, shards: u16) -> Self {
        let mut scene = Self {
            open: BTreeMap::new(),
            closed: Vec::new(),
            expected: BTreeMap::new(),
            said: 0,
            chance: 5 + u64::from(shards),
        };
        for mut client in clients {
            client.say(MessageKind::Text, b"id");
            let id = hear_text(&mut client).parse().unwrap();
            scene.open.insert(id, client);
        }
        assert_eq!(scene.open.len(), CLIENTS, "an id was given twice");
        let homes = scene
            .open
            .keys()
            .map(|id| SessionId::from_value(*id).unwrap().home());
        assert_eq!(homes.collect::<BTreeSet<_>>().len(), usize::from(shards));
        scene
    }

    fn close_some(&mut self) {
        for _ in 0..CLOSED {
            let id = self.any_open();
            let mut client = self.open.remove(&id).unwrap();
            client.close(1000, "");
            assert_eq!(client.hear(), Heard::Close(Some(1000), String::new()));
            self.closed.push(id);
        }
    }

    /// Somebody sends something to some.
    fn order(&mut self) {
        let from = self.any_open();
        let (to_whom, meant) = self.draw_audience();
        self.send(from, &to_whom, &meant);
    }

    fn send(&mut self, from: u64, to_whom: &str, meant: &BTreeSet<u64>) {
        self.said += 1;
        let text = format!("{from}:{}", self.said);
        let order = format!("{to_whom}|{text}");
        let client = self.open.get_mut(&from).unwrap();
        client.say(MessageKind::Text, order.as_bytes());
        for &receiver in meant {
            let expected = self.expected.entry((receiver, from)).or_default();
            expected.push(text.clone());
        }
    }

    /// An audience as the server is told it, and who of the open sessions is meant: the oracle.
    fn draw_audience(&mut self) -> (String, BTreeSet<u64>) {
        let open: BTreeSet<u64> = self.open.keys().copied().collect();
        let mut group: Vec<u64> = (0..self.draw(6)).map(|_| self.any()).collect();
        // A double, and an id that no home ever made.
        group.extend(group.first().copied());
        group.push(SessionId::new(900, 1).value());
        let listed: BTreeSet<u64> = group.iter().copied().collect();
        let list: Vec<String> = group.iter().map(u64::to_string).collect();
        let list = list.join(" ");
        let one = self.any();
        let alone = BTreeSet::from([one]);
        let (to_whom, meant): (String, BTreeSet<u64>) = match self.draw(5) {
            0 => (format!("one {one}"), &open & &alone),
            1 => ("all".to_owned(), open),
            2 => (format!("all-but {one}"), &open - &alone),
            3 => (format!("group {list}"), &open & &listed),
            _ => (format!("all-but-group {list}"), &open - &listed),
        };
        (to_whom, meant)
    }

    /// Expects of each client what it must have got of each other, and nothing behind it.
    fn judge(mut self) {
        let open: BTreeSet<u64> = self.open.keys().copied().collect();
        // What a sender said comes in order, so behind this nothing of it is missing any more.
        for &from in &open {
            self.send(from, "all", &open);
        }
        for (&receiver, client) in &mut self.open {
            let count: usize = open
                .iter()
                .map(|&from| self.expected[&(receiver, from)].len())
                .sum();
            let mut heard: BTreeMap<u64, Vec<String>> = BTreeMap::new();
            for _ in 0..count {
                let text = hear_text(client);
                let (from, _) = text.split_once(':').unwrap();
                heard.entry(from.parse().unwrap()).or_default().push(text);
            }
            for &from in &open {
                let expected = &self.expected[&(receiver, from)];
                assert_eq!(heard.get(&from), Some(expected), "{receiver}, from {from}");
            }
        }
        let speaker = self.any_open();
        let client = self.open.get_mut(&speaker).unwrap();
        client.say(MessageKind::Text, b"all|the end");
        for client in self.open.values_mut() {
            // Nothing came twice, or it would stand before this.
            assert_eq!(hear_text(client), "the end");
        }
    }

    fn any_open(&mut self) -> u64 {
        let at = self.draw(self.open.len());
        *self.open.keys().nth(at).unwrap()
    }

    fn any(&mut self) -> u64 {
        if !self.closed.is_empty() && self.draw(5) == 0 {
            let at = self.draw(self.closed.len());
            return self.closed[at];
        }
        self.any_open()
    }

    fn draw(&mut self, below: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }
}

fn hear_text(client: &mut Client) -> String {
    let Heard::Message(MessageKind::Text, text) = client.hear() else {
        panic!("the server said something else than a text");
    };
    String::from_utf8(text).unwrap()
}

const CLIENTS: usize = 48;
const CLOSED: usize = 6;
const ORDERS: usize = 300;
