//! A plan as JSON: the plan itself with its digest.

use dax_plan::Plan;

/// Renders as JSON, with the digest beside the plan's own fields.
pub fn json(plan: &Plan) -> String {
    let digest = dax_plan::digest::digest(plan);
    let mut value = serde_json::to_value(plan)
        .expect("plan values serialise: no map has keys that are not text");
    if let serde_json::Value::Object(map) = &mut value {
        map.insert("digest".to_owned(), digest.into());
    }
    let mut text = serde_json::to_string_pretty(&value).expect("JSON values serialise");
    text.push('\n');
    text
}
