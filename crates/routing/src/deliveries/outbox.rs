//! Takes over what earlier versions kept in an outbox of Lambda's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AccountId, Arn, Region, RequestId, Timestamp};
use serde::Deserialize;
use store::{Batch, Key, StoreError, Table};

use super::{Attribute, Deliveries, Envelope, Notice, PAGE, Parcel, Source};

/// Under (due in ms, id), the bodies apart.
const HEADS: Table<Head> = Table::new("routing.outbox", 1);

#[derive(Deserialize)]
struct Head {
    id: RequestId,
    address: Address,
    accepted_at: Timestamp,
}

#[derive(Deserialize)]
struct Address {
    target: Arn,
    source: Arn,
    #[serde(default)]
    attributes: BTreeMap<String, Text>,
    envelope: Option<Envelope>,
    object_key: Option<String>,
    trace: Option<String>,
}

#[derive(Deserialize)]
struct Text {
    data_type: String,
    value: String,
}

impl Deliveries {
    /// Moves them into the deliveries of this service, which is Lambda, and sends them off. After a
    /// crash meanwhile, the next run moves the rest.
    ///
    /// # Errors
    /// The store's.
    pub async fn take_over_outbox(self: &Arc<Self>) -> Result<(), StoreError> {
        loop {
            let page = HEADS.scan(&*self.store, (), None, PAGE).await?;
            if page.rows.is_empty() {
                return Ok(());
            }
            let mut batch = Batch::new();
            let mut parcels = Vec::with_capacity(page.rows.len());
            for row in page.rows {
                let body_key = Key::of(("routing.outbox_body", row.value.id.to_string()));
                if let Some(body) = self.store.get(body_key.as_bytes()).await? {
                    parcels.push(row.value.parcel(&body));
                }
                HEADS.delete(&mut batch, &row.key);
                batch.delete(body_key);
            }
            let staged = self.stage(&mut batch, parcels)?;
            self.store.commit(batch).await?;
            staged.send_off();
        }
    }
}

impl Head {
    fn parcel(self, body: &[u8]) -> Parcel {
        let Address { source, .. } = self.address;
        let attributes = self.address.attributes.into_iter();
        let notice = Notice {
            target: self.address.target,
            source: Source {
                account: source.account_id().unwrap_or(AccountId::DEFAULT),
                region: source.region().unwrap_or_else(Region::us_east_1),
                arn: source,
            },
            body: String::from_utf8_lossy(body).into_owned(),
            attributes: attributes
                .map(|(name, text)| Attribute {
                    name,
                    kind: text.data_type,
                    value: text.value,
                })
                .collect(),
            envelope: self.address.envelope,
            object_key: self.address.object_key,
            trace: self.address.trace,
        };
        notice.parcel(self.accepted_at)
    }
}
