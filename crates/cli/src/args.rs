//! What the command line accepts.

use std::path::PathBuf;

use clap::{ArgGroup, Parser, Subcommand, ValueEnum};

/// A semantic router in front of LLM backends: signals, projections, decisions, algorithms, models.
#[derive(Debug, Parser)]
#[command(name = "vllm-sr", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Route traffic
    Serve(ServeArgs),
    /// Tells how to begin: this router needs no generated files
    #[command(hide = true, disable_help_flag = true)]
    Init {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<String>,
    },
    /// Check a configuration: exit code 0 if it can run, 1 if not
    Validate(ValidateArgs),
    /// Show, migrate or extend a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Explain how a request would be routed
    Eval(EvalArgs),
    /// Propose thresholds for the router's own models as a diff, fitted to probes
    Calibrate(CalibrateArgs),
    /// Send one message through a running router
    Chat(ChatArgs),
    /// Show the configured models, or download the router's own
    #[command(subcommand)]
    Model(ModelCommand),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The configuration file; `config.yaml` in this directory if there is one
    #[arg(long, value_name = "FILE", env = "VLLM_SR_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Serve two simulated models and a demonstration policy, on this machine only
    #[arg(long, conflicts_with = "config")]
    pub(crate) demo: bool,
    /// What is logged: error, warn, info, debug, trace, or `target=level` lists
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "VLLM_SR_LOG_LEVEL")]
    pub(crate) log_level: String,
    /// How it is logged
    #[arg(long, value_enum, default_value = "auto", env = "VLLM_SR_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere
    Auto,
    /// Lines for people
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CalibrateArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "VLLM_SR_CONFIG")]
    pub(crate) config: PathBuf,
    /// Requests with the decision that each is expected to reach
    #[arg(long, value_name = "FILE")]
    pub(crate) probes: PathBuf,
    /// Write the configuration with the new thresholds here
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Print the outcome as JSON instead of a diff
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ValidateArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config.yaml")]
    pub(crate) config: PathBuf,
    /// Print the problems as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the effective configuration: defaults filled in, secrets masked
    #[command(visible_alias = "router")]
    Show {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = "config.yaml")]
        config: PathBuf,
    },
    /// Print a bootstrap for an Envoy in front of the router
    Envoy {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = "config.yaml")]
        config: PathBuf,
        /// How many ports above each listener of the configuration Envoy listens
        #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
        port_offset: u16,
    },
    /// Print the JSON Schema of configuration files
    Schema,
    /// Move a configuration of an older layout to the canonical one: exit code 0 if it can run, 1 if not
    Migrate(MigrateArgs),
    /// Add the models of another program or server to a configuration
    Import(ImportArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    /// The configuration file
    #[arg(value_name = "FILE", required_unless_present = "config")]
    pub(crate) file: Option<PathBuf>,
    /// The configuration file, as an option
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) config: Option<PathBuf>,
    /// Write the result here instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace the output file if there is one
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// Exit with 1 too if a key has no place in the result
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print the result and what became of every key as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// Where the models come from
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) from: ImportKind,
    /// The other program's file, or the server's base URL; without it, OpenClaw's usual files are looked for
    #[arg(long, value_name = "FILE or URL", required_if_eq("from", "openai"))]
    pub(crate) source: Option<String>,
    /// The configuration the models are added to; made if there is none
    #[arg(long, value_name = "FILE", default_value = "config.yaml")]
    pub(crate) target: PathBuf,
    /// The environment variable that holds the server's API key
    #[arg(long, value_name = "NAME")]
    pub(crate) api_key_env: Option<String>,
    /// Replace backups that are there already
    #[arg(long)]
    pub(crate) force: bool,
    /// Seconds to wait for the server
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub(crate) timeout: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportKind {
    /// An OpenClaw file, which is made to use the router
    Openclaw,
    /// A running server's `/v1/models`
    Openai,
}

#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("input").required(true).args(["prompt", "messages"])))]
pub(crate) struct EvalArgs {
    /// A single user prompt
    #[arg(long, value_name = "TEXT")]
    pub(crate) prompt: Option<String>,
    /// A JSON file: a list of messages, or a chat completions request; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) messages: Option<PathBuf>,
    /// Evaluate this configuration here; without it, ask a running router
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Evaluate the demonstration policy here
    #[arg(long, conflicts_with = "config")]
    pub(crate) demo: bool,
    /// The management API of the running router
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) endpoint: String,
    /// The environment variable that holds the management token
    #[arg(long, value_name = "NAME")]
    pub(crate) token_env: Option<String>,
    /// The model the client would name
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(crate) model: String,
    /// The user assumed to ask
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// A group of that user; may be repeated
    #[arg(long = "group", value_name = "NAME")]
    pub(crate) groups: Vec<String>,
    /// Print the whole explanation as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Seconds to wait for the router
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub(crate) timeout: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ChatArgs {
    /// The message
    #[arg(value_name = "MESSAGE", required_unless_present = "prompt")]
    pub(crate) message: Vec<String>,
    /// The message, as an option
    #[arg(long, value_name = "TEXT", conflicts_with = "message")]
    pub(crate) prompt: Option<String>,
    /// The model to name
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(crate) model: String,
    /// A system message
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// The router's base URL; taken from the configuration's first listener if absent
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config.yaml")]
    pub(crate) config: PathBuf,
    /// The environment variable that holds the listener's API key
    #[arg(long, value_name = "NAME")]
    pub(crate) api_key_env: Option<String>,
    /// The sampling temperature
    #[arg(long, value_name = "NUMBER")]
    pub(crate) temperature: Option<f64>,
    /// Wait for the whole answer instead of streaming it
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// Print the answer and the routing headers as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Seconds to wait in all
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(crate) timeout: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List the models, their backends and prices
    List {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = "config.yaml")]
        config: PathBuf,
        /// List the router's own models instead, and where each comes from
        #[arg(long)]
        own: bool,
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring models from a hub into the cache: all that the configuration names, or these
    Download {
        /// A model, as `hf://owner/model` or `hf://owner/model@revision`
        #[arg(value_name = "MODEL")]
        models: Vec<String>,
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = "config.yaml")]
        config: PathBuf,
    },
}
