//! A room whose rules are a program: tells it what happens, and does what it asks for. Never waits for it.

use std::borrow::Cow;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use worldshard::prelude::*;

use crate::child::Running;
use crate::line::{Asked, Level, PROTOCOL, To, Told, payload};
use crate::program::{Permit, Program};

/// What runs in a room that [`Program::service`] makes.
pub struct ProgramRoom {
    program: Arc<Program>,
    running: Option<Running>,
    permit: Option<Permit>,
    wants_ticks: bool,
    /// Lines that were not understood.
    bad_lines: u64,
}

impl ProgramRoom {
    pub(crate) fn new(program: Arc<Program>) -> Self {
        Self {
            program,
            running: None,
            permit: None,
            wants_ticks: false,
            bad_lines: 0,
        }
    }

    fn tell(&mut self, told: &Told<'_>) {
        let Some(running) = &mut self.running else {
            begin_again("too many rooms run this program".to_owned());
        };
        if !running.tell(told) {
            begin_again("the program does not read what it is told".to_owned());
        }
    }

    /// # Errors
    /// In words for the program: what it asked for cannot be.
    fn perform(&mut self, room: &mut Room<'_>, asked: Asked) -> Result<(), String> {
        match asked {
            Asked::Send {
                to,
                except,
                text,
                binary,
            } => room.send(audience(to, &except)?, payload(text, binary)?),
            Asked::SetTimer { name, after_ms } => {
                let is_set = room.set_timer(&name, Duration::from_millis(after_ms));
                return is_set.then_some(()).ok_or_else(too_many_timers);
            }
            Asked::SetInterval { name, every_ms } => {
                let is_set = room.set_interval(&name, Duration::from_millis(every_ms));
                return is_set.then_some(()).ok_or_else(too_many_timers);
            }
            Asked::CancelTimer { name } => {
                room.cancel_timer(&name);
            }
            Asked::Kick {
                member,
                code,
                reason,
            } => {
                if !(1000..5000).contains(&code) {
                    return Err(format!("{code} is no close code"));
                }
                room.kick(session(member)?, code, reason);
            }
            Asked::Remove { member, reason } => room.remove(session(member)?, reason),
            Asked::Ticks { on } => self.wants_ticks = on,
            Asked::List { note } => room.set_listing(note),
            Asked::Log { level, text } => {
                let (room, program) = (room.name(), self.program.name());
                match level {
                    Level::Error => tracing::error!(room, program, text, "a program says"),
                    Level::Warn => tracing::warn!(room, program, text, "a program says"),
                    Level::Info => tracing::info!(room, program, text, "a program says"),
                    Level::Debug => tracing::debug!(room, program, text, "a program says"),
                }
            }
        }
        Ok(())
    }

    fn answer_bad_line(&mut self, room: &Room<'_>, line: &[u8], why: &str) {
        self.bad_lines += 1;
        let (room, program) = (room.name(), self.program.name());
        let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN_BYTES_MAX)]);
        // A program may write nothing else.
        if self.bad_lines <= BAD_LINES_LOGGED_MAX {
            tracing::warn!(
                room,
                program,
                why,
                line = &*shown,
                "a line was not understood"
            );
        }
        self.tell(&Told::error(why, line));
    }
}

impl Service for ProgramRoom {
    fn init(&mut self, room: &mut Room<'_>) {
        self.permit = self.program.permit();
        if self.permit.is_none() {
            return;
        }
        let sender = room.outside();
        match Running::start(&self.program, room.name(), sender) {
            Ok(running) => self.running = Some(running),
            Err(error) => begin_again(format!("nothing is left to run a program by: {error}")),
        }
        self.tell(&Told::Init {
            protocol: PROTOCOL,
            room: room.name(),
        });
    }

    fn admit(
        &mut self,
        _: &mut Room<'_>,
        _: SessionId,
        _: &Payload,
    ) -> std::result::Result<(), Cow<'static, str>> {
        match self.running {
            None => Err("too many rooms run this program".into()),
            Some(_) => Ok(()),
        }
    }

    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        self.tell(&Told::Connect {
            member: member.value(),
            user: room.user(member).map(UserId::as_str),
        });
    }

    fn message(&mut self, _: &mut Room<'_>, member: SessionId, payload: &Payload) {
        self.tell(&Told::message(member, payload));
    }

    fn disconnect(&mut self, _: &mut Room<'_>, member: SessionId) {
        let member = member.value();
        self.tell(&Told::Disconnect { member });
    }

    fn timer(&mut self, _: &mut Room<'_>, name: &str) {
        self.tell(&Told::Timer { name });
    }

    fn tick(&mut self, room: &mut Room<'_>) {
        if self.wants_ticks {
            let tick = room.tick().0;
            self.tell(&Told::Tick { tick });
        }
    }

    fn outside(&mut self, room: &mut Room<'_>, payload: &Payload) {
        let line = match payload {
            Payload::Text(end) => begin_again(end.as_str().to_owned()),
            Payload::Binary(line) => line,
        };
        let done = Asked::read(line).and_then(|asked| self.perform(room, asked));
        if let Err(why) = done {
            self.answer_bad_line(room, line, &why);
        }
    }
}

/// Has the room begin again, as a service that panics, but without what a panic prints.
fn begin_again(why: String) -> ! {
    resume_unwind(Box::new(why))
}

/// # Errors
/// The audience names somebody who cannot be.
fn audience(to: To, except: &[u64]) -> Result<Audience, String> {
    let except: Vec<SessionId> = sessions(except)?;
    let mut some = match to {
        To::All(_) if except.is_empty() => return Ok(Audience::All),
        To::All(_) => return Ok(Audience::AllButGroup(except)),
        To::One(member) => vec![session(member)?],
        To::Some(members) => sessions(&members)?,
    };
    some.retain(|member| !except.contains(member));
    Ok(Audience::Group(some))
}

fn sessions(members: &[u64]) -> Result<Vec<SessionId>, String> {
    members.iter().map(|&member| session(member)).collect()
}

fn session(member: u64) -> Result<SessionId, String> {
    SessionId::from_value(member).ok_or_else(|| format!("{member} is no member"))
}

fn too_many_timers() -> String {
    format!("a room has at most {} timers", worldshard::ROOM_TIMERS_MAX)
}

/// Of one process; of those that follow it is told, and the log is not.
const BAD_LINES_LOGGED_MAX: u64 = 10;

/// Of a line in the log.
const SHOWN_BYTES_MAX: usize = 200;
