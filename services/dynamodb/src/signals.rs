//! How others learn that a stream has new records.

use base::Arn;
use service::BoxFuture;
use service::ports::StreamSignals;

use crate::DynamoDb;
use crate::records::TableName;

impl StreamSignals for DynamoDb {
    fn changed(&self, stream: &Arn) -> BoxFuture<'static, ()> {
        match self.stream_id(stream) {
            Some(id) => Box::pin(self.sequence.changed(id)),
            None => Box::pin(std::future::pending()),
        }
    }
}

impl DynamoDb {
    /// The id of a stream that is still written to.
    fn stream_id(&self, arn: &Arn) -> Option<u64> {
        let (table, label) = arn
            .resource
            .strip_prefix("table/")?
            .split_once("/stream/")?;
        let name = TableName {
            account: arn.account_id()?,
            region: arn.region()?,
            name: table.to_owned(),
        };
        let definition = self.tables.get(&name)?.definition()?;
        let stream = definition.stream.as_ref()?;
        (stream.label == label).then_some(stream.id)
    }
}
