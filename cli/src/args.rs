//! Arguments of the command line.

mod ci;
mod local;

pub(crate) use ci::{
    CiApplyArgs, CiArgs, CiCommand, CiTriggerArgs, CiWhat, LoginArgs, PromoteArgs,
};
pub(crate) use local::{AgentArgs, DemoArgs, DemoFault};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Heading of the options that every command has.
const GLOBAL: &str = "Global options";

/// Deployment as a typed language: plan, apply, and a rollback that is true.
#[derive(Parser)]
#[command(name = "dax", version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Run in this folder.
    #[arg(short = 'C', value_name = "DIR", default_value = ".", global = true, help_heading = GLOBAL)]
    pub(crate) folder: PathBuf,
    /// Print only the output that was asked for, and errors.
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub(crate) quiet: bool,
    /// Print more about what happens.
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub(crate) verbose: bool,
    /// State backend: `postgres://…`, `s3://…`, `file:…`; that of `dax.mod` by default.
    #[arg(
        long,
        env = "DAX_STATE",
        value_name = "URL",
        global = true,
        hide_env_values = true,
        help_heading = GLOBAL
    )]
    pub(crate) state: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create a project.
    Init(InitArgs),
    /// Check the program without touching anything.
    Check(CheckArgs),
    /// Format `.dax` files.
    Fmt(FmtArgs),
    /// Report what is allowed but likely a mistake.
    Lint(LintArgs),
    /// Run the program's tests.
    Test(TestArgs),
    /// Explain a diagnostic code.
    Explain(ExplainArgs),
    /// Show what `apply` would do.
    Plan(PlanArgs),
    /// Show a saved plan.
    Show(ShowArgs),
    /// Compare two saved plans.
    Diff(DiffArgs),
    /// Approve a plan, or a gate of the run in progress.
    Approve(ApproveArgs),
    /// Apply a plan.
    Apply(ApplyArgs),
    /// Resume an interrupted run.
    Resume(ResumeArgs),
    /// Stop the run in progress at the next safe step.
    Pause(SignalArgs),
    /// Roll back the run in progress.
    Abort(AbortArgs),
    /// Roll back to an earlier rollback point.
    Rollback(RollbackArgs),
    /// Pin an environment: `apply` changes nothing there.
    Pin(SignalArgs),
    /// Unpin an environment.
    Unpin(SignalArgs),
    /// Delete everything that dax made in an environment.
    Destroy(DestroyArgs),
    /// Adopt a service that runs already.
    Adopt(AdoptArgs),
    /// Show drift; exits with 2 where there is any.
    Drift(DriftArgs),
    /// Inspect and repair the state.
    State(StateArgs),
    /// Show what runs.
    Status(StatusArgs),
    /// Show the run history and the rollback points.
    History(HistoryArgs),
    /// Check the connection, identity and features of every provider and of the state.
    Doctor(DoctorArgs),
    /// Show where a value comes from.
    Why(WhyArgs),
    /// Draw an environment's services and their dependencies.
    Graph(GraphArgs),
    /// Print the graph that the program denotes, as JSON.
    Build(BuildArgs),
    /// Evaluate an expression; without one, prompt for them.
    Eval(EvalArgs),
    /// Write the project's documentation as a static site.
    Doc(DocArgs),
    /// Write the types of a JSON Schema, an OpenAPI description or a Kubernetes CRD.
    ImportSchema(ImportSchemaArgs),
    /// Convert the manifests of other tools to a program.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Serve an editor by the Language Server Protocol.
    Lsp(LspArgs),
    /// Measure how fast the language server answers on this project.
    IdeBench(IdeBenchArgs),
    /// Download the packages that the project requires, and lock them.
    Vendor(VendorArgs),
    /// List the projects and environments that a change touches.
    Affected(AffectedArgs),
    /// Plan what a change touches, and comment on it where it is reviewed (in a pipeline).
    Ci(CiArgs),
    /// Promote what one environment runs to another.
    Promote(PromoteArgs),
    /// Log in to a code host with a browser.
    Login(LoginArgs),
    /// Run a small HTTP service to try dax with.
    #[command(disable_version_flag = true)]
    DemoService(DemoArgs),
    /// Run the agent of local services; started by dax itself.
    #[command(hide = true)]
    Agent(AgentArgs),
}

#[derive(Args)]
pub(crate) struct InitArgs {
    /// Folder of the project; the current one by default.
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiagnosticFormat {
    /// With the source and marks in it.
    Human,
    /// A line each, for logs and problem matchers.
    Short,
    Json,
    /// For code scanning.
    Sarif,
    /// GitHub workflow commands.
    Github,
}

#[derive(Args)]
pub(crate) struct ParamArgs {
    /// Give a parameter a value.
    #[arg(short = 'p', value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) params: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Characters that a reason may have.
const LONGEST_REASON: usize = 1000;

/// A reason that a person can read in the record.
fn reason(text: &str) -> Result<String, String> {
    if text.chars().count() > LONGEST_REASON {
        return Err(format!("a reason has at most {LONGEST_REASON} characters"));
    }
    Ok(text.to_owned())
}

/// A duration as the language writes it: `30s`, `5m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "write a duration such as 30s")?;
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("write a duration such as 30s".to_owned()),
    };
    Ok(Duration::from_millis(number.saturating_mul(unit)))
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: DiagnosticFormat,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
}

#[derive(Args)]
pub(crate) struct LintArgs {
    /// Change the files where a finding says how.
    #[arg(long)]
    pub(crate) fix: bool,
    /// List the rules.
    #[arg(long)]
    pub(crate) list: bool,
    /// Exit with 1 when anything is found.
    #[arg(long)]
    pub(crate) strict: bool,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: DiagnosticFormat,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// A line for each test, and what failed.
    Human,
    Json,
    /// XML that CI systems read.
    Junit,
}

#[derive(Args)]
pub(crate) struct TestArgs {
    /// Run the tests with this in their title.
    pub(crate) filter: Option<String>,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: TestFormat,
    /// Write JUnit XML to this file as well.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Number of cases generated for each test with `given`.
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) cases: u32,
    /// Seed of the generated values: the same number gives the same values.
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) seed: u64,
    /// Time that policies see, in RFC 3339; now by default.
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
}

#[derive(Args)]
pub(crate) struct FmtArgs {
    /// Change nothing; list the files that would change, and exit with 1 if there are any.
    #[arg(long)]
    pub(crate) check: bool,
    /// Files to format, `-` for standard input; all of the project's by default.
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct EvalArgs {
    /// Expression to evaluate.
    pub(crate) expression: Option<String>,
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: DataFormat,
}

#[derive(Args)]
pub(crate) struct DocArgs {
    /// Folder of the site.
    #[arg(short = 'o', long, value_name = "DIR", default_value = "site")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
}

#[derive(Args)]
pub(crate) struct ImportSchemaArgs {
    /// The schema, as YAML or JSON; `-` for standard input.
    pub(crate) file: PathBuf,
    /// File of the types; standard output by default.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The name of the type that a plain JSON Schema describes; the file's by default.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Write these types and what they need; all by default.
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum ImportCommand {
    /// Convert manifests of Kubernetes, Rollouts of Argo and Canaries of Flagger.
    Kubernetes(ImportKubernetesArgs),
}

#[derive(Args)]
pub(crate) struct ImportKubernetesArgs {
    /// Files and folders of YAML or JSON; `-` for standard input.
    #[arg(required_unless_present = "namespaces", conflicts_with = "namespaces")]
    pub(crate) files: Vec<PathBuf>,
    /// Read what runs in this namespace of the cluster; may be given more than once.
    #[arg(short, long = "namespace", value_name = "NAMESPACE")]
    pub(crate) namespaces: Vec<String>,
    /// File of the program; standard output by default.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Environment that binds what is found.
    #[arg(short, long, value_name = "ENV", default_value = "production")]
    pub(crate) environment: String,
    /// The context of the kubeconfig that reaches the cluster.
    #[arg(long, default_value = "production")]
    pub(crate) context: String,
    /// The kubeconfig, when it is not the usual one; it is named in the program.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Adopt what runs, without a restart.
    #[arg(long)]
    pub(crate) adopt: bool,
}

#[derive(Args)]
pub(crate) struct LspArgs {
    /// Wait for one client at this address, instead of speaking over standard input and output.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "stdio")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Speak over standard input and output, as it does anyway; editors like to say so.
    #[arg(long)]
    pub(crate) stdio: bool,
    /// Write what is asked, and how long each answer took, to this file. No text of a program is in it.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct IdeBenchArgs {
    /// Number of keystrokes.
    #[arg(long, default_value_t = 1000)]
    pub(crate) edits: usize,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: DataFormat,
}

#[derive(Args)]
pub(crate) struct VendorArgs {
    /// Write `dax.lock` only; do not vendor the packages.
    #[arg(long)]
    pub(crate) lock_only: bool,
}

#[derive(Args)]
pub(crate) struct AffectedArgs {
    /// Revision before the change, such as `origin/main`.
    #[arg(long, value_name = "REV")]
    pub(crate) base: String,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: DataFormat,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// A code such as DAX3001; all are listed without one.
    pub(crate) code: Option<String>,
}

#[derive(Args)]
pub(crate) struct EnvironmentArg {
    /// The environment; needed when the program has more than one.
    #[arg(short = 'e', long = "environment", value_name = "ENV")]
    pub(crate) environment: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    Human,
    Markdown,
    Html,
    Json,
}

#[derive(Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Save the plan, to apply just that.
    #[arg(short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
    /// Exit with 2 when there are changes.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Simulate the plan in virtual time, with a failure at each step in turn.
    #[arg(long)]
    pub(crate) simulate: bool,
    /// Seed of the simulated durations: the same number gives the same report.
    #[arg(long, value_name = "N", default_value = "0", requires = "simulate")]
    pub(crate) seed: u64,
}

/// How a plan is shown.
#[derive(Args)]
pub(crate) struct ShownArgs {
    /// Format; several are separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "human")]
    pub(crate) format: Vec<PlanFormat>,
    /// Flavour of the Markdown.
    #[arg(long, value_enum, default_value = "github")]
    pub(crate) flavour: MarkdownFlavour,
    /// Limit of the Markdown in bytes; that of a comment by default.
    #[arg(long, value_name = "BYTES")]
    pub(crate) budget: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MarkdownFlavour {
    Github,
    Gitlab,
    Bitbucket,
}

/// A part of an environment.
#[derive(Args)]
pub(crate) struct SelectionArgs {
    /// Select this service and what it depends on.
    #[arg(long = "target", value_name = "SERVICE")]
    pub(crate) targets: Vec<String>,
    /// Exclude this service and what depends on it.
    #[arg(long, value_name = "SERVICE")]
    pub(crate) exclude: Vec<String>,
}

#[derive(Args)]
pub(crate) struct DiffArgs {
    /// Old plan.
    pub(crate) old: PathBuf,
    /// New plan.
    pub(crate) new: PathBuf,
    #[arg(long, value_enum, value_delimiter = ',', default_value = "human")]
    pub(crate) format: Vec<PlanFormat>,
}

#[derive(Args)]
pub(crate) struct ApproveArgs {
    /// Saved plan, or the digest of one; the run in progress with --step.
    #[arg(required_unless_present = "step")]
    pub(crate) plan: Option<String>,
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    /// Approve the gate at this step.
    #[arg(long, value_name = "STEP", conflicts_with = "plan")]
    pub(crate) step: Option<u32>,
    /// Reason, for the audit log.
    #[arg(long, value_parser = reason, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    /// Sign with this SSH key: a private one, or a public one whose private half is in ssh-agent.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct SignalArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    /// Reason, for the audit log.
    #[arg(long, value_parser = reason, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

#[derive(Args)]
pub(crate) struct AbortArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    /// Reason, for the audit log.
    #[arg(long, value_parser = reason, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) events: EventsArg,
}

#[derive(Args)]
pub(crate) struct EventsArg {
    /// Append what happens to a file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct AdoptArgs {
    /// The service of the program.
    pub(crate) service: String,
    /// Name on the platform, where it is another one.
    #[arg(long, value_name = "NAME")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Args)]
pub(crate) struct DriftArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: DataFormat,
}

#[derive(Args)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    pub(crate) command: StateCommand,
}

#[derive(Subcommand)]
pub(crate) enum StateCommand {
    /// List the services that the state holds.
    List(StatusArgs),
    /// Show what the state holds of a service.
    Show(StateShowArgs),
    /// Print the state as it is kept.
    Pull(StatePullArgs),
    /// Check everything that is kept against its digests; exits with 1 when anything is wrong.
    Verify(StateVerifyArgs),
    /// Trust this project's `.dax`, and the state's address in `dax.mod`, with your credentials.
    Trust,
    /// Print the key for jobs that only plan: it opens a sealed state and signs nothing.
    ReadKey,
    /// Show the conditions that the last apply recorded, and how the program differs.
    Conditions(StateConditionsArgs),
    /// Break the lease of an environment.
    Unlock(SignalArgs),
}

#[derive(Args)]
pub(crate) struct StateConditionsArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    /// Record the program's conditions without the approvals that the recorded ones ask for;
    /// for when nobody whom they name can approve any more.
    #[arg(long, requires = "reason")]
    pub(crate) reset: bool,
    /// Reason, for the audit log.
    #[arg(long, value_parser = reason, value_name = "TEXT", requires = "reset")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: DataFormat,
}

#[derive(Args)]
pub(crate) struct StateShowArgs {
    /// The service.
    pub(crate) service: String,
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
}

#[derive(Args)]
pub(crate) struct StatePullArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
}

#[derive(Args)]
pub(crate) struct StateVerifyArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    /// Accept the state that is there, although this machine remembers another or a newer one.
    #[arg(long)]
    pub(crate) accept: bool,
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// A plan that `dax plan -o` saved.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// Do not ask for confirmation.
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Apply only the plan with this digest; 32 digits of it or more replace the confirmation.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expect: Option<String>,
    /// Wait up to this long for the lease of the environment.
    #[arg(long, value_parser = duration, default_value = "0s", value_name = "DURATION")]
    pub(crate) lock_timeout: Duration,
    /// Acknowledge an irreversible step.
    #[arg(long, value_name = "STEP")]
    pub(crate) acknowledge: Vec<u32>,
    /// Reason, for the audit log.
    #[arg(long, value_parser = reason, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    /// Name of the rollback point.
    #[arg(long, value_name = "NAME")]
    pub(crate) point: Option<String>,
    #[command(flatten)]
    pub(crate) events: EventsArg,
}

#[derive(Args)]
pub(crate) struct ApplyArgs {
    /// A saved plan; without one a plan is made and shown.
    #[arg(conflicts_with_all = ["environment", "params", "targets", "exclude"])]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    /// Retry a step that waits for a decision.
    #[arg(long, value_name = "STEP")]
    pub(crate) again: Vec<u32>,
    /// Mark a step that waits for a decision as succeeded.
    #[arg(long, value_name = "STEP", requires = "reason")]
    pub(crate) done: Vec<u32>,
    /// Skip a step that could not be rolled back.
    #[arg(long, value_name = "STEP", requires = "reason")]
    pub(crate) skip: Vec<u32>,
    /// Reason, for the audit log.
    #[arg(long, value_parser = reason, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) events: EventsArg,
    /// Wait up to this long for the lease of the environment.
    #[arg(long, value_parser = duration, default_value = "0s", value_name = "DURATION")]
    pub(crate) lock_timeout: Duration,
}

#[derive(Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    /// The rollback point, by its number or its name in `dax history`; the one before the last apply by default.
    #[arg(long, value_name = "POINT")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Args)]
pub(crate) struct DestroyArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataFormat {
    Human,
    Json,
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: DataFormat,
}

#[derive(Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: HistoryFormat,
    /// Show every record of the audit log, with its chain verified.
    #[arg(long)]
    pub(crate) audit: bool,
    /// Show the timeline of a run: steps, measurements and traffic.
    #[arg(long, value_name = "RUN", conflicts_with = "audit")]
    pub(crate) run: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistoryFormat {
    Human,
    /// Show runs and the measures that follow from them.
    Json,
    /// Show the measures alone, in Prometheus's text format.
    Prometheus,
}

#[derive(Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: DataFormat,
}

#[derive(Args)]
pub(crate) struct WhyArgs {
    /// `environment.service.field`, or `environment.service` for all its fields.
    pub(crate) address: String,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: DataFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    Dot,
    Mermaid,
    Svg,
}

#[derive(Args)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    #[arg(long, value_enum, default_value = "dot")]
    pub(crate) format: GraphFormat,
}

#[derive(Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(crate) environment: EnvironmentArg,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
}
