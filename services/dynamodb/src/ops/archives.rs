//! What exports and imports have in common: client tokens, one by its ARN, pages of lists, failures.

use serde::de::DeserializeOwned;
use service::{RequestContext, ServiceError};
use store::{Key, Table};

use super::tables::table_name;
use crate::DynamoDb;
use crate::archive::{ArchiveName, ClientToken, Kind, Progress};
use crate::error::{self, store_failed};

pub fn client_token(token: Option<String>, digest: String) -> Option<ClientToken> {
    token.map(|token| ClientToken { token, digest })
}

/// The export or import of that ARN, if it is the caller's.
pub async fn find<T: DeserializeOwned>(
    dynamodb: &DynamoDb,
    context: &RequestContext,
    (table, kind): (Table<T>, Kind),
    arn: &str,
) -> Result<(ArchiveName, T), ServiceError> {
    let word = match kind {
        Kind::Backup => "Backup",
        Kind::Export => "Export",
        Kind::Import => "Import",
    };
    let missing = || {
        ServiceError::bad_request(
            format!("{word}NotFoundException"),
            format!("{word} not found: {arn}"),
        )
    };
    let name = ArchiveName::parse(kind, arn)
        .ok_or_else(|| error::invalid(format!("Invalid {word}Arn: {arn}")))?;
    if name.table.account != context.account {
        return Err(missing());
    }
    let found = table.get(&*dynamodb.store, name.key()).await;
    let found = found.map_err(store_failed)?.ok_or_else(missing)?;
    Ok((name, found))
}

/// How many a page of a list has at most where the caller does not say.
const PAGE: usize = 25;

/// Which part of a list a caller wants.
pub struct Wanted {
    /// Of this table, else of the account and region.
    pub table_arn: Option<String>,
    pub most: Option<i32>,
    pub token: Option<String>,
}

/// Exports or imports in the order of their tables and times, and the token of the next page.
pub async fn list<T: DeserializeOwned>(
    dynamodb: &DynamoDb,
    context: &RequestContext,
    table: Table<T>,
    wanted: Wanted,
) -> Result<(Vec<(ArchiveName, T)>, Option<String>), ServiceError> {
    let prefix = match wanted.table_arn.as_deref() {
        Some(given) => table_name(context, given)?.key(),
        None => Key::of((context.account.as_str(), context.region.as_str())),
    };
    let most = wanted.most.and_then(|most| usize::try_from(most).ok());
    let after = read_page_token(wanted.token)?;
    let page = table
        .scan(
            &*dynamodb.store,
            prefix,
            after.as_ref(),
            most.unwrap_or(PAGE),
        )
        .await
        .map_err(store_failed)?;
    let rows = page.rows.into_iter().map(|row| {
        let name = ArchiveName::from_key(&row.key).map_err(store_failed)?;
        Ok((name, row.value))
    });
    Ok((
        rows.collect::<Result<_, ServiceError>>()?,
        page.next.map(|key| page_token(&key)),
    ))
}

/// The pattern of tokens wants multiples of eight bytes.
const PART: usize = 8;
const SHORTEST: usize = 56;

/// A page's end as clients carry it: the key's length and bytes in hexadecimals, filled up.
fn page_token(key: &Key) -> String {
    let mut bytes = (key.as_bytes().len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(key.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(PART).max(SHORTEST), 0);
    hex::encode(bytes)
}

fn read_page_token(token: Option<String>) -> Result<Option<Key>, ServiceError> {
    let Some(token) = token else { return Ok(None) };
    let key = hex::decode(token).ok().and_then(|bytes| {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        rest.get(..length).map(Key::from_bytes)
    });
    key.map(Some)
        .ok_or_else(|| error::invalid("Invalid NextToken"))
}

/// Code and message of what has failed.
pub fn failure(progress: &Progress) -> (Option<String>, Option<String>) {
    match progress {
        Progress::Failed { code, message } => (Some(code.clone()), Some(message.clone())),
        Progress::UnderWay | Progress::Completed => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_tokens_read_back_and_fit_their_pattern() {
        for length in [0, 1, 51, 52, 53, 300] {
            let key = Key::from_bytes(vec![b'k'; length]);
            let token = page_token(&key);
            assert!(
                token.len() >= 112 && token.len().is_multiple_of(16),
                "{token}"
            );
            assert_eq!(read_page_token(Some(token)).unwrap(), Some(key));
        }
        assert!(read_page_token(Some("00000009".into())).is_err());
        assert!(read_page_token(Some("no".into())).is_err());
    }
}
