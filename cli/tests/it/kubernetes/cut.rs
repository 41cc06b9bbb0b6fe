//! Requests that are cut off: before the API server sees them, or after it has done what they ask for. Whoever makes the
//! same call again, as the applier does, ends where an uncut run ends.

use dax_core::{Name, RevisionId, Value};
use dax_model::{LiveService, Operation, WHOLE};
use dax_provider_api::{
    Call, Expect, Fence, Instance, Platform, ProviderError, Scope, Secrets, Sought,
};
use dax_tests::peers::kubernetes::{Cluster, cluster};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Stands in for no request.
const NONE: usize = usize::MAX;

/// `kubectl proxy`, which speaks plain HTTP to whoever comes.
struct Plain(Child, u16);

impl Drop for Plain {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn plain(cluster: &Cluster) -> Plain {
    let mut command = Command::new(cluster.programs().join("kubectl"));
    command
        .args(["proxy", "--port=0"])
        .env("KUBECONFIG", cluster.kubeconfig())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("kubectl");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("an output")).read_line(&mut line).expect("a line");
    let port = line
        .trim()
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .expect("Starting to serve on 127.0.0.1:PORT");
    Plain(child, port)
}

/// Cuts one of the requests that change something.
#[derive(Default)]
struct Cut {
    /// Requests so far that change something.
    count: AtomicUsize,
    /// Which one is cut.
    at: AtomicUsize,
    /// Whether it is done before it is cut.
    done: std::sync::atomic::AtomicBool,
}

/// A proxy for one request a connection; gives its port.
fn cutting(upstream: u16, cut: Arc<Cut>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let cut = cut.clone();
            std::thread::spawn(move || one(client, upstream, &cut));
        }
    });
    port
}

fn one(client: TcpStream, upstream: u16, cut: &Cut) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(number) = lower.strip_prefix("content-length:") {
            length = number.trim().parse().unwrap_or(0);
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let changes = ["PATCH ", "POST ", "DELETE "].iter().any(|method| head.starts_with(method));
    let hit = changes && cut.count.fetch_add(1, Ordering::SeqCst) == cut.at.load(Ordering::SeqCst);
    if hit && !cut.done.load(Ordering::SeqCst) {
        return client.shutdown(Shutdown::Both);
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
    server.write_all(&body)?;
    if hit {
        server.read_to_end(&mut Vec::new())?;
        return client.shutdown(Shutdown::Both);
    }
    let mut answer = client.try_clone()?;
    std::io::copy(&mut server, &mut answer)?;
    client.shutdown(Shutdown::Both)
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect())
}

/// Makes a call until it goes through, as the applier does with what was cut.
async fn call(platform: &dyn Platform, place: &str, operation: &Operation) {
    let call = Call {
        environment: "cut".into(),
        service: "web".into(),
        place: place.into(),
        operation: operation.clone(),
        spec: None,
        token: "cut".into(),
        fence: Fence { lineage: "cut".into(), epoch: 1 },
        expect: Expect::default(),
        timeout: Duration::from_secs(20),
        secrets: Secrets::default(),
    };
    for _ in 0..5 {
        match platform.change(&call).await {
            Ok(()) => return,
            Err(error) if error.is_transient() => {}
            // Somebody made it at the same time: this call did, and its answer was lost.
            Err(ProviderError::Conflict { message }) if message.contains("at the same time") => {}
            Err(error) => panic!("{operation:?}: {error}"),
        }
    }
    panic!("{operation:?} never goes through");
}

/// What a canary and a roll do, up to the end; then everything goes.
async fn story(platform: &dyn Platform, place: &str) -> (LiveService, Option<LiveService>) {
    let [a, b, c] =
        ["1", "2", "3"].map(|version| map(&[("image", Value::str(format!("web:{version}")))]));
    let id = RevisionId::of;
    let create = |spec: &Value, replicas| Operation::CreateRevision {
        revision: id(spec),
        spec: spec.clone(),
        replicas,
    };
    let ready = |spec: &Value| Operation::AwaitReady { revision: id(spec) };
    let shift = |shares: &[(&Value, u32)]| Operation::ShiftTraffic {
        traffic: shares.iter().map(|(spec, share)| (id(spec), *share)).collect(),
    };
    let route = map(&[
        ("gateway", Value::str("public")),
        ("hosts", Value::List(Vec::new())),
        ("path", Value::str("/")),
    ]);
    let settings = [
        ("ports", map(&[("http", Value::Int(8080))])),
        ("namespace", Value::str(place)),
        ("route", route),
    ];
    let mut settings: BTreeMap<Name, Value> =
        settings.into_iter().map(|(name, value)| (Name::from(name), value)).collect();
    let create_service = Operation::CreateService { settings: settings.clone() };
    settings.insert("min_available".into(), Value::Int(1));
    let roll = Operation::Roll {
        from: id(&b),
        revision: id(&c),
        spec: c.clone(),
        replicas: 2,
        surge: 1,
        unavailable: 0,
    };
    let operations = [
        create_service,
        create(&a, 1),
        ready(&a),
        shift(&[(&a, WHOLE)]),
        create(&b, 1),
        ready(&b),
        shift(&[(&a, 7_500), (&b, 2_500)]),
        shift(&[(&b, WHOLE)]),
        Operation::Scale { revision: id(&a), replicas: 0 },
        Operation::UpdateService { settings },
        roll,
        ready(&c),
        Operation::DeleteRevision { revision: id(&a) },
    ];
    for operation in &operations {
        call(platform, place, operation).await;
    }
    let scope = Scope {
        environment: "cut".into(),
        objects: BTreeMap::from([(
            "web".into(),
            Sought { places: BTreeSet::from([place.into()]), object: None },
        )]),
    };
    let there =
        platform.read(&scope).await.expect("it is read").remove("web").expect("it is there");
    call(platform, place, &Operation::DeleteService).await;
    let gone = platform.read(&scope).await.expect("it is read").remove("web");
    (LiveService { url: None, ..there }, gone)
}

#[test]
fn a_request_that_is_cut_anywhere_is_made_again_without_harm() {
    let Some(cluster) = cluster() else { return };
    cluster.gateway_api();
    cluster.kubectl(&["create", "namespace", "cut"]);
    let plain = plain(cluster);
    let cut = Arc::new(Cut::default());
    let port = cutting(plain.1, cut.clone());
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: cut, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\nusers: [{{name: cut, user: {{}}}}]\ncontexts: [{{name: cut, context: {{cluster: cut, user: cut}}}}]\n"
    );
    std::fs::write(folder.path().join("kubeconfig"), kubeconfig).expect("a file");
    let config = map(&[("context", Value::str("cut")), ("kubeconfig", Value::str("kubeconfig"))]);
    let instance = Instance { name: "kubernetes.cluster".into(), config, ..Instance::default() };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let run = |at: usize, done: bool| {
        cut.count.store(0, Ordering::SeqCst);
        cut.at.store(at, Ordering::SeqCst);
        cut.done.store(done, Ordering::SeqCst);
        // A process of its own each time: nothing is remembered.
        let provider =
            dax_provider_kubernetes::provider(&instance, folder.path()).expect("a configuration");
        let platform = provider.platform.expect("a platform");
        let ended = runtime.block_on(story(&*platform, "cut"));
        let left = cluster.kubectl(&[
            "-n",
            "cut",
            "get",
            "deployments,services,httproutes,pdb,serviceaccounts,configmaps",
            "-l",
            "app.kubernetes.io/managed-by=dax",
            "-o",
            "name",
        ]);
        assert_eq!(left, "", "cut at {at}");
        ended
    };
    let whole = run(NONE, false);
    assert_eq!(whole.0.edits, []);
    assert_eq!(whole.1, None);
    let requests = cut.count.load(Ordering::SeqCst);
    assert!(requests > 25, "{requests}");
    for at in 0..requests {
        let done = at % 2 == 0;
        assert_eq!(run(at, done), whole, "cut at {at}, done: {done}");
    }
}
