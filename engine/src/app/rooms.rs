//! Which rooms an application has: where they are reached, what runs in them, how they begin and end. Never runs one.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use worldshard_spatial::ShardId;
use worldshard_transport::decode_path;

use crate::app::Framing;
use crate::policy::TenantIndex;
use crate::service::Service;

/// Rooms of one kind. Each lives on one shard, where the connections to its path have their home.
#[derive(Clone)]
pub struct Rooms {
    /// What kind they are: their pattern, or the label that they were given.
    pub(crate) label: Arc<str>,
    /// Their path until the room's name; none when no path leads to them.
    pub(crate) prefix: Option<String>,
    /// Clients on lanes join them by themselves.
    pub(crate) joinable: bool,
    pub(crate) make: Arc<MakeService>,
    pub(crate) creation: Creation,
    pub(crate) when_empty: WhenEmpty,
    pub(crate) default_room: Option<String>,
    pub(crate) framing: Framing,
    pub(crate) after_commit: bool,
    pub(crate) members_max: u32,
}

/// Makes what runs in a room, by its name.
pub(crate) type MakeService = dyn Fn(&str) -> Box<dyn Service> + Send + Sync;

/// How a room begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Creation {
    /// When somebody connects to it, under any name.
    #[default]
    Implicit,
    /// By a `POST` to its path, under any name. Who connects before is answered 404.
    Explicit,
    /// By a `POST` to `/new_room`, which answers with its name: a random UUID.
    Uuid,
    /// By a `POST` to `/new_room`, which answers with its name: so many upper-case letters, 3 to 12. None comes again
    /// before all have come.
    Short(u8),
}

/// What becomes of a room without members.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WhenEmpty {
    /// It stays until the end of the server.
    Keep,
    /// It ends at once. One that was created by a `POST` waits a minute for its first member.
    #[default]
    End,
    /// It ends when nobody has come for so long, in the world's time.
    EndAfter(Duration),
}

/// A room of a tenant. The same name in two tenants is two rooms.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RoomId {
    /// Whose clients come to it.
    pub(crate) tenant: TenantIndex,
    /// Of which kind: the first that was added is 0.
    pub(crate) kind: u16,
    pub(crate) name: Arc<str>,
}

impl Rooms {
    /// Rooms whose path is `pattern`, which ends in `{room}`: `/ws/{room}`. `make` makes what runs in a room, by its name.
    #[must_use]
    pub fn at<S: Service>(
        pattern: impl Into<String>,
        make: impl Fn(&str) -> S + Send + Sync + 'static,
    ) -> Self {
        let pattern = pattern.into();
        let prefix = pattern.strip_suffix(PLACEHOLDER).unwrap_or_default();
        let prefix = Some(prefix.to_owned());
        Self::new(pattern.into(), prefix, make)
    }

    /// Rooms that no path leads to: sessions of any home join them, several at a time, by
    /// [`Context::join`](crate::Context::join), by [`Room::move_to`](crate::Room::move_to), or by themselves where they are
    /// [`joinable`](Self::joinable). `kind` is the label by which they are named there.
    #[must_use]
    pub fn named<S: Service>(kind: &str, make: impl Fn(&str) -> S + Send + Sync + 'static) -> Self {
        Self::new(kind.into(), None, make)
    }

    fn new<S: Service>(
        label: Arc<str>,
        prefix: Option<String>,
        make: impl Fn(&str) -> S + Send + Sync + 'static,
    ) -> Self {
        Self {
            label,
            prefix,
            joinable: false,
            make: Arc::new(move |name| Box::new(make(name))),
            creation: Creation::default(),
            when_empty: WhenEmpty::default(),
            default_room: None,
            framing: Framing::Raw,
            after_commit: false,
            members_max: 10_000,
        }
    }

    /// How they begin: when somebody connects, unless said.
    #[must_use]
    pub fn creation(mut self, creation: Creation) -> Self {
        self.creation = creation;
        self
    }

    /// What becomes of one without members: it ends, unless said.
    #[must_use]
    pub fn when_empty(mut self, when_empty: WhenEmpty) -> Self {
        self.when_empty = when_empty;
        self
    }

    /// Clients on lanes join and leave them by themselves, as docs/wire.md says. One kind of an application may be so, and
    /// only one without a path.
    #[must_use]
    pub fn joinable(mut self) -> Self {
        self.joinable = true;
        self
    }

    /// Who connects to the path without a name, `/ws` for `/ws/{room}`, comes to this room. For those that are
    /// [`joinable`](Self::joinable), who names none; `default` unless said.
    #[must_use]
    pub fn default_room(mut self, name: impl Into<String>) -> Self {
        self.default_room = Some(name.into());
        self
    }

    /// Their members speak lanes, so that they may request, and go on after their connection broke.
    #[must_use]
    pub fn lanes(mut self) -> Self {
        self.framing = Framing::Lanes;
        self
    }

    /// Members are told nothing before it is durable, as by [`App::after_commit`](crate::App::after_commit).
    #[must_use]
    pub fn after_commit(mut self) -> Self {
        self.after_commit = true;
        self
    }

    /// Members of one room, 10 000 unless said; one more is answered 503.
    #[must_use]
    pub fn members_max(mut self, members: u32) -> Self {
        self.members_max = members;
        self
    }

    /// What is wrong with them, for the error at start.
    pub(crate) fn mistake(&self) -> Option<String> {
        let label = &self.label;
        if let Some(prefix) = &self.prefix
            && !(prefix.starts_with('/') && prefix.ends_with('/'))
        {
            return Some(format!("{label:?} is no path that ends in /{PLACEHOLDER}"));
        }
        if self.prefix.is_some() && self.joinable {
            return Some(format!("{label:?}: rooms with a path are not joined"));
        }
        if self.prefix.is_none() && self.creation != Creation::Implicit {
            return Some(format!(
                "{label:?}: rooms without a path begin when one joins"
            ));
        }
        if let Creation::Short(letters) = self.creation
            && !SHORT_LETTERS.contains(&letters)
        {
            return Some(format!("names of {letters} letters; 3 to 12 may be had"));
        }
        let default = self.default_room.as_deref()?;
        (!is_name(default)).then(|| format!("{default:?}: {NAME_RULE}"))
    }

    /// Whether their names are made by the server.
    pub(crate) fn names_them(&self) -> bool {
        matches!(self.creation, Creation::Uuid | Creation::Short(_))
    }

    /// The name that `path` asks for; none when it is no path of theirs.
    pub(crate) fn name_of<'a>(&'a self, path: &'a str) -> Option<Cow<'a, str>> {
        let prefix = self.prefix.as_deref()?;
        if let Some(name) = path.strip_prefix(prefix) {
            return (!name.contains('/')).then(|| decode_path(name));
        }
        let is_bare = prefix.strip_suffix('/') == Some(path);
        let default = self.default_room.as_deref().filter(|_| is_bare);
        default.map(Cow::Borrowed)
    }
}

impl RoomId {
    /// A number that follows from the room's tenant, kind and name alone: the same in every process.
    pub(crate) fn hash(&self) -> u64 {
        // FNV-1a, and a finish that moves what differs at the end into all bits.
        let numbers = [self.tenant, self.kind].map(u16::to_le_bytes);
        let bytes = numbers.into_iter().flatten().chain(self.name.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The shard that it lives on.
    pub(crate) fn host(&self, shards: u16) -> ShardId {
        let share = (u128::from(self.hash()) * u128::from(shards)) >> 64;
        ShardId(u16::try_from(share).expect("it is less than the number of shards"))
    }
}

/// Whether a room may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c != '/' && !c.is_control() && c != char::REPLACEMENT_CHARACTER;
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(allowed)
}

pub(crate) const NAME_RULE: &str =
    "a room's name has 1 to 128 bytes of UTF-8, without control characters and slashes";

/// Where new rooms are asked for that the server names.
pub(crate) const NEW_ROOM_PATH: &str = "/new_room";

const PLACEHOLDER: &str = "{room}";
const NAME_BYTES_MAX: usize = 128;
const SHORT_LETTERS: std::ops::RangeInclusive<u8> = 3..=12;
