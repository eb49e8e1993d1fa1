//! The configurations of buckets that are documents: kept as the XML of S3's own types.

use s3s::xml::{DeserializeContent, Deserializer, SerializeContent, Serializer};
use store::{Batch, Reader, StoreError};

use crate::buckets;
use crate::call::Call;
use crate::error::Error;
use crate::records::{Bucket, CONFIGURATIONS};
use crate::state::State;

/// The root of the documents. It is stored.
const ROOT: &str = "Configuration";

/// What can be configured by a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Accelerate,
    Analytics,
    Cors,
    IntelligentTiering,
    Inventory,
    Lifecycle,
    Logging,
    Metrics,
    Replication,
    RequestPayment,
    Website,
}

impl Kind {
    /// As in the records' keys: it never changes.
    const fn name(self) -> &'static str {
        match self {
            Self::Accelerate => "accelerate",
            Self::Analytics => "analytics",
            Self::Cors => "cors",
            Self::IntelligentTiering => "intelligent-tiering",
            Self::Inventory => "inventory",
            Self::Lifecycle => "lifecycle",
            Self::Logging => "logging",
            Self::Metrics => "metrics",
            Self::Replication => "replication",
            Self::RequestPayment => "request-payment",
            Self::Website => "website",
        }
    }
}

/// A bucket as a request names it.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    pub bucket: &'a str,
    pub expected_owner: Option<&'a str>,
}

/// Sets a configuration, and what goes with it in the bucket's own record.
///
/// # Errors
/// As [`buckets::update`].
pub async fn put<T: SerializeContent>(
    state: &State,
    call: &Call,
    named: Named<'_>,
    kind: Kind,
    value: &T,
    change: impl Fn(&mut Bucket) -> Result<(), Error> + Send + Sync,
) -> Result<(), Error> {
    let document = write(value)?;
    let at = (named.bucket, kind.name(), "");
    buckets::update(
        state,
        call,
        named.bucket,
        named.expected_owner,
        |bucket, batch| {
            CONFIGURATIONS.put(batch, at, &document)?;
            change(bucket)
        },
    )
    .await
}

/// A configuration of a bucket that the caller may touch.
///
/// # Errors
/// As [`buckets::find_of`].
pub async fn get<T: for<'xml> DeserializeContent<'xml>>(
    state: &State,
    call: &Call,
    named: Named<'_>,
    kind: Kind,
) -> Result<Option<T>, Error> {
    buckets::find_of(state, call, named.bucket, named.expected_owner).await?;
    Ok(find(&*state.store, named.bucket, kind).await?)
}

/// A configuration of any bucket.
pub async fn find<T: for<'xml> DeserializeContent<'xml>>(
    reader: &(impl Reader + ?Sized),
    bucket: &str,
    kind: Kind,
) -> Result<Option<T>, StoreError> {
    let document = CONFIGURATIONS
        .get(reader, (bucket, kind.name(), ""))
        .await?;
    document.as_deref().map(read).transpose()
}

/// Removes a configuration, if there is one, and what goes with it.
///
/// # Errors
/// As [`buckets::update`].
pub async fn delete(
    state: &State,
    call: &Call,
    named: Named<'_>,
    kind: Kind,
    change: impl Fn(&mut Bucket) + Send + Sync,
) -> Result<(), Error> {
    let at = (named.bucket, kind.name(), "");
    buckets::update(
        state,
        call,
        named.bucket,
        named.expected_owner,
        |bucket, batch| {
            CONFIGURATIONS.delete(batch, at);
            change(bucket);
            Ok(())
        },
    )
    .await
}

/// Those of which a bucket has several, by ids.
pub mod listed {
    use store::Key;

    use super::{
        CONFIGURATIONS, Call, DeserializeContent, Error, Kind, Named, SerializeContent, State,
        buckets, read, write,
    };

    /// Most of one kind.
    const MAX: usize = 1000;
    /// Most of a page.
    const PAGE: usize = 100;

    /// # Errors
    /// `TooManyConfigurations`; as [`buckets::update`].
    pub async fn put<T: SerializeContent>(
        state: &State,
        call: &Call,
        named: Named<'_>,
        kind: Kind,
        id: &str,
        value: &T,
    ) -> Result<(), Error> {
        let document = write(value)?;
        let all = (named.bucket, kind.name());
        buckets::find_of(state, call, named.bucket, named.expected_owner).await?;
        let present = CONFIGURATIONS
            .scan(&*state.store, all, None, MAX)
            .await?
            .rows;
        let at = Key::of((named.bucket, kind.name(), id));
        if present.len() >= MAX && !present.iter().any(|row| row.key == at) {
            return Err(Error::bad_request(
                "TooManyConfigurations",
                "You are attempting to create a new configuration but have already reached the \
                 1,000-configuration limit.",
            ));
        }
        buckets::update(
            state,
            call,
            named.bucket,
            named.expected_owner,
            |_, batch| Ok(CONFIGURATIONS.put(batch, &at, &document)?),
        )
        .await
    }

    /// # Errors
    /// As [`buckets::find_of`].
    pub async fn get<T: for<'xml> DeserializeContent<'xml>>(
        state: &State,
        call: &Call,
        named: Named<'_>,
        kind: Kind,
        id: &str,
    ) -> Result<Option<T>, Error> {
        buckets::find_of(state, call, named.bucket, named.expected_owner).await?;
        let at = (named.bucket, kind.name(), id);
        let document = CONFIGURATIONS.get(&*state.store, at).await?;
        Ok(document.as_deref().map(read).transpose()?)
    }

    /// Whether there was one.
    ///
    /// # Errors
    /// As [`buckets::update`].
    pub async fn delete(
        state: &State,
        call: &Call,
        named: Named<'_>,
        kind: Kind,
        id: &str,
    ) -> Result<bool, Error> {
        let at = (named.bucket, kind.name(), id);
        let present = CONFIGURATIONS.get(&*state.store, at).await?.is_some();
        buckets::update(
            state,
            call,
            named.bucket,
            named.expected_owner,
            |_, batch| {
                CONFIGURATIONS.delete(batch, at);
                Ok(())
            },
        )
        .await?;
        Ok(present)
    }

    /// A page, and the id it ends with when there are more.
    ///
    /// # Errors
    /// As [`buckets::find_of`].
    pub async fn list<T: for<'xml> DeserializeContent<'xml>>(
        state: &State,
        call: &Call,
        named: Named<'_>,
        kind: Kind,
        after: Option<&str>,
    ) -> Result<(Vec<T>, Option<String>), Error> {
        buckets::find_of(state, call, named.bucket, named.expected_owner).await?;
        let after = after.map(|id| Key::of((named.bucket, kind.name(), id)));
        let all = (named.bucket, kind.name());
        let page = CONFIGURATIONS
            .scan(&*state.store, all, after.as_ref(), PAGE)
            .await?;
        let values = page.rows.iter().map(|row| read(&row.value));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let next = match page.next {
            None => None,
            Some(key) => {
                let mut parts = key.reader();
                parts.text()?;
                parts.text()?;
                Some(parts.text()?)
            }
        };
        Ok((values, next))
    }
}

/// Forgets all of a bucket's configurations.
pub fn forget(batch: &mut Batch, bucket: &str) {
    CONFIGURATIONS.delete_prefix(batch, bucket);
}

fn write<T: SerializeContent>(value: &T) -> Result<String, StoreError> {
    let mut document = Vec::new();
    let written = Serializer::new(&mut document).content(ROOT, value);
    let text = written
        .map_err(|error| error.to_string())
        .and_then(|()| String::from_utf8(document).map_err(|error| error.to_string()));
    text.map_err(|reason| StoreError::Encode {
        table: CONFIGURATIONS.name(),
        reason,
    })
}

fn read<T: for<'xml> DeserializeContent<'xml>>(document: impl AsRef<str>) -> Result<T, StoreError> {
    let mut reader = Deserializer::new(document.as_ref().as_bytes());
    reader
        .named_element(ROOT, T::deserialize_content)
        .map_err(|error| StoreError::corrupt(format!("a bucket's configuration: {error}")))
}
