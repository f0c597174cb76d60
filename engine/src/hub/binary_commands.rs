//! Binary messages of raw paths that somebody owns by their first byte. Never decides who owns one: that is `app`.

use worldshard_protocol::SessionId;

use crate::hub::Hub;
use crate::message::Event;

impl Hub {
    /// Whether a binary message of a session has an owner; what is said in a room that the connection came for is that
    /// room's.
    pub(crate) fn is_binary_command(&self, session: SessionId, bytes: &[u8]) -> bool {
        let commands = &self.recipe.binary_commands;
        let is_owned = |opcode: &u8| commands.contains_key(opcode);
        bytes.first().is_some_and(is_owned) && self.desk.memberships.by_path(session).is_none()
    }

    /// Runs it by its owner.
    pub(crate) fn run_binary_command(
        &mut self,
        session: SessionId,
        bytes: &[u8],
        events: &[Event],
    ) {
        let recipe = self.recipe.clone();
        let owner = bytes.split_first().and_then(|(opcode, rest)| {
            let owner = recipe.binary_commands.get(opcode)?;
            Some((owner, rest))
        });
        let Some(((name, run), rest)) = owner else {
            return;
        };
        if let Some(panic) = self.caught(name, events, |cx| run(cx, session, rest)) {
            self.blame.count(name, &panic);
            self.reply(session, "[Error] The message could not be handled");
        }
    }
}
