//! Turns an audience into posts for homes: a session id names its home, and only for a user's sessions a table is needed.

use std::sync::Arc;

use worldshard_protocol::SessionId;
use worldshard_shard::AreaMessage;
use worldshard_spatial::{Point, ShardId};

use crate::audience::Audience;
use crate::hub::Hub;
use crate::hub::desk::Desk;
use crate::hub::fanout::{Post, PostTo, lanes_frame};
use crate::hub::rooms::RoomCall;
use crate::letter::Letter;
use crate::message::Payload;
use crate::unsent::UnsentCause;

impl Desk {
    /// Sends a message to an audience: to sessions of this home now, to those of others at the end of the turn.
    pub(crate) fn send(&mut self, audience: Audience, payload: &Payload) {
        self.send_in(None, audience, payload);
    }

    /// The same; clients on lanes are told in which room it was said.
    pub(crate) fn send_in(
        &mut self,
        room: Option<Arc<str>>,
        audience: Audience,
        payload: &Payload,
    ) {
        self.stats.messages_out += 1;
        match audience {
            Audience::One(session) if session.home() == self.own.0 => {
                self.deliver_to_one(session, payload, room.as_deref());
            }
            Audience::One(session) => self.send_to(room, vec![session], payload),
            Audience::Group(sessions) => self.send_to(room, sorted(sessions), payload),
            Audience::All => self.send_to_all_but(Vec::new(), payload),
            Audience::AllBut(session) => self.send_to_all_but(vec![session], payload),
            Audience::AllButGroup(sessions) => self.send_to_all_but(sorted(sessions), payload),
            Audience::User(user) => {
                let sessions = self.commons.seats.sessions_of(self.spoken_of, &user);
                self.send_to(room, sorted(sessions), payload);
            }
            Audience::Room { kind, name } => match self.room_named(self.spoken_of, &kind, &name) {
                None => tracing::error!(kind, "a message for a room of no kind was dropped"),
                Some(room) => {
                    let payload = payload.clone();
                    self.call_room(room, RoomCall::Publish { payload });
                }
            },
            Audience::Area { centre, radius_m } => self.send_to_area(centre, radius_m, payload),
        }
    }

    /// `sessions` ascending: those of one home are neighbours, homes ascending too.
    fn send_to(&mut self, room: Option<Arc<str>>, sessions: Vec<SessionId>, payload: &Payload) {
        let shards = self.commons.shard_count();
        let mut post = Post::new(PostTo::Only(Vec::new()), payload, &mut self.blocks);
        post.room = room;
        for of_home in sessions.chunk_by(|one, next| one.home() == next.home()) {
            let home = of_home[0].home();
            if home < shards {
                post.to = PostTo::Only(of_home.to_vec());
                self.post(ShardId(home), post.clone());
            } else {
                let nobody = |&session| self.unsent.note(session, UnsentCause::NoSession, 1);
                of_home.iter().for_each(nobody);
            }
        }
    }

    fn send_to_all_but(&mut self, except: Vec<SessionId>, payload: &Payload) {
        let moment = self.commons.moments.take();
        let post = Post::new(PostTo::AllBut { moment, except }, payload, &mut self.blocks);
        for home in (0..self.commons.shard_count()).map(ShardId) {
            self.post(home, post.clone());
        }
    }

    /// Only sessions with a viewpoint can stand in an area, and those speak lanes.
    fn send_to_area(&mut self, centre: Point, radius_m: f32, payload: &Payload) {
        if !(centre.is_finite() && radius_m.is_finite() && radius_m >= 0.0) {
            tracing::warn!(radius_m, "a message for an area that is none was dropped");
            return;
        }
        self.areas_said = self.areas_said.wrapping_add(1);
        self.areas.push(AreaMessage {
            centre,
            radius_m,
            except: None,
            order: (u64::from(self.own.0), self.areas_said),
            payload: lanes_frame(payload, None),
        });
    }

    fn post(&mut self, home: ShardId, post: Post) {
        if home == self.own {
            self.deliver_post(&post);
        } else {
            self.posts[usize::from(home.0)].push(post);
        }
    }

    /// Makes one letter per home of everything that was posted.
    pub(crate) fn flush_posts(&mut self) {
        for (home, posts) in self.posts.iter_mut().enumerate() {
            if !posts.is_empty() {
                let home = ShardId(u16::try_from(home).expect("a shard's number is 16 bits"));
                let posts = std::mem::take(posts);
                let letter = Letter::Posts {
                    tick: self.tells_of,
                    posts,
                };
                self.output.letters.push((home, letter));
            }
        }
    }
}

impl Hub {
    /// Hands messages for areas to the world; they leave with the next tick.
    pub(crate) fn say(&mut self) {
        for message in std::mem::take(&mut self.desk.areas) {
            if !self.shard.say(message) {
                self.desk.stats.areas_refused += 1;
            }
        }
    }
}

fn sorted(mut sessions: Vec<SessionId>) -> Vec<SessionId> {
    sessions.sort_unstable();
    sessions.dedup();
    sessions
}
