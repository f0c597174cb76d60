//! Puts an application together: plugins, systems, world, routes. Never runs it: that is the drivers' work.

mod admin;
mod binary_command;
mod ext_service;
mod hot_service;
mod http;
mod options;
mod plugin;
mod recipe;
mod rooms;
mod screen;
mod stage;
mod text_command;
mod tls;

use std::any::type_name;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use worldshard_protocol::{EntityId, SessionId};
use worldshard_shard::{
    Component, Draft, Genesis, Population, Recipe, Refusal, Script, Subject, View, Visibility,
    WorldConfig, Zone,
};
use worldshard_spatial::Point;
use worldshard_transport::{RequestHead, Response};

pub use admin::{AdminOptions, LogControl};
pub use ext_service::ExtSaid;
pub use hot_service::HotSaid;
pub use options::{Coalesce, DataOptions, Durability, Runtime, ServerLimits, ServerOptions};
pub use plugin::{Owned, Plugin, WebSocketPlugin};
pub use recipe::{AppRecipe, Framing};
pub use rooms::{Creation, Rooms, WhenEmpty};
pub use screen::Screened;
pub use stage::{FixedUpdate, Last, Shutdown, Stage, Startup, System, Update};
pub use tls::{CertificateSource, TlsOptions};

pub(crate) use binary_command::BinaryCommand;
pub(crate) use ext_service::ExtService;
pub(crate) use hot_service::HotService;
pub(crate) use rooms::{NAME_RULE, NEW_ROOM_PATH, RoomId, is_name};
pub(crate) use screen::Screen;
pub(crate) use stage::ContextSystem;
pub(crate) use text_command::{NAME_CHARS_MAX, TextCommand};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::files::Files;
use crate::message::Payload;
use crate::runtime::{self, Running};
use ext_service::RESERVED;
use hot_service::HOT_RESERVED;
use http::Site;
use stage::Systems;

/// An application in the making: a recipe from which every shard is built.
///
/// Mistakes are collected and reported by [`build`](Self::build), [`start`](Self::start) or [`run`](Self::run), which
/// take everything out of the builder.
pub struct App {
    /// Who adds right now, for conflicts.
    owner: &'static str,
    claims: BTreeMap<Owned, &'static str>,
    first_error: Option<Error>,
    systems: Systems,
    plugins: Vec<(&'static str, Arc<dyn Plugin>)>,
    world_name: Option<String>,
    world: Recipe,
    paths: BTreeMap<String, Framing>,
    after_commit: BTreeSet<String>,
    rooms: Vec<Rooms>,
    text_commands: BTreeMap<&'static str, TextCommand>,
    text_lines: Option<(&'static str, TextCommand)>,
    binary_commands: BTreeMap<u8, (&'static str, BinaryCommand)>,
    ext_services: BTreeMap<&'static str, ExtService>,
    hot_services: BTreeMap<u8, (&'static str, HotService)>,
    screens: Vec<Screen>,
    site: Site,
    /// Folders to be served, and below which paths.
    folders: Vec<(String, PathBuf)>,
    options: ServerOptions,
}

impl App {
    /// An application that serves nothing, with an empty world.
    #[must_use]
    pub fn new() -> Self {
        let mut app = Self {
            owner: "worldshard",
            claims: BTreeMap::new(),
            first_error: None,
            systems: Systems::default(),
            plugins: Vec::new(),
            world_name: None,
            world: Recipe::new(WorldConfig::default()),
            paths: BTreeMap::new(),
            after_commit: BTreeSet::new(),
            rooms: Vec::new(),
            text_commands: BTreeMap::new(),
            text_lines: None,
            binary_commands: BTreeMap::new(),
            ext_services: BTreeMap::new(),
            hot_services: BTreeMap::new(),
            screens: Vec::new(),
            site: Site::default(),
            folders: Vec::new(),
            options: ServerOptions::default(),
        };
        for path in ["/healthz", "/status"] {
            app.claim(Owned::Path(path.to_owned()));
        }
        app.owner = "the application";
        app
    }

    /// Adds a plugin, or a tuple of them. The same plugin twice is a conflict.
    pub fn plugin<P: Plugin>(&mut self, plugin: P) -> &mut Self {
        let plugin = Arc::new(plugin);
        self.plugins.push((type_name::<P>(), plugin.clone()));
        self.adopt(&*plugin);
        self
    }

    /// Lets a plugin add what it consists of, under its own name.
    pub(crate) fn adopt<P: Plugin>(&mut self, plugin: &P) {
        let outer = std::mem::replace(&mut self.owner, type_name::<P>());
        self.claim(Owned::Name(format!("plugin {}", type_name::<P>())));
        for owned in plugin.owns() {
            self.claim(owned);
        }
        plugin.build(self);
        self.owner = outer;
    }

    /// Says that a plugin was given what it cannot be: [`build`](Self::build) fails with the first such mistake.
    pub fn mistake(&mut self, name: &'static str, detail: impl Into<String>) -> &mut Self {
        let detail = detail.into();
        self.fail(Error::Option { name, detail });
        self
    }

    /// Adds a system to a stage. Systems of a stage run in the order in which they were added.
    pub fn system<S: Stage>(&mut self, stage: S, system: impl System<S>) -> &mut Self {
        let _ = stage;
        system.enlist(&mut self.systems);
        self
    }

    /// Gives every shard a value of its own that systems of all stages reach by its type.
    ///
    /// `make` is called whenever a shard is made, so also when a kept world does its ticks again: what a system of
    /// `FixedUpdate` reads belongs here.
    pub fn resource<T: 'static>(
        &mut self,
        make: impl Fn() -> T + Send + Sync + 'static,
    ) -> &mut Self {
        self.claim(Owned::Name(format!("resource {}", type_name::<T>())));
        self.world.resources.push(Arc::new(move |resources| {
            resources.insert(make());
        }));
        self
    }

    /// Registers a component type: its name, and who sees it.
    pub fn component<C: Component>(&mut self, name: &str, visibility: Visibility) -> &mut Self {
        if let Err(error) = self.world.registry.register::<C>(name, visibility) {
            self.fail(error.into());
        }
        self
    }

    /// Lets the world stand still: no system of `FixedUpdate` runs, and only cameras may join. For recorded worlds.
    pub fn still(&mut self) -> &mut Self {
        self.world.still = true;
        self
    }

    /// Says of which version the bytes of a registered component type are; 1 unless said. Raised whenever its fields
    /// change, it keeps checkpoints of before from being misread: see [`migration`](Self::migration).
    pub fn component_version<C: Component>(&mut self, version: u16) -> &mut Self {
        if let Err(error) = self.world.registry.set_version::<C>(version) {
            self.fail(error.into());
        }
        self
    }

    /// Registers how a component is made of the bytes that an earlier version of it left in a checkpoint: `None` when
    /// they are not a value of it.
    pub fn migration<C: Component>(
        &mut self,
        from: u16,
        read: impl Fn(&[u8]) -> Option<C> + Send + Sync + 'static,
    ) -> &mut Self {
        if let Err(error) = self.world.registry.migrate::<C>(from, read) {
            self.fail(error.into());
        }
        self
    }

    /// The world's space, time, reaches and limits.
    pub fn world(&mut self, config: WorldConfig) -> &mut Self {
        self.world.config = config;
        self.world_name.get_or_insert_with(|| "world".to_owned());
        self
    }

    /// What ticks and random numbers follow from in an application that has rooms and no world to be seen.
    pub fn pace(&mut self, tick_interval: Duration, seed: u64) -> &mut Self {
        self.world.config.tick_interval = tick_interval;
        self.world.config.seed = seed;
        self
    }

    /// The world's name, as clients are told it.
    pub fn world_name(&mut self, name: impl Into<String>) -> &mut Self {
        self.world_name = Some(name.into());
        self
    }

    /// The entities of tick 0: `count` of them, with the ids 1 to `count`. `draft` must be a pure function.
    pub fn populate(
        &mut self,
        count: u64,
        draft: impl Fn(&Genesis<'_>, EntityId) -> Draft + Send + Sync + 'static,
    ) -> &mut Self {
        self.claim(Owned::Name("the world's population".to_owned()));
        let draft = Arc::new(draft);
        self.world.population = Some(Population { count, draft });
        self
    }

    /// What a session that joins with an avatar gets. `draft` must be a pure function.
    pub fn avatar(
        &mut self,
        draft: impl Fn(&Genesis<'_>, Point) -> Draft + Send + Sync + 'static,
    ) -> &mut Self {
        self.claim(Owned::Name("the world's avatar".to_owned()));
        self.world.avatar = Some(Arc::new(draft));
        self
    }

    /// Divides the world into zones: systems of `FixedUpdate` learn from `Step::crossings` who went from one to another.
    ///
    /// `zone_of` must be a pure function. For squares or cubes: `move |at| Zone(grid.cell_of(at).0.into())` of a
    /// [`CellGrid`](worldshard_spatial::CellGrid) with any edge.
    pub fn zones(&mut self, zone_of: impl Fn(Point) -> Zone + Send + Sync + 'static) -> &mut Self {
        self.claim(Owned::Name("the world's zones".to_owned()));
        self.world.zones = Some(Arc::new(zone_of));
        self
    }

    /// Handles a command of the application's own, at least 64, for the avatar of the session that sent it.
    pub fn command(
        &mut self,
        opcode: u8,
        handler: impl Fn(&mut Subject<'_>, &[u8]) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> &mut Self {
        if opcode < worldshard_protocol::world::OPCODE_CUSTOM {
            let detail = format!("opcode {opcode} belongs to the engine; 64 to 255 are free");
            let name = "command";
            self.fail(Error::Option { name, detail });
        }
        self.claim(Owned::Opcode(opcode));
        self.world.commands.insert(opcode, Arc::new(handler));
        self
    }

    /// Adds a custom interest: whether a viewpoint sees the entity with a rank in the view. The first has number 0. It must
    /// be a pure function. Of whoever has one that panics, or that is not added any more, the interest is the default one.
    pub fn predicate(
        &mut self,
        sees: impl Fn(&View, Point, u32) -> bool + Send + Sync + 'static,
    ) -> &mut Self {
        self.world.predicates.push(Arc::new(sees));
        self
    }

    /// Commands known beforehand, for simulations and replays.
    pub fn script(&mut self, script: Arc<dyn Script>) -> &mut Self {
        self.claim(Owned::Name("the world's script".to_owned()));
        self.world.script = Some(script);
        self
    }

    /// Answers what clients on lanes say to the service `svc`, in the order in which each says it. What is refused, the
    /// client is told as an error with the number of its message.
    pub fn ext_service(
        &mut self,
        svc: &'static str,
        handler: impl Fn(&mut Context<'_>, SessionId, &ExtSaid) -> Result<(), Refusal>
        + Send
        + Sync
        + 'static,
    ) -> &mut Self {
        if RESERVED.contains(&svc) {
            let detail = format!("every server has a service {svc:?} of its own");
            let name = "ext_service";
            self.fail(Error::Option { name, detail });
        }
        self.claim(Owned::Name(format!("service {svc:?} of the ext lane")));
        self.ext_services.insert(svc, Box::new(handler));
        self
    }

    /// Lets `handler` answer what clients on lanes say to the service `svc_id` of the hot lane, which the world and the
    /// application's own messages leave free; `name` is for the log. As [`ext_service`](Self::ext_service), in the order in
    /// which each client says it.
    pub fn hot_service(
        &mut self,
        svc_id: u8,
        name: &'static str,
        handler: impl Fn(&mut Context<'_>, SessionId, &HotSaid) -> Result<(), Refusal>
        + Send
        + Sync
        + 'static,
    ) -> &mut Self {
        if HOT_RESERVED.contains(&svc_id) {
            let detail = format!("every server has a service {svc_id} of its own");
            let name = "hot_service";
            self.fail(Error::Option { name, detail });
        }
        self.claim(Owned::Name(format!("service {svc_id} of the hot lane")));
        self.hot_services.insert(svc_id, (name, Box::new(handler)));
        self
    }

    /// Sees what clients say before anybody is told of it, and may drop it: messages of raw paths, text commands among them,
    /// and on lanes what is said to a service, requests too. It runs as soon as a message is read, at the home of the session, which
    /// systems may not have seen open yet; there are no events in its context. Commands of the world have limits of their own,
    /// and no screen sees them.
    ///
    /// Of several all see everything, in the order in which they were added, and what one drops is dropped. A request that is
    /// dropped is rejected with NOT_ALLOWED; a message to the application that is dropped is not acknowledged, and its number
    /// counts as not said. One that panics is counted by its type's name, and lets the message pass.
    pub fn screen<S>(&mut self, sees: S) -> &mut Self
    where
        S: Fn(&mut Context<'_>, SessionId, &Payload) -> Screened + Send + Sync + 'static,
    {
        self.screens.push(Screen {
            name: type_name::<S>(),
            sees: Box::new(sees),
        });
        self
    }

    /// Answers GET and POST requests for exactly `path`. The handler must not wait.
    pub fn route(
        &mut self,
        path: impl Into<String>,
        handler: impl Fn(&RequestHead) -> Response + Send + Sync + 'static,
    ) -> &mut Self {
        let path = self.claim_path(path.into());
        self.site.route(path, Box::new(handler));
        self
    }

    /// Serves a file that is part of the program.
    pub fn asset(
        &mut self,
        path: impl Into<String>,
        content_type: &'static str,
        bytes: &'static [u8],
    ) -> &mut Self {
        let path = self.claim_path(path.into());
        self.site.asset(path, content_type, bytes);
        self
    }

    /// Serves WebSockets at `path` whose messages are payloads as they are.
    pub fn raw(&mut self, path: impl Into<String>) -> &mut Self {
        let path = self.claim_path(path.into());
        self.paths.insert(path, Framing::Raw);
        self
    }

    /// Serves WebSockets at `path` that speak to the world in hot and ext lane.
    pub fn lanes(&mut self, path: impl Into<String>) -> &mut Self {
        let path = self.claim_path(path.into());
        self.paths.insert(path, Framing::Lanes);
        self
    }

    /// Has rooms of a kind: each with a service of its own, on one shard.
    pub fn rooms(&mut self, rooms: Rooms) -> &mut Self {
        self.claim(match rooms.prefix {
            Some(_) => Owned::Path(rooms.label.to_string()),
            None => Owned::Name(format!("rooms of the kind {:?}", rooms.label)),
        });
        if rooms.joinable {
            self.claim(Owned::Name("the rooms that clients join".to_owned()));
        }
        if rooms.names_them() {
            self.claim(Owned::Path(NEW_ROOM_PATH.to_owned()));
        }
        if let Some(detail) = rooms.mistake() {
            let name = "rooms";
            self.fail(Error::Option { name, detail });
        }
        self.rooms.push(rooms);
        self
    }

    /// Clients at `path`, which [`raw`](Self::raw) or [`lanes`](Self::lanes) serves, are told nothing before it is durable.
    ///
    /// What systems see of the world in a tick, a crash can take back until the journal has that tick. Of the world itself
    /// clients are told when it has; what systems send, and answer to requests, leaves at once, unless the path asks for
    /// this. Then it waits for the commit of the tick in which it was said. Changes nothing where
    /// [`Durability`] is not `Tick`. What is not durable within a second of a stop is not said.
    pub fn after_commit(&mut self, path: impl Into<String>) -> &mut Self {
        self.after_commit.insert(path.into());
        self
    }

    /// Listens on `address`: `host:port`, port 0 for any free one.
    pub fn bind(&mut self, address: impl Into<String>) -> &mut Self {
        self.claim(Owned::Name("the address to listen on".to_owned()));
        self.options.bind = Some(address.into());
        self
    }

    /// How many shards; 0 for one per usable core.
    pub fn shards(&mut self, shards: u16) -> &mut Self {
        self.options.shards = shards;
        self
    }

    /// Which driver runs the shards.
    pub fn runtime(&mut self, runtime: Runtime) -> &mut Self {
        self.options.runtime = runtime;
        self
    }

    /// How long a message to many may wait to share a write with others.
    pub fn coalesce(&mut self, coalesce: Coalesce) -> &mut Self {
        self.options.limits.coalesce_max = coalesce;
        self
    }

    /// Changes how the server runs.
    pub fn options(&mut self, change: impl FnOnce(&mut ServerOptions)) -> &mut Self {
        change(&mut self.options);
        self
    }

    /// Finishes the application, for drivers.
    ///
    /// # Errors
    /// The first mistake that was made: a conflict, a component registered twice, a value outside its limits.
    pub fn build(&mut self) -> Result<Arc<AppRecipe>> {
        let mut app = std::mem::take(self);
        if let Some(error) = app.first_error {
            return Err(error);
        }
        app.default_paths();
        if let Some(error) = app.first_error {
            return Err(error);
        }
        let unserved = |path: &&String| !app.paths.contains_key(*path);
        if let Some(path) = app.after_commit.iter().find(unserved) {
            return Err(Error::Option {
                name: "after_commit",
                detail: format!("no messages are served at {path:?}"),
            });
        }
        app.options.validate()?;
        app.world.config.validate()?;
        for (prefix, folder) in &app.folders {
            let bytes_max = app.options.limits.files_bytes_max;
            app.site.folder(Files::load(prefix, folder, bytes_max)?);
        }
        app.world.systems = app.systems.fixed_update;
        Ok(Arc::new(AppRecipe {
            world_name: app.world_name.unwrap_or_default(),
            world: Arc::new(app.world),
            startup: app.systems.startup,
            update: app.systems.update,
            last: app.systems.last,
            shutdown: app.systems.shutdown,
            plugins: app.plugins,
            paths: app.paths,
            after_commit: app.after_commit,
            rooms: app.rooms,
            text_commands: app.text_commands,
            text_lines: app.text_lines,
            binary_commands: app.binary_commands,
            ext_services: app.ext_services,
            hot_services: app.hot_services,
            screens: app.screens,
            site: app.site,
            options: app.options,
        }))
    }

    /// Starts the application on threads of its own and returns once it serves.
    ///
    /// # Errors
    /// What [`build`](Self::build) finds, an address that cannot be listened on, a driver that cannot run here.
    pub fn start(&mut self) -> Result<Running> {
        runtime::start(&self.build()?)
    }

    /// Runs the application until it is told to stop: by ctrl-c, or by SIGTERM. The variable [`BIND_VARIABLE`], if set,
    /// takes the place of the address that it listens on.
    ///
    /// # Errors
    /// As [`start`](Self::start), and whatever ended a driver against its will.
    pub fn run(&mut self) -> Result<()> {
        if let (Some(address), Ok(wish)) = (&mut self.options.bind, std::env::var(BIND_VARIABLE)) {
            *address = wish;
        }
        self.start()?.join_or_signal()
    }

    fn default_paths(&mut self) {
        if self.options.bind.is_none() {
            return;
        }
        let speaks =
            |paths: &BTreeMap<String, Framing>, framing| paths.values().any(|f| *f == framing);
        if !speaks(&self.paths, Framing::Raw) {
            self.raw("/ws");
        }
        if self.world_name.is_some() && !speaks(&self.paths, Framing::Lanes) {
            self.lanes("/world");
        }
    }

    fn claim_path(&mut self, path: String) -> String {
        if !path.starts_with('/') {
            let detail = format!("{path:?} does not begin with a slash");
            self.fail(Error::Option {
                name: "path",
                detail,
            });
        }
        self.claim(Owned::Path(path.clone()));
        path
    }

    fn claim(&mut self, owned: Owned) {
        let what = owned.to_string();
        if let Some(first) = self.claims.insert(owned, self.owner) {
            let second = self.owner;
            self.fail(Error::Conflict {
                what,
                first,
                second,
            });
        }
    }

    /// Keeps the first mistake: the later ones often follow from it.
    fn fail(&mut self, error: Error) {
        self.first_error.get_or_insert(error);
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Display for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => write!(f, "path `{path}`"),
            Self::Command(name) => write!(f, "command `{name}`"),
            Self::Opcode(opcode) => write!(f, "opcode {opcode}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The environment's word on where [`App::run`] listens: the same program can be tried at several addresses.
pub const BIND_VARIABLE: &str = "WORLDSHARD_BIND";
