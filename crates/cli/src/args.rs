//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Where the configuration is unless it is said otherwise.
pub(crate) const DEFAULT_CONFIG: &str = "/etc/dragoman/dragoman.toml";

/// Self-hosted gateway between chat platforms: messages, threads, edits and deletions pass in real time, and
/// nothing of them is kept.
#[derive(Parser)]
#[command(name = "dragoman", version, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// The configuration file
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "FILE",
        env = "DRAGOMAN_CONFIG",
        default_value = DEFAULT_CONFIG
    )]
    pub(crate) config: PathBuf,
    /// Print data as one JSON document
    #[arg(long, global = true, help_heading = "Everywhere")]
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
    /// Link the accounts of one human, and let people speak in their own name
    #[command(subcommand)]
    Person(Person),
    /// Bridges: conversations linked into one
    #[command(subcommand)]
    Bridge(Bridge),
    /// Direct conversations that people asked the app for: who with whom, never what they say
    #[command(subcommand)]
    Dm(Dm),
    /// What became of messages, without their content
    #[command(subcommand)]
    Delivery(Delivery),
    /// Deliveries that were given up: ids and reasons
    #[command(subcommand)]
    DeadLetter(DeadLetter),
    /// What passes between platforms or conversations, and how well
    Fidelity(Fidelity),
    /// The configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// `fidelity`
#[derive(Args)]
pub(crate) struct Fidelity {
    /// Two platforms, with every scope, or two conversations as `bridge add` takes them, with theirs; may be more.
    /// None: every platform
    #[arg(value_name = "PLATFORM|CONVERSATION")]
    pub(crate) ends: Vec<String>,
    /// Print docs/FIDELITY.md
    #[arg(long, conflicts_with = "ends")]
    pub(crate) markdown: bool,
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
    /// Folder for the database, the message secrets and the socket
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_folder: Option<PathBuf>,
    /// Folder for epoch keys, best on another device
    #[arg(long, value_name = "FOLDER")]
    pub(crate) key_folder: Option<PathBuf>,
    /// The key file; one that is there already is used as it is
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Where platforms and browsers reach the gateway, such as <https://chat.example.com>
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
}

/// `sim`
#[derive(Args)]
pub(crate) struct Sim {
    /// Where the app on Slack receives events; `POST /_sim/slack/app` sets it later
    #[arg(long, value_name = "URL")]
    pub(crate) slack_events: Option<String>,
    /// Where the bot on Teams receives activities; without it the app is in no team yet. `POST /_sim/endpoint`
    /// and `POST /_sim/install` do it later
    #[arg(long, value_name = "URL")]
    pub(crate) teams_messages: Option<String>,
    /// The app on Slack receives events through Socket Mode
    #[arg(long, conflicts_with = "slack_events")]
    pub(crate) socket_mode: bool,
    /// Consent pages approve at once instead of asking
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// No rate limits
    #[arg(long)]
    pub(crate) no_limits: bool,
    /// Seed of ids and secrets
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
    /// The platforms' real host names with a throw-away authority, behind a proxy: prints what to set `HTTPS_PROXY`
    /// and `SSL_CERT_FILE` to
    #[arg(long)]
    pub(crate) real_hosts: bool,
    /// Port of that proxy; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT", requires = "real_hosts")]
    pub(crate) proxy_port: u16,
    /// Port of the Slack simulator; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub(crate) slack_port: u16,
    /// Port of the Teams simulator; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub(crate) teams_port: u16,
    /// Port of the Webex simulator; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub(crate) webex_port: u16,
    /// Port of the Zoom simulator; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub(crate) zoom_port: u16,
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
    /// Set a policy: unknown_outcome (duplicate, gap), relay_bots (no, yes), relay_everyone (yes, no), file_max_mb (any or a number),
    /// file_denied (none or extensions and media types: exe,video/*)
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
    /// Register an app; tells what to upload or copy on the platform, every scope with its reason, and what to
    /// bring back
    Add {
        /// slack, teams, webex or zoom
        platform: String,
        /// Name or id of the organisation; may be left out where there is one
        #[arg(long)]
        org: Option<String>,
        /// A value of the app, KEY=VALUE; KEY=@FILE reads it from a file, KEY=$VARIABLE from the environment
        #[arg(long = "set", value_name = "KEY=VALUE")]
        values: Vec<String>,
        /// Features to switch on; the scopes follow from them
        #[arg(long, value_delimiter = ',')]
        features: Vec<String>,
        /// The name that people see
        #[arg(long, default_value = "Dragoman")]
        name: String,
        /// Folder to write the manifest or package to; without it they are printed as far as they are text
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
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
        /// Folder to write to; with --json the files are in the document instead
        #[arg(long, default_value = ".", value_name = "FOLDER")]
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

/// `person`
#[derive(Subcommand)]
pub(crate) enum Person {
    /// List people with their linked accounts
    List,
    /// Say that accounts belong to one human
    Link {
        /// PLATFORM:ID or PLATFORM:ADDRESS; INSTALLATION:ID where a platform has several
        #[arg(required = true, num_args = 1..)]
        accounts: Vec<String>,
    },
    /// Take an account from its person, and forget its token
    Unlink {
        /// PLATFORM:ID or PLATFORM:ADDRESS
        account: String,
    },
    /// Print the link with which a person lets their copies stand in their own name, and wait for it
    Token {
        /// Id, or one of the person's accounts
        person: String,
        /// Id, workspace or platform
        installation: String,
        /// Forget the token instead
        #[arg(long)]
        revoke: bool,
        /// Print the link and do not wait
        #[arg(long)]
        no_wait: bool,
    },
}

/// `bridge`
#[derive(Subcommand)]
pub(crate) enum Bridge {
    /// Link conversations, named as `install conversations` prints them
    Add {
        /// PLATFORM:#name, PLATFORM:ID or INSTALLATION:#name; at least two
        #[arg(required = true, num_args = 2..)]
        members: Vec<String>,
        /// Also conversations that people of other organisations are in
        #[arg(long)]
        allow_external: bool,
        /// Relay so many of the last messages that were written before, too: of each, or of those that --backfill-of names
        #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=500))]
        backfill: u32,
        /// A member whose earlier messages are meant, named as before; may be given several times
        #[arg(long, value_name = "MEMBER", requires = "backfill")]
        backfill_of: Vec<String>,
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
    /// Set what a bridge does
    Set {
        /// Id, or the beginning of one
        bridge: String,
        /// Whether members read in the others who joins and leaves, new names and topics, archives and calls
        #[arg(long, value_enum, required = true)]
        notices: Option<Notices>,
    },
    /// Add or remove members
    Members {
        /// Id, or the beginning of one
        bridge: String,
        /// To add, as for `bridge add`; may be given again
        #[arg(long, value_name = "CONVERSATION")]
        add: Vec<String>,
        /// To remove; may be given again
        #[arg(long, value_name = "CONVERSATION")]
        remove: Vec<String>,
        /// Also conversations that people of other organisations are in
        #[arg(long)]
        allow_external: bool,
        /// Bring so many of the last messages that were written before to the other members: of each that is added, or of
        /// those that --backfill-of names
        #[arg(long, value_name = "N", default_value_t = 0, requires = "add", value_parser = clap::value_parser!(u32).range(0..=500))]
        backfill: u32,
        /// An added conversation whose earlier messages are meant, named as in --add; may be given several times
        #[arg(long, value_name = "CONVERSATION", requires = "backfill")]
        backfill_of: Vec<String>,
    },
}

/// `dm`
#[derive(Subcommand)]
pub(crate) enum Dm {
    /// List direct conversations, and who is kept out of them
    List,
    /// End an open one; its people are told
    Close {
        /// Id as `dm list` prints it, or the beginning of one
        conversation: String,
    },
    /// Keep somebody out of direct conversations; what is open with them ends. `org policy direct_domains` and
    /// `direct_messages` decide for all
    Block {
        /// PLATFORM:ID or PLATFORM:ADDRESS; INSTALLATION:ID where a platform has several
        person: String,
    },
    /// Let them in again
    Allow {
        /// PLATFORM:ID or PLATFORM:ADDRESS; INSTALLATION:ID where a platform has several
        person: String,
    },
}

/// What `bridge set --notices` takes.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Notices {
    /// Nobody is told
    Off,
    /// Once an hour, in one line
    Digest,
    /// At once
    On,
}

/// `delivery`
#[derive(Subcommand)]
pub(crate) enum Delivery {
    /// The last deliveries, newest first
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
    /// What was given up, newest first
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
