//! Sessions that hear messages on the calling thread: in rooms, or all of them together. No socket, no clock, no mailbox.
//!
//! Every recipient is sent a frame of its own, and the kernel takes each at once: what is left is the work of hubs.

use std::sync::Arc;

use worldshard::prelude::*;
use worldshard::{AppRecipe, Commons, Framing, Hub, Letter, Opening, Output, Rooms};
use worldshard_client::transport::MessageKind;

/// Who hears what one of them says.
#[derive(Clone, Copy, Debug)]
pub enum Hearers {
    /// The members of a room: so many rooms, of so many each. A room's service passes on what it is told.
    Rooms {
        /// Rooms.
        rooms: u32,
        /// Members of each.
        members: u32,
    },
    /// All sessions, so many: a system passes on what it is told.
    Everyone(u32),
}

/// Hubs, their sessions, and those of them who speak.
pub struct Talk {
    hubs: Vec<Hub>,
    /// By home.
    speakers: Vec<Vec<SessionId>>,
    hearers: u32,
    output: Output,
    letters: Vec<(ShardId, ShardId, Letter)>,
}

impl Talk {
    /// On so many shards, with what waits for a write to share when drivers `coalesce`. One of each room speaks, or one
    /// of all.
    ///
    /// # Errors
    /// When the application cannot be built.
    pub fn new(shards: u16, hearers: Hearers, coalesce: bool) -> Result<Self> {
        let mut app = App::new();
        app.raw("/all").system(Update, pass_on);
        app.rooms(Rooms::at("/ws/{room}", |_| PassOn).members_max(u32::MAX));
        app.options(|options| options.limits.rooms_max = ROOMS_MAX);
        let recipe = app.build()?;
        let commons = Commons::new(&recipe, shards)?;
        let hub = |own| Hub::new(ShardId(own), Arc::clone(&recipe), commons.clone());
        let hubs: Result<Vec<Hub>> = (0..shards).map(hub).collect();
        let mut talk = Self {
            hubs: hubs?,
            speakers: vec![Vec::new(); usize::from(shards)],
            hearers: 0,
            output: Output::default(),
            letters: Vec::new(),
        };
        talk.open(&recipe, hearers);
        talk.settle();
        if coalesce {
            talk.hubs.iter_mut().for_each(Hub::coalesce);
        }
        Ok(talk)
    }

    /// How many hear something in a [`round`](Self::round).
    #[must_use]
    pub fn hearers(&self) -> u32 {
        self.hearers
    }

    /// Every speaker says something, `per_turn` of them before their hub runs, and everybody hears it.
    ///
    /// # Panics
    /// When somebody did not.
    pub fn round(&mut self, message: &[u8], per_turn: usize) {
        let mut heard = 0;
        for own in 0..self.hubs.len() {
            let speakers = std::mem::take(&mut self.speakers[own]);
            for turn in speakers.chunks(per_turn) {
                for &speaker in turn {
                    self.hubs[own].message(speaker, MessageKind::Binary, message);
                }
                heard += self.turn(own);
            }
            self.speakers[own] = speakers;
        }
        for (to, from, letter) in std::mem::take(&mut self.letters) {
            let to = usize::from(to.0);
            self.hubs[to].letter(from, letter);
            heard += self.turn(to);
        }
        assert_eq!(heard, self.hearers, "all hear it, each once");
    }

    /// Members of a room do not follow each other: those come first who speak, then one more of each room, and so on.
    fn open(&mut self, recipe: &Arc<AppRecipe>, hearers: Hearers) {
        let shards = u16::try_from(self.hubs.len()).expect("shards are counted in 16 bits");
        match hearers {
            Hearers::Rooms { rooms, members } => {
                for member in 0..members {
                    for room in 0..rooms {
                        let path = format!("/ws/room {room}");
                        let home = recipe
                            .room_host(0, &path, shards)
                            .expect("the path names a room");
                        self.enter(home, path, member == 0);
                    }
                }
            }
            Hearers::Everyone(sessions) => {
                for (session, home) in (0..sessions).zip((0..shards).cycle()) {
                    self.enter(ShardId(home), "/all".to_owned(), session == 0);
                }
            }
        }
    }

    fn enter(&mut self, home: ShardId, path: String, speaks: bool) {
        let home = usize::from(home.0);
        let framing = Framing::Raw;
        let session = self.hubs[home].open(Opening { path, framing });
        if speaks {
            self.speakers[home].push(session);
        }
        self.hearers += 1;
    }

    fn settle(&mut self) {
        for own in 0..self.hubs.len() {
            self.turn(own);
        }
    }

    /// Does for a hub what a driver does in a turn; says how many frames it had for sessions.
    fn turn(&mut self, own: usize) -> u32 {
        let hub = &mut self.hubs[own];
        hub.handle();
        hub.release();
        std::mem::swap(hub.output(), &mut self.output);
        let mut frames = 0;
        for (session, _, _) in self.output.frames.drain(..) {
            hub.written(session, 1);
            frames += 1;
        }
        let from = hub.shard().own();
        let letters = self.output.letters.drain(..);
        self.letters
            .extend(letters.map(|(to, letter)| (to, from, letter)));
        frames
    }
}

/// Passes on to all members what one of them says.
struct PassOn;

impl Service for PassOn {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        room.send(Audience::All, payload.clone());
    }
}

fn pass_on(cx: &mut Context<'_>) {
    for message in cx.messages() {
        cx.send(Audience::All, message.payload.clone());
    }
}

const ROOMS_MAX: u32 = 1_000_000;
