//! What clients on raw paths say that begins with a slash: run by whoever owns the command, and if nobody does, answered.
//! Other texts there, where they have an owner, are run by that.
//!
//! The one place that says a command is unknown, so it is said once. Never decides who owns one: that is `app`.

use std::borrow::Cow;

use worldshard_protocol::SessionId;
use worldshard_transport::{MessageKind, data_frame};

use crate::app::NAME_CHARS_MAX;
use crate::hub::Hub;
use crate::message::{Event, Message, Payload, Text};

impl Hub {
    /// Whether a text of a session is a command, or for who takes texts. Where the application has none, no text is; what
    /// is no command and said in a room that the connection came for, is that room's.
    pub(crate) fn is_line(&self, session: SessionId, text: &Text) -> bool {
        let recipe = &self.recipe;
        let is_command = !recipe.text_commands.is_empty() && is_command(text);
        let of_lines =
            || recipe.text_lines.is_some() && self.desk.memberships.by_path(session).is_none();
        is_command || of_lines()
    }

    /// Runs a command by its owner, or gives another text to who takes them.
    pub(crate) fn run_line(&mut self, session: SessionId, text: &Text, events: &mut Vec<Event>) {
        let recipe = self.recipe.clone();
        if recipe.text_commands.is_empty() || !is_command(text) {
            let Some((name, run)) = &recipe.text_lines else {
                let payload = Payload::Text(text.clone());
                return events.push(Event::Message(Message { session, payload }));
            };
            if let Some(panic) = self.caught(name, events, |cx| run(cx, session, text.as_str())) {
                self.blame.count(name, &panic);
                self.reply(session, "[Error] The message could not be handled");
            }
            return;
        }
        let (name, rest) = parts(text.as_str());
        let Some((&name, run)) = recipe.text_commands.get_key_value(name) else {
            let unknown = format!("[Error] Unknown command: {}", shown(name));
            return self.reply(session, &unknown);
        };
        // However often it panics it goes on: it runs only when it is said, and who makes it panic must not end it for all.
        if let Some(panic) = self.caught(name, events, |cx| run(cx, session, rest)) {
            self.blame.count(name, &panic);
            self.reply(session, &format!("[Error] Command failed: {name}"));
        }
    }

    /// Answers as systems would, but for who has left meanwhile no system is told of it.
    pub(super) fn reply(&mut self, session: SessionId, text: &str) {
        let frame = data_frame(MessageKind::Text, text.as_bytes());
        self.desk.push_reliable(session, frame);
    }
}

fn is_command(text: &Text) -> bool {
    text.as_str().trim_start().starts_with('/')
}

/// The name of a command, and what stands behind it.
fn parts(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (name, rest.trim_start())
}

/// A name that a client made up, as it is returned: no longer than one can be, and without what a screen would obey.
fn shown(name: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || c.is_ascii_graphic();
    let chars_max = NAME_CHARS_MAX + 1;
    if name.len() <= chars_max && name.chars().all(is_plain) {
        return Cow::Borrowed(name);
    }
    let mut chars = name.chars();
    let plain = |c| if is_plain(c) { c } else { '\u{fffd}' };
    let mut shown: String = chars.by_ref().take(chars_max).map(plain).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests;
