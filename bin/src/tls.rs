//! Which certificate `serve` is to show, as the flags have it.

use std::path::{Path, PathBuf};

use worldshard::TlsOptions;

use crate::cli::{ServeArgs, TlsArgs};

/// How `serve` encrypts its connections, if it is to.
pub(crate) fn options(args: &ServeArgs) -> Option<TlsOptions> {
    let TlsArgs {
        tls_cert,
        tls_key,
        tls_dev,
    } = &args.tls;
    if let (Some(certificate), Some(key)) = (tls_cert, tls_key) {
        return Some(TlsOptions::files(certificate, key));
    }
    let folder = tls_dev.as_ref()?.as_ref();
    let data = args.data.data.as_ref();
    let folder = folder.or(data).map(PathBuf::as_path);
    Some(TlsOptions::dev(folder.unwrap_or(Path::new(FOLDER))))
}

/// In the working directory, where a certificate for development is kept unless a flag says another place.
const FOLDER: &str = ".worldshard";
