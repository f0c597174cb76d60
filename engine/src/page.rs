//! The pages at `/`, embedded in the program: a live view of a world, or a place to send messages from.
//!
//! Serves files, nothing else: what a page shows it learns as any client does, by `/world`, `/ws` and `/status`.

use crate::app::{App, Plugin};

/// Serves the page at `/`, its parts under `/page/`, and the reader of the wire at `/reader/worldshard-reader.js`.
///
/// Useful where the application has a world and speaks lanes at `/world`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PagePlugin;

/// Serves a page at `/` that sends messages, as text or as binary, and shows what comes; its parts are under
/// `/messages/` and `/page/`.
///
/// Useful where the application has no world and serves raw messages at `/ws`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessagesPagePlugin;

/// Serves a page at `/` with a tab for each example that `/tour.json` tells of; its parts are under `/tour/`, `/messages/`
/// and `/page/`.
///
/// An example is an object with `name`, `path` of its WebSocket, `about`, and `commands` to try. With `room` it has rooms,
/// whose name stands for `{room}` in the path; with `place`, of so many `axes` and a `radius`, positions are shown and said
/// as by the spatial plugins; with `button` there is a button to hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct TourPagePlugin;

impl Plugin for PagePlugin {
    fn build(&self, app: &mut App) {
        add(app, WORLD_FILES);
    }
}

impl Plugin for MessagesPagePlugin {
    fn build(&self, app: &mut App) {
        add(app, MESSAGES_FILES);
    }
}

impl Plugin for TourPagePlugin {
    fn build(&self, app: &mut App) {
        add(app, TOUR_FILES);
    }
}

fn add(app: &mut App, files: &[File]) {
    for &(path, content_type, bytes) in files {
        app.asset(path, content_type, bytes);
    }
}

/// Path, content type, bytes.
type File = (&'static str, &'static str, &'static [u8]);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of `web/`, served at its path there unless another is given.
macro_rules! file {
    ($name:literal, $content_type:ident) => {
        file!($name, $content_type, concat!("/", $name))
    };
    ($name:literal, $content_type:ident, $path:expr) => {
        (
            $path,
            $content_type,
            include_bytes!(concat!("../../web/", $name)).as_slice(),
        )
    };
}

const WORLD_FILES: &[File] = &[
    file!("page/index.html", HTML, "/"),
    file!("page/page.css", CSS),
    file!("page/main.js", SCRIPT),
    file!("page/colours.js", SCRIPT),
    file!("page/connection.js", SCRIPT),
    file!("page/dots.js", SCRIPT),
    file!("page/lens.js", SCRIPT),
    file!("page/painter.js", SCRIPT),
    file!("page/panel.js", SCRIPT),
    file!("page/part.js", SCRIPT),
    file!("page/session.js", SCRIPT),
    file!("page/space.js", SCRIPT),
    file!("page/stamps.js", SCRIPT),
    file!("page/state.js", SCRIPT),
    file!("page/status.js", SCRIPT),
    file!("page/steering.js", SCRIPT),
    file!("reader/worldshard-reader.js", SCRIPT),
];

const MESSAGES_FILES: &[File] = &[
    file!("messages/index.html", HTML, "/"),
    file!("messages/messages.css", CSS),
    file!("messages/messages.js", SCRIPT),
    file!("page/page.css", CSS),
    file!("page/connection.js", SCRIPT),
    file!("page/part.js", SCRIPT),
];

const TOUR_FILES: &[File] = &[
    file!("tour/index.html", HTML, "/"),
    file!("tour/tour.css", CSS),
    file!("tour/tour.js", SCRIPT),
    file!("tour/place.js", SCRIPT),
    file!("messages/messages.css", CSS),
    file!("page/page.css", CSS),
    file!("page/connection.js", SCRIPT),
    file!("page/part.js", SCRIPT),
];

#[cfg(test)]
mod tests;
