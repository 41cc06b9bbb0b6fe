//! Prometheus as a source of metrics: instant queries, as its HTTP API defines them.
//!
//! `$service`, `$environment`, `$revision` and `$window` in a query stand for what is measured. What is no number,
//! or not all of what was asked for, is never taken for one: `NaN`, infinities and no series are no data, and an
//! answer with warnings is an error of the source.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use dax_core::{Name, Quantity, Unit, Value};
use dax_provider_api::{BoxFuture, Fact, Instance, Metrics, Provider, ProviderError, Query};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for an answer where the configuration does not say.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read; one number needs far less.
const LONGEST: usize = 4 << 20;

/// The instance of a program.
///
/// # Errors
/// It has no URL.
pub fn provider(instance: &Instance) -> Result<Provider, ProviderError> {
    let text = |name: &str| instance.config.get(name).and_then(Value::as_str);
    let refused = |message: String| ProviderError::Refused {
        message: format!("`{}`: {message}", instance.name),
    };
    let url = text("url").ok_or_else(|| refused("it has no `url`".to_owned()))?;
    let timeout = instance
        .config
        .get("timeout")
        .and_then(Value::as_millis)
        .map_or(TIMEOUT, Duration::from_millis);
    let client = reqwest::Client::builder()
        .timeout(timeout)
        .build()
        .map_err(|error| refused(error.to_string()))?;
    let token = match instance.config.get("token") {
        Some(Value::Secret(secret)) => instance.secrets.0.get(&secret.value_key()).cloned(),
        _ => None,
    };
    let server = Server {
        name: instance.name.clone(),
        url: url.trim_end_matches('/').to_owned(),
        client,
        token,
    };
    Ok(Provider { platform: None, metrics: Some(Arc::new(server)) })
}

struct Server {
    name: Name,
    url: String,
    client: reqwest::Client,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: Option<String>,
    /// Why a part may be missing: a store that was not reached, samples that were left out.
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Scalar(Sample),
    Vector(Vec<Series>),
    Matrix(IgnoredAny),
    String(IgnoredAny),
}

/// A time and a number as text.
#[derive(Deserialize)]
struct Sample(IgnoredAny, String);

#[derive(Deserialize)]
struct Series {
    /// Absent where the series holds histograms.
    #[serde(default)]
    value: Option<Sample>,
}

impl Server {
    fn unreachable(&self, error: &reqwest::Error) -> ProviderError {
        // The URL may hold a password; what went wrong stands in the sources of the error.
        let mut message = format!("`{}` cannot be asked", self.name);
        let mut source: Option<&dyn std::error::Error> = std::error::Error::source(error);
        while let Some(error) = source {
            message = format!("{message}: {error}");
            source = error.source();
        }
        ProviderError::Unreachable { message }
    }

    /// What it is; what only answers like Prometheus need not say.
    async fn version(&self) -> Result<Vec<Fact>, ProviderError> {
        let mut request = self.client.get(format!("{}/api/v1/status/buildinfo", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response =
            request.send().await.map_err(|error| self.unreachable(&error.without_url()))?;
        let status = response.status();
        if status.as_u16() == 401 || status.as_u16() == 403 {
            return Err(ProviderError::Refused {
                message: format!("`{}` answers {status}: its `token` is not accepted", self.name),
            });
        }
        let body = self.body(response).await?;
        let told: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let version =
            told.pointer("/data/version").and_then(serde_json::Value::as_str).unwrap_or("not told");
        Ok(vec![Fact { name: "version".into(), found: version.into(), lacks: None }])
    }

    async fn ask(&self, query: &Query) -> Result<Option<Value>, ProviderError> {
        let text = substitute(query);
        let mut request =
            self.client.get(format!("{}/api/v1/query", self.url)).query(&[("query", &text)]);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response =
            request.send().await.map_err(|error| self.unreachable(&error.without_url()))?;
        let status = response.status();
        let refused = |message: String| ProviderError::Refused {
            message: format!("`{}`: {message}", self.name),
        };
        let body = self.body(response).await?;
        if status.as_u16() == 429 || status.is_server_error() {
            return Err(ProviderError::Busy {
                retry_after: None,
                message: format!("`{}` answers {status}", self.name),
            });
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| refused(format!("it answers {status} and no JSON")))?;
        if answer.error.is_none() && answer.data.is_none() {
            return Err(refused(format!("it answers {status} without data")));
        }
        value(answer, &text, &query.ty).map_err(refused)
    }

    /// The body of an answer, up to a bound.
    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, ProviderError> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            match chunk.map_err(|error| self.unreachable(&error.without_url()))? {
                None => return Ok(body),
                Some(chunk) if body.len() + chunk.len() > LONGEST => {
                    return Err(ProviderError::Refused {
                        message: format!("`{}`: its answer is longer than 4 MiB", self.name),
                    });
                }
                Some(chunk) => body.extend_from_slice(&chunk),
            }
        }
    }
}

/// The query about one revision.
fn substitute(query: &Query) -> String {
    let window = format!("{}ms", query.window.as_millis());
    let known = [
        ("$environment", query.environment.as_str()),
        ("$revision", query.revision.0.as_str()),
        ("$service", query.service.as_str()),
        ("$window", &window),
    ];
    known.iter().fold(query.text.to_string(), |text, (name, value)| text.replace(name, value))
}

/// What an answer says about a metric of a type.
fn value(answer: Answer, text: &str, ty: &str) -> Result<Option<Value>, String> {
    if let Some(error) = answer.error {
        return Err(error);
    }
    // Some versions put hints about the query there, too.
    let partial = answer.warnings.iter().find(|warning| !warning.starts_with("PromQL info"));
    if let Some(warning) = partial {
        return Err(format!("a part of the data may be missing: {warning}"));
    }
    let Some(data) = answer.data else { return Ok(None) };
    number(data, text)?.map(|number| typed(number, ty)).transpose()
}

/// The number that a query gives; nothing where it gives none.
///
/// `NaN` is what a division by zero requests gives, and an infinity what a division of errors by them does, or
/// a quantile beyond all buckets.
fn number(data: Data, text: &str) -> Result<Option<Decimal>, String> {
    let number = |sample: &Sample| match sample.1.as_str() {
        "NaN" | "+Inf" | "-Inf" | "Inf" => Ok(None),
        text => match text.parse().or_else(|_| Decimal::from_scientific(text)) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(format!("`{text}` is no number that can be compared")),
        },
    };
    match data {
        Data::Scalar(sample) => number(&sample),
        Data::Vector(series) => match series.as_slice() {
            [] => Ok(None),
            [Series { value: Some(one) }] => number(one),
            [_] => Err(format!("`{text}` gives a histogram: ask for a quantile of it")),
            more => Err(format!(
                "`{text}` gives {} series, and one is wanted: add `sum(…)` or labels",
                more.len()
            )),
        },
        Data::Matrix(_) | Data::String(_) => Err(format!("`{text}` gives no single number")),
    }
}

/// A number of Prometheus as the program's type: its base units are ratios, seconds, bytes and cores.
/// Source: <https://prometheus.io/docs/practices/naming/#base-units>.
fn typed(number: Decimal, ty: &str) -> Result<Value, String> {
    let quantity = |unit, factor: i64| {
        let amount = number.checked_mul(Decimal::from(factor));
        let amount = amount.ok_or_else(|| format!("`{number}` is too large for a {ty}"))?;
        Ok(Value::Quantity(Quantity::new(unit, amount)))
    };
    match Unit::from_type_name(ty) {
        Some(unit @ Unit::Percent) => quantity(unit, 100),
        Some(unit @ (Unit::Duration | Unit::Cpu)) => quantity(unit, 1000),
        Some(unit @ (Unit::Bytes | Unit::Rate)) => quantity(unit, 1),
        None if ty == "int" && number.fract().is_zero() => {
            Ok(i64::try_from(number).map_or(Value::Decimal(number), Value::Int))
        }
        None => Ok(Value::Decimal(number.normalize())),
    }
}

impl Metrics for Server {
    fn measure<'a>(
        &'a self,
        query: &'a Query,
    ) -> BoxFuture<'a, Result<Option<Value>, ProviderError>> {
        Box::pin(self.ask(query))
    }

    fn examine(&self) -> BoxFuture<'_, Result<Vec<Fact>, ProviderError>> {
        Box::pin(self.version())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, ty: &str) -> Result<Option<Value>, String> {
        value(serde_json::from_str(body).map_err(|error| error.to_string())?, "up", ty)
    }

    #[test]
    fn numbers_become_what_the_program_says_that_they_are() {
        let vector = |number: &str| {
            format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1,"{number}"]}}]}}}}"#
            )
        };
        let shown =
            |number: &str, ty: &str| read(&vector(number), ty).unwrap().unwrap().to_string();
        assert_eq!(shown("0.003", "Percent"), "0.3%");
        assert_eq!(shown("0.25", "Duration"), "250ms");
        assert_eq!(shown("1e-05", "decimal"), "0.00001");
        assert_eq!(shown("12", "int"), "12");
    }

    #[test]
    fn no_series_and_nan_are_no_data_and_many_series_are_an_error() {
        let none = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        assert_eq!(read(none, "Percent"), Ok(None));
        assert_eq!(
            read(
                r#"{"status":"success","data":{"resultType":"scalar","result":[1,"NaN"]}}"#,
                "Percent"
            ),
            Ok(None)
        );
        let two =
            r#"{"data":{"resultType":"vector","result":[{"value":[1,"1"]},{"value":[1,"2"]}]}}"#;
        assert!(read(two, "int").unwrap_err().contains("gives 2 series"));
    }

    #[test]
    fn what_is_no_number_or_not_all_of_it_is_never_taken_for_one() {
        let scalar = |number: &str| {
            format!(r#"{{"data":{{"resultType":"scalar","result":[1,"{number}"]}}}}"#)
        };
        for number in ["NaN", "+Inf", "-Inf"] {
            assert_eq!(read(&scalar(number), "Percent"), Ok(None), "{number}");
        }
        for number in ["1e400", "79228162514264337593543950335", "7.9e28", "", "0x10"] {
            assert!(read(&scalar(number), "Duration").is_err(), "{number}");
        }
        let with = |warning: &str| {
            let data = r#"{"resultType":"vector","result":[{"value":[1,"0"]}]}"#;
            read(&format!(r#"{{"data":{data},"warnings":["{warning}"]}}"#), "Percent")
        };
        assert!(with("store 10.0.0.1 was not reached").unwrap_err().contains("10.0.0.1"));
        assert!(with("PromQL info: metric might not be a counter").unwrap().is_some());
        let histogram = r#"{"data":{"resultType":"vector","result":[{"histogram":[1,{}]}]}}"#;
        assert!(read(histogram, "Percent").unwrap_err().contains("histogram"));
    }

    #[test]
    fn a_query_is_asked_about_one_revision() {
        let query = Query {
            environment: "prod".into(),
            service: "web".into(),
            revision: dax_core::RevisionId("aaaaaaaa".into()),
            text: r#"rate(errors{job="$service",rev="$revision"}[$window])"#.into(),
            ty: "Rate".into(),
            window: Duration::from_secs(30),
        };
        assert_eq!(substitute(&query), r#"rate(errors{job="web",rev="aaaaaaaa"}[30000ms])"#);
    }
}
