//! bevy_simplenet 0.16 as a server to measure: its typed channel with messages of bytes.
//!
//! It does not speak in raw messages. A client opens `/ws?v=bench&t=0`, and says first who it is: bytes 0, 0 and its number as a
//! varint. Then each message is bytes 1, its length as a varint, and so many bytes; and 0 instead of 1 from the server.
//!
//! Settings: the limit of messages a second is as good as off; it has no fan-out, so a broadcast is a `send` to each, as its
//! documentation has it. The server is asked for events once a millisecond, because it cannot be waited for.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use bevy_simplenet::{
    AcceptorConfig, Authenticator, ChannelPack, RateLimitConfig, Server, ServerConfig,
    ServerEventFrom, ServerFactory, ServerReport,
};
use peer_common::{Args, Scenario, ready};
use serde_bytes::ByteBuf;

#[derive(Clone, Debug)]
struct Channel;

impl ChannelPack for Channel {
    type ConnectMsg = ();
    type ClientMsg = ByteBuf;
    type ClientRequest = ();
    type ServerMsg = ByteBuf;
    type ServerResponse = ();
}

fn main() {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a thread can be had");
    let config = ServerConfig {
        rate_limit_config: RateLimitConfig {
            period: Duration::from_secs(1),
            max_count: u32::MAX,
        },
        keepalive_timeout: Duration::from_secs(600),
        heartbeat_interval: Duration::from_secs(300),
        ..ServerConfig::default()
    };
    let mut server = ServerFactory::<Channel>::new("bench").new_server(
        runtime.handle().clone().into(),
        args.bind,
        AcceptorConfig::Default,
        Authenticator::None,
        config,
    );
    ready(args.bind);
    let mut room = Room {
        scenario: args.scenario,
        clients: BTreeSet::new(),
        early: Vec::new(),
    };
    loop {
        room.handle(&mut server);
        thread::sleep(Duration::from_millis(1));
    }
}

struct Room {
    scenario: Scenario,
    clients: BTreeSet<u128>,
    /// Messages that came before the report of their sender's arrival: an answer would be dropped.
    early: Vec<(u128, ByteBuf)>,
}

impl Room {
    /// All that has happened since the last time.
    fn handle(&mut self, server: &mut Server<Channel>) {
        while let Some((client, event)) = server.next() {
            match event {
                ServerEventFrom::<Channel>::Report(ServerReport::Connected(..)) => {
                    self.clients.insert(client);
                    let mine = |(sender, _): &mut (u128, ByteBuf)| *sender == client;
                    let early: Vec<_> = self.early.extract_if(.., mine).collect();
                    for (_, message) in early {
                        self.answer(server, client, message);
                    }
                }
                ServerEventFrom::<Channel>::Report(ServerReport::Disconnected) => {
                    self.clients.remove(&client);
                }
                ServerEventFrom::<Channel>::Msg(message) if self.clients.contains(&client) => {
                    self.answer(server, client, message);
                }
                ServerEventFrom::<Channel>::Msg(message) => self.early.push((client, message)),
                ServerEventFrom::<Channel>::Request(..) => {}
            }
        }
    }

    fn answer(&self, server: &Server<Channel>, client: u128, message: ByteBuf) {
        match self.scenario {
            Scenario::Echo => server.send(client, message),
            Scenario::Broadcast => {
                for &client in &self.clients {
                    server.send(client, message.clone());
                }
            }
        }
    }
}
