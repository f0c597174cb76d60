//! What the fuzz targets run. One file for each crate under test, which that crate's tests include by path; so a
//! file here uses nothing but the crate it tests.

pub mod durable;
pub mod protocol;
pub mod shard;
pub mod submission;
pub mod transport;
