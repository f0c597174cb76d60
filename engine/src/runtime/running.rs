//! A server that runs, for whoever embeds one: its address, its stop, its end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use worldshard_protocol::SessionId;
use worldshard_shard::Shard;
use worldshard_spatial::ShardId;

use super::certificates::Certificates;
use super::control::Stop;
use super::keeping::Recovery;
use super::probe::Chosen;
use super::process::Place;
use super::server::{Server, StopHandle, Wiring};
use super::{clock, cores, listen, probe};
use crate::app::{AdminOptions, AppRecipe, Runtime, ServerOptions};
use crate::durable::Replay;
use crate::error::{Error, Result};
use crate::policy::{Ban, Banned, TenantStatus};

/// A server that runs. Dropped, it stops at once and without a word to its clients.
pub struct Running {
    server: Server,
    address: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    runtime: &'static str,
    reason: String,
}

/// Starts a server: binds, builds every shard's world, then accepts.
///
/// # Errors
/// When the address is taken, or can be reached by other machines while nothing says whom to let in; when the runtime
/// cannot run here, or a world cannot be built. Nothing is left running then.
pub fn start(recipe: &Arc<AppRecipe>) -> Result<Running> {
    start_wired(recipe, |_| None, None)
}

/// Starts a server whose world begins as another one stood: one shard for each of its, without its sessions.
///
/// # Errors
/// As [`start`].
pub fn start_from(recipe: &Arc<AppRecipe>, replay: Replay) -> Result<Running> {
    let archive = |mut shard: Shard| {
        shard.forget_sessions();
        Arc::new(shard.freeze().encode())
    };
    let archives = replay.into_shards().into_iter().map(archive).collect();
    start_wired(recipe, |_| None, Some(archives))
}

/// Starts a server whose connections are moved to the shard that `place` names, if any.
#[doc(hidden)]
pub fn start_placed(recipe: &Arc<AppRecipe>, place: Place) -> Result<Running> {
    start_wired(recipe, place, None)
}

/// Says anew what holds for the clients of a server that runs, from any thread; when it has ended, to nobody.
#[derive(Clone)]
pub struct Reloader {
    server: StopHandle,
}

impl Reloader {
    /// As [`Running::reload`].
    ///
    /// # Errors
    /// As there.
    pub fn reload(&self, options: &ServerOptions) -> Result<()> {
        self.server.reload(options)
    }
}

fn start_wired(
    recipe: &Arc<AppRecipe>,
    place: Place,
    archives: Option<Vec<Arc<Vec<u8>>>>,
) -> Result<Running> {
    let options = recipe.options();
    // First, since it fails most often and costs least.
    let stall_max = options.limits.stall_max;
    let listen = |address| listen::listen(address, stall_max);
    let listener = options.bind.as_deref().map(listen).transpose()?;
    if let Some(listener) = &listener {
        listen::check_reach(listener, options.auth.as_ref())?;
    }
    let admin_listener = |admin: &AdminOptions| listen::for_operators(&admin.listen);
    let operators = options.admin.as_ref().map(admin_listener).transpose()?;
    let tls = options.tls.as_ref();
    let certificates = tls.map(Certificates::load).transpose()?.map(Arc::new);
    let wanted = archives
        .as_ref()
        .map_or(options.shards, |all| all.len() as u16);
    let shards = cores::shards(wanted);
    let (mut chosen, mut reason) = probe::choose(options.runtime, shards)?;
    let wiring = |chosen| Wiring {
        chosen,
        shards,
        ticks: None,
        hosting: None,
        place,
        certificates: certificates.clone(),
        archives: archives.clone(),
    };
    let mut server = match Server::start(recipe, wiring(chosen)) {
        // The probe asks for little; what the executors take may still not be there.
        Err(error @ Error::Driver { .. }) if options.runtime == Runtime::Auto => {
            (chosen, reason) = (Chosen::Portable, error.to_string());
            Server::start(recipe, wiring(chosen))?
        }
        started => started?,
    };
    let address = match listener {
        Some(listener) => Some(server.listen(listener)?),
        None => None,
    };
    let admin = match operators.zip(options.admin.clone()) {
        Some((listener, admin)) => Some(server.look_after(listener, admin)?),
        None => None,
    };
    let pinned = !cores::to_pin(shards).is_empty();
    let address_text = address.map(tracing::field::display);
    tracing::info!(
        address = address_text,
        shards,
        pinned,
        runtime = chosen.name(),
        why = %reason,
        "serving"
    );
    Ok(Running {
        server,
        address,
        admin,
        runtime: chosen.name(),
        reason,
    })
}

impl Running {
    /// Where it listens; `None` when it was given no address.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Where it answers operators; `None` when it does not.
    #[must_use]
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Which driver runs it.
    #[must_use]
    pub fn runtime_name(&self) -> &'static str {
        self.runtime
    }

    /// Why that one.
    #[must_use]
    pub fn runtime_reason(&self) -> &str {
        &self.reason
    }

    /// Asks it to stop: opens no more sessions, tells all that the end comes, closes them after `drain_notice` with what
    /// waits for them, within `drain_max`. Returns at once.
    pub fn stop(&self) {
        self.server.ask(Stop::Notice);
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When a shard failed.
    pub fn join(self) -> Result<()> {
        self.server.join().map_err(Error::Runtime)
    }

    /// Waits for its end, or for SIGINT or SIGTERM, which stop it; a second one stops it at once. With TLS, SIGHUP has it
    /// read its certificate again.
    ///
    /// # Errors
    /// When a shard failed, or signals cannot be caught.
    pub fn join_or_signal(self) -> Result<()> {
        self.join_or_signal_after(|_| ())
    }

    /// As [`join_or_signal`](Self::join_or_signal), after calling `announce` once signals are caught: whoever learns
    /// only then that the server runs always stops it in order.
    ///
    /// # Errors
    /// As [`join_or_signal`](Self::join_or_signal).
    pub fn join_or_signal_after(self, announce: impl FnOnce(&Self)) -> Result<()> {
        self.join_or_signals(announce, None::<fn()>)
    }

    /// As [`join_or_signal_after`](Self::join_or_signal_after), but SIGHUP never ends the process: it has `hung_up` called,
    /// after the certificate was read again. That is on the thread that waits for signals, so it returns soon.
    ///
    /// # Errors
    /// As [`join_or_signal`](Self::join_or_signal).
    pub fn join_or_signal_reloading(
        self,
        announce: impl FnOnce(&Self),
        hung_up: impl FnMut() + Send + 'static,
    ) -> Result<()> {
        self.join_or_signals(announce, Some(hung_up))
    }

    fn join_or_signals(
        self,
        announce: impl FnOnce(&Self),
        mut hung_up: Option<impl FnMut() + Send + 'static>,
    ) -> Result<()> {
        let refused = |source| Error::Io {
            what: "catching signals".to_owned(),
            source,
        };
        let mut caught = vec![SIGINT, SIGTERM];
        // With nothing to read again it ends the process, as it does unless it is caught.
        if self.server.certificates().is_some() || hung_up.is_some() {
            caught.push(SIGHUP);
        }
        let mut signals = Signals::new(caught).map_err(refused)?;
        let closer = signals.handle();
        let stop = self.server.handle();
        let listening = std::thread::Builder::new().name("signals".to_owned());
        let listening = listening
            .spawn(move || {
                let mut urgency = Stop::Notice;
                for signal in signals.forever() {
                    if signal == SIGHUP {
                        reload_certificate(&stop);
                        if let Some(hung_up) = &mut hung_up {
                            hung_up();
                        }
                        continue;
                    }
                    tracing::info!(?urgency, "stopping");
                    stop.ask(urgency);
                    urgency = Stop::Force;
                }
            })
            .map_err(refused)?;
        announce(&self);
        let ended = self.join();
        closer.close();
        // It has nothing that could panic.
        let _ = listening.join();
        ended
    }

    /// Reads the certificate and its key again: whoever connects from now on is shown what is in the files. Who is connected
    /// stays so. Does nothing without TLS.
    ///
    /// # Errors
    /// Names the file and what is wrong with it; then the certificate of before is shown as before.
    pub fn reload_certificate(&self) -> Result<()> {
        self.server
            .certificates()
            .map_or(Ok(()), Certificates::reload)
    }

    /// From now on what `options` say of tenants, their limits and policies, of how many sessions a user may have where no tenants
    /// are named, and of handshakes and bans holds, for who is connected too. The rest of them is not looked at. Nobody who has
    /// more sessions than allowed now loses one before another one comes.
    ///
    /// # Errors
    /// Names what is wrong; then nothing has changed.
    pub fn reload(&self, options: &ServerOptions) -> Result<()> {
        self.server.handle().reload(options)
    }

    /// From now on somebody may not come, and whoever is there is told and closed, on all shards and also where it waits for
    /// another connection.
    ///
    /// # Errors
    /// There are [`BANS_MAX`](crate::policy::BANS_MAX) already, the reason has more than
    /// [`BAN_REASON_BYTES_MAX`](crate::policy::BAN_REASON_BYTES_MAX) bytes, or there is no such tenant.
    pub fn ban(&self, ban: &Ban) -> Result<()> {
        self.server.handle().ban(ban)
    }

    /// Lets somebody come again; whom the options ban, until they are [read again](Self::reload). False when it was not
    /// banned.
    pub fn unban(&self, whom: &Banned) -> bool {
        self.server.policies().bans.remove(whom)
    }

    /// Who may not come now.
    #[must_use]
    pub fn bans(&self) -> Vec<Ban> {
        self.server.policies().bans.all(clock::since_1970())
    }

    /// Closes a session, wherever its home is, connected or not; its client is told that it is kicked, and why. False when
    /// there is none, and when its shard has not said within a second that there was: then it may be closed later.
    pub fn kick(&self, session: SessionId, reason: &str) -> bool {
        self.server.kick(session, reason)
    }

    /// How many were refused who named no tenant that there is, by a word for the reason.
    #[must_use]
    pub fn refused_strangers(&self) -> BTreeMap<&'static str, u64> {
        self.server.policies().strangers()
    }

    /// The tenants in numbers, in the order of the options.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantStatus> {
        self.server.policies().rules().statuses()
    }

    /// What does the same while this waits for the server's end.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        Reloader {
            server: self.server.handle(),
        }
    }

    /// The SHA-256 of the certificate that new connections are shown, in pairs of hexadecimal digits; none without TLS.
    #[must_use]
    pub fn certificate_fingerprint(&self) -> Option<String> {
        self.server.certificates().map(Certificates::fingerprint)
    }

    /// How the world came back from disk; none when it was begun, or is not kept.
    #[must_use]
    pub fn recovery(&self) -> Option<&Recovery> {
        self.server.recovery()
    }

    /// Lets a shard panic in its next tick, so that a test sees it come back.
    #[doc(hidden)]
    pub fn debug_kill(&self, shard: u16) {
        self.server.kill(ShardId(shard));
    }

    /// Lets a shard stand still, so that a test sees what a stuck one does to the others.
    #[doc(hidden)]
    pub fn debug_freeze(&self, shard: u16, duration: Duration) {
        self.server.freeze(ShardId(shard), duration);
    }
}

fn reload_certificate(server: &StopHandle) {
    if let Some(certificates) = server.certificates()
        && let Err(error) = certificates.reload()
    {
        tracing::error!(%error, "the certificate stays as it was");
    }
}
