//! Rooms that run a WebAssembly module: which file it is, what its guests may use, how rooms begin and end.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use worldshard::prelude::{App, Creation, Rooms, WhenEmpty};
use worldshard::runtime::busy;
use worldshard_wasm::{EPOCH, Guests, Host, Limits, Module};

use crate::failure::Failure;

/// What is asked of guests and their rooms.
#[derive(Args, Clone, Debug)]
pub(crate) struct GuestArgs {
    /// A WebAssembly module that runs in rooms, at /ws/{room}, and in the room `lobby` at /ws: a file .wasm, or .wat as
    /// text, or a folder with server.wasm or service.wasm, and files for pages in static/. Without, a world is served,
    /// or what --app says
    #[arg(value_name = "MODULE", conflicts_with_all = ["app", "world", "entities", "interest_radius", "data"])]
    pub(crate) module: Option<PathBuf>,

    /// A file that each guest of the module can read as its settings, at most 64 KiB
    #[arg(
        long,
        value_name = "FILE",
        requires = "module",
        help_heading = "Guests"
    )]
    guest_config: Option<PathBuf>,

    /// The most memory of one guest, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4095), requires = "module", help_heading = "Guests")]
    guest_memory: u16,

    /// The most time that a guest takes of its shard's thread when it is told something, in milliseconds. A longer call
    /// ends the guest, and its room begins again
    #[arg(long, value_name = "MS", default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=60_000), requires = "module", help_heading = "Guests")]
    guest_call: u16,

    /// How rooms begin: implicit, when somebody connects; api, by a POST to their path; uuid, short, short3 … short12, by
    /// a POST to /new_room, which names them
    #[arg(long, value_name = "HOW", default_value = "implicit", value_parser = creation, requires = "module", help_heading = "Guests")]
    rooms: Creation,

    /// How many seconds a room without members waits for one before it ends, or forever
    #[arg(long, value_name = "S|forever", default_value = "60", value_parser = when_empty, requires = "module", help_heading = "Guests")]
    room_wait: WhenEmpty,
}

/// A module that can be served.
pub(crate) struct Served {
    /// Files beside the module, for pages.
    pub(crate) files: Option<PathBuf>,
    guests: Guests,
    creation: Creation,
    when_empty: WhenEmpty,
    guests_max: usize,
}

impl GuestArgs {
    /// Reads the module, if one is to be served.
    pub(crate) fn read(&self) -> Result<Option<Served>, Failure> {
        let Some(place) = &self.module else {
            return Ok(None);
        };
        let file = module_file(place)?;
        let limits = Limits {
            memory_bytes_max: usize::from(self.guest_memory) << 20,
            epochs_per_call_max: self.guest_call.into(),
            ..Limits::default()
        };
        let guests_max = limits.guests_max;
        let config = match &self.guest_config {
            Some(file) => config(file)?,
            None => Vec::new(),
        };
        let host = Host::counting(limits, EPOCH, busy)
            .map_err(|error| Failure::runtime(error.to_string()))?;
        let files = place.is_dir().then(|| place.join("static"));
        Ok(Some(Served {
            files: files.filter(|folder| folder.is_dir()),
            guests: Guests::new(module(&host, &file)?).config(config),
            creation: self.rooms,
            when_empty: self.room_wait,
            guests_max,
        }))
    }
}

impl Served {
    /// Guests of a project: rooms begin when somebody connects, and bounds are what they are by default.
    pub(crate) fn of_project(guests: Guests) -> Self {
        Self {
            files: None,
            guests,
            creation: Creation::Implicit,
            when_empty: WhenEmpty::EndAfter(ROOM_WAIT),
            guests_max: Limits::default().guests_max,
        }
    }

    /// Adds its rooms to an application.
    pub(crate) fn add(self, app: &mut App, tick_interval: Duration, seed: u64) {
        let mut rooms = Rooms::at("/ws/{room}", self.guests.make())
            .creation(self.creation)
            .when_empty(self.when_empty);
        // Rooms that the server names have no room that is there for all.
        if self.creation == Creation::Implicit {
            rooms = rooms.default_room(DEFAULT_ROOM);
        }
        // A few places are left for guests that begin while those before them are still there.
        let rooms_max = self.guests_max - GUESTS_SPARE;
        app.rooms(rooms)
            .pace(tick_interval, seed)
            .options(|options| {
                options.limits.rooms_max = u32::try_from(rooms_max).unwrap_or(u32::MAX);
            });
    }
}

/// The file of a module that a path means.
fn module_file(place: &Path) -> Result<PathBuf, Failure> {
    if !place.is_dir() {
        return Ok(place.to_owned());
    }
    let names = ["server.wasm", "service.wasm"];
    let mut files = names.iter().map(|name| place.join(name));
    files.find(|file| file.is_file()).ok_or_else(|| {
        let place = place.display();
        Failure::usage(format!("{place}: no server.wasm or service.wasm in it"))
    })
}

/// Compiles the module of a file and checks it.
pub(crate) fn module(host: &Host, file: &Path) -> Result<Module, Failure> {
    let refuse = |error: &dyn std::fmt::Display| {
        let file = file.display();
        Failure::usage(format!("{file}: {error}"))
    };
    let bytes = read(file, host.limits().module_bytes_max)?;
    let is_text = file.extension().is_some_and(|extension| extension == "wat");
    let bytes = match is_text {
        true => wat::parse_bytes(&bytes).map_err(|error| refuse(&error))?,
        false => bytes.into(),
    };
    if !bytes.starts_with(WASM_MAGIC) {
        return Err(refuse(
            &"no WebAssembly module; a text of one is named .wat",
        ));
    }
    Module::new(host, &bytes).map_err(|error| refuse(&error))
}

/// The settings of guests.
pub(crate) fn config(file: &Path) -> Result<Vec<u8>, Failure> {
    read(file, CONFIG_BYTES_MAX)
}

/// The bytes of a file, if they are no more.
fn read(file: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let refuse = |error: String| Failure::usage(format!("{}: {error}", file.display()));
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(|error| refuse(error.to_string()))?;
    let read = opened.take(bytes_max as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| refuse(error.to_string()))?;
    if bytes.len() > bytes_max {
        return Err(refuse(format!("more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

fn creation(text: &str) -> Result<Creation, String> {
    let letters = |count: &str| match count {
        "" => Some(SHORT_LETTERS),
        count => count.parse().ok().filter(|count| (3..=12).contains(count)),
    };
    match (text, text.strip_prefix("short").and_then(letters)) {
        ("implicit", _) => Ok(Creation::Implicit),
        ("api", _) => Ok(Creation::Explicit),
        ("uuid", _) => Ok(Creation::Uuid),
        (_, Some(letters)) => Ok(Creation::Short(letters)),
        (_, None) => Err("implicit, api, uuid, short, or short3 to short12".to_owned()),
    }
}

fn when_empty(text: &str) -> Result<WhenEmpty, String> {
    if text == "forever" {
        return Ok(WhenEmpty::Keep);
    }
    match text.parse() {
        Ok(0) => Ok(WhenEmpty::End),
        Ok(seconds) => Ok(WhenEmpty::EndAfter(Duration::from_secs(seconds))),
        Err(_) => Err("neither whole seconds nor forever".to_owned()),
    }
}

/// The room of those who name none.
const DEFAULT_ROOM: &str = "lobby";

/// Letters of a room's name when they are not said.
const SHORT_LETTERS: u8 = 4;

/// What a room without members waits when nothing is said.
const ROOM_WAIT: Duration = Duration::from_secs(60);

/// Places for guests that are no room's own.
const GUESTS_SPARE: usize = 192;

/// Bytes of the settings of guests: each has a copy.
const CONFIG_BYTES_MAX: usize = 64 << 10;

const WASM_MAGIC: &[u8] = b"\0asm";
