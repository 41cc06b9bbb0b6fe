//! The platforms pass the suite that every platform passes.

use crate::project::Project;
use dax_core::{Name, Quantity, Unit, Value};
use dax_provider_api::Instance;
use dax_provider_testkit::conformance::{Subject, run};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect())
}

fn seconds(number: i64) -> Value {
    Value::Quantity(Quantity::new(Unit::Duration, dax_core::Decimal::from(number * 1_000)))
}

#[test]
fn the_local_platform_conforms() {
    let project = Project::new("");
    std::fs::create_dir(project.path(".dax")).expect("the engine's folder");
    let platform = dax_provider_builtin::local::Local {
        folder: project.path(".dax/local"),
        root: project.path("."),
        agent: (PathBuf::from(env!("CARGO_BIN_EXE_dax")), vec!["agent".to_owned()]),
    };
    let spec = |version: &str| {
        let command = ["dax", "demo-service", "--version", version].map(Value::str).to_vec();
        let health = map(&[
            ("kind", Value::str("http")),
            ("path", Value::str("/health")),
            ("every", seconds(1)),
        ]);
        map(&[("command", Value::List(command)), ("health", health)])
    };
    let ports = map(&[("http", Value::Int(i64::from(project.ports[0])))]);
    let settings: BTreeMap<Name, Value> =
        [("ports", ports), ("drain", seconds(1)), ("stop_timeout", seconds(1))]
            .into_iter()
            .map(|(name, value)| (Name::from(name), value))
            .collect();
    let subject =
        Subject { platform: &platform, settings, place: None, specs: [spec("1"), spec("2")] };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    assert_eq!(runtime.block_on(run(&subject)), Ok(()));
    crate::project::wait_until("no process", || project.processes().is_empty());
}

#[test]
fn kubernetes_conforms() {
    let Some(cluster) = dax_tests::peers::kubernetes::cluster() else { return };
    cluster.gateway_api();
    cluster.kubectl(&["create", "namespace", "conformance"]);
    let config = map(&[
        ("context", Value::str(cluster.context)),
        ("kubeconfig", Value::str(cluster.kubeconfig().display().to_string())),
    ]);
    let instance = Instance { name: "kubernetes.cluster".into(), config, ..Instance::default() };
    let provider = dax_provider_kubernetes::provider(&instance, std::path::Path::new("."))
        .expect("a configuration");
    let spec = |version: &str| map(&[("image", Value::str(format!("web:{version}")))]);
    let route = map(&[
        ("gateway", Value::str("public")),
        ("hosts", Value::List(Vec::new())),
        ("path", Value::str("/")),
    ]);
    let ports = map(&[("http", Value::Int(8080))]);
    let settings = [("ports", ports), ("namespace", Value::str("conformance")), ("route", route)];
    let settings = settings.into_iter().map(|(name, value)| (Name::from(name), value)).collect();
    let platform = provider.platform.expect("a platform");
    let subject = Subject {
        platform: &*platform,
        settings,
        place: Some("conformance".into()),
        specs: [spec("1"), spec("2")],
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    assert_eq!(runtime.block_on(run(&subject)), Ok(()));
}
