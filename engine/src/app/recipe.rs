//! A finished application: what every shard is built from. The same on all threads, and never changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use worldshard_protocol::hot::{APP_SVC, ECHO_SVC, WORLD_SVC};
use worldshard_shard::Recipe;
use worldshard_transport::{RequestHead, Response};

use crate::app::binary_command::BinaryCommand;
use crate::app::ext_service::{ExtService, RESERVED};
use crate::app::hot_service::HotService;
use crate::app::http::Site;
use crate::app::options::ServerOptions;
use crate::app::plugin::Plugin;
use crate::app::rooms::Rooms;
use crate::app::screen::Screen;
use crate::app::stage::ContextSystem;
use crate::app::text_command::TextCommand;

/// A finished application.
pub struct AppRecipe {
    pub(crate) world_name: String,
    pub(crate) world: Arc<Recipe>,
    pub(crate) startup: Vec<ContextSystem>,
    pub(crate) update: Vec<ContextSystem>,
    pub(crate) last: Vec<ContextSystem>,
    pub(crate) shutdown: Vec<ContextSystem>,
    pub(crate) plugins: Vec<(&'static str, Arc<dyn Plugin>)>,
    pub(crate) paths: BTreeMap<String, Framing>,
    /// Of the paths, those whose clients are told nothing before it is durable.
    pub(crate) after_commit: BTreeSet<String>,
    pub(crate) rooms: Vec<Rooms>,
    /// By name, each with its slash.
    pub(crate) text_commands: BTreeMap<&'static str, TextCommand>,
    /// Who takes texts that are no command, and under which name.
    pub(crate) text_lines: Option<(&'static str, TextCommand)>,
    /// By the byte that the messages begin with, and under which name.
    pub(crate) binary_commands: BTreeMap<u8, (&'static str, BinaryCommand)>,
    /// By name.
    pub(crate) ext_services: BTreeMap<&'static str, ExtService>,
    /// By number, and under which name.
    pub(crate) hot_services: BTreeMap<u8, (&'static str, HotService)>,
    pub(crate) screens: Vec<Screen>,
    pub(crate) site: Site,
    pub(crate) options: ServerOptions,
}

/// What the messages of a path consist of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// The payload as it is.
    Raw,
    /// Hot lane in binary messages, ext lane in text.
    Lanes,
}

impl AppRecipe {
    /// How the server runs.
    #[must_use]
    pub fn options(&self) -> &ServerOptions {
        &self.options
    }

    /// The world that each shard has a share of.
    #[must_use]
    pub fn world(&self) -> &Arc<Recipe> {
        &self.world
    }

    /// The world's name, as the greeting says it.
    #[must_use]
    pub fn world_name(&self) -> &str {
        &self.world_name
    }

    /// What a WebSocket at `path` speaks; `None` when there is none.
    #[must_use]
    pub fn framing(&self, path: &str) -> Option<Framing> {
        let of_room = || self.room_kind(path).map(|rooms| rooms.framing);
        self.paths.get(path).copied().or_else(of_room)
    }

    /// The services of the ext lane: the server's own, and the application's.
    pub fn ext_services(&self) -> impl Iterator<Item = &str> {
        RESERVED
            .into_iter()
            .chain(self.ext_services.keys().copied())
    }

    /// The services of the hot lane, by their numbers.
    pub fn hot_services(&self) -> impl Iterator<Item = u8> {
        [ECHO_SVC, WORLD_SVC, APP_SVC].into_iter()
    }

    /// The rooms that are reached at `path`.
    pub(crate) fn room_kind(&self, path: &str) -> Option<&Rooms> {
        let is_theirs = |rooms: &&Rooms| rooms.name_of(path).is_some();
        self.rooms.iter().find(is_theirs)
    }

    /// Whether those who connect to `path` are told nothing before it is durable.
    pub(crate) fn waits_for_commits(&self, path: &str) -> bool {
        let of_room = || self.room_kind(path).is_some_and(|rooms| rooms.after_commit);
        self.after_commit.contains(path) || of_room()
    }

    /// The answer of the application to a plain request; `None` when it has no such path.
    #[must_use]
    pub fn respond(&self, head: &RequestHead) -> Option<Response> {
        self.site.respond(head)
    }
}
