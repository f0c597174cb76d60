//! What clients on lanes say: parsed, admitted against the world's limits, and turned into commands.
//!
//! Trusts nothing; whatever is wrong is answered with a code and the name of the field. Never applies a command.

use std::fmt::Write;

use bytes::Bytes;
use worldshard_protocol::{
    APP_SVC, ClientMessage, ErrorCode, ExtEnvelope, HotHeader, SessionId, WORLD_SVC, WireError,
};
use worldshard_shard::{Acknowledgement, CommandBody, Interest, Join, WorldConfig};
use worldshard_spatial::Point;

use crate::hub::application::Lane;
use crate::hub::policed::Judge;
use crate::hub::session::{Standing, State};
use crate::hub::{Heard, Hub, Judged};

/// What a message asks of the hub once it is admitted.
enum Wish {
    Command(CommandBody),
    Overview(Option<bool>),
    Nothing,
}

impl Hub {
    /// Takes a text on lanes.
    pub(crate) fn ext(&mut self, session: SessionId, bytes: &[u8], judge: Judge<'_>) -> Judged {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| WireError::new(ErrorCode::BadRequest, "message: not UTF-8"));
        let parsed = text.and_then(ExtEnvelope::parse);
        let seq = parsed.as_ref().ok().and_then(|envelope| envelope.seq);
        let may = match &parsed {
            Ok(envelope) => self.desk.may_say_ext(session, envelope),
            Err(_) => Ok(()),
        };
        let result = match may {
            Err(error) => Err(error),
            Ok(()) => match self.desk.obey(session, judge(), Some(Lane::Ext), seq) {
                Heard::Now => parsed.and_then(|envelope| self.take_ext(session, &envelope)),
                Heard::Never => Ok(()),
                Heard::At(moment) => return Judged::Later(moment),
            },
        };
        if let Err(error) = result {
            self.desk.refuse(session, error.code, &error.detail, seq);
        }
        Judged::Done
    }

    /// Takes a binary message on lanes.
    pub(crate) fn hot(&mut self, session: SessionId, bytes: &[u8], judge: Judge<'_>) -> Judged {
        let parsed = HotHeader::parse(bytes);
        let seq = parsed.as_ref().ok().and_then(|(header, _)| header.seq);
        let may = match &parsed {
            Ok((header, _)) => self.desk.may_say_hot(session, header.svc, header.opcode),
            Err(_) => Ok(()),
        };
        let result = match may {
            Err(error) => Err(error),
            Ok(()) => match self.desk.obey(session, judge(), Some(Lane::Hot), seq) {
                Heard::Now => {
                    parsed.and_then(|(header, payload)| self.take_hot(session, &header, payload))
                }
                Heard::Never => Ok(()),
                Heard::At(moment) => return Judged::Later(moment),
            },
        };
        if let Err(error) = result {
            let (code, lane) = (error.code, Lane::Hot);
            self.desk.refuse_on(session, lane, code, &error.detail, seq);
        }
        Judged::Done
    }

    fn take_hot(
        &mut self,
        session: SessionId,
        header: &HotHeader,
        payload: &[u8],
    ) -> Result<(), WireError> {
        let is_applications = self.recipe.hot_services.contains_key(&header.svc);
        if !is_applications && !matches!(header.svc, WORLD_SVC | APP_SVC) {
            self.desk.stats.services_unknown += 1;
            let detail = format!("svc_id: no service {} on this path", header.svc);
            return Err(WireError::new(ErrorCode::BadRequest, detail));
        }
        if let Some(sequence) = header.delta_ack {
            self.take_acknowledgement(session, sequence)?;
        }
        if is_applications {
            return self.keep_hot(session, header, payload);
        }
        if header.svc == APP_SVC {
            return self.take_app(session, header, payload);
        }
        let message = ClientMessage::parse(header, payload)?;
        let wish = self.admit(session, &message)?;
        if let ClientMessage::Join { acks, .. } = message
            && let Some(standing) = self.desk.standing(session)
            && standing.state == State::Out
        {
            standing.acks = acks;
        }
        match wish {
            Wish::Nothing => {}
            Wish::Overview(Some(ghosts)) => self.subscribe(session, ghosts),
            Wish::Overview(None) => self.unsubscribe(session),
            Wish::Command(body) => {
                return self.take_command(session, header.seq.unwrap_or(0), body);
            }
        }
        Ok(())
    }

    /// Cumulative: a number that was acknowledged before says nothing new; one never sent is refused.
    fn take_acknowledgement(&mut self, session: SessionId, sequence: u32) -> Result<(), WireError> {
        let Some(standing) = self.desk.standing(session) else {
            return Ok(());
        };
        if standing.state != State::In || !standing.acks {
            return Ok(());
        }
        if sequence > standing.deltas.last {
            let detail = format!(
                "delta_ack: {sequence}, but {} was sent",
                standing.deltas.last
            );
            return Err(WireError::new(ErrorCode::BadRequest, detail));
        }
        if sequence > standing.deltas.acknowledged {
            standing.deltas.acknowledged = sequence;
            self.send_acknowledgement(Acknowledgement {
                session,
                delta_sequence: sequence,
            });
        }
        Ok(())
    }

    /// Whether a client that acknowledges deltas has not done so for the last that it was sent.
    pub(crate) fn is_behind(&mut self, session: SessionId) -> bool {
        self.desk.standing(session).is_some_and(|standing| {
            let deltas = &standing.deltas;
            standing.state == State::In && standing.acks && deltas.acknowledged != deltas.last
        })
    }

    /// Checks a message against the limits of this world.
    fn admit(
        &mut self,
        session: SessionId,
        message: &ClientMessage<'_>,
    ) -> Result<Wish, WireError> {
        let world = &self.recipe.world;
        let config = &world.config;
        let interest = |wish| {
            Interest::admit(wish, config, world.predicates.len())
                .map_err(|refusal| WireError::new(ErrorCode::NotAllowed, refusal.detail))
        };
        Ok(Wish::Command(match *message {
            ClientMessage::Ack => return Ok(Wish::Nothing),
            ClientMessage::Overview { on, ghosts } => {
                return Ok(Wish::Overview(on.then_some(ghosts)));
            }
            ClientMessage::Join {
                mode,
                at,
                interest: wish,
                full,
                acks: _,
            } => CommandBody::Join(Join {
                mode,
                at: match at {
                    Some(at) => inside("at", at, config)?,
                    None => spread(session, config),
                },
                interest: interest(&wish)?,
                full,
                author: session.value(),
                // Known when it is sent.
                generation: 0,
            }),
            ClientMessage::Leave => CommandBody::Leave,
            ClientMessage::Steer { direction } => CommandBody::Steer(Point::from_array(direction)),
            ClientMessage::Move { to } => CommandBody::Move(inside("to", to, config)?),
            ClientMessage::Look { at } => CommandBody::Look(inside("at", at, config)?),
            ClientMessage::Interest(wish) => CommandBody::Interest(interest(&wish)?),
            ClientMessage::Custom { opcode, payload } => {
                if !world.commands.contains_key(&opcode) {
                    self.desk.stats.services_unknown += 1;
                    let detail = format!("opcode: this world has no command {opcode}");
                    return Err(WireError::new(ErrorCode::BadRequest, detail));
                }
                if payload.len() > CUSTOM_PAYLOAD_BYTES_MAX {
                    let detail = format!(
                        "payload: {} bytes; at most {CUSTOM_PAYLOAD_BYTES_MAX}",
                        payload.len()
                    );
                    return Err(WireError::new(ErrorCode::PayloadTooLarge, detail));
                }
                CommandBody::Custom {
                    opcode,
                    payload: Bytes::copy_from_slice(payload),
                }
            }
        }))
    }

    /// Takes an admitted command, unless the client says again over a new connection what was taken over the old one.
    fn take_command(
        &mut self,
        session: SessionId,
        client_sequence: u32,
        body: CommandBody,
    ) -> Result<(), WireError> {
        let resumption = |standing: &mut Standing| standing.resumption.repeated;
        let repeated = self.desk.standing(session).map_or(0, resumption);
        if (1..=repeated).contains(&client_sequence) {
            return Ok(());
        }
        self.take_new_command(session, client_sequence, body)?;
        if let Some(standing) = self.desk.standing(session) {
            let taken = &mut standing.resumption.taken;
            *taken = client_sequence.max(*taken);
        }
        Ok(())
    }

    /// Takes a command as far as the session's standing lets it.
    fn take_new_command(
        &mut self,
        session: SessionId,
        client_sequence: u32,
        mut body: CommandBody,
    ) -> Result<(), WireError> {
        let tick = self.desk.tick;
        let limits = &self.recipe.world.config.limits;
        let (per_tick_max, deltas_max) = (limits.commands_per_tick_max, limits.credits_max);
        let deltas_unread = self.desk.deltas_unread(session);
        let standing = self
            .desk
            .standing(session)
            .expect("lanes sessions have a standing");
        if !standing.rate.admit(tick, per_tick_max) {
            if std::mem::replace(&mut standing.rate.refused, true) {
                return Ok(());
            }
            let detail = format!("command: more than {per_tick_max} in a tick");
            return Err(WireError::new(ErrorCode::RateLimited, detail));
        }
        match standing.state {
            State::Out => {
                let CommandBody::Join(join) = &mut body else {
                    return Err(not_allowed("command: join first"));
                };
                // A new viewpoint has credits of its own: without this, joining again and again would fill memory.
                if deltas_unread > deltas_max as usize {
                    let detail = format!(
                        "join: {deltas_unread} deltas wait to be read; at most {deltas_max}"
                    );
                    return Err(WireError::new(ErrorCode::RateLimited, detail));
                }
                standing.state = State::Joining { leave: false };
                standing.owner = self.shard.cell_map().owner_of(join.at);
                join.generation = standing.resumption.generation;
                standing.resumption.told = join.generation;
                self.send_command(session, client_sequence, body);
            }
            State::Leaving | State::Joining { leave: true } => {
                return Err(not_allowed("command: the viewpoint is being given up"));
            }
            State::Joining { leave: false } => {
                return wait(standing, client_sequence, body, per_tick_max);
            }
            State::In if matches!(body, CommandBody::Join(_)) => {
                return Err(not_allowed("join: there is a viewpoint already"));
            }
            State::In if matches!(body, CommandBody::Leave) => self.send_leave(session),
            State::In => self.send_command(session, client_sequence, body),
        }
        Ok(())
    }
}

/// Keeps a command until the viewpoint exists.
fn wait(
    standing: &mut Standing,
    client_sequence: u32,
    body: CommandBody,
    waiting_max: u32,
) -> Result<(), WireError> {
    if matches!(body, CommandBody::Join(_)) {
        return Err(not_allowed("join: one is on its way already"));
    }
    if matches!(body, CommandBody::Leave) {
        standing.state = State::Joining { leave: true };
        return Ok(());
    }
    if standing.waiting.len() >= waiting_max as usize {
        let detail = format!("command: more than {waiting_max} wait for the join");
        return Err(WireError::new(ErrorCode::RateLimited, detail));
    }
    standing.waiting.push((client_sequence, body));
    Ok(())
}

fn not_allowed(detail: &'static str) -> WireError {
    WireError::new(ErrorCode::NotAllowed, detail)
}

/// The point, if the world has it.
fn inside(field: &str, at: [f32; 3], config: &WorldConfig) -> Result<Point, WireError> {
    let point = Point::from_array(at);
    if config.metric.contains(&config.bounds, point) {
        return Ok(point);
    }
    let (min, max) = (config.bounds.min.to_array(), config.bounds.max.to_array());
    let mut detail = format!("{field}: outside the world, which is");
    for (axis, counts) in config.metric.axes().into_iter().enumerate() {
        if counts {
            let name = ["x", "y", "z"][axis];
            write!(detail, " {name} {} to {} m", min[axis], max[axis]).expect("a string takes all");
        }
    }
    Err(WireError::new(ErrorCode::NotAllowed, detail))
}

/// Where a session begins that does not say: spread evenly over the world, by its number.
fn spread(session: SessionId, config: &WorldConfig) -> Point {
    // The additive recurrence of the plastic and related numbers: low discrepancy in each dimension.
    const STEPS: [f64; 3] = [
        0.819_172_513_396_164_4,
        0.671_043_606_703_789_2,
        0.549_700_477_901_970_2,
    ];
    let counter = (session.value() & worldshard_protocol::ids::SESSION_COUNTER_MAX) as f64;
    let turn = counter * 64.0 + f64::from(session.home());
    let (min, extent) = (
        config.bounds.min.to_array(),
        config.bounds.extent().to_array(),
    );
    let axes = config.metric.axes();
    let at = [0, 1, 2].map(|axis| {
        if !axes[axis] {
            return 0.0;
        }
        let share = (0.5 + turn * STEPS[axis]).fract();
        min[axis] + extent[axis] * share as f32
    });
    config.bounds.clamp(Point::from_array(at))
}

/// A command of the application's own is at most so long; a longer one is refused.
pub const CUSTOM_PAYLOAD_BYTES_MAX: usize = 4096;
