//! The rows of the table: what clients do, what a server is asked to be, and which figure counts.

/// One thing that servers are compared in.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// As `--rows` names it, and reports do.
    pub name: &'static str,
    /// What happens, for a reader.
    pub title: &'static str,
    /// What the servers are.
    pub app: App,
    /// Words for `worldshard load`; times, address and process come on top.
    pub load: &'static str,
    /// What counts.
    pub figure: Figure,
    /// Whether others than the engine and the floor are measured unless the user asks for less.
    pub peers: bool,
}

/// What a server is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum App {
    /// Every message back to its sender.
    Echo,
    /// Every message to everyone, as soon as the server likes.
    Broadcast,
    /// The same; what a client gets may wait for so many milliseconds, and leaves in one write.
    Coalesced {
        /// As `serve --coalesce` takes it.
        engine: &'static str,
        /// As `floor --write-per-tick` takes it, if the floor waits too.
        floor_ms: Option<&'static str>,
    },
    /// A world, by the words of `serve`. The floor sends as many bytes as the engine did, as often.
    World(&'static str),
}

/// What of a load report counts; less is better.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Figure {
    /// The server's CPU time per delivered message.
    PerMessage,
    /// The server's CPU time per client and tick.
    PerClientTick,
    /// The server's CPU time per connection accepted and upgraded.
    PerHandshake,
    /// Memory per idle connection.
    PerConnection,
}

impl Figure {
    /// The field of a load report.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::PerMessage => "cpu_us_per_message",
            Self::PerClientTick => "cpu_us_per_client_tick",
            Self::PerHandshake => "cpu_us_per_handshake",
            Self::PerConnection => "bytes_per_connection",
        }
    }

    /// What it is measured in.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::PerMessage => "µs CPU per delivered message",
            Self::PerClientTick => "µs CPU per client and tick",
            Self::PerHandshake => "µs CPU per handshake",
            Self::PerConnection => "bytes per idle connection",
        }
    }
}

/// All rows, in the order of the table.
pub const ROWS: [Row; 10] = [
    Row {
        name: "broadcast-64",
        title: "one sends to 1 000 at 30 Hz, 64 B",
        app: App::Broadcast,
        load: "--scenario broadcast --connections 1000 --rate 30 --bytes 64",
        figure: Figure::PerMessage,
        peers: true,
    },
    Row {
        name: "broadcast-1k",
        title: "one sends to 1 000 at 30 Hz, 1 KiB",
        app: App::Broadcast,
        load: "--scenario broadcast --connections 1000 --rate 30 --bytes 1024",
        figure: Figure::PerMessage,
        peers: false,
    },
    Row {
        name: "all",
        title: "100 send to all 100 at 20 Hz each, 64 B, coalesced for at most 2 ms",
        app: App::Coalesced {
            engine: "2",
            floor_ms: None,
        },
        load: "--scenario all-to-all --connections 100 --rate 20 --bytes 64",
        figure: Figure::PerMessage,
        peers: true,
    },
    Row {
        name: "all-tick",
        title: "100 send to all 100 at 20 Hz each, 64 B, coalesced for a tick of 50 ms",
        app: App::Coalesced {
            engine: "tick",
            floor_ms: Some("50"),
        },
        load: "--scenario all-to-all --connections 100 --rate 20 --bytes 64",
        figure: Figure::PerMessage,
        peers: false,
    },
    Row {
        name: "echo-1",
        title: "100 echo 32 B, one message in flight each",
        app: App::Echo,
        load: "--scenario echo --connections 100 --in-flight 1 --bytes 32",
        figure: Figure::PerMessage,
        peers: true,
    },
    Row {
        name: "echo-16",
        title: "100 echo 32 B, 16 messages in flight each",
        app: App::Echo,
        load: "--scenario echo --connections 100 --in-flight 16 --bytes 32",
        figure: Figure::PerMessage,
        peers: false,
    },
    Row {
        name: "handshake",
        title: "2 000 connect and upgrade, as fast as they can",
        app: App::Echo,
        load: "--scenario storm --connections 2000",
        figure: Figure::PerHandshake,
        peers: true,
    },
    Row {
        name: "idle",
        title: "memory of 5 000 connections that say nothing",
        app: App::Echo,
        load: "--scenario idle --connections 5000",
        figure: Figure::PerConnection,
        peers: true,
    },
    Row {
        name: "world",
        title: "1 000 steer at 4 Hz in a flock of 10 000 at 20 Hz, each sees about 64",
        app: App::World("--world flock --entities 9000 --tick-rate 20 --interest-radius 21"),
        load: "--scenario world --connections 1000 --steer-rate 4",
        figure: Figure::PerClientTick,
        peers: false,
    },
    Row {
        name: "crowd",
        title: "1 000 in a crowd at 20 Hz, each sees all 1 000",
        app: App::World("--world crowd --entities 1 --tick-rate 20 --interest-radius 92"),
        load: "--scenario world --connections 1000 --steer-rate 4",
        figure: Figure::PerClientTick,
        peers: false,
    },
];
