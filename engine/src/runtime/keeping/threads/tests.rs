//! Keepers whose code panics: the server ends with the cause, or goes on without one checkpoint.

use std::sync::Mutex;
use std::sync::atomic::AtomicU16;

use worldshard_shard::{Codec, Shard};

use super::*;
use crate::app::AppRecipe;
use crate::hub::Commons;
use crate::prelude::*;
use crate::runtime::bell::Bell;
use crate::runtime::clock;
use crate::runtime::control::Control;
use crate::runtime::liveness::Liveness;
use crate::runtime::mailbox::mailboxes;
use crate::runtime::metrics::Refused;

/// The names of what was written, to a disk whose driver may panic.
#[derive(Default)]
struct Files {
    names: Mutex<Vec<String>>,
    is_broken: bool,
}

impl Files {
    fn add(&self, name: &str) -> io::Result<()> {
        assert!(!self.is_broken, "out of order");
        self.names.lock().unwrap().push(name.to_owned());
        Ok(())
    }
}

impl Store for Files {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names.lock().unwrap().clone())
    }

    fn read(&self, _name: &str) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn write(&self, name: &str, _bytes: &[u8]) -> io::Result<()> {
        self.add(name)
    }

    fn append(&self, name: &str, _bytes: &[u8]) -> io::Result<()> {
        self.add(name)
    }

    fn sync(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }
}

/// A component that the scribe cannot lay out.
#[derive(Clone)]
struct Fragile(bool);

impl Codec for Fragile {
    fn encode(&self, out: &mut Vec<u8>) {
        let is_scribe = std::thread::current().name() == Some("scribe");
        assert!(!(self.0 && is_scribe), "fragile");
        self.0.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        bool::decode(bytes).map(Self)
    }
}

impl Component for Fragile {}

/// A world of one entity.
fn app(is_fragile: bool) -> Arc<AppRecipe> {
    App::new()
        .component::<Fragile>("fragile", Visibility::Private)
        .populate(1, move |genesis, _| {
            Draft::at(genesis.config.bounds.min).with(Fragile(is_fragile))
        })
        .build()
        .unwrap()
}

fn frozen(is_fragile: bool) -> Frozen {
    let recipe = app(is_fragile);
    let cell_map = Commons::new(&recipe, 1).unwrap().cell_map().clone();
    let shard = Shard::new(ShardId(0), recipe.world().clone(), cell_map);
    shard.unwrap().freeze()
}

/// Keepers at work for one shard.
struct Scene {
    process: Arc<Process>,
    shared: Arc<Shared>,
    to_keeper: Sender<Kept>,
    to_scribe: Sender<ToWrite>,
    threads: Threads,
}

impl Scene {
    fn begin(files: &Arc<Files>) -> Self {
        let bell = Arc::new(Bell::new(|| ()));
        let process = Arc::new(Process {
            recipe: app(false),
            shards: 1,
            liveness: Liveness::new(1, clock::now()),
            control: Control::default(),
            post: mailboxes(&[bell], 1).0,
            place: |_| None,
            runtime: "none",
            certificates: None,
            policies: Commons::new(&app(false), 1).unwrap().policies,
            statuses: Vec::new(),
            refused: Refused::default(),
            lingering: AtomicU16::new(1),
        });
        let opened = Opened {
            store: files.clone(),
            tick: Tick(0),
            archives: vec![Arc::default()],
            process: 0,
            recovery: None,
            returning: Vec::new(),
        };
        let mut options = DataOptions::new("nowhere");
        options.durability = Durability::Checkpoint;
        let keeping = Keeping::new(&opened, &options).unwrap();
        Self {
            shared: Arc::clone(&keeping.shared),
            to_keeper: keeping.to_keeper.clone(),
            to_scribe: keeping.to_scribe.clone(),
            threads: keeping.start(&process).unwrap(),
            process,
        }
    }

    fn say(&self) {
        let piece = Kept::Piece {
            shard: ShardId(0),
            tick: Tick(1),
            piece: vec![1],
            closes: false,
        };
        self.to_keeper.send(piece).unwrap();
    }

    fn checkpoint(&self, frozen: Frozen) {
        let shard = ShardId(0);
        self.to_scribe.send(ToWrite { shard, frozen }).unwrap();
    }

    /// All shards have ended: why the server did, and how many checkpoints were left out.
    fn end(self) -> (Option<String>, u64) {
        drop((self.to_keeper, self.to_scribe));
        self.threads.join();
        let left_out = self.shared.left_out(ShardId(0));
        (self.process.control.failure(), left_out)
    }
}

#[test]
fn a_keeper_or_a_scribe_that_panics_ends_the_server_with_the_cause() {
    let broken = Arc::new(Files {
        is_broken: true,
        ..Files::default()
    });
    let scene = Scene::begin(&broken);
    scene.say();
    let failure = scene.end().0.unwrap();
    assert!(
        failure.starts_with("the keeper panicked: out of order"),
        "{failure}"
    );
    let scene = Scene::begin(&broken);
    scene.checkpoint(frozen(false));
    let failure = scene.end().0.unwrap();
    assert!(
        failure.starts_with("the scribe panicked: out of order"),
        "{failure}"
    );
}

#[test]
fn a_component_that_cannot_be_laid_out_costs_a_checkpoint_and_not_the_server() {
    let files = Arc::new(Files::default());
    let scene = Scene::begin(&files);
    scene.checkpoint(frozen(true));
    scene.checkpoint(frozen(false));
    assert_eq!(scene.end(), (None, 1));
    let name = FileName::Checkpoint(Tick(0), ShardId(0)).to_string();
    assert_eq!(files.list().unwrap(), [name]);
}
