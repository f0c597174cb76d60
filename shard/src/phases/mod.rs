//! The phases of a tick in their order, one file each. Control flow between them is `Shard`'s.

pub(crate) mod genesis;

pub(crate) mod apply;

pub(crate) mod simulate;

pub(crate) mod release;

pub(crate) mod receive;

pub(crate) mod index;

pub(crate) mod observe;

pub(crate) mod publish;
