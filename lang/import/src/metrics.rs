//! Metrics that Argo Rollouts and Flagger look at, as an analysis that asks Prometheus.
//!
//! Sources: `pkg/apis/flagger/v1beta1/metric.go` of Flagger 1.36, `utils/evaluate` of Argo Rollouts
//! 1.10.

use crate::amounts::number;
use crate::json::text;
use dax_syntax::ast::BinaryOp;
use dax_syntax::write::{Amount, Expr, Field, Ident, Member, Names, Type, command, decimal};
use serde_json::Value as Json;

/// The analysis of a strategy on its way to the program.
#[derive(Default)]
pub(crate) struct Analysis {
    metrics: Vec<Metric>,
    names: Names,
    /// Where Prometheus is.
    pub(crate) address: Option<String>,
    pub(crate) lost: Vec<String>,
}

/// A metric and what must hold of it.
struct Metric {
    name: Ident,
    query: String,
    bounds: Vec<Bound>,
}

/// `require` or `forbid`, a comparison and the number.
struct Bound {
    word: &'static str,
    op: BinaryOp,
    number: Expr,
}

impl Metric {
    fn members(self) -> Vec<Member> {
        let Self { name, query, bounds } = self;
        let value = Field {
            lead: Some("metric".into()),
            name: name.clone(),
            ty: Some(Type::Name("number".into())),
            value: Expr::Tagged("promql".into(), query),
        };
        let bounds = bounds.into_iter().map(|Bound { word, op, number }| {
            let holds = Expr::Compare(Box::new(Expr::name(name.clone())), op, Box::new(number));
            Member::Command(command(word, [holds]))
        });
        std::iter::once(Member::Field(value)).chain(bounds).collect()
    }
}

/// The name of a metric, as a message says it.
fn said(name: &str) -> String {
    format!("the metric \"{name}\"")
}

/// A query on one line.
fn line(query: &str) -> String {
    query.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Analysis {
    /// The block of the strategy; nothing where there is nothing to measure.
    pub(crate) fn block(&mut self, every: Amount, more: Vec<Member>) -> Option<Member> {
        if self.metrics.is_empty() {
            return None;
        }
        let metrics = std::mem::take(&mut self.metrics);
        let members = metrics.into_iter().flat_map(Metric::members).chain(more).collect();
        let source = Expr::Path(vec!["prometheus".into(), "main".into()]);
        let args = [Expr::name("every"), Expr::Amount(every), Expr::name("from"), source];
        Some(Member::Command(command("analysis", args).block(members)))
    }

    /// Leaves all metrics to whoever has them: some of them have no place in a program.
    pub(crate) fn keep_none(&mut self) {
        let kept = self.metrics.drain(..);
        self.lost.extend(kept.map(|metric| format!("beside those, the metric {}", metric.name)));
        self.address = None;
    }

    /// Whether another Prometheus is asked already: a program that is imported names one.
    fn elsewhere(&mut self, address: &str, name: &str) -> bool {
        if self.address.as_ref().is_some_and(|known| known != address) {
            let said = said(name);
            self.lost.push(format!("{said}, which another Prometheus has: {address}"));
            return true;
        }
        self.address = Some(address.to_owned());
        false
    }

    fn metric(&mut self, name: &str, query: &str, bounds: Vec<Bound>) {
        let name = name.to_ascii_lowercase();
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let name = if starts { name } else { format!("metric_{name}") };
        let name = self.names.claim(&[&name]);
        self.metrics.push(Metric { name, query: line(query), bounds });
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
        if own.is_empty() || provider != "prometheus" || address.is_empty() {
            let why = if own.is_empty() {
                "which Flagger makes the query of itself"
            } else {
                "which is none of a Prometheus that is named"
            };
            let bounds =
                metric.get("thresholdRange").map_or_else(String::new, |range| format!(" {range}"));
            return self.lost.push(format!("{}{bounds}, {why}", said(name)));
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
            let (said, query) = (said(name), line(&query));
            return self.lost.push(format!("{said}, whose query has further templates: {query}"));
        }
        let bound = |pointer: &str, op| {
            let value = metric.pointer(pointer).filter(|value| !value.is_null())?;
            let number = value.as_number().and_then(number).ok_or_else(|| value.to_string());
            Some(number.map(|number| Bound { word: "require", op, number }))
        };
        let range = [
            bound("/thresholdRange/min", BinaryOp::GreaterEqual),
            bound("/thresholdRange/max", BinaryOp::LessEqual),
        ];
        let mut bounds: Vec<_> = range.into_iter().flatten().collect();
        if bounds.is_empty() {
            bounds.extend(bound("/threshold", BinaryOp::LessEqual));
        }
        match bounds.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(_) if self.elsewhere(address, name) => {}
            Ok(bounds) => self.metric(name, &query, bounds),
            Err(value) => {
                self.lost.push(format!("{}, whose bound {value} is no number", said(name)));
            }
        }
    }

    /// A metric of an AnalysisTemplate; `arguments` are what the Rollout gives for its templates.
    pub(crate) fn argo(&mut self, metric: &Json, arguments: &[(String, String)]) {
        let name = text(metric, "/name");
        let query = text(metric, "/provider/prometheus/query");
        let address = text(metric, "/provider/prometheus/address");
        if query.is_empty() || address.is_empty() {
            let said = said(name);
            return self.lost.push(format!("{said}, which is none of a Prometheus that is named"));
        }
        let fill = |text: &str| {
            arguments.iter().fold(text.to_owned(), |text, (name, value)| {
                text.replace(&format!("{{{{args.{name}}}}}"), value)
                    .replace(&format!("{{{{ args.{name} }}}}"), value)
            })
        };
        let (query, address) = (fill(query), fill(address));
        if query.contains("{{") || address.contains("{{") {
            let (said, query) = (said(name), line(&query));
            return self.lost.push(format!("{said}, whose arguments come from elsewhere: {query}"));
        }
        let mut bounds = Vec::new();
        for (field, word) in [("successCondition", "require"), ("failureCondition", "forbid")] {
            let condition = text(metric, &format!("/{field}"));
            match self::bounds(condition, word) {
                Some(found) => bounds.extend(found),
                None => {
                    let (said, condition) = (said(name), line(condition));
                    self.lost.push(format!("`{field}` of {said}: {condition}"));
                }
            }
        }
        // A metric of which nothing is asked decides nothing.
        if !bounds.is_empty() && !self.elsewhere(&address, name) {
            self.metric(name, &query, bounds);
        }
    }
}

/// Comparisons of one result, joined by `&&`; nothing where a condition says something else.
fn bounds(condition: &str, word: &'static str) -> Option<Vec<Bound>> {
    let ops = [
        ("<=", BinaryOp::LessEqual),
        (">=", BinaryOp::GreaterEqual),
        ("<", BinaryOp::Less),
        (">", BinaryOp::Greater),
    ];
    let one = |part: &str| {
        let part = part.trim().trim_start_matches('(').trim_end_matches(')');
        let rest =
            part.strip_prefix("result[0]").or_else(|| part.strip_prefix("result"))?.trim_start();
        let (symbol, op) = ops.into_iter().find(|(symbol, _)| rest.starts_with(symbol))?;
        let number = Expr::Number(decimal(rest[symbol.len()..].trim())?);
        Some(Bound { word, op, number })
    };
    condition.split("&&").map(str::trim).filter(|part| !part.is_empty()).map(one).collect()
}
