//! Metrics that Argo Rollouts and Flagger look at, as an analysis that asks Prometheus.
//!
//! Sources: `pkg/apis/flagger/v1beta1/metric.go` of Flagger 1.36, `utils/evaluate` of Argo Rollouts 1.10.

use dax_syntax::quoted;
use serde_json::Value as Json;
use std::fmt::Write;

/// The analysis of a strategy on its way to the program.
#[derive(Default)]
pub(crate) struct Analysis {
    /// Lines of its metrics and of what must hold of them.
    lines: Vec<String>,
    /// Where Prometheus is.
    pub(crate) address: Option<String>,
    pub(crate) lost: Vec<String>,
}

fn text<'j>(json: &'j Json, pointer: &str) -> &'j str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

/// A name as metrics of dax may be called.
fn identifier(name: &str) -> String {
    let word: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    if word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        word
    } else {
        format!("metric_{word}")
    }
}

impl Analysis {
    /// The block of the strategy; empty where there is nothing to measure.
    pub(crate) fn text(&self, every: &str, more: &str) -> String {
        if self.lines.is_empty() {
            return String::new();
        }
        format!(
            "  analysis every {every} from prometheus.main {{\n    {}\n{more}  }}\n",
            self.lines.join("\n    ")
        )
    }

    /// Leaves all metrics to whoever has them: some of them have no place in a program.
    pub(crate) fn keep_none(&mut self) {
        let kept = self.lines.iter().filter(|line| line.starts_with("metric "));
        self.lost.extend(kept.map(|line| {
            format!("beside those, the {}", line.split(':').next().unwrap_or_default())
        }));
        (self.lines, self.address) = (Vec::new(), None);
    }

    /// Whether another Prometheus is asked already: a program that is imported names one.
    fn elsewhere(&mut self, address: &str, name: &str) -> bool {
        if self.address.as_ref().is_some_and(|known| known != address) {
            self.lost.push(format!(
                "the metric {}, which another Prometheus has: {address}",
                quoted(name)
            ));
            return true;
        }
        self.address = Some(address.to_owned());
        false
    }

    fn metric(&mut self, name: &str, query: &str, conditions: &[String]) {
        let name = identifier(name);
        let query = query
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace('\\', "\\\\")
            .replace('"', "\\\"");
        self.lines.push(format!("metric {name}: number = promql\"{query}\""));
        self.lines.extend(conditions.iter().map(|condition| condition.replace("VALUE", &name)));
    }

    /// A metric of a Canary with the template that it names, or with a query of its own.
    pub(crate) fn flagger(
        &mut self,
        metric: &Json,
        template: Option<&Json>,
        target: &str,
        namespace: &str,
    ) {
        let name = text(metric, "/name");
        let own = template
            .map_or_else(|| text(metric, "/query"), |template| text(template, "/spec/query"));
        let provider =
            template.map_or("prometheus", |template| text(template, "/spec/provider/type"));
        let address = template.map_or("", |template| text(template, "/spec/provider/address"));
        let interval = metric.get("interval").and_then(Json::as_str).unwrap_or("1m");
        let range = |bound: &str| {
            metric.pointer(&format!("/thresholdRange/{bound}")).filter(|value| value.is_number())
        };
        if own.is_empty() || provider != "prometheus" || address.is_empty() {
            let why = if own.is_empty() {
                "which Flagger makes the query of itself"
            } else {
                "which is none of a Prometheus that is named"
            };
            let bounds =
                metric.get("thresholdRange").map_or_else(String::new, |range| format!(" {range}"));
            return self.lost.push(format!("the metric {}{bounds}, {why}", quoted(name)));
        }
        if self.elsewhere(address, name) {
            return;
        }
        let mut query = own.to_owned();
        for (word, stands) in [
            ("target", target),
            ("name", target),
            ("service", target),
            ("ingress", target),
            ("namespace", namespace),
            ("interval", interval),
        ] {
            for form in [format!("{{{{ {word} }}}}"), format!("{{{{{word}}}}}")] {
                query = query.replace(&form, stands);
            }
        }
        if query.contains("{{") {
            return self.lost.push(format!(
                "the metric {}, whose query has further templates: {query}",
                quoted(name)
            ));
        }
        let mut bounds: Vec<String> = [("min", ">="), ("max", "<=")]
            .iter()
            .filter_map(|(bound, op)| Some(format!("require VALUE {op} {}", range(bound)?)))
            .collect();
        if bounds.is_empty()
            && let Some(most) = metric.get("threshold").filter(|value| value.is_number())
        {
            bounds.push(format!("require VALUE <= {most}"));
        }
        self.metric(name, &query, &bounds);
    }

    /// A metric of an AnalysisTemplate; `arguments` are what the Rollout gives for its templates.
    pub(crate) fn argo(&mut self, metric: &Json, arguments: &[(String, String)]) {
        let name = text(metric, "/name");
        let query = text(metric, "/provider/prometheus/query");
        let address = text(metric, "/provider/prometheus/address");
        if query.is_empty() || address.is_empty() {
            return self.lost.push(format!(
                "the metric {}, which is none of a Prometheus that is named",
                quoted(name)
            ));
        }
        let fill = |text: &str| {
            arguments.iter().fold(text.to_owned(), |text, (name, value)| {
                text.replace(&format!("{{{{args.{name}}}}}"), value)
                    .replace(&format!("{{{{ args.{name} }}}}"), value)
            })
        };
        let (query, address) = (fill(query), fill(address));
        if query.contains("{{") || address.contains("{{") {
            return self.lost.push(format!(
                "the metric {}, whose arguments come from elsewhere: {query}",
                quoted(name)
            ));
        }
        let mut bounds = Vec::new();
        for (field, word) in [("successCondition", "require"), ("failureCondition", "forbid")] {
            let condition = text(metric, &format!("/{field}"));
            match self::bounds(condition) {
                Some(found) => {
                    bounds.extend(found.into_iter().map(|bound| format!("{word} VALUE {bound}")))
                }
                None => {
                    self.lost.push(format!("`{field}` of the metric {}: {condition}", quoted(name)))
                }
            }
        }
        // A metric of which nothing is asked decides nothing.
        if !bounds.is_empty() && !self.elsewhere(&address, name) {
            self.metric(name, &query, &bounds);
        }
    }
}

/// Comparisons of one result, joined by `&&`; nothing where a condition says something else.
fn bounds(condition: &str) -> Option<Vec<String>> {
    let one = |part: &str| {
        let part = part.trim().trim_start_matches('(').trim_end_matches(')');
        let rest =
            part.strip_prefix("result[0]").or_else(|| part.strip_prefix("result"))?.trim_start();
        let op = ["<=", ">=", "<", ">"].into_iter().find(|op| rest.starts_with(op))?;
        let number = rest[op.len()..].trim();
        number.parse::<f64>().ok()?;
        Some(format!("{op} {number}"))
    };
    condition.split("&&").map(str::trim).filter(|part| !part.is_empty()).map(one).collect()
}

/// What a strategy says beside its metrics, a line each.
pub(crate) fn settings(lines: &[(&str, String)]) -> String {
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "    {name} = {value}");
        text
    })
}
