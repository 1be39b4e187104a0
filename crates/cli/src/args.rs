//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Self-hosted gateway between chat platforms: messages, threads, edits and deletions pass in real time, and
/// nothing of them is kept.
#[derive(Parser)]
#[command(name = "dragoman", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// The configuration file.
    #[arg(long, global = true, env = "DRAGOMAN_CONFIG", default_value = "/etc/dragoman/dragoman.toml")]
    pub(crate) config: PathBuf,
    /// Print data as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Gateway and simulators in one process, on throw-away data: try it without any account
    Demo(Demo),
    /// Write the configuration and make the key file
    Init(Init),
    /// Run the gateway
    Serve,
    /// Run the simulators of the platforms alone
    Sim(Sim),
    /// Check a deployment and say what is missing, with the cure
    Doctor,
    /// Organisations: customers of this deployment
    #[command(subcommand)]
    Org(Org),
    /// App registrations: an organisation's own app on a platform
    #[command(subcommand)]
    App(App),
    /// Install an app in a workspace or tenant, and look around there
    #[command(subcommand)]
    Install(Install),
    /// Bridges: conversations linked into one
    #[command(subcommand)]
    Bridge(Bridge),
    /// What became of messages, without their content
    #[command(subcommand)]
    Delivery(Delivery),
    /// Deliveries that were given up: ids and reasons
    #[command(subcommand)]
    DeadLetter(DeadLetter),
    /// The configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// `demo`
#[derive(Args)]
pub(crate) struct Demo {
    /// Tell every feature for every pair, judged at the target's public interface; exits 0 if all of it arrived
    #[arg(long)]
    pub(crate) story: bool,
    /// Port of the demo's page; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
}

/// `init`
#[derive(Args)]
pub(crate) struct Init {
    /// Folder for the database, the slot file and the socket
    #[arg(long)]
    pub(crate) data_folder: Option<PathBuf>,
    /// Folder for epoch keys, best on another device
    #[arg(long)]
    pub(crate) key_folder: Option<PathBuf>,
    /// The key file
    #[arg(long)]
    pub(crate) key_file: Option<PathBuf>,
    /// Where platforms reach the gateway
    #[arg(long)]
    pub(crate) public_url: Option<String>,
}

/// `sim`
#[derive(Args)]
pub(crate) struct Sim {
    /// Where the gateway under test receives events; without it simulators only answer
    #[arg(long)]
    pub(crate) gateway: Option<String>,
    /// Seed of ids and secrets
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Port of the Slack simulator; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) slack_port: u16,
    /// Port of the Teams simulator; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) teams_port: u16,
}

/// `org`
#[derive(Subcommand)]
pub(crate) enum Org {
    /// Add an organisation
    Add {
        /// Its name
        name: String,
    },
    /// List organisations with their policies
    List,
    /// Set a policy: unknown_outcome (duplicate, gap), relay_bots (no, yes), relay_everyone (yes, no)
    Policy {
        /// Name or id; may be left out where there is one
        #[arg(long)]
        org: Option<String>,
        /// The policy
        policy: String,
        /// Its word
        value: String,
    },
}

/// `app`
#[derive(Subcommand)]
pub(crate) enum App {
    /// Register an app; without its values it prints what to make on the platform, and what to bring back
    Add {
        /// slack or teams
        platform: String,
        /// Name or id of the organisation; may be left out where there is one
        #[arg(long)]
        org: Option<String>,
        /// A value of the app, KEY=VALUE; KEY=@FILE reads it from a file, KEY=$VARIABLE from the environment
        #[arg(long = "set", value_name = "KEY=VALUE")]
        values: Vec<String>,
        /// Features to switch on
        #[arg(long, value_delimiter = ',')]
        features: Vec<String>,
    },
    /// Set values or features of an app
    Set {
        /// Id, or the platform where it has one app
        app: String,
        /// A value, as for `app add`; an empty one removes it
        #[arg(long = "set", value_name = "KEY=VALUE")]
        values: Vec<String>,
        /// All features from now on
        #[arg(long, value_delimiter = ',')]
        features: Option<Vec<String>>,
    },
    /// List apps
    List,
    /// Write the manifest or package to upload, and list its scopes with their reasons
    Package {
        /// Id, or the platform where it has one app
        app: String,
        /// The name that people see
        #[arg(long, default_value = "Dragoman")]
        name: String,
        /// Folder to write to
        #[arg(long, default_value = ".")]
        out: PathBuf,
    },
}

/// `install`
#[derive(Subcommand)]
pub(crate) enum Install {
    /// Print the link for an admin's browser and wait for it
    Start {
        /// Id, or the platform where it has one app
        app: String,
        /// Print the link and do not wait
        #[arg(long)]
        no_wait: bool,
    },
    /// Take over a token that an admin has already
    Token {
        /// Id, or the platform where it has one app
        app: String,
        /// File with the token; - reads it from standard input
        file: PathBuf,
    },
    /// List installations
    List,
    /// Look for conversations, and how `bridge add` names them
    Conversations {
        /// A part of the name
        #[arg(long, default_value = "")]
        search: String,
        /// An installation, a workspace or a platform
        #[arg(long)]
        scope: Option<String>,
    },
}

/// `bridge`
#[derive(Subcommand)]
pub(crate) enum Bridge {
    /// Link conversations, named as `install conversations` prints them
    Add {
        /// At least two
        #[arg(required = true, num_args = 2..)]
        members: Vec<String>,
        /// Also conversations that people of other organisations are in
        #[arg(long)]
        allow_external: bool,
        /// Post a test notice into each
        #[arg(long)]
        test: bool,
    },
    /// List bridges
    List {
        /// Those that ended too
        #[arg(long)]
        ended: bool,
    },
    /// Stop relaying for a while
    Pause {
        /// Id, or the beginning of one
        bridge: String,
    },
    /// Relay again
    Resume {
        /// Id, or the beginning of one
        bridge: String,
    },
    /// End a bridge
    Remove {
        /// Id, or the beginning of one
        bridge: String,
    },
    /// Add or remove members
    Members {
        /// Id, or the beginning of one
        bridge: String,
        /// To add
        #[arg(long)]
        add: Vec<String>,
        /// To remove
        #[arg(long)]
        remove: Vec<String>,
        /// Also conversations that people of other organisations are in
        #[arg(long)]
        allow_external: bool,
    },
}

/// `delivery`
#[derive(Subcommand)]
pub(crate) enum Delivery {
    /// Newest first
    List {
        /// Of this organisation
        #[arg(long)]
        org: Option<String>,
        /// At most
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// What became of one message
    Show {
        /// Its id at its source
        message: String,
    },
}

/// `dead-letter`
#[derive(Subcommand)]
pub(crate) enum DeadLetter {
    /// Newest first
    List {
        /// Of this organisation
        #[arg(long)]
        org: Option<String>,
        /// At most
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Read the messages again and deliver them
    Replay(Letters),
    /// Forget them
    Drop(Letters),
}

/// Which dead letters.
#[derive(Args)]
pub(crate) struct Letters {
    /// Ids; none means all of the organisation, with --all
    pub(crate) ids: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// Of this organisation
    #[arg(long)]
    pub(crate) org: Option<String>,
}

/// `config`
#[derive(Subcommand, Clone, Copy)]
pub(crate) enum ConfigCommand {
    /// Print every key with its default and meaning
    Example,
    /// Read the file and say what is wrong with it
    Check,
}
