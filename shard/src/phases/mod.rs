//! The phases of a tick in their order, one file each. Control flow between them is `Shard`'s.

pub(crate) mod genesis;

pub(crate) mod apply;

pub(crate) mod simulate;

pub(crate) mod release;

pub(crate) mod receive;

pub(crate) mod index;

mod ask;
pub(crate) mod observe;

pub(crate) mod publish;

/// A phase of a tick; `docs/architecture.md` says what each does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the files in phases/")]
pub enum Phase {
    Apply,
    Simulate,
    Release,
    Receive,
    Index,
    Observe,
    Publish,
}

impl Phase {
    /// All of them, in the order of a tick.
    pub const ALL: [Self; 7] = [
        Self::Apply,
        Self::Simulate,
        Self::Release,
        Self::Receive,
        Self::Index,
        Self::Observe,
        Self::Publish,
    ];

    /// Its name, which is that of its file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Simulate => "simulate",
            Self::Release => "release",
            Self::Receive => "receive",
            Self::Index => "index",
            Self::Observe => "observe",
            Self::Publish => "publish",
        }
    }
}
