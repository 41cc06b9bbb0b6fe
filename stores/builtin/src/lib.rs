//! The places for a state that are built in; the only crate that names them all.

use dax_store::StoreError;
use dax_store::blobs::BoxFuture;
use dax_store::blobs::{Blobs, Credentials};
use std::sync::Arc;

/// A place that is being opened.
pub type Opening<'a> = BoxFuture<'a, Result<Arc<dyn Blobs>, StoreError>>;

/// Opens `postgres://…` or `s3://…` for a project; nothing comes back where that kind is not built in.
pub fn open<'a>(url: &'a str, project: &'a str, credentials: Credentials) -> Option<Opening<'a>> {
    match url.split_once("://")?.0 {
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => Some(Box::pin(async move {
            let opened = dax_store_postgres::PostgresBlobs::open(url, project, credentials).await?;
            Ok(Arc::new(opened) as Arc<dyn Blobs>)
        })),
        #[cfg(feature = "s3")]
        "s3" => Some(Box::pin(async move {
            Ok(Arc::new(dax_store_s3::S3Blobs::open(url, project, credentials)?) as Arc<dyn Blobs>)
        })),
        _ => None,
    }
}
