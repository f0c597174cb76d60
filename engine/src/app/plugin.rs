//! Bundles of systems, routes and names, and the plugin that opens a WebSocket port.
//!
//! A plugin uses only what users have: everything it adds, it adds through `App`.

use crate::app::App;
use crate::context::Context;

/// A bundle of services and systems.
pub trait Plugin: Send + Sync + 'static {
    /// Adds what the plugin consists of.
    fn build(&self, app: &mut App);

    /// Runs once per shard when the engine stops, after the `Shutdown` systems, in reverse order of adding.
    fn cleanup(&self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// Names that the plugin takes beyond what it adds through `App`, such as commands that it reads from messages on lanes.
    /// Another owner of one of them keeps the engine from starting.
    fn owns(&self) -> Vec<Owned> {
        Vec::new()
    }
}

/// A name that only one owner may have.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Owned {
    /// A path of the HTTP port.
    Path(String),
    /// A command that clients write, with its slash: what [`App::text_command`] adds.
    Command(String),
    /// An opcode of the world service.
    Opcode(u8),
    /// Anything else.
    Name(String),
}

/// Listens on a TCP port for WebSockets and plain requests.
///
/// Without [`raw`](Self::raw), the path `/ws` is raw. Without [`lanes`](Self::lanes), an application with a world
/// speaks lanes at `/world`.
#[derive(Clone, Debug)]
pub struct WebSocketPlugin {
    address: String,
    raw: Vec<String>,
    lanes: Vec<String>,
    after_commit: Vec<String>,
}

impl WebSocketPlugin {
    /// Listens on `address`: `host:port`, port 0 for any free one.
    #[must_use]
    pub fn bind(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            raw: Vec::new(),
            lanes: Vec::new(),
            after_commit: Vec::new(),
        }
    }

    /// Serves payloads as they are at `path`: what `Context::messages` yields.
    #[must_use]
    pub fn raw(mut self, path: impl Into<String>) -> Self {
        self.raw.push(path.into());
        self
    }

    /// Serves the world, in hot and ext lane, at `path`.
    #[must_use]
    pub fn lanes(mut self, path: impl Into<String>) -> Self {
        self.lanes.push(path.into());
        self
    }

    /// As [`App::after_commit`].
    #[must_use]
    pub fn after_commit(mut self, path: impl Into<String>) -> Self {
        self.after_commit.push(path.into());
        self
    }
}

impl Plugin for WebSocketPlugin {
    fn build(&self, app: &mut App) {
        app.bind(self.address.clone());
        for path in &self.raw {
            app.raw(path.clone());
        }
        for path in &self.lanes {
            app.lanes(path.clone());
        }
        for path in &self.after_commit {
            app.after_commit(path.clone());
        }
    }
}

/// Tuples of plugins are plugins; each member keeps its own name.
macro_rules! tuple_plugin {
    ($($member:ident $at:tt),+) => {
        impl<$($member: Plugin),+> Plugin for ($($member,)+) {
            fn build(&self, app: &mut App) {
                $(app.adopt(&self.$at);)+
            }

            fn cleanup(&self, cx: &mut Context<'_>) {
                let members: &[&dyn Plugin] = &[$(&self.$at),+];
                for member in members.iter().rev() {
                    member.cleanup(cx);
                }
            }
        }
    };
}

tuple_plugin!(A 0);
tuple_plugin!(A 0, B 1);
tuple_plugin!(A 0, B 1, C 2);
tuple_plugin!(A 0, B 1, C 2, D 3);
tuple_plugin!(A 0, B 1, C 2, D 3, E 4);
tuple_plugin!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple_plugin!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple_plugin!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
