//! The pods of a revision.
//!
//! Source of the security settings: the profile "restricted" of
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/>.

use super::{Held, Of, Slot};
use crate::handed::Controller;
use crate::{kinds, names, quantity, settings};
use dax_core::{Name, SecretRef, Value};
use dax_provider_api::Secrets;
use serde_json::{Map, Value as Json, json};

/// The pod template of a revision.
pub(super) fn template(of: &Of<'_>, slot: &Slot, held: Held<'_>) -> Json {
    if slot.adopted {
        return json!({"spec": {"containers": [container(of, slot, held)]}});
    }
    let mut labels = names::labels(of.environment, of.object);
    labels.extend(slot.selector.clone());
    labels.insert(names::REVISION.to_owned(), json!(held.revision.0.as_str()));
    let on = |name: &str| {
        held.spec.get("on").and_then(|on| on.get(name)).filter(|value| **value != Value::None)
    };
    let text = |name: &str| on(name).and_then(Value::as_str);
    let mut container = container(of, slot, held);
    let mut spec = json!({
        "serviceAccountName": text("service_account").unwrap_or(of.object),
        "automountServiceAccountToken": on("api_access") == Some(&Value::Bool(true)),
    });
    let pull: Vec<Json> = on("pull_secrets")
        .map_or(&[][..], Value::items)
        .iter()
        .map(|name| json!({"name": settings::json(name)}))
        .collect();
    if !pull.is_empty() {
        spec["imagePullSecrets"] = json!(pull);
    }
    if text("security") != Some("baseline") {
        spec["securityContext"] =
            json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
        container["securityContext"] =
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    }
    let volumes = of.settings.get("volumes").into_iter().flat_map(Value::entries);
    let mut mounts: Vec<Json> = volumes
        .map(|(name, volume)| json!({"name": name.as_str(), "mountPath": settings::json(volume.get("mount").unwrap_or(&Value::None))}))
        .collect();
    if on("files").is_some_and(|files| files.entries().next().is_some()) {
        spec["volumes"] =
            json!([{"name": "files", "configMap": {"name": supplies_name(of, held)}}]);
        mounts.push(json!({"name": "files", "mountPath": text("files_at").unwrap_or("/etc/service"), "readOnly": true}));
    }
    if !mounts.is_empty() {
        container["volumeMounts"] = json!(mounts);
    }
    spec["containers"] = json!([container]);
    let mut template = json!({"metadata": {"labels": labels}, "spec": spec});
    // A revision that somebody else made by changing fields that the language has no words for.
    for (path, value) in held.spec.get("kubernetes").into_iter().flat_map(Value::entries) {
        put(&mut template, path, &settings::json(value));
    }
    template
}

/// Puts a value where a difference was found: `spec.containers[web].image`.
fn put(object: &mut Json, path: &str, value: &Json) {
    let mut here = object;
    for part in path.split('.') {
        let (field, element) = part
            .split_once('[')
            .map_or((part, None), |(field, rest)| (field, Some(rest.trim_end_matches(']'))));
        if value.is_null() && here.get(field).is_none() {
            return;
        }
        here = &mut here[field];
        if let Some(name) = element {
            let Some(found) = here
                .as_array_mut()
                .and_then(|items| items.iter_mut().find(|item| item["name"] == name))
            else {
                return;
            };
            here = found;
        }
    }
    *here = value.clone();
}

/// What a revision's secrets and files are called: both are made with it and go with it.
pub(crate) fn supplies_name(of: &Of<'_>, held: Held<'_>) -> String {
    format!("{}-{}", of.object, held.revision)
}

/// The container of a service.
pub(crate) fn container(of: &Of<'_>, slot: &Slot, held: Held<'_>) -> Json {
    let spec = held.spec;
    let field = |name: &str| spec.get(name).filter(|value| **value != Value::None);
    let mut container = json!({"name": slot.container});
    if let Some(image) = field("image").and_then(Value::as_str) {
        container["image"] = json!(image);
    }
    let command: Vec<Json> =
        field("command").map_or(&[][..], Value::items).iter().map(settings::json).collect();
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    let env = environment(of, slot, held);
    if !env.is_empty() {
        container["env"] = json!(env);
    }
    let ports = ports(of, spec);
    if !ports.is_empty() && !slot.adopted {
        let port = |(name, port): &(&str, i64)| json!({"name": name, "containerPort": port, "protocol": "TCP"});
        container["ports"] = json!(ports.iter().map(port).collect::<Vec<_>>());
    }
    let mut resources = Map::new();
    if let Some(cpu) = field("cpu").and_then(quantity::write) {
        resources.insert("requests".to_owned(), json!({"cpu": cpu}));
    }
    if let Some(memory) = field("memory").and_then(quantity::write) {
        // Memory cannot be taken back from a process, so what it may use is what is kept for it.
        let requests = resources.entry("requests").or_insert_with(|| json!({}));
        requests["memory"] = json!(memory);
        resources.insert("limits".to_owned(), json!({"memory": memory}));
    }
    if !resources.is_empty() {
        container["resources"] = Json::Object(resources);
    }
    if let (Some(health), Some(port), false) =
        (field("health"), main_port(of, &ports), slot.adopted)
    {
        container["readinessProbe"] = probe(health, port);
    }
    container
}

/// The ports of a revision: each has its own, so that another number is another revision.
fn ports<'v>(of: &'v Of<'_>, spec: &'v Value) -> Vec<(&'v str, i64)> {
    let own = spec.get("on").and_then(|on| on.get("ports"));
    match own {
        Some(ports) => ports
            .entries()
            .filter_map(|(name, port)| Some((name.as_str(), port.as_int()?)))
            .collect(),
        None => of.settings.ports(),
    }
}

/// The port that takes the traffic: `http`, or the first.
fn main_port(of: &Of<'_>, ports: &[(&str, i64)]) -> Option<i64> {
    let name = of.settings.main_port().map(|(name, _)| name);
    ports
        .iter()
        .find(|(port, _)| Some(*port) == name)
        .or_else(|| ports.first())
        .map(|(_, port)| *port)
}

fn environment(of: &Of<'_>, slot: &Slot, held: Held<'_>) -> Vec<Json> {
    let name = supplies_name(of, held);
    let entries = held.spec.get("env").into_iter().flat_map(Value::entries);
    let mut all: Vec<Json> = entries
        .map(|(key, value)| match value {
            Value::Secret(_) => json!({"name": key.as_str(), "valueFrom": {"secretKeyRef": {"name": name, "key": key.as_str()}}}),
            value => json!({"name": key.as_str(), "value": plain(value)}),
        })
        .collect();
    let given = all.iter().any(|one| one["name"] == "PORT");
    if let (Some(port), false, false) = (main_port(of, &ports(of, held.spec)), given, slot.adopted)
    {
        all.push(json!({"name": "PORT", "value": port.to_string()}));
    }
    all
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn probe(health: &Value, port: i64) -> Json {
    let seconds = |name: &str, default: u64| {
        health.get(name).and_then(Value::as_millis).map_or(default, |ms| ms.div_ceil(1000).max(1))
    };
    let mut probe = json!({
        "periodSeconds": seconds("every", 10),
        "timeoutSeconds": seconds("timeout", 2),
        "failureThreshold": health.get("fail_after").and_then(Value::as_int).unwrap_or(3),
    });
    if health.get("kind").and_then(Value::as_str) == Some("tcp") {
        probe["tcpSocket"] = json!({"port": port});
    } else {
        let path = health.get("path").and_then(Value::as_str).unwrap_or("/");
        probe["httpGet"] = json!({"path": path, "port": port});
    }
    probe
}

/// A Job that runs a command with the fields of a revision, once.
pub(crate) fn job(of: &Of<'_>, name: &str, held: Held<'_>, command: &[Name]) -> Json {
    let mut slot = super::fresh(of.object, name.to_owned());
    // Its pods must not be taken for those that answer requests.
    slot.selector.clear();
    let mut template = template(of, &slot, held);
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.insert(names::NAME.to_owned(), json!(name));
        labels.remove(names::REVISION);
    }
    template["spec"]["restartPolicy"] = json!("Never");
    let container = &mut template["spec"]["containers"][0];
    container["command"] = json!(command.iter().map(Name::as_str).collect::<Vec<_>>());
    for field in ["readinessProbe", "ports"] {
        container.as_object_mut().and_then(|container| container.remove(field));
    }
    let mut object = of.head(kinds::JOB, name);
    // Whether it is run again is decided where everything else is.
    object["spec"] =
        json!({"backoffLimit": 0, "ttlSecondsAfterFinished": 86_400, "template": template});
    object
}

/// What a revision needs beside its Deployment: its secrets and its files; the values stand nowhere else.
pub(crate) fn supplies(of: &Of<'_>, held: Held<'_>, secrets: &Secrets) -> Vec<(kinds::Kind, Json)> {
    let mut all = Vec::new();
    let mut values: Map<String, Json> = Map::new();
    let find = |secret: &SecretRef| secrets.0.get(&secret.value_key()).cloned();
    for (key, value) in held.spec.get("env").into_iter().flat_map(Value::entries) {
        if let Value::Secret(secret) = value
            && let Some(value) = find(secret)
        {
            values.insert(key.to_string(), json!(value));
        }
    }
    let name = supplies_name(of, held);
    let labelled = |kind| {
        let mut object = of.head(kind, &name);
        object["metadata"]["labels"][names::REVISION] = json!(held.revision.0.as_str());
        object["immutable"] = json!(true);
        if of.settings.controller() == Some(Controller::Flagger) {
            // They never change, and go with their revision: Flagger need not make copies of them.
            object["metadata"]["annotations"]["flagger.app/config-tracking"] = json!("disabled");
        }
        object
    };
    if !values.is_empty() {
        let mut object = labelled(kinds::SECRET);
        object["type"] = json!("Opaque");
        object["stringData"] = Json::Object(values);
        all.push((kinds::SECRET, object));
    }
    let files =
        held.spec.get("on").and_then(|on| on.get("files")).into_iter().flat_map(Value::entries);
    let files: Map<String, Json> =
        files.map(|(name, text): (&Name, &Value)| (name.to_string(), json!(plain(text)))).collect();
    if !files.is_empty() {
        let mut object = labelled(kinds::CONFIG_MAP);
        object["data"] = Json::Object(files);
        all.push((kinds::CONFIG_MAP, object));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use dax_core::{RevisionId, SecretPart};
    use std::collections::BTreeMap;

    fn plain(key: &str) -> SecretRef {
        SecretRef {
            name: "tok".into(),
            source: "env".into(),
            key: key.into(),
            fingerprint: Name::default(),
            parts: Vec::new(),
        }
    }

    /// Text before a secret, as the language makes it: it bears the name of the secret.
    fn made(text: &str, of: SecretRef) -> SecretRef {
        let parts = vec![SecretPart::Text(text.into()), SecretPart::Secret(of)];
        SecretRef { source: "template".into(), parts, ..plain("tok") }
    }

    #[test]
    fn a_secret_and_texts_made_of_it_stand_apart_under_the_names_of_their_variables() {
        let all = [
            ("TOK", plain("TOK"), "canary"),
            ("URL", made("https://", plain("TOK")), "https://canary"),
            ("WORD", made("w-", plain("TOK")), "w-canary"),
            ("THEIRS", plain("THEIRS"), "theirs"),
            ("OF_THEIRS", made("w-", plain("THEIRS")), "w-theirs"),
        ];
        let values = all.iter().map(|(_, secret, value)| (secret.value_key(), (*value).to_owned()));
        let secrets = Secrets(values.collect());
        let env = all
            .iter()
            .map(|(name, secret, _)| (Name::new(name), Value::Secret(Box::new(secret.clone()))));
        let spec = Value::Map(BTreeMap::from([("env".into(), Value::Map(env.collect()))]));
        let (settings, revision) = (BTreeMap::new(), RevisionId("1a".into()));
        let settings = Settings(&settings);
        let of = Of { environment: "dev", service: "web", object: "web", settings };
        let held = Held { revision: &revision, spec: &spec, replicas: 1 };
        let supplies = supplies(&of, held, &secrets);
        assert_eq!(supplies.len(), 1);
        let wanted: Map<String, Json> =
            all.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))).collect();
        assert_eq!(supplies[0].1["stringData"], Json::Object(wanted));
        let slot = crate::lower::fresh("web", "web-1a".to_owned());
        for one in environment(&of, &slot, held) {
            assert_eq!(one["valueFrom"]["secretKeyRef"]["key"], one["name"], "{one}");
        }
    }
}
