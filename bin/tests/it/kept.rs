//! A world that is kept on disk: killed again and again it comes back with all that clients were told, any tick of it can be
//! looked at, and two of them are compared.
//!
//! WORLDSHARD_FULL=1 kills it two hundred times.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use worldshard::AppRecipe;
use worldshard::durable::{FileName, checkpoint_file, checkpoint_of};
use worldshard::prelude::{App, Tick};
use worldshard::runtime::{Recording, first_difference};
use worldshard::worlds::{WorldName, world};
use worldshard_client::protocol::{EntityId, InterestWish, ViewpointMode};
use worldshard_client::{Connection, Event};

use crate::server::{PROGRAM, Server, WAIT, full, now, on_each_runtime};

on_each_runtime!(
    a_world_that_is_killed_comes_back_with_all_that_clients_were_told,
    a_world_that_is_stopped_goes_on_where_it_was,
    clients_of_a_world_that_is_killed_go_on_as_whom_they_were,
    a_world_kept_by_checkpoints_alone_comes_back_as_the_last_one_has_it,
);

const ENTITIES: &str = "400";

/// A folder of a test's own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("worldshard-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn start(runtime: &str, folder: &Folder, more: &[&str]) -> Server {
    let (data, digest) = (folder.at("world"), folder.at("digests"));
    let mut args = vec![
        "--data",
        &data,
        "--digest",
        &digest,
        "--entities",
        ENTITIES,
        "--shards",
        "2",
    ];
    args.extend_from_slice(&["--checkpoint-every", "1", "--tick-rate", "50"]);
    if !more.contains(&"--resume-grace") {
        args.extend_from_slice(&["--resume-grace", "0.5"]);
    }
    args.extend_from_slice(more);
    Server::start(runtime, &args)
}

fn recipe() -> Arc<AppRecipe> {
    let mut setup = world(WorldName::Flock, ENTITIES.parse().unwrap(), 0);
    setup = setup.tick_interval(Duration::from_millis(20));
    App::new().plugin(setup).build().unwrap()
}

fn recording(folder: &Folder) -> Recording {
    Recording::open(Path::new(&folder.at("world")), &recipe()).unwrap()
}

/// The digests that were written before anybody was told; each tick once.
fn digests(folder: &Folder) -> BTreeMap<Tick, u128> {
    let text = fs::read_to_string(folder.at("digests")).unwrap();
    let mut digests = BTreeMap::new();
    // A line that was cut off by the kill was never told.
    for line in text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
    {
        let (tick, digest) = line.trim_end().split_once(' ').unwrap();
        let digest = u128::from_str_radix(digest, 16).unwrap();
        let known = digests.insert(Tick(tick.parse().unwrap()), digest);
        assert!(
            known.is_none_or(|known| known == digest),
            "tick {tick} was told of twice"
        );
    }
    digests
}

/// The tick after which a server says that its world goes on.
fn came_back(server: &Server) -> Option<u64> {
    let (_, after) = server.line().split_once("goes on after tick ")?;
    after.split(' ').next()?.parse().ok()
}

fn joined(server: &Server, number: usize) -> Connection {
    let mut connection = Connection::enter(server.addr(), "/world", WAIT).unwrap();
    let at = [20.0 + 15.0 * number as f32, 40.0, 0.0];
    connection.join(ViewpointMode::Avatar, Some(at), InterestWish::Default);
    connection
}

/// Reads what is there and steers; the last tick that it was told of.
fn turn(connection: &mut Connection, number: u64) -> u64 {
    let told = |connection: &Connection| connection.view().tick().0;
    while let Ok(Some(event)) = connection.try_receive() {
        if matches!(event, Event::Closed { .. }) {
            break;
        }
    }
    let angle = number as f32;
    connection.steer([angle.sin(), angle.cos(), 0.0]);
    let _ = connection.flush();
    told(connection)
}

fn a_world_that_is_killed_comes_back_with_all_that_clients_were_told(runtime: &str) {
    let folder = Folder::new(&format!("killed-{runtime}"));
    let rounds = if full() { 200 } else { 8 };
    let mut told = 0;
    let mut slowest = Duration::ZERO;
    // Which moments are hit differs from run to run; what holds does not.
    let mut chance = u64::from(std::process::id()) | 1;
    for round in 0..rounds {
        let began = now();
        let mut server = start(runtime, &folder, &[]);
        slowest = slowest.max(began.elapsed());
        let tick = came_back(&server);
        if round > 0 {
            let tick =
                tick.unwrap_or_else(|| panic!("round {round}: it began anew: {}", server.line()));
            assert!(
                tick >= told,
                "round {round}: tick {tick}, and clients were told of {told}"
            );
        }
        let mut clients: Vec<Connection> = (0..4).map(|number| joined(&server, number)).collect();
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let until = now() + Duration::from_millis(150 + (chance >> 33) % 600);
        let mut turns = 0;
        while now() < until {
            turns += 1;
            for client in &mut clients {
                told = told.max(turn(client, turns));
            }
            std::thread::park_timeout(Duration::from_millis(3));
        }
        server.signal(rustix::process::Signal::KILL);
        server.wait();
        // What the kernel had for them was told too.
        for client in &mut clients {
            told = told.max(turn(client, turns));
        }
    }
    let digests = digests(&folder);
    let (&last, _) = digests.last_key_value().unwrap();
    assert!(last.0 >= told, "digests up to {last}, told up to {told}");
    let compared = compare(&recording(&folder), &digests);
    println!(
        "{runtime}: {rounds} kills, {last} ticks, {compared} of them compared, slowest start {slowest:?}"
    );
    let mut server = start(runtime, &folder, &[]);
    assert!(came_back(&server).is_some_and(|tick| tick >= told));
    // Nobody is there any more, so neither are the avatars.
    crate::server::eventually("the avatars of the killed to leave", || {
        let status = server.status();
        let entities = |shard: &serde_json::Value| shard["world"]["entities"].as_u64();
        status.shards().iter().filter_map(entities).sum::<u64>() == ENTITIES.parse::<u64>().unwrap()
    });
    server.status().assert_audited();
    server.interrupt();
    assert_eq!(server.wait().code(), Some(0));
}

/// Waits for a delta; the avatar's place in it.
fn own_place(client: &mut Connection, avatar: u64) -> [f32; 3] {
    let delta = |event: &Event| matches!(event, Event::Delta(_)).then_some(());
    client.until(WAIT, delta).unwrap();
    let own = client.view().get(EntityId(avatar)).unwrap();
    own.record.position()
}

fn clients_of_a_world_that_is_killed_go_on_as_whom_they_were(runtime: &str) {
    let folder = Folder::new(&format!("resumed-{runtime}"));
    let grace = ["--resume-grace", "6"];
    let mut server = start(runtime, &folder, &grace);
    let mut clients = Vec::new();
    for number in 0..3 {
        let mut client = joined(&server, number);
        let avatar = client.until(WAIT, |event| match event {
            Event::Text(text) => {
                let text: serde_json::Value = serde_json::from_str(text).unwrap();
                text["data"]["entity"].as_u64()
            }
            _ => None,
        });
        clients.push((client, avatar.unwrap()));
    }
    for round in 0..4_u64 {
        for (client, avatar) in &mut clients {
            for number in 0..3 {
                turn(client, 10 * round + number);
                own_place(client, *avatar);
            }
        }
        server.signal(rustix::process::Signal::KILL);
        server.wait();
        server = start(runtime, &folder, &grace);
        // One does not come back.
        if round == 0 {
            clients.pop();
        }
        for (client, avatar) in &mut clients {
            let (resumed, greeting) =
                Connection::resume(server.addr(), "/world", client, WAIT).unwrap();
            assert_eq!(greeting.entity, Some(*avatar), "round {round}");
            let (taken, said) = (greeting.command_sequence.unwrap(), client.sequence());
            assert!(taken <= said && taken + 9 >= said, "{taken} of {said}");
            let used = Connection::resume(server.addr(), "/world", client, WAIT);
            assert!(used.is_err(), "a token was used twice");
            *client = resumed;
            own_place(client, *avatar);
        }
    }
    crate::server::eventually("the avatar of who stayed away to leave", || {
        let status = server.status();
        let entities = |shard: &serde_json::Value| shard["world"]["entities"].as_u64();
        let entities: u64 = status.shards().iter().filter_map(entities).sum();
        for (client, _) in &mut clients {
            turn(client, entities);
        }
        entities == ENTITIES.parse::<u64>().unwrap() + 2
    });
    server.status().assert_audited();
    server.end();
    compare(&recording(&folder), &digests(&folder));
    let key = fs::metadata(Path::new(&folder.at("world")).join("key")).unwrap();
    assert_eq!((key.len(), key.permissions().mode() & 0o777), (32, 0o600));
}

fn a_world_kept_by_checkpoints_alone_comes_back_as_the_last_one_has_it(runtime: &str) {
    let folder = Folder::new(&format!("checkpoints-{runtime}"));
    let mut last = 0;
    for round in 0..4 {
        let mut server = start(runtime, &folder, &["--durability", "checkpoint"]);
        if round > 0 {
            assert_eq!(came_back(&server), Some(last), "{}", server.line());
        }
        crate::server::eventually("another checkpoint", || {
            recording(&folder).generations().unwrap().last() > Some(&Tick(last))
        });
        server.signal(rustix::process::Signal::KILL);
        server.wait();
        let mut generations = recording(&folder).generations().unwrap();
        if round % 2 == 1 {
            // As if it had been killed between two shards' checkpoints.
            let newest = generations.pop_last().unwrap();
            let shard = worldshard::prelude::ShardId(round / 2);
            let name = FileName::Checkpoint(newest, shard).to_string();
            fs::remove_file(Path::new(&folder.at("world")).join(name)).unwrap();
        }
        last = generations.last().unwrap().0;
    }
}

/// Does again what is kept, and compares each tick with the digest that was written; how many there were.
fn compare(recording: &Recording, digests: &BTreeMap<Tick, u128>) -> u64 {
    let mut compared = 0;
    for &generation in &recording.generations().unwrap() {
        let mut replay = recording.after(generation).unwrap();
        let next = recording
            .generations()
            .unwrap()
            .range(generation.next()..)
            .next()
            .copied();
        while next.is_none_or(|next| replay.tick() < next) && replay.step().unwrap() {
            if let Some(&digest) = digests.get(&replay.tick()) {
                assert_eq!(replay.digest(), digest, "tick {}", replay.tick());
                compared += 1;
            }
        }
    }
    assert!(compared > 10, "only {compared} ticks are kept");
    compared
}

fn a_world_that_is_stopped_goes_on_where_it_was(runtime: &str) {
    let folder = Folder::new(&format!("stopped-{runtime}"));
    let mut last = 0;
    for round in 0..3 {
        let server = start(runtime, &folder, &[]);
        assert_eq!(came_back(&server).is_some(), round > 0, "{}", server.line());
        assert!(came_back(&server).is_none_or(|tick| tick >= last));
        crate::server::eventually("some ticks", || server.status().tick() >= last + 30);
        last = server.status().tick();
        server.end();
    }
    // Without a number of shards it has those that it had.
    let data = folder.at("world");
    let args = ["--data", &data, "--entities", ENTITIES, "--tick-rate", "50"];
    let server = Server::start(runtime, &args);
    assert!(server.line().contains("2 shards"), "{}", server.line());
    server.end();
}

fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder with some hundred kept ticks, made by whatever runtime runs here.
fn kept(name: &str) -> Folder {
    let folder = Folder::new(name);
    let server = start("auto", &folder, &["--checkpoints-kept", "100"]);
    let mut client = joined(&server, 1);
    let mut turns = 0;
    crate::server::eventually("a hundred ticks", || {
        turns += 1;
        turn(&mut client, turns);
        server.status().tick() >= 120
    });
    server.end();
    folder
}

#[test]
fn any_kept_tick_is_replayed_to_its_digest_and_served_to_look_at() {
    let folder = kept("replayed");
    let data = folder.at("world");
    let digests = digests(&folder);
    for tick in [1, 49, 50, 51, 117] {
        let output = run(&["replay", "--data", &data, "--to", &tick.to_string()]);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let digest = format!("digest {:032x}", digests[&Tick(tick)]);
        assert!(
            said.starts_with(&format!("tick {tick}:")) && said.contains(&digest),
            "{said}"
        );
    }
    let output = run(&["replay", "--data", &data, "--to", "1000000"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("tick 1000000 is not kept: 0 to "), "{said}");

    let server = Server::replay(&["--data", &data, "--to", "60", "--serve"]);
    let mut connection = Connection::enter(server.addr(), "/world", WAIT).unwrap();
    connection.join(ViewpointMode::Avatar, None, InterestWish::Default);
    let refused = connection.until(WAIT, |event| match event {
        Event::Error(refused) => Some(refused.message.clone()),
        _ => None,
    });
    assert!(refused.unwrap().contains("stands still"));
    connection.join(
        ViewpointMode::Camera,
        Some([50.0, 50.0, 0.0]),
        InterestWish::Default,
    );
    connection
        .until(WAIT, |event| matches!(event, Event::Delta(_)).then_some(()))
        .unwrap();
    let shown: Vec<_> = connection
        .view()
        .iter()
        .map(|(id, seen)| (id, seen.record))
        .collect();
    let replay = recording(&folder).at(Some(Tick(60))).unwrap();
    for (id, record) in &shown {
        let at = replay
            .shards()
            .iter()
            .find_map(|shard| shard.position(*id))
            .unwrap();
        assert_eq!([record.x, record.y, record.z], at.to_array(), "{id}");
    }
    assert!(shown.len() > 5, "{} shown", shown.len());
    server.end();
}

#[test]
fn diff_names_the_tick_the_shard_the_entity_and_the_component_of_one_flipped_bit() {
    let (folder, other) = (kept("one"), Folder::new("other"));
    let (one, changed) = (folder.at("world"), other.at("world"));
    fs::create_dir_all(&changed).unwrap();
    for file in fs::read_dir(&one).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), Path::new(&changed).join(file.file_name())).unwrap();
    }
    let output = run(&["diff", &one, &changed]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "no difference in the ticks that both have\n"
    );
    // One bit of one entity's place in the checkpoint after tick 50, under a checksum that is right.
    let path = Path::new(&changed)
        .join(FileName::Checkpoint(Tick(50), worldshard::prelude::ShardId(1)).to_string());
    let file = fs::read(&path).unwrap();
    let mut archive = checkpoint_of(&file).unwrap().to_vec();
    let replay = recording(&folder).at(Some(Tick(50))).unwrap();
    let shard = &replay.shards()[1];
    let victim = shard.entities()[7];
    let place: Vec<u8> = shard
        .position(victim)
        .unwrap()
        .to_array()
        .iter()
        .flat_map(|axis| axis.to_le_bytes())
        .collect();
    let at = archive
        .windows(place.len())
        .position(|window| window == place)
        .unwrap();
    archive[at] ^= 1;
    fs::write(&path, checkpoint_file(&archive)).unwrap();
    let output = run(&["diff", &one, &changed]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected = format!("tick 50, shard 1, entity {victim}, component position: ");
    assert!(said.contains(&expected), "{said} is not about {expected}");
    let found = first_difference(&recording(&folder), &recording(&other))
        .unwrap()
        .unwrap();
    assert_eq!(found.component.as_deref(), Some("position"));
}

#[test]
fn a_world_that_cannot_be_opened_is_refused_with_what_is_wrong_and_what_to_do() {
    let folder = kept("refused");
    let data = folder.at("world");
    let serve = |more: &[&str]| {
        let mut args = vec![
            "serve",
            "--bind",
            "127.0.0.1:0",
            "--data",
            &data,
            "--shards",
            "2",
            "--tick-rate",
            "50",
        ];
        args.extend_from_slice(more);
        let output = run(&args);
        (output.status.code(), text(&output.stderr))
    };
    let (status, said) = serve(&["--entities", "500"]);
    assert_eq!(status, Some(1));
    assert!(
        said.contains("world.json: ") && said.contains("name another folder"),
        "{said}"
    );
    let (status, said) = serve(&["--entities", ENTITIES, "--app", "echo"]);
    assert_eq!(status, Some(2));
    assert!(said.contains("--data: only a world can be kept"), "{said}");
    let server = start("auto", &folder, &[]);
    let (status, said) = serve(&["--entities", ENTITIES]);
    assert_eq!(status, Some(1));
    assert!(said.contains("another process has it"), "{said}");
    server.end();
    // A flipped bit in the middle of the newest journal.
    let journals = fs::read_dir(&data)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut journals: Vec<PathBuf> = journals
        .filter(|path| path.extension().is_some_and(|end| end == "wsj"))
        .collect();
    journals.sort();
    let longest = journals
        .iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(longest).unwrap();
    let whole = bytes.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(longest, &bytes).unwrap();
    let newer = journals.iter().any(|path| path > longest);
    let (status, said) = if newer {
        (Some(1), "--accept-loss".to_owned())
    } else {
        serve(&["--entities", ENTITIES])
    };
    assert_eq!(status, Some(1));
    assert!(said.contains("--accept-loss"), "{said}");
    fs::write(longest, whole).unwrap();
    // Nothing but files that are not whole.
    for file in fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "wsc") {
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
    }
    let (status, said) = serve(&["--entities", ENTITIES]);
    assert_eq!(status, Some(1));
    assert!(
        said.contains("no checkpoint is whole, and a world is not begun anew"),
        "{said}"
    );
}
