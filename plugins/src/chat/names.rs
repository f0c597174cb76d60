//! What people may be called, and what of their words may stand on a line. Never knows who is called what.

use std::borrow::Cow;

use worldshard::prelude::*;

/// The name of who has said none.
pub(super) fn default(session: SessionId) -> String {
    format!("User {session}")
}

/// The form in which names are compared.
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Whether somebody may be called so.
pub(super) fn check(name: &str, reserved: &[String]) -> Result<(), Cow<'static, str>> {
    let chars = name.chars().count();
    if !(1..=NICK_CHARS_MAX).contains(&chars) || name.trim() != name {
        return Err(format!("A nickname has 1 to {NICK_CHARS_MAX} characters.").into());
    }
    if name.chars().any(|c| !is_visible(c) && c != ' ') || name.contains("  ") {
        return Err("A nickname has only characters that can be seen.".into());
    }
    // What stands around names in what the server says.
    if name.contains(['[', ']', ':', '<', '>', '/']) {
        return Err("A nickname has no brackets, colons and slashes.".into());
    }
    let folded = folded(name);
    let is_default = folded
        .strip_prefix("user")
        .is_some_and(|rest| rest.trim_start().chars().all(|c| c.is_numeric()));
    if is_default || reserved.contains(&folded) {
        return Err(format!("The nickname {name} is reserved.").into());
    }
    Ok(())
}

/// A text as it may stand on one line.
pub(super) fn on_a_line(text: &str) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    match text.contains(breaks) {
        false => Cow::Borrowed(text),
        true => text.replace(breaks, " ").into(),
    }
}

/// Whether it can be seen, and leaves alone what stands beside it.
fn is_visible(c: char) -> bool {
    let is_format = matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffd}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{e0000}'..='\u{10ffff}'
    );
    !c.is_control() && !c.is_whitespace() && !is_format
}

/// Nobody is called so, in any case of the letters.
pub(super) const RESERVED: [&str; 8] = [
    "system",
    "error",
    "server",
    "ratelimit",
    "lobby",
    "presence",
    "admin",
    "moderator",
];

const NICK_CHARS_MAX: usize = 32;
