//! The files of a folder, served below a path. They lie in memory: a request reads no disk, and no path of it leaves the
//! folder, because it is only looked up among the names that were found there.
//!
//! Never decides when the folder is looked at: that is the driver's.

mod content_type;
mod tree;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use worldshard_transport::{RequestHead, Response, decode_path};

use crate::error::{Error, Result};
use tree::{Found, Tree};

/// A folder and what was in it when it was looked at last.
pub(crate) struct Files {
    /// Begins and ends with a slash.
    prefix: String,
    folder: PathBuf,
    bytes_max: usize,
    now: Mutex<Now>,
}

struct Now {
    tree: Arc<Tree>,
    /// Why the folder could not be looked at again: told once.
    trouble: Option<String>,
}

impl Files {
    /// Reads all of a folder.
    ///
    /// # Errors
    /// Names the folder and what is wrong with it.
    pub(crate) fn load(prefix: &str, folder: &Path, bytes_max: usize) -> Result<Self> {
        let tree = Tree::read(folder, bytes_max, &Tree::default());
        let tree = tree.map_err(|why| Error::Option {
            name: "files",
            detail: format!("{}: {why}", folder.display()),
        })?;
        tracing::info!(folder = %folder.display(), prefix, files = tree.len(), "files are served");
        Ok(Self {
            prefix: prefix.to_owned(),
            folder: folder.to_owned(),
            bytes_max,
            now: Mutex::new(Now {
                tree: Arc::new(tree),
                trouble: None,
            }),
        })
    }

    /// The path below which they are.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Looks at the folder again; what did not change is not read. While something is wrong with it, what was there before
    /// is served.
    pub(crate) fn reread(&self) {
        let before = self.tree();
        let read = Tree::read(&self.folder, self.bytes_max, &before);
        let mut now = self.lock();
        match read {
            Ok(tree) => {
                now.tree = Arc::new(tree);
                now.trouble = None;
            }
            Err(why) if now.trouble.as_ref() != Some(&why) => {
                let folder = self.folder.display();
                tracing::warn!(%folder, why, "the folder is served as it was before");
                now.trouble = Some(why);
            }
            Err(_) => {}
        }
    }

    /// The answer to a request for one of the files; `None` when its path names none.
    pub(crate) fn respond(&self, head: &RequestHead) -> Option<Response> {
        let tree = self.tree();
        let file = match head.path.strip_prefix(&self.prefix) {
            Some(below) => tree.find(&name_of(below)?)?,
            // The folder itself, without the slash behind it.
            None if head.path.len() + 1 == self.prefix.len() => {
                let is_here = self.prefix.starts_with(&head.path);
                is_here.then(|| tree.find("")).flatten()?;
                Found::FolderWithoutSlash
            }
            None => return None,
        };
        Some(match (head.method.as_str(), file) {
            ("GET" | "HEAD", Found::FolderWithoutSlash) => with_slash(head),
            ("GET" | "HEAD", Found::File(file)) if is_known(head, &file.tag) => {
                told(304, file.content_type, Bytes::new(), &file.tag)
            }
            ("GET" | "HEAD", Found::File(file)) => {
                told(200, file.content_type, file.bytes.clone(), &file.tag)
            }
            _ => {
                let mut refusal = Response::text(405, "a file is read by GET\n");
                refusal.headers.push(("Allow", "GET, HEAD".to_owned()));
                refusal
            }
        })
    }

    fn tree(&self) -> Arc<Tree> {
        Arc::clone(&self.lock().tree)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Now> {
        // Nothing can panic while it is held, so nothing in it is half done.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands behind the prefix, as names are kept. None when a part would be another path than the client wrote.
fn name_of(below: &str) -> Option<String> {
    let parts = below.split('/').map(decode_path);
    let mut name = String::with_capacity(below.len());
    for (number, part) in parts.enumerate() {
        if part.contains('/') {
            return None;
        }
        if number > 0 {
            name.push('/');
        }
        name.push_str(&part);
    }
    Some(name)
}

/// Browsers ask again each time, and are told in few bytes that what they have is what is there.
fn told(status: u16, content_type: &'static str, body: Bytes, tag: &str) -> Response {
    let mut response = Response::new(status, content_type, body);
    response.headers.extend([
        ("ETag", tag.to_owned()),
        ("Cache-Control", "no-cache".to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
    ]);
    response
}

/// Links of a page are relative to its folder, so the folder's page is not shown at the folder's name alone.
fn with_slash(head: &RequestHead) -> Response {
    let query = head.query.as_ref().map(|query| format!("?{query}"));
    let target = format!("{}/{}", head.path, query.unwrap_or_default());
    let mut response = Response::text(307, format!("{target}\n"));
    response.headers.push(("Location", target));
    response
}

/// Whether the client has the file with this tag.
fn is_known(head: &RequestHead, tag: &str) -> bool {
    let known = head
        .headers("if-none-match")
        .flat_map(|line| line.split(','));
    known
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}
