//! The clients of a simulation at their homes: what they do, carried out, and what hubs want done.

use worldshard_protocol::{SessionId, Tick};
use worldshard_shard::{CommandBody, Interest, Script as _};
use worldshard_spatial::ShardId;

use super::Simulation;
use crate::app::Framing;
use crate::hub::{Hub, Opening};
use crate::message::CloseReason;
use crate::sim::client::ClientStanding;
use crate::sim::faults::{LATE_TICKS_MAX, strikes, up_to};
use crate::sim::live::{Circumstances, Deed, is_honest};
use crate::sim::mail::Way;

impl Simulation {
    /// Opens the sessions that the script speaks of.
    pub(super) fn connect_scripted(&mut self) {
        let Some(script) = self.script.clone() else {
            return;
        };
        for number in 0..script.clients() {
            let session = self.open(number as usize, script.home(number));
            assert_eq!(
                session,
                script.session(number),
                "the script knows its sessions"
            );
        }
    }

    /// Whose viewpoint the script ends in this tick is about to hear of it.
    pub(super) fn foresee_leaves(&mut self, tick: Tick) {
        let Some(script) = self.script.clone() else {
            return;
        };
        let mut commands = Vec::new();
        script.commands(tick, &mut commands);
        for command in commands {
            if let (CommandBody::Leave, Some(&number)) =
                (command.body, self.numbers.get(&command.session))
            {
                self.clients[number].stands(ClientStanding::Leaving);
            }
        }
    }

    /// Whether a client has something to do in this tick: each acts at most once.
    pub(super) fn may_act(&self, number: usize, tick: Tick) -> bool {
        if self.is_ending || self.acted[number] >= tick {
            return false;
        }
        match &self.script {
            None => true,
            Some(script) => {
                self.clients[number].unread() > 0 && !script.is_stalled(number as u32, tick)
            }
        }
    }

    /// Lets a client do what it does in this tick.
    pub(super) fn act(&mut self, number: usize, tick: Tick) {
        self.acted[number] = tick;
        if self.script.is_some() {
            let unread = self.clients[number].unread();
            self.read(number, unread);
            return;
        }
        let around = Circumstances {
            config: &self.config,
            shards: self.berths.len() as u16,
            tick,
            faults: &self.faults,
        };
        let client = &mut self.clients[number];
        let deeds = self.minds[number].act(client, &around, &mut self.counts, &mut self.chance);
        for deed in deeds {
            self.carry_out(number, deed);
        }
    }

    /// Reads all that waits and acknowledges it; false when there was nothing to do.
    pub(super) fn catch_up(&mut self, number: usize) -> bool {
        let has_read = self.read(number, usize::MAX) > 0;
        let due = self.minds[number].acknowledgement(&self.clients[number]);
        let acknowledges = due.is_some();
        if let Some(acknowledgement) = due {
            self.carry_out(number, acknowledgement);
        }
        has_read || acknowledges
    }

    fn carry_out(&mut self, number: usize, deed: Deed) {
        match deed {
            Deed::Open(home) => {
                self.open(number, ShardId(home));
            }
            Deed::Read(frames) => {
                self.read(number, frames);
            }
            Deed::Acknowledge => {
                let due = self.minds[number].acknowledgement(&self.clients[number]);
                if let Some(acknowledgement) = due {
                    self.carry_out(number, acknowledgement);
                }
            }
            // The engine may have closed the connection meanwhile: then there is nobody to say it to.
            Deed::Say(kind, bytes) => self.tell(number, |hub, session| {
                hub.message(session, kind, &bytes);
            }),
            Deed::Break => {
                self.tell(number, |hub, session| {
                    hub.closed(session, CloseReason::Lost);
                });
                self.lose(number);
            }
        }
    }

    fn open(&mut self, number: usize, home: ShardId) -> SessionId {
        let at = usize::from(home.0);
        let session = self.berths[at].hub.open(Opening {
            path: PATH.to_owned(),
            framing: Framing::Lanes,
        });
        self.berths[at].unheard = true;
        self.numbers.insert(session, number);
        // Scripted clients have no commands of their own that could be followed.
        let is_honest = self.script.is_none() && is_honest(number as u32);
        let interest = Interest::Radius(self.config.interest_radius_m);
        self.clients[number].opened(session, is_honest, interest);
        self.collect(at);
        session
    }

    /// A client reads so many frames, or up to the end of its viewpoint; its home learns that they are written.
    fn read(&mut self, number: usize, frames: usize) -> usize {
        let client = &mut self.clients[number];
        let mut read = 0;
        while read < frames {
            let was_out = client.standing() == ClientStanding::Out;
            if !client.read_one() {
                break;
            }
            read += 1;
            // What follows may be of another viewpoint: checkers are to see that there was none between.
            if !was_out && client.standing() == ClientStanding::Out {
                break;
            }
        }
        if read > 0 {
            let frames = u32::try_from(read).expect("a client's queue is bounded");
            self.tell(number, |hub, session| hub.written(session, frames));
        }
        read
    }

    /// Does something at the home of a client that is connected.
    fn tell(&mut self, number: usize, tell: impl FnOnce(&mut Hub, SessionId)) {
        if let Some(session) = self.clients[number].session() {
            let home = usize::from(session.home());
            tell(&mut self.berths[home].hub, session);
            self.berths[home].unheard = true;
            self.collect(home);
        }
    }

    fn lose(&mut self, number: usize) {
        if let Some(session) = self.clients[number].session() {
            self.numbers.remove(&session);
            self.clients[number].closed();
        }
    }

    /// Takes what a hub wants done: frames first, then closes, then letters.
    pub(super) fn collect(&mut self, at: usize) {
        let mut output = std::mem::take(self.berths[at].hub.output());
        for (session, frame, _) in output.take_frames() {
            let number = self.numbers.get(&session);
            let number = *number.expect("frames are for sessions that are open");
            self.clients[number].receive(frame);
        }
        for (session, code, reason) in output.closes.drain(..) {
            let number = self.numbers.get(&session).copied();
            let reason = CloseReason::Server { code, reason };
            self.berths[at].hub.closed(session, reason);
            self.berths[at].unheard = true;
            self.lose(number.expect("a session is closed once"));
        }
        // What the ends of sessions say goes behind what was said before.
        let more = &mut self.berths[at].hub.output().letters;
        output.letters.append(more);
        let from = self.berths[at].own;
        let (faults, counts, chance) = (&self.faults, &mut self.counts, &mut self.chance);
        for (to, letter) in output.letters.drain(..) {
            let late = strikes(faults.late_letters, &mut counts.late_letters, chance);
            let ticks = if late {
                up_to(LATE_TICKS_MAX, chance)
            } else {
                0
            };
            let way = Way { to, from };
            self.mail.send_letter(way, letter, self.tick + ticks);
        }
    }
}

/// The path of sessions in a simulation: no client outside can ask for it.
const PATH: &str = "in a simulation";
