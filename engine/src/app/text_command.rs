//! Who answers `/nick` when a client writes it. Never runs a handler: that is `hub::text_commands`.

use worldshard_protocol::SessionId;

use crate::context::Context;

/// Answers a text command: of whom, and what stands behind its name.
pub(crate) type TextCommand = Box<dyn Fn(&mut Context<'_>, SessionId, &str) + Send + Sync>;

/// Whether a client can write a command of this name, and be told it in an error.
pub(crate) fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let word = name.strip_prefix('/').unwrap_or_default();
    (1..=NAME_CHARS_MAX).contains(&word.chars().count()) && word.chars().all(is_allowed)
}

/// A longer name is refused, the slash not counted.
pub(crate) const NAME_CHARS_MAX: usize = 32;
