//! A blob as it arrives, read on from where a connection broke off: a layer may take minutes.

use std::sync::Arc;

use futures::stream;
use http::{Response, StatusCode};
use hyper::body::Incoming;

use super::{Registry, next};
use crate::PullError;
use crate::source::Content;

struct Reading {
    registry: Arc<Registry>,
    path: String,
    body: Incoming,
    /// Bytes that have been handed on.
    at: u64,
    /// Bytes that come once more, from a registry that always begins at the beginning.
    skip: u64,
    /// How often it may still break off.
    left: u32,
}

pub(super) async fn open(registry: &Arc<Registry>, path: String) -> Result<Content, PullError> {
    let response = registry.get(&path, None, 0).await?;
    let reading = Reading {
        left: registry.config.attempts.saturating_sub(1),
        registry: Arc::clone(registry),
        path,
        body: response.into_body(),
        at: 0,
        skip: 0,
    };
    let chunks = stream::try_unfold(reading, |mut reading| async move {
        loop {
            let mut chunk = match next(&mut reading.body, reading.registry.config.stall).await {
                Ok(None) => return Ok(None),
                Ok(Some(chunk)) => chunk,
                Err(broken) => {
                    reading.resume(broken).await?;
                    continue;
                }
            };
            let again = reading.skip.min(chunk.len() as u64);
            reading.skip -= again;
            let chunk = chunk.split_off(again as usize);
            if !chunk.is_empty() {
                reading.at += chunk.len() as u64;
                return Ok(Some((chunk, reading)));
            }
        }
    });
    Ok(Box::pin(chunks))
}

impl Reading {
    async fn resume(&mut self, broken: PullError) -> Result<(), PullError> {
        if self.left == 0 {
            return Err(broken);
        }
        self.left -= 1;
        tracing::debug!(%broken, path = self.path, at = self.at, "oci: read a blob on");
        let response: Response<Incoming> = self.registry.get(&self.path, None, self.at).await?;
        let is_rest = response.status() == StatusCode::PARTIAL_CONTENT;
        self.skip = if is_rest { 0 } else { self.at };
        self.body = response.into_body();
        Ok(())
    }
}
