//! Whether a client speaks the application's protocol, before anything else is asked of it. Never looks at credentials.

use worldshard_transport::{RequestHead, Response};

use super::VERSION_BYTES_MAX;

/// Compares the version that a request names in its query with the server's own, if that has one.
///
/// # Errors
/// The answer for who speaks another. Its bodies are bevy_simplenet's, to the letter.
pub(crate) fn check_version(head: &RequestHead, own: Option<&str>) -> Result<(), Response> {
    let Some(own) = own else {
        return Ok(());
    };
    let body = match head.query_value("v") {
        Some(said) if said == own => return Ok(()),
        None => "Version message missing.",
        Some(said) if said.len() > VERSION_BYTES_MAX => "Version oversized.",
        Some(_) => "Version mismatch.",
    };
    Err(Response::text(400, body))
}
