//! The shared edge against servers on loopback.

use dax_provider_api::ProviderError;
use dax_provider_api::review::{Sent, Watch};
use dax_provider_client::{Client, Request, Settings};
use dax_tests::peers::http::{Reply, serve_whole};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn client(patience: u64) -> (Client, Arc<Mutex<Vec<Sent>>>) {
    let told: Arc<Mutex<Vec<Sent>>> = Arc::default();
    let kept = told.clone();
    let watch: Watch = Arc::new(move |sent| kept.lock().expect("it holds").push(sent.clone()));
    let headers = vec![("job-token", "secret-of-the-tests".to_owned())];
    let settings = Settings {
        name: "Test",
        headers,
        dry: false,
        patience: Duration::from_secs(patience),
        watch,
    };
    (Client::new(settings).expect("it holds"), told)
}

fn get(url: String) -> Request {
    Request { method: "GET".to_owned(), url, headers: Vec::new(), body: None, reads: true }
}

#[tokio::test]
async fn credentials_do_not_follow_to_another_place() {
    let other = serve_whole(|_| Reply::json(200, &"{}"));
    let elsewhere = other.url();
    let server = serve_whole(move |asked| {
        let to =
            if asked.path() == "/away" { format!("{elsewhere}/there") } else { "/here".to_owned() };
        let status = if asked.path() == "/here" { 200 } else { 302 };
        Reply { status, headers: vec![("location".to_owned(), to)], body: "{}".to_owned() }
    });
    let (client, _) = client(0);
    assert_eq!(
        client.send(&get(format!("{}/moved", server.url()))).await.expect("it holds").status,
        200
    );
    assert_eq!(
        client.send(&get(format!("{}/away", server.url()))).await.expect("it holds").status,
        302
    );
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_place_that_is_always_too_busy_is_given_up_on() {
    let server = serve_whole(|_| Reply {
        status: 429,
        headers: vec![("retry-after".to_owned(), "0".to_owned())],
        body: String::new(),
    });
    let (client, told) = client(1);
    let error = client.send(&get(server.url())).await.expect_err("no answer");
    assert!(matches!(error, ProviderError::Busy { .. }), "{error}");
    assert_eq!(server.asked().len(), 2);
    let told = told.lock().expect("it holds");
    assert_eq!(
        (told.len(), told[0].status, told[0].waited),
        (1, Some(429), Duration::from_secs(1))
    );
}
