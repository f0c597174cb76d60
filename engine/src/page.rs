//! The page at `/`: a live view of the world, embedded in the program.
//!
//! Serves files, nothing else: what the page shows it learns as any client does, by `/world` and `/status`.

use crate::app::{App, Plugin};

/// Serves the page at `/`, its parts under `/page/`, and the reader of the wire at `/reader/worldshard-reader.js`.
///
/// Useful where the application has a world and speaks lanes at `/world`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PagePlugin;

impl Plugin for PagePlugin {
    fn build(&self, app: &mut App) {
        for &(path, content_type, bytes) in FILES {
            app.asset(path, content_type, bytes);
        }
    }
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of `web/page`, at its path below `/page/`.
macro_rules! part {
    ($name:literal, $content_type:ident) => {
        (
            concat!("/page/", $name),
            $content_type,
            include_bytes!(concat!("../../web/page/", $name)).as_slice(),
        )
    };
}

/// Path, content type, bytes.
const FILES: &[(&str, &str, &[u8])] = &[
    (
        "/",
        HTML,
        include_bytes!("../../web/page/index.html").as_slice(),
    ),
    part!("page.css", CSS),
    part!("main.js", SCRIPT),
    part!("colours.js", SCRIPT),
    part!("connection.js", SCRIPT),
    part!("dots.js", SCRIPT),
    part!("lens.js", SCRIPT),
    part!("painter.js", SCRIPT),
    part!("panel.js", SCRIPT),
    part!("session.js", SCRIPT),
    part!("space.js", SCRIPT),
    part!("stamps.js", SCRIPT),
    part!("state.js", SCRIPT),
    part!("status.js", SCRIPT),
    part!("steering.js", SCRIPT),
    (
        "/reader/worldshard-reader.js",
        SCRIPT,
        include_bytes!("../../web/reader/worldshard-reader.js").as_slice(),
    ),
];

#[cfg(test)]
mod tests;
