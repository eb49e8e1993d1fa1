//! What Query and Scan have in common: where they read, what they keep, and how they answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use service::{RequestContext, ServiceError};
use store::Scan;

use super::parameters::{self, Given};
use crate::DynamoDb;
use crate::domain::capacity::{Consumed, Units, read_units, report};
use crate::domain::expression::{self, Condition, Kind, Placeholders};
use crate::domain::key::{KeyBytes, KeySchema};
use crate::domain::path::{Path, project};
use crate::domain::table::{Definition, Index, Projection};
use crate::domain::value::Item;
use crate::domain::{Invalid, convert, legacy};
use crate::engine::{Found, Query};
use crate::error;
use crate::generated::{
    self, AttributeValue, ConditionalOperator, ConsumedCapacity, ReturnConsumedCapacity, Select,
};
use crate::records::{Place, index_key, item_key};

/// The parameters that both operations have.
pub struct Asked {
    pub table: String,
    pub index: Option<String>,
    pub consistent: Option<bool>,
    pub select: Option<Select>,
    pub projection_expression: Option<String>,
    pub attributes_to_get: Option<Vec<String>>,
    pub filter_expression: Option<String>,
    /// QueryFilter or ScanFilter.
    pub filter: Option<BTreeMap<String, generated::Condition>>,
    pub operator: Option<ConditionalOperator>,
    pub names: Option<BTreeMap<String, String>>,
    pub values: Option<BTreeMap<String, AttributeValue>>,
    pub limit: Option<i32>,
    pub capacity: Option<ReturnConsumedCapacity>,
}

/// An input of either operation, all but one of whose members have the same names.
macro_rules! asked {
    ($input:ident, $filter:ident) => {
        $crate::ops::reading::Asked {
            table: $input.table_name,
            index: $input.index_name,
            consistent: $input.consistent_read,
            select: $input.select,
            projection_expression: $input.projection_expression,
            attributes_to_get: $input.attributes_to_get,
            filter_expression: $input.filter_expression,
            filter: $input.$filter,
            operator: $input.conditional_operator,
            names: $input.expression_attribute_names,
            values: $input.expression_attribute_values,
            limit: $input.limit,
            capacity: $input.return_consumed_capacity,
        }
    };
}
pub(super) use asked;

impl Asked {
    /// Checks which parameters go together, with an operation's own, and takes the placeholders.
    pub fn placeholders(
        &mut self,
        filter: &'static str,
        expression: Option<(&'static str, bool)>,
        legacy: Option<(&'static str, bool)>,
    ) -> Result<Placeholders, Invalid> {
        let expressions = [
            ("ProjectionExpression", self.projection_expression.is_some()),
            ("FilterExpression", self.filter_expression.is_some()),
        ];
        let before = [
            ("AttributesToGet", self.attributes_to_get.is_some()),
            (filter, self.filter.is_some()),
            ("ConditionalOperator", self.operator.is_some()),
        ];
        let with = |all: &[_], own: Option<_>| all.iter().copied().chain(own).collect::<Vec<_>>();
        Given {
            expressions: &with(&expressions, expression),
            legacy: &with(&before, legacy),
            names: self.names.is_some(),
            values: self.values.is_some(),
        }
        .check()?;
        Placeholders::new(self.names.take(), self.values.take())
    }

    /// Where to read, once an operation has taken its own placeholders.
    pub fn reading(
        self,
        dynamodb: &DynamoDb,
        context: &RequestContext,
        mut placeholders: Placeholders,
    ) -> Result<Reading, ServiceError> {
        legacy::check_operator(self.operator, self.filter.is_some())?;
        let filter = match (&self.filter_expression, self.filter) {
            (Some(text), _) => Some(expression::condition(
                Kind::Filter,
                text,
                &mut placeholders,
            )?),
            (None, Some(filter)) => legacy::filter(filter, self.operator)?,
            (None, None) => None,
        };
        let projected_by = if self.projection_expression.is_some() {
            "ProjectionExpression"
        } else {
            "AttributesToGet"
        };
        let projection = parameters::projection(
            self.projection_expression.as_deref(),
            self.attributes_to_get,
            &mut placeholders,
        )?;
        placeholders.check_all_used()?;
        Reading::new(
            dynamodb,
            context,
            Wanted {
                table: &self.table,
                index: self.index.as_deref(),
                consistent: self.consistent == Some(true),
                select: self.select,
                projection,
                shape: project,
                projected_by,
                filter,
                limit: self.limit,
                capacity: self.capacity,
            },
        )
    }
}

/// Makes of an item what the paths choose.
type Shape = fn(&Item, &[Path]) -> Item;

/// What a request asks for, as far as the table does not matter.
pub struct Wanted<'a> {
    pub table: &'a str,
    pub index: Option<&'a str>,
    pub consistent: bool,
    pub select: Option<Select>,
    pub projection: Option<Vec<Path>>,
    /// How an item is shown by the projection.
    pub shape: Shape,
    /// The parameter that the projection came from.
    pub projected_by: &'static str,
    pub filter: Option<Condition>,
    pub limit: Option<i32>,
    pub capacity: Option<ReturnConsumedCapacity>,
}

pub struct Reading {
    table_name: String,
    pub definition: Arc<Definition>,
    index: Option<Index>,
    consistent: bool,
    projection: Option<Vec<Path>>,
    shape: Shape,
    filter: Option<Condition>,
    count_only: bool,
    whole_items: bool,
    limit: Option<usize>,
    capacity: Option<ReturnConsumedCapacity>,
}

/// What both operations answer.
pub struct Answer {
    pub items: Option<Vec<BTreeMap<String, AttributeValue>>>,
    pub count: Option<i32>,
    pub scanned_count: Option<i32>,
    pub last_evaluated_key: Option<BTreeMap<String, AttributeValue>>,
    pub consumed_capacity: Option<ConsumedCapacity>,
}

impl Reading {
    pub fn new(
        dynamodb: &DynamoDb,
        context: &RequestContext,
        wanted: Wanted<'_>,
    ) -> Result<Self, ServiceError> {
        check_select(&wanted).map_err(Invalid::into_validation_error)?;
        let (_, definition) = dynamodb.table(context, wanted.table)?;
        let index = match wanted.index {
            None => None,
            Some(name) => Some(definition.index(name).cloned().ok_or_else(|| {
                error::invalid(format!(
                    "The table does not have the specified index: {name}"
                ))
            })?),
        };
        let mut whole_items = false;
        if let Some(index) = &index {
            if index.backfilling {
                return Err(error::invalid(format!(
                    "Cannot read from backfilling global secondary index: {}",
                    index.name
                )));
            }
            whole_items = lacks(&definition.keys, index, &wanted)?;
        }
        Ok(Self {
            table_name: wanted.table.to_owned(),
            definition,
            index,
            consistent: wanted.consistent,
            projection: wanted.projection,
            shape: wanted.shape,
            filter: wanted.filter,
            count_only: wanted.select == Some(Select::Count),
            whole_items,
            limit: wanted.limit.and_then(|limit| usize::try_from(limit).ok()),
            capacity: wanted.capacity,
        })
    }

    pub fn place(&self) -> Place {
        match &self.index {
            Some(index) => Place::Index(index.id),
            None => Place::Table(self.definition.id),
        }
    }

    /// The keys by which rows lie where this reads.
    pub fn keys(&self) -> &KeySchema {
        self.index
            .as_ref()
            .map_or(&self.definition.keys, |index| &index.keys)
    }

    pub fn filter(&self) -> Option<&Condition> {
        self.filter.as_ref()
    }

    /// Keeps what meets a condition that was made once the keys were known.
    pub fn set_filter(&mut self, filter: Option<Condition>) {
        self.filter = filter;
    }

    /// The row of an ExclusiveStartKey, and its key where this reads.
    pub fn start(
        &self,
        given: BTreeMap<String, AttributeValue>,
    ) -> Result<(Bytes, KeyBytes), Invalid> {
        let wrong = |invalid: Invalid| invalid.within("The provided starting key is invalid: ", "");
        let start = convert::item(given).map_err(wrong)?;
        let Some(index) = &self.index else {
            let key = self.definition.keys.of_key(&start).map_err(wrong)?;
            return Ok((item_key(self.definition.id, &key).into(), key));
        };
        let names: BTreeSet<&str> = index
            .keys
            .attributes()
            .chain(self.definition.keys.attributes())
            .map(|attribute| attribute.name.as_str())
            .collect();
        let given: BTreeSet<&str> = start.keys().map(String::as_str).collect();
        let key = self
            .definition
            .keys
            .of_item(&start)
            .ok()
            .filter(|_| names == given);
        let (Some(key), Some(indexed)) = (key, index.keys.of_indexed(&start)) else {
            return Err(Invalid::new("The provided starting key is invalid"));
        };
        Ok((index_key(index.id, &indexed, &key).into(), indexed))
    }

    pub async fn run(self, dynamodb: &DynamoDb, scan: Scan) -> Result<Answer, ServiceError> {
        let whole_items = self
            .whole_items
            .then(|| (self.definition.id, self.definition.keys.clone()));
        let keys = self
            .definition
            .keys
            .attributes()
            .chain(self.keys().attributes());
        let keys = keys.map(|attribute| attribute.name.clone()).collect();
        dynamodb.admit_read(&self.definition, self.index.as_ref())?;
        let found = dynamodb
            .find(Query {
                keys,
                scan,
                limit: self.limit,
                filter: self.filter.clone(),
                whole_items,
                count_only: self.count_only,
            })
            .await?;
        let consumed = self.consumed(&found);
        dynamodb.charge_read(&self.definition, &consumed);
        let shown = |item: Item| match &self.projection {
            Some(paths) => convert::to_api((self.shape)(&item, paths)),
            None => convert::to_api(item),
        };
        let items = found.items.into_iter().map(shown).collect();
        Ok(Answer {
            items: (!self.count_only).then_some(items),
            count: i32::try_from(found.count).ok(),
            scanned_count: i32::try_from(found.scanned).ok(),
            last_evaluated_key: found.last.map(convert::to_api),
            consumed_capacity: report(self.capacity, &self.table_name, &consumed, Units::Plain),
        })
    }

    fn consumed(&self, found: &Found) -> Consumed {
        let units = read_units(found.bytes, self.consistent);
        let whole = found
            .whole_item_bytes
            .iter()
            .map(|bytes| read_units(*bytes, self.consistent));
        let mut consumed = Consumed {
            table: whole.sum(),
            ..Consumed::default()
        };
        match &self.index {
            None => consumed.table += units,
            Some(index) => {
                let named = if index.local {
                    &mut consumed.local
                } else {
                    &mut consumed.global
                };
                named.insert(index.name.clone(), units);
            }
        }
        consumed
    }
}

fn check_select(wanted: &Wanted<'_>) -> Result<(), Invalid> {
    let Some(select) = wanted.select else {
        return Ok(());
    };
    if wanted.projection.is_some() && select != Select::SpecificAttributes {
        return Err(Invalid::new(format!(
            "Cannot specify the {} when choosing to get {}",
            wanted.projected_by,
            match select {
                Select::Count => "only the Count",
                other => other.as_str(),
            }
        )));
    }
    match select {
        Select::AllProjectedAttributes if wanted.index.is_none() => Err(Invalid::new(
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
        )),
        Select::SpecificAttributes if wanted.projection.is_none() => Err(Invalid::new(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get \
             SPECIFIC_ATTRIBUTES",
        )),
        _ => Ok(()),
    }
}

/// Whether an index lacks what is wanted, so that the table's items must be read: a local one may.
fn lacks(table: &KeySchema, index: &Index, wanted: &Wanted<'_>) -> Result<bool, Invalid> {
    if !index.local && wanted.consistent {
        return Err(Invalid::new(
            "Consistent reads are not supported on global secondary indexes",
        ));
    }
    let all = wanted.select == Some(Select::AllAttributes) && index.projection != Projection::All;
    if all && !index.local {
        return Err(Invalid::parameter(format!(
            "Select type ALL_ATTRIBUTES is not supported for global secondary index {} because its \
             projection type is not ALL",
            index.name
        )));
    }
    let paths = wanted.projection.iter().flatten();
    let missing: Vec<&str> = paths
        .map(|path| path.head.as_str())
        .filter(|name| !index.projects(table, name))
        .collect();
    if !missing.is_empty() && !index.local {
        return Err(Invalid::parameter(format!(
            "Global secondary index {} does not project [{}]",
            index.name,
            missing.join(", ")
        )));
    }
    Ok(index.local && (all || !missing.is_empty()))
}
