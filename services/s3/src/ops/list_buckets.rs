//! ListBuckets.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>

use std::sync::Arc;

use s3s::dto::{Bucket, ListBucketsInput, ListBucketsOutput};
use store::Key;

use super::fields;
use crate::call::Call;
use crate::domain::page_token;
use crate::error::Error;
use crate::records::{BUCKETS, OWNED};
use crate::state::State;

/// Most buckets of a page.
const MAX_BUCKETS: usize = 10_000;
/// Names read at once.
const PAGE: usize = 500;

pub async fn list_buckets(
    state: Arc<State>,
    call: Arc<Call>,
    input: ListBucketsInput,
) -> Result<ListBucketsOutput, Error> {
    if call.is_anonymous {
        return Err(Error::access_denied());
    }
    if input
        .max_buckets
        .is_some_and(|most| !(1..=MAX_BUCKETS as i32).contains(&most))
    {
        return Err(Error::invalid_argument(
            "Argument max-buckets must be an integer between 1 and 10000",
            "max-buckets",
            &input.max_buckets.unwrap_or_default().to_string(),
        ));
    }
    let most = fields::page_size(input.max_buckets, "max-buckets", MAX_BUCKETS)?;
    let account = call.account();
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let mut after = match &input.continuation_token {
        Some(token) => Some(Key::of((account.as_str(), page_token::decode(token)?))),
        None => None,
    };
    let mut buckets = Vec::new();
    let mut next_token = None;
    'pages: loop {
        let page = OWNED
            .scan(&*state.store, account.as_str(), after.as_ref(), PAGE)
            .await?;
        for row in &page.rows {
            let mut parts = row.key.reader();
            parts.text()?;
            let name = parts.text()?;
            if !name.starts_with(prefix) {
                continue;
            }
            let Some(bucket) = BUCKETS.get(&*state.store, &name).await? else {
                continue;
            };
            let region = bucket.region.to_string();
            if input
                .bucket_region
                .as_ref()
                .is_some_and(|wanted| *wanted != region)
            {
                continue;
            }
            if buckets.len() == most {
                let last: Option<&Bucket> = buckets.last();
                next_token = last
                    .and_then(|last| last.name.as_deref())
                    .map(page_token::encode);
                break 'pages;
            }
            buckets.push(Bucket {
                name: Some(name),
                bucket_region: Some(region),
                creation_date: Some(fields::time(bucket.created_at)),
            });
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(ListBucketsOutput {
        buckets: Some(buckets),
        continuation_token: next_token,
        owner: Some(fields::owner(account)),
        prefix: input.prefix,
    })
}
