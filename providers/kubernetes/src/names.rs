//! Names, labels and annotations of the objects that dax writes.
//!
//! Source of `app.kubernetes.io/…`: <https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>.

use dax_core::Name;
use serde_json::{Map, Value as Json, json};

/// The field manager, and the value of `app.kubernetes.io/managed-by`.
pub(crate) const MANAGER: &str = "dax";
/// The name of the program, alike for all its revisions.
pub(crate) const NAME: &str = "app.kubernetes.io/name";
/// The Deployment that a pod belongs to; selectors are made of it.
pub(crate) const INSTANCE: &str = "app.kubernetes.io/instance";
/// Who looks after an object.
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The tag of the image.
pub(crate) const VERSION: &str = "app.kubernetes.io/version";
/// The environment of the program.
pub(crate) const ENVIRONMENT: &str = "dax.dev/environment";
/// The revision of a Deployment and of its pods.
pub(crate) const REVISION: &str = "dax.dev/revision";
/// The service as the program calls it, in an annotation: it may have a key.
pub(crate) const SERVICE: &str = "dax.dev/service";
/// The fields of a revision, in an annotation of its Deployment.
pub(crate) const SPEC: &str = "dax.dev/spec";
/// How many replicas were asked for, in an annotation of a Deployment.
pub(crate) const REPLICAS: &str = "dax.dev/replicas";
/// The container that is the service's, in an annotation of a Deployment that dax took over.
pub(crate) const CONTAINER: &str = "dax.dev/adopted-container";

/// The name that the API takes for a service: an instance `web[eu]` is called `web` in its own cluster.
pub(crate) fn object(service: &str) -> String {
    let base = service.split('[').next().unwrap_or(service);
    let mapped =
        base.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let text: String = mapped.take(50).collect();
    text.trim_matches('-').to_owned()
}

/// The ConfigMap that remembers what dax was told of a service; a dot is in no service's name.
pub(crate) fn record(object: &str) -> String {
    format!("{object}.dax")
}

/// The Service in front of the pods of one Deployment, where traffic is divided by weights.
pub(crate) fn backend(deployment: &str) -> String {
    format!("{deployment}-pods")
}

/// An environment as the value of a label: `preview.12` for `preview[12]`. No other environment has a dot in its name.
pub(crate) fn of_environment(name: &Name) -> Name {
    match dax_core::keyed(name) {
        (name, Some(key)) => Name::from(format!("{name}.{key}")),
        (_, None) => name.clone(),
    }
}

/// The labels of everything that belongs to a service.
pub(crate) fn labels(environment: &str, object: &str) -> Map<String, Json> {
    let pairs = [(NAME, object), (MANAGED_BY, MANAGER), (ENVIRONMENT, environment)];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

/// The tag of an image as the value of a label: at most 63 letters, digits, dots, dashes and underscores.
pub(crate) fn version(image: &str) -> Option<String> {
    let last = image.rsplit('/').next()?;
    let tag = last.split('@').next()?.split_once(':')?.1;
    (tag.len() <= 63 && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)))
        .then(|| tag.to_owned())
}

/// A text that occurs in JSON; empty where there is none.
pub(crate) fn text_at<'j>(json: &'j Json, pointer: &str) -> &'j str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

/// An annotation or label of an object.
pub(crate) fn meta<'j>(object: &'j Json, map: &str, key: &str) -> Option<&'j str> {
    object.get("metadata")?.get(map)?.get(key)?.as_str()
}
