//! Real control planes: etcd, API server, controllers, scheduler, and kwok's nodes, all on loopback.
//!
//! They are started once for all tests of a program and end with it, whatever becomes of it.

use super::free_port;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long a control plane may take to start.
const PATIENCE: Duration = Duration::from_secs(90);
/// The token of the user who may do everything.
const ADMIN: &str = "admin-token";

/// Tests that are asked about tokens.
type Known = Arc<Mutex<Vec<Box<dyn Fn(&str) -> bool + Send>>>>;

/// A control plane.
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    etcd: u16,
    api: Mutex<Option<Child>>,
    others: Mutex<Vec<Child>>,
    /// Controllers that run beside it.
    running: Mutex<std::collections::BTreeSet<String>>,
    /// What else proves who asks: each is asked about a token, and says who may do everything with it.
    known: Known,
    /// The context of its kubeconfig.
    pub context: &'static str,
}

/// Programs start on a thread that never ends: they are killed with the thread that started them.
fn spawn(mut command: Command) -> Child {
    type Wish = (Command, Sender<Child>);
    static STARTER: OnceLock<Mutex<Sender<Wish>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, wanted) = channel::<Wish>();
        std::thread::spawn(move || {
            for (mut command, answer) in wanted {
                let _ = answer.send(command.spawn().expect("a program starts"));
            }
        });
        Mutex::new(sender)
    });
    command.stdin(Stdio::null());
    let (answer, child) = channel();
    starter
        .lock()
        .expect("nobody fails with this lock")
        .send((command, answer))
        .expect("the starter never ends");
    child.recv().expect("a child")
}

/// The control plane that all tests of a program share.
pub fn cluster() -> Option<&'static Cluster> {
    static ONE: OnceLock<Option<Cluster>> = OnceLock::new();
    ONE.get_or_init(|| start("one")).as_ref()
}

/// Another one beside it, for one test at a time: some of them stop it for a while.
pub fn second() -> Option<Alone> {
    static TWO: OnceLock<Option<Cluster>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Some(Alone { cluster: TWO.get_or_init(|| start("two")).as_ref()?, _turn: turn })
}

/// A cluster that nobody else uses meanwhile.
pub struct Alone {
    cluster: &'static Cluster,
    _turn: std::sync::MutexGuard<'static, ()>,
}

impl std::ops::Deref for Alone {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.cluster
    }
}

fn start(context: &'static str) -> Option<Cluster> {
    // Its keys are made by OpenSSL.
    let (programs, _) = (super::require("Kubernetes")?, super::require("OpenSSL")?);
    let folder = folder(context);
    let (etcd, port) = (free_port(), free_port());
    let key = folder.join("sa.key");
    let made = Command::new("openssl")
        .args(["genrsa", "-out"])
        .arg(&key)
        .arg("2048")
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("openssl").success(), "openssl makes a key");
    let public = Command::new("openssl")
        .args(["rsa", "-pubout", "-in"])
        .arg(&key)
        .arg("-out")
        .arg(folder.join("sa.pub"))
        .stderr(Stdio::null())
        .status();
    assert!(public.expect("openssl").success(), "openssl gives the public half");
    certificates(&folder);
    std::fs::write(
        folder.join("tokens.csv"),
        format!("{ADMIN},admin,admin,system:masters\nviewer-token,viewer,viewer\n"),
    )
    .expect("a file");
    std::fs::write(folder.join("pod.log"), "2026-01-01T00:00:00.000000000Z stdout F listening on 8080\n2026-01-01T00:00:01.000000000Z stderr F fatal: cannot reach the database\n").expect("a file");
    let known = Known::default();
    let review = reviewer(known.clone());
    let hook = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: tests, cluster: {{server: '{}'}}}}]\nusers: [{{name: tests}}]\ncontexts: [{{name: tests, context: {{cluster: tests, user: tests}}}}]\ncurrent-context: tests\n",
        review.url()
    );
    std::fs::write(folder.join("review.yaml"), hook).expect("a file");
    let cluster = Cluster {
        folder,
        programs,
        port,
        etcd,
        api: Mutex::default(),
        others: Mutex::default(),
        running: Mutex::default(),
        known: known.clone(),
        context,
    };
    cluster.store();
    cluster.start_api();
    cluster.wait_ready();
    std::fs::write(cluster.kubeconfig(), cluster.kubeconfig_of("admin", ADMIN)).expect("a file");
    cluster.controllers();
    Some(cluster)
}

/// Whom the API server asks about tokens that it does not know.
fn reviewer(known: Known) -> super::http::Server {
    super::http::serve(move |asked| {
        let review: serde_json::Value = serde_json::from_str(&asked.body).unwrap_or_default();
        let token = review["spec"]["token"].as_str().unwrap_or_default();
        let sure =
            known.lock().expect("nobody fails with this lock").iter().any(|known| known(token));
        let user = serde_json::json!({"username": "reviewed", "groups": ["system:masters"]});
        let status = if sure {
            serde_json::json!({"authenticated": true, "user": user})
        } else {
            serde_json::json!({"authenticated": false})
        };
        let answer = serde_json::json!({"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status});
        (200, "application/json", answer.to_string())
    })
}

/// An authority for the certificates of clients, and the certificate of one of them.
fn certificates(folder: &Path) {
    let openssl = |args: &str| {
        let status = Command::new("openssl")
            .args(args.split(' '))
            .current_dir(folder)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("openssl").success(), "openssl {args}");
    };
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=clients -days 2",
    );
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -CA ca.crt -CAkey ca.key -keyout client.key -out client.crt -subj /O=system:masters/CN=certified -days 2",
    );
}

/// A folder for this program's cluster; those of programs that have ended are removed.
fn folder(context: &str) -> PathBuf {
    let base = std::env::temp_dir().join("dax-peers");
    for entry in std::fs::read_dir(&base).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let gone = name.split('-').next().is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        if gone {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let folder = base.join(format!("{}-{context}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

impl Cluster {
    /// The kubeconfig of the user who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A kubeconfig with one user, whose token this is.
    pub fn kubeconfig_of(&self, user: &str, token: &str) -> String {
        self.kubeconfig_with(user, &format!("token: {token}"), "")
    }

    /// A kubeconfig with one user, who proves who that is in some way, and something more about the cluster.
    pub fn kubeconfig_with(&self, user: &str, proof: &str, more: &str) -> String {
        let (context, port) = (self.context, self.port);
        let authority = self.folder.join("certs/apiserver.crt");
        format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: {context}, cluster: {{server: 'https://127.0.0.1:{port}', certificate-authority: '{}'{more}}}}}]\nusers: [{{name: {user}, user: {{{proof}}}}}]\ncontexts: [{{name: {context}, context: {{cluster: {context}, user: {user}}}}}]\ncurrent-context: {context}\n",
            authority.display()
        )
    }

    /// The folder of its files: `client.crt`, `client.key`, `certs/apiserver.crt`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Has whoever bears a token that passes a test do everything, beside those who may anyway.
    pub fn recognise(&self, test: impl Fn(&str) -> bool + Send + 'static) {
        self.known.lock().expect("nobody fails with this lock").push(Box::new(test));
    }

    /// Where its API is.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where what is built lies.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    fn run(&self, name: &str, args: &[String]) -> Child {
        self.run_at(&self.programs.join(name), args)
    }

    fn run_at(&self, program: &Path, args: &[String]) -> Child {
        let name =
            program.file_name().and_then(std::ffi::OsStr::to_str).expect("a program has a name");
        let log = std::fs::File::create(self.folder.join(format!("{name}.log"))).expect("a log");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).args(args).current_dir(&self.folder);
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        spawn(command)
    }

    fn keep(&self, name: &str, args: &[String]) {
        let child = self.run(name, args);
        self.others.lock().expect("nobody fails with this lock").push(child);
    }

    fn store(&self) {
        let (client, peer) = (
            format!("http://127.0.0.1:{}", self.etcd),
            format!("http://127.0.0.1:{}", free_port()),
        );
        let args = [
            "--data-dir=etcd".to_owned(),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=error".to_owned(),
        ];
        self.keep("etcd", &args);
    }

    /// Starts the API server.
    pub fn start_api(&self) {
        let args = [
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.port),
            "--cert-dir=certs".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-account-key-file=sa.pub".to_owned(),
            "--service-account-signing-key-file=sa.key".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--token-auth-file=tokens.csv".to_owned(),
            "--client-ca-file=ca.crt".to_owned(),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            "--authentication-token-webhook-config-file=review.yaml".to_owned(),
            "--authentication-token-webhook-version=v1".to_owned(),
            "--authentication-token-webhook-cache-ttl=0s".to_owned(),
        ];
        *self.api.lock().expect("nobody fails with this lock") =
            Some(self.run("kube-apiserver", &args));
    }

    /// Kills the API server; what it stored stays.
    pub fn kill_api(&self) {
        if let Some(mut child) = self.api.lock().expect("nobody fails with this lock").take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Returns when the API server answers.
    pub fn wait_ready(&self) {
        std::fs::write(self.kubeconfig(), self.kubeconfig_of("admin", ADMIN)).expect("a file");
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if self.kubectl_output(&["get", "--raw", "/readyz"]).status.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log =
            std::fs::read_to_string(self.folder.join("kube-apiserver.log")).unwrap_or_default();
        panic!(
            "the API server did not start: {}",
            log.lines().rev().take(5).collect::<Vec<_>>().join("\n")
        );
    }

    fn controllers(&self) {
        let kubeconfig = format!("--kubeconfig={}", self.kubeconfig().display());
        let common = |port: u16| {
            [
                kubeconfig.clone(),
                "--leader-elect=false".to_owned(),
                "--bind-address=127.0.0.1".to_owned(),
                format!("--secure-port={port}"),
            ]
        };
        let more = [
            "--service-account-private-key-file=sa.key",
            "--root-ca-file=certs/apiserver.crt",
            "--node-monitor-grace-period=1h",
        ];
        self.keep(
            "kube-controller-manager",
            &[common(free_port()).to_vec(), more.map(str::to_owned).to_vec()].concat(),
        );
        self.keep("kube-scheduler", &common(free_port()));
        let stages =
            std::fs::read_to_string(crate::root().join("tests/peers/kubernetes/nodes.yaml"))
                .expect("the behaviour of the nodes");
        let stages =
            stages.replace("DAX_LOG_FILE", &self.folder.join("pod.log").display().to_string());
        std::fs::write(self.folder.join("nodes.yaml"), stages).expect("a file");
        let port = free_port();
        let args = [
            kubeconfig,
            "--manage-all-nodes".to_owned(),
            "--config=nodes.yaml".to_owned(),
            format!("--server-address=127.0.0.1:{port}"),
            "--node-ip=127.0.0.1".to_owned(),
            format!("--node-port={port}"),
            "--node-lease-duration-seconds=0".to_owned(),
            "--cidr=10.128.0.0/16".to_owned(),
        ];
        self.keep("kwok", &args);
        self.apply("apiVersion: v1\nkind: Node\nmetadata: {name: node-0, labels: {kubernetes.io/hostname: node-0}}\n");
    }

    fn kubectl_output(&self, args: &[&str]) -> std::process::Output {
        let mut command = Command::new(self.programs.join("kubectl"));
        command.args(args).env("KUBECONFIG", self.kubeconfig()).stdin(Stdio::null());
        command.output().expect("kubectl runs")
    }

    /// What kubectl prints; it must do what it is told.
    pub fn kubectl(&self, args: &[&str]) -> String {
        let output = self.kubectl_output(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {}: {said}", args.join(" "));
        String::from_utf8(output.stdout).expect("kubectl prints text")
    }

    /// What kubectl has of one thing as JSON.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.kubectl(&[args, &["-o", "json"]].concat())).expect("JSON")
    }

    /// Applies a manifest as the user of kubectl does.
    pub fn apply(&self, manifest: &str) {
        let path = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(path.path(), manifest).expect("a file");
        self.kubectl(&["apply", "-f", &path.path().display().to_string()]);
    }

    /// Makes the type HTTPRoute known.
    pub fn gateway_api(&self) {
        self.know(&self.programs.join("gateway.networking.k8s.io_httproutes.yaml"));
    }

    /// Makes the types of a file known.
    fn know(&self, path: &Path) {
        let path = path.display().to_string();
        self.kubectl(&["apply", "--server-side", "-f", &path]);
        // kubectl gives up on what has no conditions yet.
        let wait = ["wait", "--for=condition=Established", "-f", &path, "--timeout=30s"];
        let until = Instant::now() + PATIENCE;
        while !self.kubectl_output(&wait).status.success() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(200));
        }
        self.kubectl(&wait);
    }

    /// Has a controller run, once: its types are known first. Nothing where it was not built.
    fn controller(&self, name: &str, program: &str, args: &[String]) -> bool {
        let Some(built) = super::require(name) else { return false };
        let mut running = self.running.lock().expect("nobody fails with this lock");
        if running.insert(program.to_owned()) {
            let files =
                std::fs::read_dir(&built).expect("a folder").flatten().map(|entry| entry.path());
            files
                .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
                .for_each(|path| self.know(&path));
            let args = [&[format!("--kubeconfig={}", self.kubeconfig().display())], args].concat();
            let child = self.run_at(&built.join(program), &args);
            self.others.lock().expect("nobody fails with this lock").push(child);
        }
        true
    }

    /// Has Flagger run.
    pub fn flagger(&self) -> bool {
        self.gateway_api();
        let args = [
            "--mesh-provider=kubernetes".to_owned(),
            "--control-loop-interval=1s".to_owned(),
            // It asks a Prometheus only where a Canary names its own.
            "--log-level=info".to_owned(),
            format!("--port={}", free_port()),
        ];
        self.controller("Flagger", "flagger", &args)
    }

    /// Has Argo Rollouts run.
    pub fn argo_rollouts(&self) -> bool {
        let ports =
            [format!("--metricsPort={}", free_port()), format!("--healthzPort={}", free_port())];
        let args = [
            &ports[..],
            &["--leader-elect=false".to_owned(), "--namespace=argo-rollouts".to_owned()],
        ]
        .concat();
        self.controller("Argo-Rollouts", "rollouts-controller", &args)
    }
}
