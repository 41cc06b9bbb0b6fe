//! Clusters that a cloud tells the way to: its API is stood in for, the cluster behind it is real.

use super::web;
use crate::project::{Project, said};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use dax_tests::peers::http::{Server, serve};
use dax_tests::peers::kubernetes::{Cluster, cluster};

/// A program whose cluster is this provider.
fn program(kind: &str, config: &str) -> Project {
    let body = web("clouds", "", "").replace("kubernetes.cluster", &format!("kubernetes.{kind}"));
    Project::new(&format!(
        "import kubernetes from \"std/kubernetes\"\n\nparam tag: string = \"1\"\n\nprovider kubernetes.{kind} {{\n{config}\n}}\n{body}"
    ))
}

fn authority(cluster: &Cluster) -> String {
    BASE64_STANDARD
        .encode(std::fs::read(cluster.folder().join("certs/apiserver.crt")).expect("a certificate"))
}

/// Plans as nobody but these variables says who asks.
fn plan(project: &Project, variables: &[(&str, &str)]) -> String {
    let mut command = project.command(&["plan", "-e", "dev"]);
    for name in [
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ] {
        command.env_remove(name);
    }
    // Nobody asks the metadata of a machine that the tests happen to run on.
    command
        .envs([("AWS_EC2_METADATA_DISABLED", "true"), ("HOME", "/nonexistent")])
        .envs(variables.iter().copied());
    let said = said(&command.output().expect("dax runs"));
    format!("{}{}", said.out, said.err)
}

fn eks(cluster: &Cluster) -> Server {
    let (url, authority) = (format!("https://127.0.0.1:{}", cluster.port()), authority(cluster));
    serve(move |asked| {
        if asked.line != "GET /clusters/shop" {
            let told = r#"{"__type":"ResourceNotFoundException","message":"No cluster found for name: other."}"#;
            return (404, "application/json", told.to_owned());
        }
        let told = serde_json::json!({"cluster": {"name": "shop", "status": "ACTIVE", "endpoint": url, "certificateAuthority": {"data": authority}}});
        (200, "application/json", told.to_string())
    })
}

const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")];

#[test]
fn eks_tells_where_a_cluster_is_and_a_signed_request_proves_who_asks() {
    let Some(cluster) = cluster() else { return };
    let server = eks(cluster);
    cluster.recognise(|token| {
        let url = token
            .strip_prefix("k8s-aws-v1.")
            .and_then(|token| BASE64_URL_SAFE_NO_PAD.decode(token).ok());
        let url = url.and_then(|url| String::from_utf8(url).ok()).unwrap_or_default();
        let wanted = [
            "X-Amz-Credential=AKIDEXAMPLE%2F",
            "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id",
            "X-Amz-Expires=60",
        ];
        url.starts_with("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity")
            && wanted.iter().all(|one| url.contains(one))
    });
    let config = |name: &str| {
        format!(
            "  cluster  = \"{name}\"\n  region   = \"eu-west-1\"\n  endpoint = \"{}\"",
            server.url()
        )
    };
    // Only the program says that this is EKS: nobody learns who asks.
    let stranger = plan(&program("eks", &config("shop")), &KEYS);
    assert!(stranger.contains("is not EKS") && server.asked().is_empty(), "{stranger}");
    let url = server.url();
    let trusted = [&KEYS[..], &[("DAX_TRUST", url.as_str())]].concat();
    let found = plan(&program("eks", &config("shop")), &trusted);
    assert!(found.contains("1 to create"), "{found}");
    // Whoever asks EKS signs the request; the key itself goes nowhere.
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.headers.contains("authorization: AWS4-HMAC-SHA256")
        && !asked.headers.contains("wJalr")));
    let lost = plan(&program("eks", &config("other")), &trusted);
    assert!(lost.contains("there is no EKS cluster `other` in eu-west-1"), "{lost}");
    let nobody = plan(&program("eks", &config("shop")), &[("DAX_TRUST", &url)]);
    assert!(nobody.contains("no AWS credentials"), "{nobody}");
}

fn gke(cluster: &Cluster) -> Server {
    let (address, authority) = (format!("127.0.0.1:{}", cluster.port()), authority(cluster));
    serve(move |asked| {
        if asked.line == "POST /token" {
            let token = serde_json::json!({"access_token": "ya29.of-the-user", "expires_in": 3599, "token_type": "Bearer"});
            return (200, "application/json", token.to_string());
        }
        if !asked.headers.contains("authorization: Bearer ya29.of-the-user") {
            return (
                401,
                "application/json",
                r#"{"error":{"code":401,"message":"who are you","status":"UNAUTHENTICATED"}}"#
                    .to_owned(),
            );
        }
        if !asked.line.starts_with("GET /v1/projects/acme/locations/europe-west1/clusters/shop") {
            let told =
                r#"{"error":{"code":404,"message":"Not found: other.","status":"NOT_FOUND"}}"#;
            return (404, "application/json", told.to_owned());
        }
        let told = serde_json::json!({"name": "shop", "status": 2, "endpoint": address, "masterAuth": {"clusterCaCertificate": authority}});
        (200, "application/json", told.to_string())
    })
}

#[test]
fn gke_tells_where_a_cluster_is_and_application_default_credentials_prove_who_asks() {
    let Some(cluster) = cluster() else { return };
    let server = gke(cluster);
    cluster.recognise(|token| token == "ya29.of-the-user");
    let config = |name: &str| {
        format!(
            "  project  = \"acme\"\n  location = \"europe-west1\"\n  cluster  = \"{name}\"\n  endpoint = \"{}\"",
            server.url()
        )
    };
    let project = program("gke", &config("shop"));
    let user = serde_json::json!({
        "type": "authorized_user", "client_id": "dax", "client_secret": "not-for-others", "refresh_token": "not-for-others-either",
        "token_uri": format!("{}/token", server.url()),
    });
    let credentials = project.path("credentials.json");
    std::fs::write(&credentials, user.to_string()).expect("a file");
    let credentials = ("GOOGLE_APPLICATION_CREDENTIALS", credentials.to_str().expect("a path"));
    let stranger = plan(&project, &[credentials]);
    assert!(stranger.contains("is not Google's") && server.asked().is_empty(), "{stranger}");
    let url = server.url();
    let credentials = [credentials, ("DAX_TRUST", url.as_str())];
    let found = plan(&project, &credentials);
    assert!(found.contains("1 to create"), "{found}");
    let lost = plan(&program("gke", &config("other")), &credentials);
    assert!(
        lost.contains(
            "there is no GKE cluster `projects/acme/locations/europe-west1/clusters/other`"
        ),
        "{lost}"
    );
    let nobody = plan(
        &program("gke", &config("shop")),
        &[("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/file"), ("DAX_TRUST", &url)],
    );
    assert!(nobody.contains("no Google credentials"), "{nobody}");
}
