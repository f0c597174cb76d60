//! The command line of `worldshard admin`.

use clap::{Args, Subcommand};

use crate::operators::OperatorArgs;

#[derive(Args, Debug)]
pub(crate) struct AdminArgs {
    #[command(flatten)]
    pub(crate) server: OperatorArgs,

    /// Print the answer as JSON, in one line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum AdminCommand {
    /// List sessions: whose they are, where they are, for how long, and what waits for them
    List(ListArgs),
    /// Close a session with 1008; on lanes it is told so before
    Kick {
        /// Which one, as list has it
        session: u64,
        /// What it is told
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let an address or a user come no more, and close whoever is there
    Ban(BanArgs),
    /// Let them come again
    Unban(BannedArgs),
    /// List who may not come
    Bans,
    /// Say a text to every session: as it is on raw paths, as sys/notice on lanes
    Broadcast {
        /// The text
        text: String,
        /// To those of this tenant alone
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
    },
    /// Look at one session, entity or room
    Inspect {
        #[command(subcommand)]
        what: InspectWhat,
    },
    /// Stop the server in order: no newcomers, everyone is told and closed, then it ends
    Drain,
    /// Say how much is logged, or change that while the server runs
    LogLevel {
        /// error, warn, info, debug, trace, or a filter such as worldshard=debug
        level: Option<String>,
    },
    /// Say how each shard is
    Status,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Whom {
    /// This address
    #[arg(long, value_name = "ADDR")]
    pub(crate) ip: Option<std::net::IpAddr>,
    /// This user
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct BannedArgs {
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// The user's tenant, if not the first
    #[arg(long, value_name = "ID", conflicts_with = "ip")]
    pub(crate) tenant: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct BanArgs {
    #[command(flatten)]
    pub(crate) banned: BannedArgs,
    /// What they are told
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// For so many seconds; for ever, if not said
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Of this tenant alone
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<String>,
    /// Of this user alone
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Those behind this session
    #[arg(long, value_name = "SESSION", default_value_t = 0)]
    pub(crate) after: u64,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) max: u64,
}

#[derive(Subcommand, Debug)]
pub(crate) enum InspectWhat {
    /// A session
    Session {
        /// As list has it
        id: u64,
    },
    /// An entity of the world
    Entity {
        /// Its id
        id: u64,
    },
    /// A room
    Room {
        /// Its name
        name: String,
        /// Of which kind, where there are several
        #[arg(long)]
        kind: Option<String>,
        /// Of which tenant, if not the first
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
    },
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  head -c 32 /dev/urandom | base64 > admin.token
  worldshard serve --admin 127.0.0.1:8081 --admin-token-file admin.token
  worldshard admin --token-file admin.token list --user anna
  worldshard admin --token-file admin.token kick 17 --reason \"too loud\"
  worldshard admin --token-file admin.token ban --user eve --reason spam --seconds 3600
  worldshard admin --token-file admin.token inspect entity 42
  worldshard admin --token-file admin.token log-level debug

Exit status: 0 when it was done, 1 when the server said no or did not answer, 2 when the command line cannot be.";
