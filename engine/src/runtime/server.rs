//! Starts the threads of one server and ends them together. Knows no socket but the one that listens.

use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU16;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use worldshard_protocol::SessionId;
use worldshard_shard::{Envelope, Shard};
use worldshard_spatial::ShardId;

use super::acceptor::{self, Acceptor};
use super::admin::Admin;
use super::bell::Bell;
use super::certificates::Certificates;
use super::clock;
use super::control::{Control, Stop};
use super::cores;
use super::driver::Shore;
use super::keeping::{self, Keeping, OwnKeeping, Recovery, Threads};
use super::liveness::Liveness;
use super::mailbox::{Mailbox, Post, mailboxes};
use super::metrics::Refused;
use super::pacing::Pacer;
use super::probe::Chosen;
use super::process::{Mail, Place, Process};
use super::reactor::{Reactor, Schedule};
use super::rereading::Rereading;
use super::secret;
use super::unpaced::Hosting;
use crate::app::{AdminOptions, AppRecipe, Durability, ServerOptions};
use crate::error::{Error, Result};
use crate::hub::{Commons, Hub, Returning};
use crate::panic::panic_text;
use crate::policy::{Ban, Banned, Policies};

/// The threads of one server.
pub(crate) struct Server {
    process: Arc<Process>,
    shards: Vec<JoinHandle<()>>,
    acceptor: Option<Acceptor>,
    keepers: Option<Threads>,
    recovery: Option<Recovery>,
    rereading: Option<Rereading>,
    admin: Option<Admin>,
}

/// How a server is put together.
pub(crate) struct Wiring {
    pub(crate) chosen: Chosen,
    pub(crate) shards: u16,
    /// So many ticks, unpaced; `None` for real time.
    pub(crate) ticks: Option<u64>,
    pub(crate) hosting: Option<Hosting>,
    pub(crate) place: Place,
    /// What connections are shown, if they are encrypted.
    pub(crate) certificates: Option<Arc<Certificates>>,
    /// The world's shards as they are to begin; as the recipe makes them, if not said.
    pub(crate) archives: Option<Vec<Arc<Vec<u8>>>>,
}

impl Wiring {
    /// What the threads share, before any of them runs.
    fn process(
        &self,
        recipe: &Arc<AppRecipe>,
        commons: &Commons,
        post: Post<Envelope, Mail>,
    ) -> Process {
        Process {
            recipe: Arc::clone(recipe),
            shards: self.shards,
            liveness: Liveness::new(self.shards, clock::now()),
            control: Control::default(),
            post,
            place: self.place,
            runtime: self.chosen.name(),
            certificates: self.certificates.clone(),
            policies: Arc::clone(&commons.policies),
            statuses: (0..self.shards).map(|_| Mutex::new(None)).collect(),
            refused: Refused::default(),
            lingering: AtomicU16::new(self.shards),
        }
    }
}

/// What one shard's thread begins with.
struct Berth {
    own: ShardId,
    process: Arc<Process>,
    commons: Commons,
    mailbox: Mailbox<Envelope, Mail>,
    bell: Arc<Bell>,
    shore: Shore,
    ticks: Option<u64>,
    hosting: Option<Hosting>,
    /// When the first tick is due: said when all shards are ready, however long that took.
    begins: flume::Receiver<Instant>,
    core: Option<usize>,
    /// The shard as it is to begin.
    archive: Option<Arc<Vec<u8>>>,
    returning: Vec<Returning>,
    keeping: Option<OwnKeeping>,
    ready: flume::Sender<Result<()>>,
}

/// What a world begins as.
struct Beginning {
    commons: Commons,
    /// Of each shard; none when the recipe makes them.
    archives: Vec<Arc<Vec<u8>>>,
    /// Sessions that may be resumed, by their home.
    returning: Vec<Vec<Returning>>,
    keeping: Option<Keeping>,
    recovery: Option<Recovery>,
}

impl Beginning {
    fn of(recipe: &Arc<AppRecipe>, wiring: &Wiring) -> Result<Self> {
        let mut commons = Commons::new(recipe, wiring.shards)?;
        let resumes = recipe.options().limits.resume_grace > Duration::ZERO;
        let no_key = refused("making the key of resume tokens");
        // Whoever runs a number of ticks as fast as possible measures, and keeps nothing.
        let data = recipe
            .options()
            .data
            .as_ref()
            .filter(|data| data.durability != Durability::None && wiring.ticks.is_none());
        let Some(data) = data else {
            if resumes {
                commons = commons.resuming(secret::fresh().map_err(no_key)?);
            }
            return Ok(Self {
                returning: Vec::new(),
                commons,
                archives: wiring.archives.clone().unwrap_or_default(),
                keeping: None,
                recovery: None,
            });
        };
        let opening = || keeping::open(recipe, &commons.cell_map, data);
        let opened = catch_unwind(AssertUnwindSafe(opening)).unwrap_or_else(|panic| {
            let (folder, text) = (data.folder.display(), panic_text(&*panic));
            let text = format!("{folder}: opening it panicked: {text}");
            Err(Error::Runtime(text))
        })?;
        if resumes {
            commons = commons.resuming(secret::kept(&data.folder).map_err(no_key)?);
        }
        Ok(Self {
            commons: commons.of_process(opened.process),
            keeping: Some(Keeping::new(&opened, data)?),
            archives: opened.archives,
            returning: opened.returning,
            recovery: opened.recovery,
        })
    }
}

impl Server {
    /// Starts all shards, and returns when each has built its world.
    ///
    /// # Errors
    /// When a thread, a driver or a shard's world cannot be made; then no thread is left.
    pub(crate) fn start(recipe: &Arc<AppRecipe>, wiring: Wiring) -> Result<Server> {
        let Beginning {
            commons,
            archives,
            mut returning,
            keeping,
            recovery,
        } = Beginning::of(recipe, &wiring)?;
        let mut shores = Vec::new();
        for _ in 0..wiring.shards {
            shores.push(Shore::new(wiring.chosen).map_err(refused("preparing a shard's thread"))?);
        }
        let bells: Vec<Arc<Bell>> = shores.iter().map(Shore::bell).collect();
        let (post, boxes) = mailboxes(&bells, recipe.options().limits.service_letters_max);
        let process = Arc::new(wiring.process(recipe, &commons, post));
        let mut server = Server {
            process: Arc::clone(&process),
            shards: Vec::new(),
            acceptor: None,
            keepers: None,
            recovery,
            rereading: None,
            admin: None,
        };
        let (ready, answers) = flume::bounded(usize::from(wiring.shards));
        let (begin, begins) = flume::bounded(usize::from(wiring.shards));
        let mut cores = cores::to_pin(wiring.shards).into_iter();
        for (((own, shore), mailbox), bell) in (0..).map(ShardId).zip(shores).zip(boxes).zip(bells)
        {
            let interval = recipe.world().config.tick_interval;
            let berth = Berth {
                own,
                archive: archives.get(usize::from(own.0)).cloned(),
                returning: of_home(&mut returning, own),
                keeping: keeping.as_ref().map(|keeping| keeping.own(own, interval)),
                process: Arc::clone(&process),
                commons: commons.clone(),
                mailbox,
                bell,
                shore,
                ticks: wiring.ticks,
                hosting: wiring.hosting.clone(),
                begins: begins.clone(),
                core: cores.next(),
                ready: ready.clone(),
            };
            let thread = std::thread::Builder::new().name(format!("shard-{}", own.0));
            match thread.spawn(move || berth.run()) {
                Ok(handle) => server.shards.push(handle),
                Err(source) => {
                    server.force();
                    return Err(refused("starting a shard's thread")(source));
                }
            }
        }
        drop(ready);
        let keepers = keeping.map(|keeping| keeping.start(&server.process));
        let no_thread = refused("starting the threads that keep the world");
        server.keepers = keepers.transpose().map_err(no_thread)?;
        server.begin(&answers, begin).map(|()| server)
    }

    /// Begins to accept connections.
    pub(crate) fn listen(&mut self, listener: TcpListener) -> Result<SocketAddr> {
        let address = listener
            .local_addr()
            .map_err(refused("reading the address listened on"))?;
        let acceptor = acceptor::start(listener, Arc::clone(&self.process));
        self.acceptor = Some(acceptor.map_err(refused("starting the acceptor"))?);
        let rereading = Rereading::start(&self.process.recipe);
        self.rereading = rereading.map_err(refused("starting the thread that reads files"))?;
        Ok(address)
    }

    /// Begins to answer operators.
    pub(crate) fn look_after(
        &mut self,
        listener: TcpListener,
        options: AdminOptions,
    ) -> Result<SocketAddr> {
        let admin = Admin::start(listener, self.handle(), options);
        let admin = admin.map_err(refused("starting the listener of operators"))?;
        let address = admin.address();
        self.admin = Some(admin);
        Ok(address)
    }

    /// Asks all threads to stop; returns at once.
    pub(crate) fn ask(&self, stop: Stop) {
        self.handle().ask(stop);
    }

    /// A handle that stops the server, for other threads.
    pub(crate) fn handle(&self) -> StopHandle {
        StopHandle {
            process: Arc::clone(&self.process),
            acceptor: self.acceptor.as_ref().map(Acceptor::bell),
        }
    }

    /// What connections are shown, if they are encrypted.
    pub(crate) fn certificates(&self) -> Option<&Certificates> {
        self.process.certificates.as_deref()
    }

    /// What clients may do now.
    pub(crate) fn policies(&self) -> &Policies {
        &self.process.policies
    }

    /// Has the home of a session close it; says whether there was one, as far as that is known within a second.
    pub(crate) fn kick(&self, session: SessionId, reason: &str) -> bool {
        let home = ShardId(session.home());
        if home.0 >= self.process.shards {
            return false;
        }
        let (answer, answered) = sync_channel(1);
        let reason = reason.to_owned();
        let kick = move |hub: &mut Hub| {
            // Whoever asked may not wait any more.
            let _ = answer.try_send(hub.kick(session, &reason));
        };
        let sent = self.process.post.letter(home, Mail::Errand(Box::new(kick)));
        sent.is_ok() && answered.recv_timeout(KICK_WAIT).unwrap_or(false)
    }

    /// How the world came back from disk.
    pub(crate) fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// Lets a shard panic in its next tick.
    pub(crate) fn kill(&self, shard: ShardId) {
        let _ = self.process.post.letter(shard, Mail::Kill);
    }

    /// Lets a shard stand still.
    pub(crate) fn freeze(&self, shard: ShardId, duration: std::time::Duration) {
        let _ = self.process.post.letter(shard, Mail::Freeze(duration));
    }

    /// Waits until all threads have ended.
    ///
    /// # Errors
    /// What made a shard fail.
    pub(crate) fn join(mut self) -> std::result::Result<(), String> {
        self.join_all();
        match self.process.control.failure() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// Each shard answers once: that it is ready, or why it cannot be. When all are, they begin together.
    fn begin(
        &mut self,
        answers: &flume::Receiver<Result<()>>,
        begin: flume::Sender<Instant>,
    ) -> Result<()> {
        for _ in 0..self.shards.len() {
            let gone = || Err(Error::Runtime("a shard's thread ended early".to_owned()));
            if let Err(error) = answers.recv().unwrap_or_else(|_| gone()) {
                // The others wait for the word that does not come.
                drop(begin);
                self.force();
                self.join_all();
                return Err(error);
            }
        }
        let first_tick = clock::now() + self.process.recipe.world().config.tick_interval;
        for _ in 0..self.shards.len() {
            // One that has ended meanwhile has told why.
            let _ = begin.send(first_tick);
        }
        Ok(())
    }

    fn force(&mut self) {
        self.ask(Stop::Force);
    }

    fn join_all(&mut self) {
        for shard in self.shards.drain(..) {
            // A shard's thread catches its own panics; one that ends by panic was told of already.
            let _ = shard.join();
        }
        // It refuses newcomers until there is nobody left whom it stops for.
        self.ask(Stop::Force);
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.stop();
        }
        self.rereading = None;
        self.admin = None;
        // They have written all that shards gave them.
        if let Some(keepers) = self.keepers.take() {
            keepers.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.shards.is_empty() {
            self.force();
            self.join_all();
        }
    }
}

/// Stops a server from another thread, or has it read again what it may.
#[derive(Clone)]
pub(crate) struct StopHandle {
    process: Arc<Process>,
    acceptor: Option<Arc<Bell>>,
}

impl StopHandle {
    pub(crate) fn ask(&self, stop: Stop) {
        self.process.control.ask(stop);
        self.process.post.ring_all();
        if let Some(acceptor) = &self.acceptor {
            acceptor.ring();
        }
    }

    /// What connections are shown, if they are encrypted.
    pub(crate) fn certificates(&self) -> Option<&Certificates> {
        self.process.certificates.as_deref()
    }

    /// As [`Running::reload`](super::Running::reload). Shards that wait are woken: their next tick may be far.
    pub(crate) fn reload(&self, options: &ServerOptions) -> Result<()> {
        self.process.policies.replace(options)?;
        self.process.post.ring_all();
        Ok(())
    }

    /// As [`Running::ban`](super::Running::ban).
    pub(crate) fn ban(&self, ban: &Ban) -> Result<()> {
        let policies = &self.process.policies;
        if let Banned::User { tenant, .. } = &ban.whom
            && policies.rules().index(tenant).is_none()
        {
            return Err(Error::Option {
                name: "bans",
                detail: format!("there is no tenant {tenant:?}"),
            });
        }
        policies.bans.add(ban, clock::since_1970())?;
        self.process.post.ring_all();
        Ok(())
    }

    /// What it stops.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }
}

impl Berth {
    /// The whole life of a shard's thread.
    fn run(self) {
        let (own, process) = (self.own, Arc::clone(&self.process));
        let ready = self.ready.clone();
        let lived = catch_unwind(AssertUnwindSafe(move || self.live()));
        process.liveness.end(own);
        let cause = match lived {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                let cause = error.to_string();
                // Nobody listens any more when the shard had already begun.
                let _ = ready.try_send(Err(error));
                cause
            }
            Err(panic) => {
                let cause = format!("shard {} panicked: {}", own.0, panic_text(&*panic));
                let _ = ready.try_send(Err(Error::Runtime(cause.clone())));
                cause
            }
        };
        process.fail(cause);
    }

    fn live(self) -> Result<()> {
        if let Some(core) = self.core {
            cores::pin(core);
        }
        let Berth { own, process, .. } = self;
        let span = tracing::info_span!("shard", shard = own.0);
        let _entered = span.enter();
        let recipe = Arc::clone(&process.recipe);
        let interval = recipe.world().config.tick_interval;
        let catch_up = recipe.options().limits.catch_up_ticks_max;
        let (ticks, begins) = (self.ticks, self.begins);
        let (mailbox, bell, commons, hosting) =
            (self.mailbox, self.bell, self.commons, self.hosting);
        let ready = self.ready;
        let (archive, returning, keeping) = (self.archive, self.returning, self.keeping);
        let make = move || {
            let mut hub = match archive {
                None => Hub::new(own, recipe, commons)?,
                Some(archive) => {
                    let (world, cell_map) = (recipe.world().clone(), commons.cell_map().clone());
                    let shard = Shard::restore(own, world, cell_map, &archive);
                    let shard = shard.map_err(|error| Error::Runtime(error.to_string()))?;
                    Hub::around(shard, recipe, commons)?
                }
            };
            hub.expect(&returning);
            // There is room for one answer of each shard; where another has failed, nobody waits for them any more.
            let _ = ready.try_send(Ok(()));
            let first_tick = begins.recv();
            let not_begun = |_| Error::Runtime("the server does not begin".to_owned());
            let first_tick = first_tick.map_err(not_begun)?;
            let schedule = match ticks {
                Some(ticks) => Schedule::Unpaced { ticks },
                None => Schedule::Paced(Pacer::new(interval, catch_up, first_tick)),
            };
            let observer = hosting
                .as_ref()
                .map(|hosting| hosting.observer(&mut hub, clock::now()));
            let mut reactor = Reactor::new(own, hub, process, mailbox, bell, schedule, keeping);
            if let (Some(hosting), Some(observer)) = (hosting, observer) {
                let clients = hosting.clients.as_ref().map(|factory| factory.clients(own));
                reactor.host(clients.unwrap_or_default(), observer);
            }
            Ok(reactor)
        };
        self.shore.run(make)
    }
}

/// What returns to one home.
fn of_home(returning: &mut [Vec<Returning>], home: ShardId) -> Vec<Returning> {
    let of_home = returning.get_mut(usize::from(home.0));
    of_home.map(std::mem::take).unwrap_or_default()
}

fn refused(what: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Io {
        what: what.to_owned(),
        source,
    }
}

/// How long somebody who kicks a session waits for the word of its shard.
const KICK_WAIT: Duration = Duration::from_secs(1);
