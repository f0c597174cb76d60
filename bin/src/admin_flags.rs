//! The flags of the listener for operators. What they mean is said by the configuration's section `admin`.

use std::path::PathBuf;

use clap::Args;

use crate::config::outside::Admin;

/// Where operators look and command.
#[derive(Args, Debug)]
pub(crate) struct AdminFlags {
    /// Answer operators here, not encrypted: for this machine or a network of operators alone; port 0 takes any free one
    #[arg(
        long,
        value_name = "ADDR",
        requires = "admin_token_file",
        help_heading = "Operators"
    )]
    pub(crate) admin: Option<String>,

    /// The file with the token that operators show: a line of at least 16 bytes
    #[arg(
        long,
        value_name = "FILE",
        requires = "admin",
        help_heading = "Operators"
    )]
    pub(crate) admin_token_file: Option<PathBuf>,

    /// Answer /metrics where clients connect too, to whoever asks
    #[arg(long, help_heading = "Operators")]
    pub(crate) public_metrics: bool,
}

impl AdminFlags {
    /// Each needs the other, which clap sees to.
    pub(crate) fn section(&self) -> Option<Admin> {
        Some(Admin {
            listen: self.admin.clone()?,
            token_file: self.admin_token_file.clone()?,
        })
    }
}
