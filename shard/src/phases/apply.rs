//! First phase: commands that are due change viewpoints and their avatars.
//!
//! In (session, sequence) order. Never moves the world by itself: that is `simulate`.

use worldshard_protocol::{EntityId, ErrorCode, SessionId, Tick, ViewpointMode};
use worldshard_spatial::Point;

use crate::command::{Command, CommandBody, Join, Refusal};
use crate::component::{Position, Steering};
use crate::draft::Draft;
use crate::letter::{Birth, SpawnKey, Spawner};
use crate::published::Notice;
use crate::recipe::{Genesis, Subject};
use crate::shard::Shard;
use crate::viewer::{Viewer, Viewpoint};

/// Applies what was scripted for this tick, then joins, then what waits for each viewpoint.
pub(crate) fn apply(shard: &mut Shard, tick: Tick) {
    scripted(shard, tick);
    let mut joins = std::mem::take(&mut shard.joins);
    joins.sort_by_key(|command| (command.session, command.sequence));
    for command in joins {
        let CommandBody::Join(join) = command.body else {
            unreachable!("only joins wait here");
        };
        begin(shard, command.session, &join, tick);
        if let Some(viewer) = shard.viewers.get_mut(&command.session) {
            // So that it is not said again over another connection, when nothing was said after it.
            viewer.inputs.client_sequence = command.client_sequence;
        }
        take_undelivered(shard, command.session, command.sequence, tick);
    }
    let mut waiting = std::mem::take(&mut shard.waiting);
    let viewers = shard.viewers.values();
    let viewers = viewers.filter(|viewer| viewer.inputs.pending() > 0);
    waiting.extend(viewers.map(|viewer| viewer.session));
    for session in waiting.drain(..) {
        due(shard, session, tick);
    }
    shard.waiting = waiting;
}

/// Commands of the script whose viewpoint, or place of birth, is here.
fn scripted(shard: &mut Shard, tick: Tick) {
    let Some(script) = shard.recipe.script.clone() else {
        return;
    };
    let mut commands = Vec::new();
    script.commands(tick, &mut commands);
    for command in commands {
        if let CommandBody::Join(join) = command.body {
            if shard.cell_map.owner_of(join.at) == shard.own {
                shard.stats.commands_scripted += 1;
                begin(shard, command.session, &join, tick);
            }
        } else if shard.viewers.contains_key(&command.session) {
            shard.stats.commands_scripted += 1;
            execute(
                shard,
                command.session,
                command.client_sequence,
                command.body,
                tick,
            );
        }
    }
}

/// Applies one session's commands in sequence, up to a gap, the tick's share, or a birth to come.
fn due(shard: &mut Shard, session: SessionId, tick: Tick) {
    for _ in 0..shard.recipe.config.limits.commands_per_tick_max {
        let Some(viewer) = shard.viewers.get_mut(&session) else {
            return;
        };
        if matches!(viewer.viewpoint, Viewpoint::Birth(..)) {
            return;
        }
        let Some(command) = viewer.inputs.next() else {
            return;
        };
        let Command {
            client_sequence,
            body,
            ..
        } = command;
        execute(shard, session, client_sequence, body, tick);
    }
}

/// Gives a session a viewpoint. It may stand on another shard's ground: `release` takes it there.
fn begin(shard: &mut Shard, session: SessionId, join: &Join, tick: Tick) {
    let recipe = shard.recipe.clone();
    let limits = &recipe.config.limits;
    if shard.viewers.len() >= limits.viewers_max {
        let detail = format!(
            "this shard has {} viewpoints, its most; join again later",
            limits.viewers_max
        );
        refuse(
            shard,
            session,
            0,
            Refusal {
                code: ErrorCode::ResourceExhausted,
                detail: detail.into(),
            },
        );
        return;
    }
    if recipe.still && join.mode == ViewpointMode::Avatar {
        let refusal = Refusal::not_allowed("this world stands still; join with a camera");
        return refuse(shard, session, 0, refusal);
    }
    let at = shard.recipe.config.bounds.clamp(join.at);
    let viewpoint = match join.mode {
        ViewpointMode::Camera => Viewpoint::Camera(at),
        ViewpointMode::Avatar => Viewpoint::Birth(draft_avatar(shard, join.author, at), at),
    };
    let viewer = Viewer::new(session, join, viewpoint, limits);
    shard.stats.joins += 1;
    shard.viewers.insert(session, Box::new(viewer));
    shard
        .published
        .notices
        .push((session, Notice::Owner(shard.own)));
    if join.mode == ViewpointMode::Camera {
        shard
            .published
            .notices
            .push((session, Notice::Joined { entity: None, tick }));
    }
}

fn draft_avatar(shard: &mut Shard, author: u64, at: Point) -> SpawnKey {
    let genesis = Genesis {
        config: &shard.recipe.config,
    };
    let draft = match &shard.recipe.avatar {
        Some(avatar) => avatar(&genesis, at),
        None => Draft::at(at),
    };
    // One author joins at most once in a tick, and a system never spawns in an author's name.
    let key = SpawnKey {
        spawner: Spawner::Author(author),
        ordinal: 0,
    };
    shard.births.push(Birth {
        key,
        at,
        state: Some(encode(draft.with(Position(at)), shard).into()),
    });
    key
}

fn encode(draft: Draft, shard: &Shard) -> Vec<u8> {
    let mut state = Vec::new();
    draft.encode(&shard.recipe.registry, &mut state);
    state
}

/// What came for a session before its viewpoint began.
fn take_undelivered(shard: &mut Shard, session: SessionId, join_sequence: u32, tick: Tick) {
    let pending_max = shard.recipe.config.limits.commands_pending_max;
    let Some(viewer) = shard.viewers.get_mut(&session) else {
        return;
    };
    viewer.inputs.begin(join_sequence);
    if let Some(letters) = shard.undelivered.take(session) {
        viewer.take_letters(&letters, pending_max, tick);
    }
}

/// Applies one command to one viewpoint.
fn execute(
    shard: &mut Shard,
    session: SessionId,
    client_sequence: u32,
    body: CommandBody,
    tick: Tick,
) {
    let outcome = match body {
        CommandBody::Join(join) => {
            remove_avatar(shard, session);
            let inputs = shard.viewers.remove(&session).map(|viewer| viewer.inputs);
            begin(shard, session, &join, tick);
            if let (Some(viewer), Some(inputs)) = (shard.viewers.get_mut(&session), inputs) {
                viewer.inputs = inputs;
            }
            Ok(())
        }
        CommandBody::Leave => {
            leave(shard, session);
            Ok(())
        }
        CommandBody::Steer(direction) => avatar(shard, session).map(|entity| {
            shard
                .world
                .put(entity, Steering(direction.clamp_length(1.0)));
        }),
        CommandBody::Move(to) => {
            avatar(shard, session).and_then(|entity| step_to(shard, entity, to))
        }
        CommandBody::Look(at) => look(shard, session, at),
        CommandBody::Interest(interest) => {
            if let Some(viewer) = shard.viewers.get_mut(&session) {
                viewer.interest = interest;
            }
            Ok(())
        }
        CommandBody::Refresh { generation } => {
            refresh(shard, session, generation, tick);
            Ok(())
        }
        CommandBody::Custom { opcode, payload } => {
            avatar(shard, session).and_then(|entity| custom(shard, entity, opcode, &payload, tick))
        }
        CommandBody::Dropped => Err(Refusal {
            code: ErrorCode::Internal,
            detail: "command: the world failed with it in its tick, and goes on without it".into(),
        }),
    };
    if let Some(viewer) = shard.viewers.get_mut(&session)
        && client_sequence > 0
    {
        viewer.inputs.client_sequence = client_sequence;
    }
    match outcome {
        Ok(()) => shard.stats.commands_applied += 1,
        Err(refusal) => refuse(shard, session, client_sequence, refusal),
    }
}

fn avatar(shard: &Shard, session: SessionId) -> Result<EntityId, Refusal> {
    match shard.viewers.get(&session).map(|viewer| viewer.viewpoint) {
        Some(Viewpoint::Avatar(entity)) => Ok(entity),
        _ => Err(Refusal::not_allowed(
            "only a session with an avatar can do this; join with one",
        )),
    }
}

fn step_to(shard: &mut Shard, entity: EntityId, to: Point) -> Result<(), Refusal> {
    let config = &shard.recipe.config;
    let from = shard
        .world
        .position(entity)
        .expect("an avatar lives where its viewpoint lives");
    let (distance_m, most_m) = (
        (to - from).length(),
        config.avatar_speed_max_m_s * config.dt(),
    );
    if distance_m > most_m * ROUNDING {
        let detail = format!("to is {distance_m} m away; {most_m} m in one tick is the most");
        return Err(Refusal::not_allowed(detail));
    }
    shard.world.put(entity, Position(config.bounds.clamp(to)));
    Ok(())
}

fn look(shard: &mut Shard, session: SessionId, at: Point) -> Result<(), Refusal> {
    let at = shard.recipe.config.bounds.clamp(at);
    match shard
        .viewers
        .get_mut(&session)
        .map(|viewer| &mut viewer.viewpoint)
    {
        Some(Viewpoint::Camera(camera)) => {
            *camera = at;
            Ok(())
        }
        _ => Err(Refusal::not_allowed(
            "only a session with a camera can look elsewhere; join with one",
        )),
    }
}

fn custom(
    shard: &mut Shard,
    entity: EntityId,
    opcode: u8,
    payload: &[u8],
    tick: Tick,
) -> Result<(), Refusal> {
    let recipe = shard.recipe.clone();
    let Some(handler) = recipe.commands.get(&opcode) else {
        return Err(Refusal::not_allowed(format!(
            "opcode {opcode} is not known to this world"
        )));
    };
    let mut subject = Subject {
        entity,
        world: &mut shard.world,
        tick,
        config: &recipe.config,
    };
    handler(&mut subject, payload)
}

fn refresh(shard: &mut Shard, session: SessionId, generation: u32, tick: Tick) {
    let Some(viewer) = shard.viewers.get_mut(&session) else {
        return;
    };
    viewer.refresh(generation);
    let notice = Notice::Refreshed { generation, tick };
    shard.published.notices.push((session, notice));
}

fn leave(shard: &mut Shard, session: SessionId) {
    remove_avatar(shard, session);
    shard.viewers.remove(&session);
    shard.published.notices.push((session, Notice::Left));
}

fn remove_avatar(shard: &mut Shard, session: SessionId) {
    if let Ok(entity) = avatar(shard, session) {
        shard.remove_entity(entity, Some(session));
    }
}

fn refuse(shard: &mut Shard, session: SessionId, client_sequence: u32, refusal: Refusal) {
    shard.stats.commands_refused += 1;
    let Refusal { code, detail } = refusal;
    shard.published.notices.push((
        session,
        Notice::Refused {
            client_sequence,
            code,
            detail,
        },
    ));
}

/// A client computes the distance in its own order of operations: the last bits may differ.
const ROUNDING: f32 = 1.0001;
