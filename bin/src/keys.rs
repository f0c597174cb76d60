//! `worldshard keygen` and `worldshard token`: keys in files, and tokens made with them. Never keeps a token.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use worldshard::UserId;
use worldshard::identity::{AUDIENCE, Grant, PrivateKey};
use worldshard::runtime::{fresh_bytes, since_1970};

use crate::failure::Failure;

#[derive(Args, Debug)]
pub(crate) struct KeygenArgs {
    /// The pair's name: NAME.key makes tokens and is for you alone, NAME.pub tells them and is for servers
    #[arg(long, value_name = "NAME")]
    out: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct TokenArgs {
    /// The private key, NAME.key of `worldshard keygen`
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// Who is let in by it: 1 to 64 of A-Z a-z 0-9 . _ @ -
    #[arg(long, value_name = "USER", value_parser = user)]
    user: UserId,

    /// The tenant whose clients it is good for: without, those of all
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,

    /// For how many seconds, from now on
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=TTL_MAX_S))]
    ttl: u64,

    /// Where: what the server has as its --auth-audience
    #[arg(long, value_name = "NAME", default_value = AUDIENCE)]
    audience: String,
}

/// Makes a pair of keys that no file has yet.
pub(crate) fn keygen(args: &KeygenArgs) -> Result<(), Failure> {
    let seed =
        fresh_bytes().map_err(|error| Failure::runtime(format!("no randomness: {error}")))?;
    let key = PrivateKey::from_seed(seed);
    let [private, public] = ["key", "pub"].map(|ending| named(&args.out, ending));
    create(&private, &key.to_pem(), true)?;
    if let Err(failure) = create(&public, &key.public().to_pem(), false) {
        // Half a pair is of no use, and would be in the way of another try.
        let _ = fs::remove_file(&private);
        return Err(failure);
    }
    say(&format!(
        "{}  makes tokens: keep it to yourself\n{}  tells them: serve --auth token --auth-key {}\nkid {}\n",
        private.display(),
        public.display(),
        public.display(),
        key.public().id()
    ));
    Ok(())
}

/// Prints a token.
pub(crate) fn token(args: &TokenArgs) -> Result<(), Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::runtime(format!("--key {}: {why}", args.key.display()))
    };
    let text = fs::read_to_string(&args.key).map_err(|error| failed(&error))?;
    let key = PrivateKey::from_pem(&text).map_err(|why| failed(&why))?;
    let issued = since_1970();
    let grant = Grant {
        user: args.user.clone(),
        tenant: args.tenant.clone(),
        audience: args.audience.clone(),
        issued,
        expires: issued + Duration::from_secs(args.ttl),
    };
    say(&format!("{}\n", grant.token(&key)));
    Ok(())
}

/// A name may have dots of its own.
fn named(name: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(name);
    path.push(".");
    path.push(ending);
    path.into()
}

/// Never writes over a file: a key that is gone takes all its tokens along.
fn create(path: &Path, text: &str, private: bool) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        let why = if error.kind() == io::ErrorKind::AlreadyExists {
            "it exists already, and is not written over".to_owned()
        } else {
            error.to_string()
        };
        Failure::runtime(format!("{}: {why}", path.display()))
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(if private { 0o600 } else { 0o644 });
    }
    #[cfg(not(unix))]
    let _ = private;
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

fn say(text: &str) {
    // A reader that has gone wants nothing more.
    let _ = io::stdout().write_all(text.as_bytes());
}

fn user(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|why| why.to_string())
}

/// Ten years: beyond, it is a slip.
const TTL_MAX_S: u64 = 10 * 366 * 24 * 3600;

pub(crate) const EXAMPLES: &str = "\
Examples:
  worldshard keygen --out game                      game.key and game.pub
  worldshard serve --auth token --auth-key game.pub
  worldshard token --key game.key --user anna --ttl 60

A token is an EdDSA JSON Web Token: any backend with the private key can make one. A client shows it as
Authorization: Bearer TOKEN, as a subprotocol worldshard.auth.TOKEN, as ?token=TOKEN, or in its first message.";
