//! What PartiQL statements come to: the same reads and writes as the other operations'.

use std::collections::BTreeMap;
use std::ops::RangeBounds as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use service::{RequestContext, ServiceError};

use super::reading::{Answer, Reading, Wanted};
use super::writing::{PreparedWrite, Write};
use crate::domain::expression::Condition;
use crate::domain::key::KeyBytes;
use crate::domain::partiql::{Order, Statement, full_key, key_condition};
use crate::domain::path::{self, Path};
use crate::domain::value::{Attribute, Item};
use crate::domain::{Invalid, codec, convert};
use crate::generated::{
    AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, Select,
};
use crate::{DynamoDb, error};

/// Reads a statement with its parameters.
pub fn parse(text: &str, parameters: Option<Vec<AttributeValue>>) -> Result<Statement, Invalid> {
    let parameters = parameters
        .unwrap_or_default()
        .into_iter()
        .map(convert::attribute);
    Statement::parse(text, parameters.collect::<Result<Vec<Attribute>, _>>()?)
}

/// The write of a statement that is one.
pub fn write(
    dynamodb: &DynamoDb,
    context: &RequestContext,
    statement: Statement,
    on_failure: Option<ReturnValuesOnConditionCheckFailure>,
) -> Result<PreparedWrite, ServiceError> {
    let (_, definition) = dynamodb.table(context, statement.table())?;
    let keys = &definition.keys;
    let hash = Path::attribute(&keys.hash.name);
    let is_insert = matches!(statement, Statement::Insert { .. });
    let (table, write, key, condition) = match statement {
        Statement::Select { .. } => {
            return Err(error::invalid("A SELECT statement writes nothing"));
        }
        Statement::Exists { table, condition } => {
            let (key, rest) = full_key(&condition, keys)?;
            let there = Condition::Exists(hash);
            (table, Write::Check, Some(key), Some(and(there, rest)))
        }
        Statement::Insert { table, item } => (
            table,
            Write::Put(item),
            None,
            Some(Condition::NotExists(hash)),
        ),
        Statement::Update {
            table,
            update,
            condition,
            ..
        } => {
            let (key, rest) = full_key(&condition, keys)?;
            // Unlike UpdateItem, a statement makes no item.
            let condition = and(Condition::Exists(hash), rest);
            (
                table,
                Write::Update {
                    key: key.clone(),
                    update,
                    makes: false,
                },
                Some(key),
                Some(condition),
            )
        }
        Statement::Delete {
            table, condition, ..
        } => {
            let (key, rest) = full_key(&condition, keys)?;
            (table, Write::Delete, Some(key), rest)
        }
    };
    let key = key.as_ref();
    let prepared =
        PreparedWrite::new(dynamodb, context, &table, write, key, condition, on_failure)?;
    Ok(PreparedWrite {
        is_insert,
        ..prepared
    })
}

/// Refuses what only a transaction can do.
pub fn check_alone(statement: &Statement) -> Result<(), Invalid> {
    match statement {
        Statement::Exists { .. } => Err(Invalid::new(
            "The EXISTS function can only be used in transactions",
        )),
        _ => Ok(()),
    }
}

fn and(first: Condition, second: Option<Condition>) -> Condition {
    match second {
        Some(second) => Condition::And(Box::new(first), Box::new(second)),
        None => first,
    }
}

/// How a SELECT is to be run.
pub struct Reads {
    pub consistent: bool,
    pub limit: Option<i32>,
    pub token: Option<String>,
    pub capacity: Option<ReturnConsumedCapacity>,
}

/// The parts of a SELECT.
pub struct Selection {
    pub table: String,
    pub index: Option<String>,
    pub columns: Option<Vec<Path>>,
    pub condition: Option<Condition>,
    pub order: Option<Order>,
}

/// Runs a SELECT: as a query where the hash key is given, else as a scan.
pub async fn select(
    dynamodb: &DynamoDb,
    context: &RequestContext,
    selection: Selection,
    reads: Reads,
) -> Result<Answer, ServiceError> {
    let Selection {
        table,
        index,
        columns,
        condition,
        order,
    } = selection;
    let (_, definition) = dynamodb.table(context, &table)?;
    if index
        .as_ref()
        .is_some_and(|name| definition.index(name).is_none())
    {
        return Err(error::invalid(
            "The table does not have the specified index",
        ));
    }
    let wanted = Wanted {
        table: &table,
        index: index.as_deref(),
        consistent: reads.consistent,
        select: columns.is_some().then_some(Select::SpecificAttributes),
        projection: columns,
        shape: path::columns,
        projected_by: "ProjectionExpression",
        filter: None,
        limit: reads.limit,
        capacity: reads.capacity,
    };
    let mut reading = Reading::new(dynamodb, context, wanted)?;
    let query = condition
        .as_ref()
        .and_then(|condition| key_condition(condition, reading.keys()));
    let mut scan = if let Some((keys, rest)) = query {
        let asked = keys.resolve(reading.keys())?;
        reading.set_filter(rest);
        reading.place().collection(&asked.hash, &asked.range)
    } else {
        if order.is_some() {
            return Err(error::invalid(
                "Must have at least one non-optional hash key condition in WHERE clause when using \
                 ORDER BY clause.",
            ));
        }
        reading.set_filter(condition);
        reading.place().all()
    };
    if let Some(order) = order {
        if !reading.keys().has(&order.by) {
            return Err(error::invalid(format!(
                "Variable reference {} in ORDER BY clause must be part of the primary key",
                order.by
            )));
        }
        if order.descending {
            scan = scan.reversed();
        }
    }
    if let Some(token) = reads.token {
        let other = || error::invalid("NextToken does not match request");
        let (row, _) = reading.start(read_token(&token)?).map_err(|_| other())?;
        if !(scan.start.clone(), scan.end.clone()).contains(&row) {
            return Err(other());
        }
        scan = scan.after(row);
    }
    reading.run(dynamodb, scan).await
}

/// Reads the one item that a SELECT is about, from where `get` finds items.
pub fn point_read(
    dynamodb: &DynamoDb,
    context: &RequestContext,
    selection: &Selection,
) -> Result<(u64, KeyBytes, Option<Condition>), ServiceError> {
    let needs_key = || {
        error::invalid(
            "Select statements within BatchExecuteStatement must specify the primary key in the \
             where clause.",
        )
    };
    let (_, definition) = dynamodb.table(context, &selection.table)?;
    let condition = selection
        .condition
        .as_ref()
        .filter(|_| selection.index.is_none());
    let condition = condition.ok_or_else(needs_key)?;
    let (key, rest) = full_key(condition, &definition.keys).map_err(|_| needs_key())?;
    Ok((definition.id, definition.keys.of_key(&key)?, rest))
}

/// What a SELECT shows of an item, if it meets the rest of the condition.
pub fn shown(
    item: Option<Item>,
    rest: Option<&Condition>,
    columns: Option<&[Path]>,
) -> Option<BTreeMap<String, AttributeValue>> {
    let item = item.filter(|item| rest.is_none_or(|rest| rest.holds(item)))?;
    Some(convert::to_api(match columns {
        Some(paths) => path::columns(&item, paths),
        None => item,
    }))
}

/// A page's end as clients carry it.
pub fn token(last: &BTreeMap<String, AttributeValue>) -> Result<String, Invalid> {
    Ok(STANDARD.encode(codec::encode(&convert::item(last.clone())?)))
}

fn read_token(token: &str) -> Result<BTreeMap<String, AttributeValue>, Invalid> {
    let invalid = || Invalid::new("Given NextToken is invalid");
    let bytes = STANDARD.decode(token).map_err(|_| invalid())?;
    let key = codec::decode(bytes.into()).map_err(|_| invalid())?;
    Ok(convert::to_api(key))
}
