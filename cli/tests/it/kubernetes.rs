//! The real binary on a real control plane, looked at with kubectl.

mod canary;
mod clouds;
mod clusters;
mod connect;
mod cut;
mod errors;
mod handed;
mod importing;
mod objects;
mod ownership;
mod pipelines;
mod previews;
mod rollout;
mod trouble;

use crate::project::Project;
use dax_tests::peers::kubernetes::Cluster;
use std::sync::atomic::{AtomicBool, Ordering};

/// A project with one cluster and the services and environments of `body`.
pub(crate) fn project(cluster: &Cluster, body: &str) -> Project {
    let (context, kubeconfig) = (cluster.context, cluster.kubeconfig().display().to_string());
    Project::new(&format!(
        "import kubernetes from \"std/kubernetes\"\n\nparam tag: string = \"1\"\n\nprovider kubernetes.cluster {{\n  context = \"{context}\"\n  kubeconfig = \"{kubeconfig}\"\n}}\n{body}"
    ))
}

/// One service in a namespace of its own, with more in its binding and after its environment's bindings.
pub(crate) fn web(namespace: &str, binding: &str, more: &str) -> String {
    format!(
        "
service web {{
  image    = \"ghcr.io/acme/web:${{tag}}\"
  replicas = 3
  cpu      = 250mcpu
  memory   = 128MiB
  ports    = {{ http: 8080 }}
  env      = {{ LOG_LEVEL: \"info\" }}
  health http \"/health\" {{ every = 1s, ready_within = 5s }}
}}

environment dev {{
  bind web to kubernetes.cluster {{
    namespace = \"{namespace}\"
    create_namespace = true
    {binding}
  }}
  {more}
}}
"
    )
}

/// Applies, and gives everything that was said.
pub(crate) fn apply(project: &Project, code: i32, more: &[&str]) -> String {
    let said = project.expect(code, &[&["apply", "-e", "dev", "--auto-approve"], more].concat());
    format!("{}{}", said.out, said.err)
}

pub(crate) fn plan(project: &Project, more: &[&str]) -> String {
    project.expect(0, &[&["plan", "-e", "dev"], more].concat()).out
}

/// A Deployment's leaves that dax owns, without those that change by themselves.
pub(crate) fn owned(cluster: &Cluster, namespace: &str, name: &str) -> serde_json::Value {
    let mut found = cluster.json(&["-n", namespace, "get", "deployment", name]);
    let spec = found["spec"].take();
    serde_json::json!({"spec": spec, "labels": found["metadata"]["labels"], "notes": found["metadata"]["annotations"]["dax.dev/spec"]})
}

/// Looks again and again while something is done.
pub(crate) fn while_looking(mut look: impl FnMut() + Send, work: impl FnOnce()) {
    /// Whoever watches ends with what is watched, however that ends.
    struct Over<'o>(&'o AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                look();
            }
        });
        let _over = Over(&over);
        work();
    });
}
