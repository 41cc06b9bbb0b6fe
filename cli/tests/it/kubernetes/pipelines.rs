//! What a change request can make a pipeline run by way of a kubeconfig: nothing. No cluster is needed to see that.

use crate::project::{Project, said};
use std::os::unix::fs::PermissionsExt;

/// The token that a job has and nobody may see.
const TOKEN: &str = "ghs_thetokenofthejob";
/// The job of each code host, by the variables that tell it.
const JOBS: [(&str, &str); 3] =
    [("GITHUB_ACTIONS", "true"), ("GITLAB_CI", "true"), ("BITBUCKET_BUILD_NUMBER", "7")];

/// A repository whose change brings a kubeconfig, and a folder of the machine beside it.
struct World {
    project: Project,
    machine: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let project = Project::new(
            r#"import kubernetes from "std/kubernetes"

provider kubernetes.cluster {
  context    = "one"
  kubeconfig = "evil.kubeconfig"
}

service web {
  image = "acme/web:1"
}

environment dev {
  bind web to kubernetes.cluster
}
"#,
        );
        let git = std::process::Command::new("git")
            .args(["init", "--quiet"])
            .current_dir(project.path("."))
            .status();
        assert!(git.expect("git runs").success());
        Self { project, machine: tempfile::tempdir().expect("a folder") }
    }

    /// The file that the plugin would write.
    fn marker(&self) -> std::path::PathBuf {
        self.machine.path().join("it-ran")
    }

    /// A plugin that writes down all that it sees.
    fn plugin(&self, path: &std::path::Path) {
        let text = format!("#!/bin/sh\nenv > '{}'\nenv\n", self.marker().display());
        std::fs::write(path, text).expect("written");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    fn kubeconfig(&self, path: &std::path::Path, command: &str, args: &str) {
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'}}}}]\n\
             users: [{{name: u, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{command}', \
             args: [{args}], interactiveMode: Never}}}}}}]\ncontexts: [{{name: one, context: {{cluster: c, user: u}}}}]\n"
        );
        std::fs::write(path, text).expect("written");
    }

    /// Runs dax in a job; gives everything that it says.
    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
        let mut command = self.project.command(args);
        for name in ["GITHUB_ACTIONS", "GITLAB_CI", "BITBUCKET_BUILD_NUMBER", "KUBECONFIG"] {
            command.env_remove(name);
        }
        command.env("GITHUB_TOKEN", TOKEN).envs(variables.iter().copied());
        let said = said(&command.output().expect("dax runs"));
        let text = format!("{}{}", said.out, said.err);
        assert!(!text.contains(TOKEN), "{text}");
        (said.code, text)
    }

    /// The same, where nothing may run.
    fn refused(&self, args: &[&str], variables: &[(&str, &str)]) -> String {
        let (code, text) = self.run(args, variables);
        assert!(code != 0 && !self.marker().exists(), "{args:?} {variables:?}: {code} {text}");
        text
    }
}

#[test]
fn no_pipeline_runs_a_plugin_of_the_checkout() {
    let world = World::new();
    let evil = world.project.path("evil.kubeconfig");
    world.kubeconfig(&evil, "sh", &format!("-c, 'env > {}; env'", world.marker().display()));
    let named = evil.display().to_string();
    for job in JOBS {
        for args in [&["plan", "-e", "dev"][..], &["apply", "-e", "dev", "--auto-approve"]] {
            // Also where the job names it: whoever opens a change request writes it all the same.
            for more in
                [&[][..], &[("KUBECONFIG", named.as_str())], &[("KUBECONFIG", "evil.kubeconfig")]]
            {
                let text = world.refused(args, &[&[job], more].concat());
                let wanted =
                    ["evil.kubeconfig", "lies in the checkout of this pipeline", "KUBECONFIG"];
                assert!(wanted.iter().all(|one| text.contains(one)), "{text}");
            }
        }
    }
}

#[test]
fn a_plugin_that_a_job_allows_runs_for_a_server_that_it_trusts() {
    let world = World::new();
    let plugin = world.machine.path().join("token");
    world.plugin(&plugin);
    world.kubeconfig(&world.project.path("evil.kubeconfig"), "token", "--for, shop");
    let path =
        format!("{}:{}", world.machine.path().display(), std::env::var("PATH").expect("a path"));
    let plan = ["plan", "-e", "dev"];
    let job = [JOBS[0], ("PATH", path.as_str())];
    let text = world.refused(&plan, &job);
    assert!(text.contains("DAX_ALLOW_EXEC") && text.contains("token --for shop"), "{text}");
    let allowed = ("DAX_ALLOW_EXEC", "token --for shop");
    let text = world.refused(&plan, &[&job[..], &[allowed]].concat());
    assert!(text.contains("DAX_TRUST") && text.contains("https://127.0.0.1:1"), "{text}");
    let other = ("DAX_ALLOW_EXEC", "token --for others");
    let trusted = ("DAX_TRUST", "https://127.0.0.1:1");
    world.refused(&plan, &[&job[..], &[other, trusted]].concat());
    world.run(&plan, &[&job[..], &[allowed, trusted]].concat());
    assert!(world.marker().exists(), "the job said so");
}

#[test]
fn a_kubeconfig_of_the_job_runs_no_program_of_the_checkout() {
    let world = World::new();
    let (own, bin) = (world.machine.path().join("config"), world.machine.path().join("bin"));
    std::fs::create_dir(&bin).expect("a folder");
    for name in ["token", "evil"] {
        world.plugin(&world.project.path(name));
    }
    let text = std::fs::read_to_string(world.project.path("main.dax")).expect("a program");
    world.project.write(&text.replace("  kubeconfig = \"evil.kubeconfig\"\n", ""));
    let named = own.display().to_string();
    let path = format!(
        "{}:{}:{}",
        world.project.path(".").display(),
        bin.display(),
        std::env::var("PATH").expect("a path")
    );
    let job = [JOBS[1], ("KUBECONFIG", named.as_str()), ("PATH", path.as_str())];
    let linked = bin.join("linked");
    std::os::unix::fs::symlink(world.project.path("evil"), &linked).expect("a link");
    let whole = world.project.path("evil").display().to_string();
    for command in ["evil", "token", "linked", whole.as_str(), &linked.display().to_string()] {
        world.kubeconfig(&own, command, "");
        let text = world.refused(&["plan", "-e", "dev"], &job);
        assert!(text.contains("no program of the checkout is run"), "{command}: {text}");
    }
    // One outside is taken, although a folder of the checkout comes first on PATH.
    world.plugin(&bin.join("token"));
    std::fs::write(world.project.path("token"), "#!/bin/sh\nexit 1\n").expect("written");
    world.kubeconfig(&own, "token", "");
    world.run(&["plan", "-e", "dev"], &job);
    assert!(world.marker().exists(), "the job's own program runs");
}
