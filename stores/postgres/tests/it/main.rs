//! A state in a real PostgreSQL: whose clock counts, and what plan jobs may write there.

mod grants;
mod time;

use dax_store::Store;
use dax_store::blobs::Credentials;
use dax_store::{Holder, StoreError};
use dax_store_postgres::PostgresBlobs;
use std::sync::Arc;

/// The value of a future on a runtime of its own.
fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

fn holder(name: &str) -> Holder {
    Holder { name: name.to_owned(), host: "elsewhere".to_owned(), pid: 1, started: 1 }
}

/// The state of the project `shop` at an address.
async fn open(url: &str) -> Result<Store, StoreError> {
    let blobs = PostgresBlobs::open(url, "shop", Credentials::Ambient).await?;
    Store::open(Arc::new(blobs), None).await
}
