//! TransactWriteItems.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use service::{RequestContext, ServiceError};
use sha2::{Digest, Sha256};
use store::Key;

use super::parameters;
use super::writing::{PreparedWrite, Refused, Write};
use crate::DynamoDb;
use crate::domain::capacity::{Consumed, Units, read_units, report};
use crate::domain::expression::{self, Condition, Placeholders};
use crate::domain::value::{Item, item_size};
use crate::domain::{Invalid, convert};
use crate::engine::{Change, Holder, Staging, TOKEN_LIVES};
use crate::error::{self, Reason, store_failed, transaction_canceled};
use crate::generated::{
    AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    TransactWriteItemsInput, TransactWriteItemsOutput,
};
use crate::records::{TOKENS, TokenRecord, item_key};

const MOST_BYTES: usize = 4 << 20;

/// All writes become durable together, or none does.
pub async fn transact_write_items(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: TransactWriteItemsInput,
) -> Result<TransactWriteItemsOutput, ServiceError> {
    let token = input
        .client_request_token
        .as_ref()
        .map(|token| Token::new(&context, token, &input.transact_items));
    let mut writes = Vec::with_capacity(input.transact_items.len());
    let mut reasons = Vec::with_capacity(input.transact_items.len());
    for item in input.transact_items {
        let mut action = Action::of(item)?;
        let condition = action.condition()?;
        let Action {
            table,
            write,
            key,
            on_failure,
            ..
        } = action;
        let has_key = key.is_some();
        let prepared = PreparedWrite::new(
            &dynamodb,
            &context,
            &table,
            write,
            key.as_ref(),
            condition,
            on_failure,
        );
        match prepared {
            Ok(write) => {
                reasons.push(Reason::NONE);
                writes.push((table, write));
            }
            // A key that no item can have is wrong before anything is looked at.
            Err(Refused::Write(invalid)) if has_key && invalid.is_of_empty_key() => {
                return Err(invalid.into());
            }
            Err(refused) => {
                let error = ServiceError::from(refused);
                if error.code != "ValidationException" {
                    return Err(error);
                }
                reasons.push(Reason::of(&error, None));
            }
        }
    }
    if reasons.iter().any(|reason| *reason != Reason::NONE) {
        return Err(transaction_canceled(reasons));
    }
    check_distinct(&writes)?;
    let service = Arc::clone(&dynamodb);
    let asked = input.return_item_collection_metrics;
    let done = tokio::spawn(async move { service.transact(writes, token).await });
    let done = done
        .await
        .unwrap_or_else(|_| Err(ServiceError::internal()))?;
    let mut metrics: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (table, write, item) in &done.items {
        if let Some(size) = dynamodb
            .collection_metrics(asked, &write.definition, item)
            .await?
        {
            metrics.entry(table.clone()).or_default().push(size);
        }
    }
    let consumed: Vec<_> = done
        .consumed
        .iter()
        .filter_map(|(table, units)| {
            report(input.return_consumed_capacity, table, units, done.units())
        })
        .collect();
    Ok(TransactWriteItemsOutput {
        consumed_capacity: (!consumed.is_empty()).then_some(consumed),
        item_collection_metrics: (!metrics.is_empty()).then_some(metrics),
    })
}

/// Each item may have one write.
pub fn check_distinct(writes: &[(String, PreparedWrite)]) -> Result<(), ServiceError> {
    let mut seen = BTreeSet::new();
    if writes.iter().all(|(_, write)| seen.insert(write.row())) {
        return Ok(());
    }
    Err(error::invalid(
        "Transaction request cannot include multiple operations on one item",
    ))
}

/// A client request token, and what it was given for.
pub struct Token {
    key: Key,
    digest: String,
}

impl Token {
    pub fn new(context: &RequestContext, token: &str, asked_for: &impl std::fmt::Debug) -> Self {
        Self {
            key: Key::of((context.account.as_str(), context.region.as_str(), token)),
            digest: digest(asked_for),
        }
    }
}

/// Tells one request from another.
pub fn digest(asked_for: &impl std::fmt::Debug) -> String {
    hex::encode(Sha256::digest(format!("{asked_for:?}")))
}

#[derive(Default)]
pub struct Done {
    pub consumed: BTreeMap<String, Consumed>,
    /// Whether an earlier request had done it, so that the items were only read.
    is_repeated: bool,
    items: Vec<(String, PreparedWrite, Item)>,
}

impl Done {
    pub fn units(&self) -> Units {
        if self.is_repeated {
            Units::Read
        } else {
            Units::Write
        }
    }
}

impl PreparedWrite {
    fn row(&self) -> Bytes {
        item_key(self.definition.id, &self.key).into()
    }
}

impl DynamoDb {
    pub async fn transact(
        &self,
        writes: Vec<(String, PreparedWrite)>,
        token: Option<Token>,
    ) -> Result<Done, ServiceError> {
        let now = self.clock.now();
        let mut _in_progress = None;
        if let Some(token) = &token {
            let lock = TOKENS.full_key(&token.key).into();
            let held = self.locks.take(lock, Holder::Transaction).await;
            _in_progress = Some(held.map_err(|_| error::transaction_in_progress())?);
            let known = TOKENS
                .get(&*self.store, &token.key)
                .await
                .map_err(store_failed)?;
            if let Some(known) = known.filter(|known| known.at > now - TOKEN_LIVES) {
                return if known.digest == token.digest {
                    self.repeat(&writes).await
                } else {
                    Err(error::token_reused())
                };
            }
        }
        // Tables and items in one order for all transactions, so that none waits in a circle.
        let tables: BTreeMap<_, _> = writes
            .iter()
            .map(|(_, write)| (&write.table.name, &write.table))
            .collect();
        let mut passes = Vec::new();
        for table in tables.values() {
            passes.push(table.pass().await);
        }
        let mut order: Vec<usize> = (0..writes.len()).collect();
        order.sort_by_key(|at| writes[*at].1.row());
        let mut held = Vec::new();
        let mut reasons = vec![Reason::NONE; writes.len()];
        for at in order {
            let lock = self.locks.take(writes[at].1.row(), Holder::Transaction);
            let Ok(lock) = lock.await else {
                reasons[at] = Reason::of(&error::transaction_conflict(), None);
                return Err(transaction_canceled(reasons));
            };
            held.push(lock);
        }
        let mut items = Vec::with_capacity(writes.len());
        let mut bytes = 0;
        for (at, (_, write)) in writes.iter().enumerate() {
            let before = self.item(&write.row()).await?;
            let admitted = self.admit_write(&write.definition);
            let decided = admitted.and_then(|()| write.decide(before.as_ref()));
            match decided {
                Ok(outcome) => {
                    bytes += outcome.after.as_ref().map_or(0, item_size);
                    items.push((before, outcome.after));
                }
                Err(error) => {
                    let shown = before.filter(|_| {
                        write.shows_item && error.code == "ConditionalCheckFailedException"
                    });
                    reasons[at] = Reason::of(&error, shown);
                    items.push((None, None));
                }
            }
        }
        if reasons.iter().any(|reason| *reason != Reason::NONE) {
            return Err(transaction_canceled(reasons));
        }
        if bytes > MOST_BYTES {
            return Err(error::invalid(
                "The total size of the items in the transaction cannot exceed 4 MB",
            ));
        }
        let mut staging = Staging::new(&self.sequence, now);
        let mut done = Done::default();
        for ((table, write), (before, after)) in writes.into_iter().zip(items) {
            let definition = write
                .table
                .definition()
                .ok_or_else(error::resource_not_found)?;
            let consumed = staging.add(&Change {
                table: &write.table,
                definition: &definition,
                key: &write.key,
                before: before.as_ref(),
                after: after.as_ref(),
                by_expiry: false,
            });
            // A transaction writes twice: once to prepare, once to commit.
            let consumed = consumed.times(2.0);
            self.charge_write(&definition, &consumed);
            done.consumed
                .entry(table.clone())
                .or_default()
                .add(&consumed);
            if let Some(item) = after.or(before) {
                done.items.push((table, write, item));
            }
        }
        if let Some(token) = token {
            let record = TokenRecord {
                digest: token.digest,
                at: now,
            };
            TOKENS
                .put(&mut staging.batch, &token.key, &record)
                .map_err(store_failed)?;
        }
        self.commit(staging).await?;
        for (_, write, item) in &done.items {
            if let Some(definition) = write.table.definition() {
                self.note_expiry(&definition, Some(item));
            }
        }
        Ok(done)
    }
}

impl DynamoDb {
    /// What a request that repeats another consumes: it reads what that one has written.
    async fn repeat(&self, writes: &[(String, PreparedWrite)]) -> Result<Done, ServiceError> {
        let mut done = Done {
            is_repeated: true,
            ..Done::default()
        };
        for (table, write) in writes {
            let size = self.item(&write.row()).await?.as_ref().map_or(0, item_size);
            let consumed = done.consumed.entry(table.clone()).or_default();
            // A transaction reads twice: once to prepare, once to commit.
            consumed.table += 2.0 * read_units(size, true);
        }
        Ok(done)
    }
}

/// One action with its parameters, whichever it is.
struct Action {
    table: String,
    write: Write,
    key: Option<Item>,
    condition: Option<String>,
    placeholders: Placeholders,
    on_failure: Option<ReturnValuesOnConditionCheckFailure>,
}

type Names = Option<BTreeMap<String, String>>;
type Values = Option<BTreeMap<String, AttributeValue>>;

impl Action {
    fn of(item: TransactWriteItem) -> Result<Self, ServiceError> {
        let placeholders = |names: Names, values: Values| Placeholders::new(names, values);
        Ok(
            match (item.condition_check, item.put, item.delete, item.update) {
                (Some(check), None, None, None) => Self {
                    table: check.table_name,
                    write: Write::Check,
                    key: Some(convert::item(check.key)?),
                    condition: Some(check.condition_expression),
                    placeholders: placeholders(
                        check.expression_attribute_names,
                        check.expression_attribute_values,
                    )?,
                    on_failure: check.return_values_on_condition_check_failure,
                },
                (None, Some(put), None, None) => Self {
                    table: put.table_name,
                    write: Write::Put(convert::item(put.item)?),
                    key: None,
                    condition: put.condition_expression,
                    placeholders: placeholders(
                        put.expression_attribute_names,
                        put.expression_attribute_values,
                    )?,
                    on_failure: put.return_values_on_condition_check_failure,
                },
                (None, None, Some(delete), None) => Self {
                    table: delete.table_name,
                    write: Write::Delete,
                    key: Some(convert::item(delete.key)?),
                    condition: delete.condition_expression,
                    placeholders: placeholders(
                        delete.expression_attribute_names,
                        delete.expression_attribute_values,
                    )?,
                    on_failure: delete.return_values_on_condition_check_failure,
                },
                (None, None, None, Some(update)) => {
                    let mut placeholders = placeholders(
                        update.expression_attribute_names,
                        update.expression_attribute_values,
                    )?;
                    let parsed = expression::update(&update.update_expression, &mut placeholders)?;
                    let key = convert::item(update.key)?;
                    Self {
                        table: update.table_name,
                        write: Write::Update {
                            key: key.clone(),
                            update: parsed,
                            makes: true,
                        },
                        key: Some(key),
                        condition: update.condition_expression,
                        placeholders,
                        on_failure: update.return_values_on_condition_check_failure,
                    }
                }
                _ => {
                    return Err(error::invalid(
                        "TransactItems can only contain one of Check, Put, Update or Delete",
                    ));
                }
            },
        )
    }

    /// Reads the condition: what is wrong with an expression is refused before anything else.
    fn condition(&mut self) -> Result<Option<Condition>, Invalid> {
        let text = self.condition.take();
        let condition = parameters::condition(text.as_deref(), None, None, &mut self.placeholders)?;
        self.placeholders.check_all_used()?;
        Ok(condition)
    }
}
