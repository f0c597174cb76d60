//! What plain requests are answered: the application's routes and its embedded files, by exact path, then its folders'.
//!
//! Never upgrades, and never answers `/healthz` and `/status`: those are the driver's.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use bytes::Bytes;
use worldshard_transport::{Refusal, RequestHead, Response};

use crate::app::App;
use crate::files::Files;

/// Answers a request. Runs on a shard's thread, so it must not wait.
pub(crate) type RouteHandler = Box<dyn Fn(&RequestHead) -> Response + Send + Sync>;

/// The routes and files of an application.
#[derive(Default)]
pub(crate) struct Site {
    routes: BTreeMap<String, RouteHandler>,
    assets: BTreeMap<String, Asset>,
    /// Those of longer prefixes first.
    folders: Vec<Files>,
}

/// A file in the program itself.
struct Asset {
    content_type: &'static str,
    bytes: &'static [u8],
}

impl Site {
    pub(crate) fn route(&mut self, path: String, handler: RouteHandler) {
        self.routes.insert(path, handler);
    }

    pub(crate) fn asset(&mut self, path: String, content_type: &'static str, bytes: &'static [u8]) {
        let asset = Asset {
            content_type,
            bytes,
        };
        self.assets.insert(path, asset);
    }

    pub(crate) fn folder(&mut self, files: Files) {
        self.folders.push(files);
        self.folders
            .sort_by_key(|files| std::cmp::Reverse(files.prefix().len()));
    }

    pub(crate) fn folders(&self) -> &[Files] {
        &self.folders
    }

    /// The answer to a request for one of the paths here; `None` for any other path.
    pub(crate) fn respond(&self, head: &RequestHead) -> Option<Response> {
        if let Some(asset) = self.assets.get(&head.path) {
            return Some(match head.method.as_str() {
                "GET" | "HEAD" => {
                    Response::new(200, asset.content_type, Bytes::from_static(asset.bytes))
                }
                _ => Refusal::new(405, "a file is read by GET").response(),
            });
        }
        let Some(handler) = self.routes.get(&head.path) else {
            return self.folders.iter().find_map(|files| files.respond(head));
        };
        if !matches!(head.method.as_str(), "GET" | "HEAD" | "POST") {
            return Some(Refusal::new(405, "a route takes GET and POST").response());
        }
        // Handlers get nothing that a panic could leave half-changed.
        let answer = catch_unwind(AssertUnwindSafe(|| handler(head)));
        Some(answer.unwrap_or_else(|_| {
            tracing::error!(path = head.path, "a route panicked");
            Response::text(500, "the route failed\n")
        }))
    }
}

impl App {
    /// Serves the files of `folder` below `path`: `/` or `/client`. A folder is shown by its `index.html`.
    ///
    /// All of them are read at the start, into memory, and at most a second after they change. Whatever was added for an
    /// exact path comes first, and of two folders the one with the longer path. Not served are names that begin with a
    /// dot, and what a link leads to outside of the folder. `docs/files.md` has the rest.
    ///
    /// ```no_run
    /// # use worldshard::prelude::*;
    /// App::new()
    ///     .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
    ///     .files("/", "static")
    ///     .files("/client", "client/pkg")
    ///     .run()?;
    /// # Ok::<(), worldshard::Error>(())
    /// ```
    pub fn files(&mut self, path: impl Into<String>, folder: impl Into<PathBuf>) -> &mut Self {
        let mut path = path.into();
        if !path.ends_with('/') {
            path.push('/');
        }
        let name = self.claim_path(format!("{path}*"));
        let prefix = name.trim_end_matches('*').to_owned();
        self.folders.push((prefix, folder.into()));
        self
    }
}
