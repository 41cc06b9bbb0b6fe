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
    /// Apply what was reviewed, after the merge, and nothing else; make the previews of an open change request,
    /// and delete those of a closed one.
    Apply(CiApplyArgs),
    /// Start a pipeline of another repository, where an artifact is built here and deployed from there.
    Trigger(CiTriggerArgs),
}

#[derive(Args)]
pub(crate) struct CiWhat {
    /// Revision before the change, such as `origin/main`; known in a pipeline.
    #[arg(long, value_name = "REV")]
    pub(crate) base: Option<String>,
    /// Select this environment; may be given more than once.
    #[arg(short = 'e', long = "environment", value_name = "ENV")]
    pub(crate) environments: Vec<String>,
    /// Plan every environment of the touched projects, for changes that no program shows.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    /// Name of the check, which branch rules require.
    #[arg(long, value_name = "NAME", default_value = "dax")]
    pub(crate) check_name: String,
    /// Folder of plans and reports.
    #[arg(short = 'o', long, value_name = "DIR", default_value = "dax-ci")]
    pub(crate) output: PathBuf,
    /// Print each request that would change something, and send none of them.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Wait up to this long in total while the code host limits the rate.
    #[arg(long, value_parser = duration, default_value = "15m", value_name = "DURATION")]
    pub(crate) patience: Duration,
}

#[derive(Args)]
pub(crate) struct CiApplyArgs {
    #[command(flatten)]
    pub(crate) what: CiWhat,
    /// Apply what was shown to nobody as well.
    #[arg(long)]
    pub(crate) unreviewed: bool,
    /// Take approvals of a plan for acknowledgements of its irreversible steps.
    #[arg(long)]
    pub(crate) acknowledge_reviewed: bool,
    /// Wait up to this long for the lease of the environment.
    #[arg(long, value_parser = duration, default_value = "10m", value_name = "DURATION")]
    pub(crate) lock_timeout: Duration,
}

#[derive(Args)]
pub(crate) struct CiTriggerArgs {
    /// `owner/name`, or the number of a project of GitLab.
    #[arg(long)]
    pub(crate) repository: String,
    /// Branch that it runs for.
    #[arg(long, default_value = "main")]
    pub(crate) branch: String,
    /// Pipeline: a workflow's file for GitHub, a custom pipeline for Bitbucket.
    #[arg(long, default_value = "")]
    pub(crate) workflow: String,
    /// Input of the pipeline.
    #[arg(short = 'i', long = "input", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) inputs: Vec<(String, String)>,
    /// Print the request, and do not send it.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct PromoteArgs {
    /// Environment to promote from.
    #[arg(long, value_name = "ENV")]
    pub(crate) from: String,
    /// Environment to promote to.
    #[arg(long, value_name = "ENV")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Args)]
pub(crate) struct LoginArgs {
    /// Address of the server, such as `https://github.com`.
    #[arg(long, default_value = "https://github.com")]
    pub(crate) server: String,
    /// Client id of the OAuth App or GitHub App.
    #[arg(long, env = "DAX_GITHUB_CLIENT_ID", value_name = "ID")]
    pub(crate) client_id: String,
    /// Scopes of the token; a GitHub App has its own.
    #[arg(long = "scope", default_value = "repo", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
}
