//! Serves a sample of `web/client` at `/`, and under `/dist/` the client library that it uses. Part of other examples.

use std::path::Path;

use worldshard::prelude::*;

/// The sample of this name.
pub(crate) struct SamplePage(pub(crate) &'static str);

impl Plugin for SamplePage {
    fn build(&self, app: &mut App) {
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/client");
        if web.join("dist").is_dir() {
            serve(app, &web.join("samples").join(self.0), "/");
            serve(app, &web.join("dist"), "/dist/");
        } else {
            app.route("/", |_| Response::text(200, UNBUILT));
        }
    }
}

/// Every page and script in a folder, by its path there. A folder's own page has the path of the folder.
fn serve(app: &mut App, folder: &Path, path: &str) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let (file, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if file.is_dir() {
            serve(app, &file, &format!("{path}{name}/"));
            continue;
        }
        let content_type = match name.rsplit_once('.') {
            Some((_, "html")) => "text/html; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            _ => continue,
        };
        if let Ok(bytes) = std::fs::read(&file).map(Bytes::from) {
            let path = format!("{path}{}", name.trim_start_matches("index.html"));
            app.route(path, move |_| {
                Response::new(200, content_type, bytes.clone())
            });
        }
    }
}

const UNBUILT: &str = "The page needs the client library: `npm ci && npm run build` in web/client, and then start again.\n";
