//! Every way to a cluster: certificates, tokens, plugins, proxies, and from inside.

use super::{plan, project, web};
use crate::project::{Project, Said, said};
use dax_tests::peers::kubernetes::{Cluster, cluster};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A project whose cluster is reached as this kubeconfig says.
fn reached(cluster: &Cluster, kubeconfig: &str) -> Project {
    let project = project(cluster, &web("connect", "", ""));
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    std::fs::write(project.path("way"), kubeconfig).expect("a file");
    project.write(&text.replace(&cluster.kubeconfig().display().to_string(), "way"));
    project
}

#[test]
fn a_client_certificate_proves_who_asks() {
    let Some(cluster) = cluster() else { return };
    let folder = cluster.folder().display();
    let proof =
        format!("client-certificate: '{folder}/client.crt', client-key: '{folder}/client.key'");
    assert!(
        plan(&reached(cluster, &cluster.kubeconfig_with("certified", &proof, "")), &[])
            .contains("1 to create")
    );
}

/// A plan by somebody who says that the kubeconfig `way` is theirs.
fn plan_as_own(project: &Project) -> Said {
    let mut command = project.command(&["plan", "-e", "dev"]);
    said(&command.env("KUBECONFIG", project.path("way")).output().expect("dax runs"))
}

#[test]
fn a_plugin_is_run_for_a_token() {
    let Some(cluster) = cluster() else { return };
    let project = reached(cluster, "");
    let plugin = project.path("plugin");
    let answer = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"admin-token"}}"#;
    std::fs::write(&plugin, format!("#!/bin/sh\necho '{answer}'\n")).expect("a plugin");
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).expect("it may run");
    let proof = |command: &str| {
        format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{command}', interactiveMode: Never}}"
        )
    };
    std::fs::write(
        project.path("way"),
        cluster.kubeconfig_with("plugged", &proof(&plugin.display().to_string()), ""),
    )
    .expect("a file");
    // Only the program names it: nothing is run.
    let refused = project.dax(&["plan", "-e", "dev"]);
    let refused = format!("{}{}", refused.out, refused.err);
    assert!(refused.contains("runs a plugin (`exec`), and only the program names it"), "{refused}");
    assert!(plan_as_own(&project).out.contains("1 to create"));
    // One that is not there is told by name.
    std::fs::write(
        project.path("way"),
        cluster.kubeconfig_with("plugged", &proof("no-such-plugin"), ""),
    )
    .expect("a file");
    let said = plan_as_own(&project);
    assert!(
        format!("{}{}", said.out, said.err).contains("no-such-plugin"),
        "{}{}",
        said.out,
        said.err
    );
}

#[test]
fn a_token_is_read_from_its_file() {
    let Some(cluster) = cluster() else { return };
    let project = reached(cluster, "");
    std::fs::write(project.path("token"), "admin-token").expect("a file");
    let proof = format!("tokenFile: '{}'", project.path("token").display());
    std::fs::write(project.path("way"), cluster.kubeconfig_with("filed", &proof, ""))
        .expect("a file");
    let refused = project.dax(&["plan", "-e", "dev"]);
    let refused = format!("{}{}", refused.out, refused.err);
    assert!(refused.contains("sends the content of a file (`tokenFile`)"), "{refused}");
    assert!(plan_as_own(&project).out.contains("1 to create"));
}

/// A proxy that connects to whatever it is asked for, and counts.
fn proxy() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let (port, count) =
        (listener.local_addr().expect("an address").port(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let counted = counted.clone();
            std::thread::spawn(move || connect(client, &counted));
        }
    });
    (port, count)
}

fn connect(mut client: TcpStream, count: &AtomicUsize) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let text = String::from_utf8(head).ok()?;
    let target = text.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
    let mut server = TcpStream::connect(target).ok()?;
    count.fetch_add(1, Ordering::Relaxed);
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    let _ = std::io::copy(&mut server, &mut client);
    Some(())
}

#[test]
fn a_proxy_is_gone_through() {
    let Some(cluster) = cluster() else { return };
    let (port, count) = proxy();
    let more = format!(", proxy-url: 'http://127.0.0.1:{port}'");
    assert!(
        plan(
            &reached(cluster, &cluster.kubeconfig_with("admin", "token: admin-token", &more)),
            &[]
        )
        .contains("1 to create")
    );
    assert!(count.load(Ordering::Relaxed) > 0);
}

#[test]
fn from_inside_the_service_account_of_the_pod_is_taken() {
    let Some(cluster) = cluster() else { return };
    let spaces =
        std::process::Command::new("unshare").args(["--map-root-user", "--mount", "true"]).status();
    if !spaces.is_ok_and(|status| status.success()) {
        return dax_tests::peers::not_tested("unshare", "no mount namespace may be made here");
    }
    cluster.kubectl(&["create", "namespace", "inside"]);
    cluster.kubectl(&["-n", "inside", "create", "serviceaccount", "deployer"]);
    cluster.kubectl(&[
        "create",
        "clusterrolebinding",
        "deployer",
        "--clusterrole=cluster-admin",
        "--serviceaccount=inside:deployer",
    ]);
    let token = cluster.kubectl(&["-n", "inside", "create", "token", "deployer"]);
    let project = project(cluster, &web("inside", "", ""));
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    let kubeconfig = cluster.kubeconfig().display().to_string();
    let text = text
        .replace(&format!("  kubeconfig = \"{kubeconfig}\"\n"), "")
        .replace("context = \"one\"", "in_cluster = true");
    project.write(&text);
    std::fs::write(project.path("token"), token.trim()).expect("a file");
    // The files of a pod, in a file system of the command's own.
    let authority = cluster.folder().join("certs/apiserver.crt");
    let script = format!(
        "mount -t tmpfs tmpfs /run && d=/run/secrets/kubernetes.io/serviceaccount && mkdir -p $d && cp '{}' $d/token && cp '{}' $d/ca.crt && printf inside > $d/namespace && exec \"$@\"",
        project.path("token").display(),
        authority.display(),
    );
    let dax = project.command(&["apply", "-e", "dev", "--auto-approve"]);
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .arg(dax.get_program())
        .args(dax.get_args());
    command
        .current_dir(project.path("."))
        .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .env("KUBERNETES_SERVICE_PORT", cluster.port().to_string());
    let said = said(&command.output().expect("unshare runs"));
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(
        cluster.kubectl(&["-n", "inside", "get", "deployments", "--no-headers"]).contains("3/3")
    );
}

#[test]
fn doctor_says_of_each_system_whether_it_answers_to_whom_and_what_it_has() {
    let Some(cluster) = cluster() else { return };
    cluster.gateway_api();
    let other = "\n\nprovider kubernetes.gke {\n  project = \"p\"\n  location = \"l\"\n  cluster = \"c\"\n}\n\nenvironment away {\n  bind web to kubernetes.gke\n}\n";
    let project = project(cluster, &format!("{}{other}", web("connect", "", "")));
    let examine = |args: &[&str]| {
        let mut command = project.command(&[&["doctor"], args].concat());
        let said = said(
            &command
                .env("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/file")
                .output()
                .expect("dax runs"),
        );
        (said.code, said.out, said.err)
    };
    let (code, out, err) = examine(&["-e", "dev"]);
    assert_eq!(code, 0, "{out}{err}");
    let version = cluster.json(&["version"])["serverVersion"]["gitVersion"]
        .as_str()
        .expect("a version")
        .to_owned();
    for wanted in
        [version.as_str(), "admin", "gateway.networking.k8s.io/v1", "`autoscale` needs it"]
    {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }
    // One that does not answer does not keep the others from being looked at.
    let (code, out, err) = examine(&["--format", "json"]);
    assert_eq!(code, 1, "{out}{err}");
    let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let answers = |name: &str| {
        told["systems"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["name"] == name)
            .map(|one| one["answers"].clone())
    };
    assert_eq!(answers("kubernetes.cluster"), Some(true.into()));
    assert_eq!(answers("kubernetes.gke"), Some(false.into()));
    assert_eq!(answers("state"), Some(true.into()));
}
