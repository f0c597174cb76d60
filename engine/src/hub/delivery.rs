//! Brings what a tick has for sessions from the owners of their viewpoints to their homes, and in order to them.
//!
//! Never builds a delta: that is the shard's `publish`.

use bytes::Bytes;
use worldshard_protocol::{EntityId, ErrorCode, ExtEnvelope, SessionId, Tick};
use worldshard_shard::{
    Command, CommandBody, DeltaOut, FRAME_HEADROOM, Notice, Published, SHARED_AT,
};
use worldshard_spatial::ShardId;
use worldshard_transport::{MessageKind, data_frame, data_header};

use crate::hub::Hub;
use crate::hub::application::Lane;
use crate::hub::blocks::{Blocks, STATE_BYTES_MAX};
use crate::hub::session::State;
use crate::letter::{Delivery, DeltaFrame, Letter};

/// Sorts what a tick has for sessions by their homes.
pub(crate) fn by_home(
    published: &mut Published,
    tick: Tick,
    deliveries: &mut [Delivery],
    states: &mut Blocks,
) {
    deliveries.iter_mut().for_each(|one| one.tick = tick);
    // A script may name sessions of homes that are not: nobody hears what is for them.
    let of = |session: SessionId| usize::from(session.home());
    for (session, notice) in published.notices.drain(..) {
        if let Some(delivery) = deliveries.get_mut(of(session)) {
            delivery.notices.push((session, notice));
        }
    }
    for delta in published.deltas.drain(..) {
        let Some(delivery) = deliveries.get_mut(of(delta.session)) else {
            continue;
        };
        let (frame, spare) = delta_frame(delta, states);
        published.spare.extend(spare);
        delivery.deltas.push(frame);
    }
    for (session, frame) in published.area.drain(..) {
        if let Some(delivery) = deliveries.get_mut(of(session)) {
            delivery.area.push((session, frame));
        }
    }
}

impl Hub {
    /// Keeps what is for this home, sends the rest.
    pub(crate) fn send_deliveries(&mut self) {
        let own = self.desk.own;
        let mut deliveries = std::mem::take(&mut self.desk.deliveries);
        for (home, delivery) in (0..).map(ShardId).zip(&mut deliveries) {
            if delivery.is_empty() {
                continue;
            }
            if home == own {
                self.deliver_when_durable(own, delivery);
            } else {
                let next = Delivery::new(delivery.tick);
                let letter = Letter::Delivery(std::mem::replace(delivery, next));
                self.desk.output.letters.push((home, letter));
            }
        }
        self.desk.deliveries = deliveries;
    }

    /// Takes in what an owner has for sessions of this home.
    pub(crate) fn deliver(&mut self, from: ShardId, delivery: &mut Delivery) {
        let tick = delivery.tick;
        for (session, notice) in delivery.notices.drain(..) {
            self.notice(from, tick, session, notice);
        }
        for delta in delivery.deltas.drain(..) {
            self.deliver_delta(tick, delta);
        }
        for (session, frame) in delivery.area.drain(..) {
            self.desk.push_reliable(session, frame);
        }
    }

    /// Successive owners deliver by different mailboxes: the numbers put their deltas back into order.
    fn deliver_delta(&mut self, tick: Tick, delta: DeltaFrame) {
        let session = delta.session;
        let scripted = self.recipe.world.script.is_some();
        if self.desk.is_detached(session) {
            return;
        }
        let Some(standing) = self.desk.standing(session) else {
            return;
        };
        // A script joins unasked: what a second owner says may come before the word of the join itself.
        if !scripted && !matches!(standing.state, State::Joining { .. } | State::In) {
            return;
        }
        if standing.tells() && standing.deltas.is_next(delta.sequence, tick) {
            standing.deltas.last = delta.sequence;
            return self.desk.push_delta(delta);
        }
        standing.deltas.hold(tick, delta);
        self.release_deltas(session);
    }

    fn release_deltas(&mut self, session: SessionId) {
        while let Some(standing) = self.desk.standing(session)
            && standing.tells()
            && let Some(delta) = standing.deltas.next()
        {
            self.desk.push_delta(delta);
        }
    }

    fn notice(&mut self, from: ShardId, tick: Tick, session: SessionId, notice: Notice) {
        let Some(standing) = self.desk.standing(session) else {
            return;
        };
        match notice {
            Notice::Owner(owner) => standing.owned_by(owner, tick),
            Notice::Joined {
                entity,
                tick: since,
            } => self.joined(from, tick, session, entity, since),
            Notice::Refreshed { generation, tick } => {
                let resumption = &standing.resumption;
                let is_awaited = resumption.refreshing && resumption.generation == generation;
                if standing.state == State::In && is_awaited {
                    standing.resumption.refreshing = false;
                    standing.deltas.restart(tick);
                    self.release_deltas(session);
                }
            }
            // Late word of a viewpoint that a script has replaced since.
            Notice::Left if tick < standing.owner_since => {}
            Notice::Left => {
                standing.state = State::Out;
                standing.entity = None;
                standing.resumption.refreshing = false;
                standing.deltas.end(tick);
                self.tell(session, "left", None);
                self.desk.forget_if_done(session);
            }
            Notice::AvatarLost(entity) => {
                standing.entity = None;
                self.tell(
                    session,
                    "avatar_lost",
                    Some(format!(r#"{{"entity":{entity}}}"#)),
                );
            }
            Notice::InterestFailed(why) => {
                tracing::warn!(%session, why, "a custom interest failed");
                self.refuse_command(session, ErrorCode::Internal, why, 0);
            }
            Notice::Refused {
                client_sequence,
                code,
                detail,
            } => {
                let joins = matches!(standing.state, State::Joining { .. });
                if joins && !standing.deltas.is_past(tick) {
                    // Nothing but the join was sent: the rest waited for it, in vain.
                    standing.state = State::Out;
                    standing.deltas.clear();
                    let waiting = std::mem::take(&mut standing.waiting);
                    self.refuse_command(session, code, &detail, client_sequence);
                    for (number, _) in waiting {
                        let detail = "join: refused, and what followed with it";
                        self.refuse_command(session, ErrorCode::NotAllowed, detail, number);
                    }
                    return self.desk.forget_if_done(session);
                }
                self.refuse_command(session, code, &detail, client_sequence);
            }
        }
    }

    /// A viewpoint began in `since`, as its first owner says in `tick`.
    fn joined(
        &mut self,
        from: ShardId,
        tick: Tick,
        session: SessionId,
        entity: Option<EntityId>,
        since: Tick,
    ) {
        let scripted = self.recipe.world.script.is_some();
        let Some(standing) = self.desk.standing(session) else {
            return;
        };
        let leave = match standing.state {
            State::Joining { leave } => leave,
            State::In if scripted => {
                // The word that the viewpoint before ended is still on its way, and will count for nothing.
                self.tell(session, "left", None);
                false
            }
            State::Out | State::Leaving if scripted => false,
            State::Out | State::In | State::Leaving => {
                tracing::error!(%session, "a viewpoint was joined that nobody asked for");
                return;
            }
        };
        let standing = self.desk.standing(session).expect("it was just found");
        if !matches!(standing.state, State::Joining { .. }) {
            // A script knows nothing of resumptions.
            standing.resumption.told = 0;
        }
        standing.state = State::In;
        standing.begun_by(from, tick);
        standing.deltas.restart(since);
        standing.entity = entity;
        let entity = entity.map_or("null".to_owned(), |entity| entity.to_string());
        let data = format!(r#"{{"entity":{entity},"tick":{since}}}"#);
        self.tell(session, "joined", Some(data));
        self.refresh_if_resumed(session);
        self.send_waiting(session);
        if leave {
            self.send_leave(session);
        }
        self.release_deltas(session);
    }

    fn refuse_command(&mut self, session: SessionId, code: ErrorCode, detail: &str, number: u32) {
        let seq = (number != 0).then_some(number);
        // Commands are said on the hot lane alone.
        self.desk.refuse_on(session, Lane::Hot, code, detail, seq);
    }

    /// Says something of the world service in the ext lane.
    fn tell(&mut self, session: SessionId, kind: &'static str, data: Option<String>) {
        let mut envelope = ExtEnvelope::new("world", kind);
        envelope.data = data.map(|data| {
            let raw = serde_json::value::RawValue::from_string(data);
            std::borrow::Cow::Owned(raw.expect("the callers write JSON"))
        });
        let frame = data_frame(MessageKind::Text, envelope.to_text().as_bytes());
        self.desk.push_reliable(session, frame);
    }

    fn send_waiting(&mut self, session: SessionId) {
        let Some(standing) = self.desk.standing(session) else {
            return;
        };
        for (client_sequence, body) in std::mem::take(&mut standing.waiting) {
            self.send_command(session, client_sequence, body);
        }
    }

    /// Gives up the viewpoint of a session whose connection is gone.
    pub(crate) fn leave_world(&mut self, session: SessionId) {
        let Some(standing) = self.desk.standing(session) else {
            return;
        };
        match standing.state {
            State::Out | State::Leaving => {}
            // Its owner does not know it yet: a leave might overtake the join.
            State::Joining { .. } => standing.state = State::Joining { leave: true },
            State::In => self.send_leave(session),
        }
    }

    pub(crate) fn send_leave(&mut self, session: SessionId) {
        self.send_command(session, 0, CommandBody::Leave);
        if let Some(standing) = self.desk.standing(session) {
            standing.state = State::Leaving;
        }
    }

    /// Numbers a command and sends it to the owner of the session's viewpoint.
    pub(crate) fn send_command(
        &mut self,
        session: SessionId,
        client_sequence: u32,
        body: CommandBody,
    ) {
        let Some(standing) = self.desk.standing(session) else {
            return;
        };
        standing.sequence += 1;
        let command = Command {
            session,
            sequence: standing.sequence,
            client_sequence,
            body,
        };
        let owner = standing.owner;
        self.desk.stats.commands += 1;
        if owner == self.desk.own {
            self.shard.command(command);
        } else {
            let letter = Letter::Command(command);
            self.desk.output.letters.push((owner, letter));
        }
    }

    pub(crate) fn send_acknowledgement(&mut self, one: worldshard_shard::Acknowledgement) {
        let Some(standing) = self.desk.standing(one.session) else {
            return;
        };
        let owner = standing.owner;
        if owner == self.desk.own {
            self.shard.acknowledge(one);
        } else {
            let letter = Letter::Acknowledgement(one);
            self.desk.output.letters.push((owner, letter));
        }
    }
}

/// The frame of a delta, and its buffer when that is free again.
///
/// A short one is copied into memory that can be shared with a connection: cheaper than to give the buffer away and make
/// another. A long one is given away, its header in the room that the shard left for it. What is shared stays where it is.
fn delta_frame(delta: DeltaOut, states: &mut Blocks) -> (DeltaFrame, Option<Vec<u8>>) {
    let bytes = delta.message_bytes();
    let DeltaOut {
        session,
        sequence,
        tick: _,
        mut buffer,
        shared,
    } = delta;
    let framed = |frame, shared| DeltaFrame {
        session,
        sequence,
        frame,
        shared,
    };
    let is_kept = buffer.len() <= STATE_BYTES_MAX;
    if shared.is_none() && is_kept {
        let frame = states.frame(MessageKind::Binary, &buffer[FRAME_HEADROOM..]);
        return (framed(frame, None), spare(buffer));
    }
    let header = data_header(MessageKind::Binary, bytes);
    let start = FRAME_HEADROOM - header.len();
    buffer[start..FRAME_HEADROOM].copy_from_slice(&header);
    let Some(shared) = shared else {
        let frame = Bytes::from(buffer).slice(start..);
        return (framed(frame, None), None);
    };
    let own = states.copy(&buffer[start..]);
    let end = own.slice(SHARED_AT - start..);
    let frame = own.slice(..SHARED_AT - start);
    (framed(frame, Some((shared, end))), spare(buffer))
}

/// One that was long once was for who had everything to learn.
fn spare(buffer: Vec<u8>) -> Option<Vec<u8>> {
    let is_short = buffer.capacity() <= SPARE_BYTES_MAX;
    is_short.then_some(buffer)
}

const _: () = assert!(FRAME_HEADROOM >= worldshard_transport::HEADER_BYTES_MAX);

/// A longer buffer is rarely needed again.
const SPARE_BYTES_MAX: usize = 32 * 1024;
