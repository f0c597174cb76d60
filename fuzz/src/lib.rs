//! What the fuzz targets run. One file for each crate under test, which that crate's tests include by path; so a
//! file here uses nothing but the crate it tests.

pub mod protocol;
pub mod transport;
