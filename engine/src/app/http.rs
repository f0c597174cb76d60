//! What plain requests are answered: the application's routes and its embedded files, by exact path.
//!
//! Never upgrades, and never answers `/healthz` and `/status`: those are the driver's.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use worldshard_transport::{Refusal, RequestHead, Response};

/// Answers a request. Runs on a shard's thread, so it must not wait.
pub(crate) type RouteHandler = Box<dyn Fn(&RequestHead) -> Response + Send + Sync>;

/// The routes and files of an application.
#[derive(Default)]
pub(crate) struct Site {
    routes: BTreeMap<String, RouteHandler>,
    assets: BTreeMap<String, Asset>,
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
        let handler = self.routes.get(&head.path)?;
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
