//! Messages to many that leave together: laid out one behind the other, once for all who get them.
//!
//! Never decides how long they wait: the driver has the time. Order per session is that of sending, whoever waits.

use bytes::{Bytes, BytesMut};
use worldshard_protocol::SessionId;
use worldshard_transport::MessageKind;

use crate::app::Framing;
use crate::hub::FrameClass;
use crate::hub::desk::Desk;
use crate::hub::fanout::{Post, PostTo, lanes_frame};
use crate::hub::traffic::{LaneTraffic, Traffic};
use crate::unsent::UnsentCause;

/// Messages that all go to the same sessions.
#[derive(Default)]
pub(crate) struct Convoy {
    /// Whether messages may wait at all.
    pub(crate) waits: bool,
    /// Ascending; empty when nothing waits.
    members: Vec<Member>,
    everyone: Option<Everyone>,
    raw: Lane,
    lanes: Lane,
    /// Counts the convoys of this hub: a session's place in an earlier one is none in this.
    number: u64,
    /// Whom the next message is for. Kept for its memory.
    meant: Vec<Member>,
}

/// How far a session has come in a convoy.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    number: u64,
    parts: usize,
}

/// What a message to all says of its sessions: while none has come or gone, the next one is for the same.
#[derive(Clone, Copy)]
struct Everyone {
    membership: u64,
    /// The moment of the youngest of them, and of the eldest who came after the message.
    youngest: u64,
    eldest_after: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Member {
    session: SessionId,
    framing: Framing,
}

/// The frames of one framing.
#[derive(Default)]
struct Lane {
    /// Whether a member needs it.
    needed: bool,
    /// What nobody has got yet.
    open: BytesMut,
    open_frames: u32,
    /// Of it, on lanes, what is text.
    open_texts: LaneTraffic,
    parts: Vec<Part>,
}

/// Whole frames, one behind the other.
struct Part {
    bytes: Bytes,
    frames: u32,
    /// Of it, on lanes, what is text.
    texts: LaneTraffic,
    /// How many got it.
    given: u64,
}

impl Desk {
    /// Gives a post to the sessions of this home that it is for, or lets it wait with others for the same ones.
    pub(crate) fn deliver_post(&mut self, post: &Post) {
        if !self.convoy.waits {
            return self.deliver_now(post);
        }
        // What may be lost is kept from some, so no frames of many can be laid out with it.
        if post.manner.lossy {
            return self.deliver_now(post);
        }
        if post.raw.len() > FRAME_BYTES_MAX {
            self.release_convoy();
            return self.deliver_now(post);
        }
        if !self.is_for_the_same(post) {
            let everyone = self.resolve(post);
            if self.convoy.meant.len() < 2 {
                // A message to one leaves at once, and takes along what waits before it.
                return self.deliver_now(post);
            }
            self.note_not_meant(post);
            if self.convoy.meant == self.convoy.members {
                self.convoy.everyone = everyone;
            } else {
                self.release_convoy();
                self.convoy.begin(everyone);
            }
        }
        if self.convoy.add(post) > self.convoy_bytes_max {
            self.release_convoy();
        }
    }

    /// Whether messages wait for [`release_convoy`](Self::release_convoy).
    pub(crate) fn convoy_waits(&self) -> bool {
        !self.convoy.members.is_empty()
    }

    /// Gives every session what waits for it.
    pub(crate) fn release_convoy(&mut self) {
        let mut members = std::mem::take(&mut self.convoy.members);
        for member in &members {
            self.give_parts(*member);
        }
        members.clear();
        // Once for all of them: what each of many costs is the same for any number of messages.
        self.convoy.count_given(&mut self.stats.lanes_out);
        self.convoy.end(members);
    }

    /// Gives one session what waits for it, so that something else may follow.
    pub(crate) fn catch_up(&mut self, session: SessionId) {
        let members = &self.convoy.members;
        if let Ok(at) = members.binary_search_by_key(&session, |one| one.session) {
            self.give_parts(members[at]);
        }
    }

    fn give_parts(&mut self, member: Member) {
        let number = self.convoy.number;
        let lane = self.convoy.lane(member.framing);
        lane.close_part();
        let parts = lane.parts.len();
        let Some(entry) = self.sessions.get_mut(&member.session) else {
            return;
        };
        // First: who is closed for being slow is given nothing twice.
        let before = std::mem::replace(&mut entry.egress.place, Place { number, parts });
        let got = match before.number == number {
            true => before.parts,
            false => 0,
        };
        for at in got..parts {
            let part = &mut self.convoy.lane(member.framing).parts[at];
            part.given += 1;
            let (bytes, frames) = (part.bytes.clone(), part.frames);
            let pushed = self.push_messages(member.session, bytes, frames, FrameClass::Fanout);
            if let Err(cause) = pushed {
                let left = &mut self.convoy.lane(member.framing).parts[at..];
                left[0].given -= 1;
                if cause == UnsentCause::QueueFull {
                    let count = left.iter().map(|part| u64::from(part.frames)).sum();
                    return self.unsent.note_gathered(member.session, count);
                }
            }
        }
    }

    /// Whether it is seen at once that a post is for whom the one before was for.
    fn is_for_the_same(&self, post: &Post) -> bool {
        let PostTo::AllBut { moment, except } = &post.to else {
            return false;
        };
        let everyone = self.convoy.everyone.as_ref();
        except.is_empty()
            && everyone.is_some_and(|one| {
                one.membership == self.membership
                    && one.youngest < *moment
                    && *moment <= one.eldest_after
            })
    }

    /// Takes note of whom a post names that is not open.
    fn note_not_meant(&mut self, post: &Post) {
        let PostTo::Only(named) = &post.to else {
            return;
        };
        let meant = std::mem::take(&mut self.convoy.meant);
        for &session in named {
            if meant
                .binary_search_by_key(&session, |one| one.session)
                .is_err()
            {
                self.note_not_open(session);
            }
        }
        self.convoy.meant = meant;
    }

    /// Lists whom a post is for among the open sessions.
    fn resolve(&mut self, post: &Post) -> Option<Everyone> {
        let meant = &mut self.convoy.meant;
        meant.clear();
        match &post.to {
            PostTo::Only(sessions) => {
                meant.extend(sessions.iter().filter_map(|&session| {
                    let entry = self.sessions.get(&session)?;
                    let framing = entry.framing;
                    entry.is_open().then_some(Member { session, framing })
                }));
                None
            }
            PostTo::AllBut { moment, except } => {
                let mut everyone = Everyone {
                    membership: self.membership,
                    youngest: 0,
                    eldest_after: u64::MAX,
                };
                let open = self.sessions.iter().filter(|(_, entry)| entry.is_open());
                for (&session, entry) in open {
                    let framing = entry.framing;
                    if entry.moment >= *moment {
                        everyone.eldest_after = everyone.eldest_after.min(entry.moment);
                    } else if except.binary_search(&session).is_err() {
                        everyone.youngest = everyone.youngest.max(entry.moment);
                        meant.push(Member { session, framing });
                    }
                }
                except.is_empty().then_some(everyone)
            }
        }
    }
}

impl Convoy {
    /// Begins one for those meant.
    fn begin(&mut self, everyone: Option<Everyone>) {
        debug_assert!(self.members.is_empty(), "the one before was not released");
        std::mem::swap(&mut self.members, &mut self.meant);
        self.everyone = everyone;
        self.number += 1;
        for (lane, framing) in [
            (&mut self.raw, Framing::Raw),
            (&mut self.lanes, Framing::Lanes),
        ] {
            lane.needed = self.members.iter().any(|one| one.framing == framing);
        }
    }

    /// Appends a message; says how many bytes wait for a session at most.
    fn add(&mut self, post: &Post) -> usize {
        if self.raw.needed {
            self.raw.add(&post.raw);
        }
        if self.lanes.needed {
            let frame = lanes_frame(&post.payload, post.room.as_deref(), post.manner);
            self.lanes.add(&frame);
            if post.payload.kind() == MessageKind::Text {
                self.lanes.open_texts.messages += 1;
                self.lanes.open_texts.bytes += frame.len() as u64;
            }
        }
        self.raw.open.len().max(self.lanes.open.len())
    }

    /// Counts what some got, or all.
    pub(crate) fn count_given(&self, traffic: &mut Traffic) {
        for part in &self.raw.parts {
            part.count_given(Framing::Raw, traffic);
        }
        for part in &self.lanes.parts {
            part.count_given(Framing::Lanes, traffic);
        }
    }

    /// Forgets everything but the memory.
    fn end(&mut self, members: Vec<Member>) {
        self.members = members;
        self.everyone = None;
        self.raw.parts.clear();
        self.lanes.parts.clear();
    }

    fn lane(&mut self, framing: Framing) -> &mut Lane {
        match framing {
            Framing::Raw => &mut self.raw,
            Framing::Lanes => &mut self.lanes,
        }
    }
}

impl Lane {
    fn add(&mut self, frame: &[u8]) {
        self.open.extend_from_slice(frame);
        self.open_frames += 1;
    }

    /// What is open becomes a part that sessions can share.
    fn close_part(&mut self) {
        if self.open_frames > 0 {
            self.parts.push(Part {
                bytes: self.open.split().freeze(),
                frames: std::mem::take(&mut self.open_frames),
                texts: std::mem::take(&mut self.open_texts),
                given: 0,
            });
        }
    }
}

impl Part {
    fn count_given(&self, framing: Framing, traffic: &mut Traffic) {
        let texts = self.texts;
        let messages = u64::from(self.frames) - texts.messages;
        let bytes = self.bytes.len() as u64 - texts.bytes;
        traffic.count(framing, false, self.given * messages, self.given * bytes);
        if texts.messages > 0 {
            let bytes = self.given * texts.bytes;
            traffic.count(framing, true, self.given * texts.messages, bytes);
        }
    }
}

/// A longer frame has a write of its own: it would be copied to save little.
const FRAME_BYTES_MAX: usize = 16 * 1024;
