//! Who answers `/nick` when a client writes it. Never runs a handler: that is `hub::text_commands`.

use worldshard_protocol::SessionId;

use crate::app::App;
use crate::app::plugin::Owned;
use crate::context::Context;
use crate::error::Error;

/// Answers a text command: of whom, and what stands behind its name.
pub(crate) type TextCommand = Box<dyn Fn(&mut Context<'_>, SessionId, &str) + Send + Sync>;

impl App {
    /// Answers a command that clients write on raw paths: `name` begins with a slash, as they write it. The handler gets who
    /// wrote it and what stands behind the name, trimmed; that is theirs, with any character and line end in it.
    ///
    /// It runs at the home of the session, before the `Update` systems of the turn and in the order in which commands were
    /// said; it may find a session that systems have not seen open yet. One that panics is counted by its name, and its
    /// client is told that it failed.
    ///
    /// With the first command, no system of the application sees a text on a raw path that begins with a slash, blanks
    /// before it aside. A command that nobody owns is answered by `[Error] Unknown command: /x`.
    ///
    /// ```
    /// use worldshard::prelude::*;
    ///
    /// fn roll(cx: &mut Context, session: SessionId, dice: &str) {
    ///     let answer = match dice.parse::<u8>() {
    ///         Ok(dice) => format!("{dice} dice roll"),
    ///         Err(_) => "say how many: /roll 2".to_owned(),
    ///     };
    ///     cx.send(Audience::One(session), answer);
    /// }
    ///
    /// App::new().raw("/ws").text_command("/roll", roll).build()?;
    /// # Ok::<(), worldshard::Error>(())
    /// ```
    pub fn text_command(
        &mut self,
        name: &'static str,
        handler: impl Fn(&mut Context<'_>, SessionId, &str) + Send + Sync + 'static,
    ) -> &mut Self {
        if !is_name(name) {
            let detail = format!(
                "{name:?} is not a slash and 1 to {NAME_CHARS_MAX} letters, digits, `-` and `_`"
            );
            let name = "text_command";
            self.fail(Error::Option { name, detail });
        }
        self.claim(Owned::Command(name.to_owned()));
        self.text_commands.insert(name, Box::new(handler));
        self
    }

    /// Takes every text that a client on a raw path writes which is no command, unless its connection came for a room: in
    /// order with its commands, and instead of systems.
    pub fn text_lines(
        &mut self,
        handler: impl Fn(&mut Context<'_>, SessionId, &str) + Send + Sync + 'static,
    ) -> &mut Self {
        self.claim(Owned::Name("texts that are no command".to_owned()));
        self.text_lines = Some((self.owner, Box::new(handler)));
        self
    }
}

/// Whether a client can write a command of this name, and be told it in an error.
pub(crate) fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let word = name.strip_prefix('/').unwrap_or_default();
    (1..=NAME_CHARS_MAX).contains(&word.chars().count()) && word.chars().all(is_allowed)
}

/// A longer name is refused, the slash not counted.
pub(crate) const NAME_CHARS_MAX: usize = 32;
