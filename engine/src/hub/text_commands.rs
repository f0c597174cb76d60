//! What clients on raw paths say that begins with a slash: run by whoever owns the command, and if nobody does, answered.
//!
//! The one place that says a command is unknown, so it is said once. Never decides who owns one: that is `app`.

use std::borrow::Cow;

use worldshard_protocol::SessionId;
use worldshard_transport::{MessageKind, data_frame};

use crate::app::NAME_CHARS_MAX;
use crate::hub::Hub;
use crate::message::{Event, Text};

/// Commands that were said and did not run, in the order in which they were said.
pub(crate) type Said = Vec<(SessionId, Text)>;

impl Hub {
    /// Whether a text is a command. Where the application has none, no text is.
    pub(crate) fn is_text_command(&self, text: &Text) -> bool {
        !self.recipe.text_commands.is_empty() && text.as_str().trim_start().starts_with('/')
    }

    /// Runs the commands that were said, each by its owner.
    pub(crate) fn run_text_commands(&mut self, events: &[Event]) {
        let recipe = self.recipe.clone();
        let mut said = std::mem::take(&mut self.text_commands);
        for (session, text) in said.drain(..) {
            let (name, rest) = parts(text.as_str());
            let Some((&name, run)) = recipe.text_commands.get_key_value(name) else {
                let unknown = format!("[Error] Unknown command: {}", shown(name));
                self.reply(session, &unknown);
                continue;
            };
            // However often it panics it goes on: it runs only when it is said, and who makes it panic must not end it for
            // all.
            if let Some(panic) = self.caught(name, events, |cx| run(cx, session, rest)) {
                self.blame.count(name, &panic);
                self.reply(session, &format!("[Error] Command failed: {name}"));
            }
        }
        self.text_commands = said;
    }

    /// Answers as systems would, but for who has left meanwhile no system is told of it.
    fn reply(&mut self, session: SessionId, text: &str) {
        let frame = data_frame(MessageKind::Text, text.as_bytes());
        self.desk.push_reliable(session, frame);
    }
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
