//! Arguments of what pipelines run: `dax ci`, `dax promote`, `dax login`.

use super::{ParamArgs, RunArgs, duration, pair};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct CiArgs {
    #[command(subcommand)]
    pub(crate) command: Option<CiCommand>,
    #[command(flatten)]
    pub(crate) what: CiWhat,
}

#[derive(Subcommand)]
pub(crate) enum CiCommand {
    /// After the merge: apply what was reviewed, and stop where something else would be done. Of an open change request,
    /// its previews; of a closed one, their end.
    Apply(CiApplyArgs),
    /// Start a pipeline of another repository: when an artefact is built here and deployed from there.
    Trigger(CiTriggerArgs),
}

#[derive(Args)]
pub(crate) struct CiWhat {
    /// The revision before the change, such as `origin/main`; found out in a pipeline.
    #[arg(long, value_name = "REV")]
    pub(crate) base: Option<String>,
    /// Only this environment; may be given more than once.
    #[arg(short = 'e', long = "environment", value_name = "ENV")]
    pub(crate) environments: Vec<String>,
    /// Every environment of the projects that are touched, for changes that no program shows: of an image by its tag.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    /// What the check is called; branch rules that require it go by this name.
    #[arg(long, value_name = "NAME", default_value = "dax")]
    pub(crate) check_name: String,
    /// Where plans and reports are written.
    #[arg(short = 'o', long, value_name = "DIR", default_value = "dax-ci")]
    pub(crate) output: PathBuf,
    /// Print each request that would change something, and make none of them.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Wait so long in all when the code host says that it is too busy.
    #[arg(long, value_parser = duration, default_value = "15m", value_name = "DURATION")]
    pub(crate) patience: Duration,
}

#[derive(Args)]
pub(crate) struct CiApplyArgs {
    #[command(flatten)]
    pub(crate) what: CiWhat,
    /// Apply what nobody was shown, too.
    #[arg(long)]
    pub(crate) unreviewed: bool,
    /// Who agreed to the plan agreed to its steps that cannot be taken back, too.
    #[arg(long)]
    pub(crate) acknowledge_reviewed: bool,
    /// Wait so long for somebody else who changes the environment.
    #[arg(long, value_parser = duration, default_value = "10m", value_name = "DURATION")]
    pub(crate) lock_timeout: Duration,
}

#[derive(Args)]
pub(crate) struct CiTriggerArgs {
    /// `owner/name`, or the number of a project of GitLab.
    #[arg(long)]
    pub(crate) repository: String,
    /// The branch that it runs for.
    #[arg(long, default_value = "main")]
    pub(crate) branch: String,
    /// Which pipeline: a workflow's file for GitHub, a custom pipeline for Bitbucket.
    #[arg(long, default_value = "")]
    pub(crate) workflow: String,
    /// What it is given.
    #[arg(short = 'i', long = "input", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) inputs: Vec<(String, String)>,
    /// Print the request, and do not make it.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct PromoteArgs {
    /// The environment that has proved it.
    #[arg(long, value_name = "ENV")]
    pub(crate) from: String,
    /// The environment that it is brought to.
    #[arg(long, value_name = "ENV")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Args)]
pub(crate) struct LoginArgs {
    /// `https://github.com`, or where an Enterprise Server is.
    #[arg(long, default_value = "https://github.com")]
    pub(crate) server: String,
    /// The OAuth App or GitHub App that asks.
    #[arg(long, env = "DAX_GITHUB_CLIENT_ID", value_name = "ID")]
    pub(crate) client_id: String,
    /// What the token may do; a GitHub App has its own.
    #[arg(long = "scope", default_value = "repo", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
}
