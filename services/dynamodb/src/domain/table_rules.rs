//! What a table's definition may be, in AWS's words.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;

use super::Invalid;
use super::key::{KeyAttribute, KeyKind, KeySchema};
use super::table::{Class, Definition, Index, OnDemandLimits, Projection, Throughput, View};
use super::tags;
use crate::generated::{
    self, AttributeDefinition, BillingMode, CreateTableInput, KeySchemaElement, KeyType,
    ProjectionType, ProvisionedThroughput, SSESpecification, ScalarAttributeType,
    StreamSpecification, StreamViewType, TableClass,
};

const MOST_LOCAL_INDEXES: usize = 5;
/// Of each kind, in the key of a global index.
const MOST_KEY_ATTRIBUTES: usize = 4;
const MOST_GLOBAL_INDEXES: usize = 20;
const MOST_UNITS: i64 = 1_000_000_000_000;

/// The definition of a new table, still without a stream.
pub fn create(
    input: CreateTableInput,
    now: Timestamp,
    uuid: String,
    mut new_id: impl FnMut() -> u64,
) -> Result<Definition, Invalid> {
    let on_demand = input.billing_mode == Some(BillingMode::PayPerRequest);
    let throughput = throughput(input.provisioned_throughput.as_ref(), on_demand)?;
    let attributes = attribute_definitions(input.attribute_definitions.unwrap_or_default())?;
    let schema = input.key_schema.unwrap_or_default();
    let keys = key_schema(&schema, &attributes, "keySchema")?;
    let locals = input.local_secondary_indexes;
    let globals = input.global_secondary_indexes;
    for (given, kind) in [
        (locals.as_ref().map(Vec::len), "LocalSecondaryIndexes"),
        (globals.as_ref().map(Vec::len), "GlobalSecondaryIndexes"),
    ] {
        if given == Some(0) {
            return Err(Invalid::parameter(format!("List of {kind} is empty")));
        }
    }
    let mut indexes = Vec::new();
    for local in locals.unwrap_or_default() {
        indexes.push(local_index(local, &keys, &attributes, new_id())?);
    }
    for global in globals.unwrap_or_default() {
        indexes.push(global_index(global, &attributes, on_demand, new_id())?);
    }
    check_indexes(&indexes)?;
    check_all_used(&attributes, &keys, &indexes)?;
    Ok(Definition {
        id: new_id(),
        uuid,
        created_at: now,
        attributes,
        keys,
        on_demand,
        on_demand_since: on_demand.then_some(now),
        throughput,
        on_demand_limits: input.on_demand_throughput.as_ref().map(on_demand_limits),
        class: input.table_class.map(|class| table_class(class, None)),
        deletion_protection: input.deletion_protection_enabled.unwrap_or(false),
        encryption_key: input.sse_specification.and_then(encryption_key),
        indexes,
        stream: None,
        stream_label: None,
        expiry: None,
        tags: tags::tags(input.tags.unwrap_or_default())?,
        log: None,
        recovery: None,
        loading: false,
        restored: None,
        policies: BTreeMap::new(),
        insights: BTreeMap::new(),
    })
}

pub fn throughput(
    given: Option<&ProvisionedThroughput>,
    on_demand: bool,
) -> Result<Throughput, Invalid> {
    match given {
        Some(_) if on_demand => Err(Invalid::parameter(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is \
             PAY_PER_REQUEST",
        )),
        None if on_demand => Ok(Throughput::default()),
        None => Err(Invalid::parameter(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is \
             PROVISIONED",
        )),
        Some(given) => {
            for (units, name) in [
                (given.read_capacity_units, "ReadCapacityUnits"),
                (given.write_capacity_units, "WriteCapacityUnits"),
            ] {
                if units > MOST_UNITS {
                    return Err(Invalid::new(format!(
                        "Given value {units} for {name} is out of bounds"
                    )));
                }
            }
            Ok(Throughput {
                read: given.read_capacity_units,
                write: given.write_capacity_units,
                ..Throughput::default()
            })
        }
    }
}

/// The key that a table is encrypted with, if it is to be with one.
pub fn encryption_key(given: SSESpecification) -> Option<String> {
    (given.enabled == Some(true)).then(|| {
        given
            .kms_master_key_id
            .unwrap_or_else(|| "alias/aws/dynamodb".to_owned())
    })
}

pub fn on_demand_limits(given: &generated::OnDemandThroughput) -> OnDemandLimits {
    // -1 takes a limit away.
    let limit = |units: Option<i64>| units.filter(|units| *units >= 0);
    OnDemandLimits {
        read: limit(given.max_read_request_units),
        write: limit(given.max_write_request_units),
    }
}

pub fn table_class(class: TableClass, changed_at: Option<Timestamp>) -> Class {
    Class {
        infrequent_access: class == TableClass::StandardInfrequentAccess,
        changed_at,
    }
}

pub fn attribute_definitions(
    given: Vec<AttributeDefinition>,
) -> Result<Vec<KeyAttribute>, Invalid> {
    let mut seen = BTreeSet::new();
    for attribute in &given {
        if !seen.insert(&attribute.attribute_name) {
            return Err(Invalid::parameter(format!(
                "Duplicate AttributeName in AttributeDefinitions: {}",
                attribute.attribute_name
            )));
        }
    }
    let attributes = given.into_iter().map(|attribute| KeyAttribute {
        name: attribute.attribute_name,
        kind: match attribute.attribute_type {
            ScalarAttributeType::S => KeyKind::S,
            ScalarAttributeType::N => KeyKind::N,
            ScalarAttributeType::B => KeyKind::B,
        },
    });
    Ok(attributes.collect())
}

/// The attributes of a key, as they are defined.
fn defined(
    given: &[KeySchemaElement],
    attributes: &[KeyAttribute],
) -> Result<Vec<KeyAttribute>, Invalid> {
    let listed = |names: Vec<&str>| names.join(", ");
    let find = |name: &str| {
        attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .cloned()
    };
    let names: Vec<&str> = given
        .iter()
        .map(|key| key.attribute_name.as_str())
        .collect();
    if names.len() > attributes.len() {
        return Err(Invalid::new(
            "Invalid KeySchema: Some index key attribute have no definition",
        ));
    }
    let parts: Option<Vec<KeyAttribute>> = names.iter().map(|name| find(name)).collect();
    parts.ok_or_else(|| {
        let defined = attributes
            .iter()
            .map(|attribute| attribute.name.as_str())
            .collect();
        Invalid::parameter(format!(
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], \
             AttributeDefinitions: [{}]",
            listed(names),
            listed(defined)
        ))
    })
}

/// The key of a table or a local index, which is given at `place` of the request.
fn key_schema(
    given: &[KeySchemaElement],
    attributes: &[KeyAttribute],
    place: &str,
) -> Result<KeySchema, Invalid> {
    if given.len() > 2 {
        let shown = given.iter().map(|element| {
            let name = &element.attribute_name;
            let kind = element.key_type.as_str();
            format!("KeySchemaElement(attributeName={name}, keyType={kind})")
        });
        return Err(Invalid::new(format!(
            "1 validation error detected: Value '[{}]' at '{place}' failed to satisfy constraint: \
             Member must have length less than or equal to 2",
            shown.collect::<Vec<_>>().join(", ")
        )));
    }
    let mut parts = defined(given, attributes)?.into_iter();
    let (Some(hash), range) = (parts.next(), parts.next()) else {
        return Err(first_is_no_hash());
    };
    if range.as_ref().is_some_and(|range| range.name == hash.name) {
        return Err(Invalid::new(
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ));
    }
    if given[0].key_type != KeyType::Hash {
        return Err(first_is_no_hash());
    }
    if given
        .get(1)
        .is_some_and(|second| second.key_type != KeyType::Range)
    {
        return Err(Invalid::new(
            "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
        ));
    }
    Ok(KeySchema::simple(hash, range))
}

fn first_is_no_hash() -> Invalid {
    Invalid::new("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
}

/// The key of a global index: up to four attributes of each kind.
///
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.MultiAttributeKeys>
fn global_key_schema(
    given: &[KeySchemaElement],
    attributes: &[KeyAttribute],
) -> Result<KeySchema, Invalid> {
    let is_simple = match given {
        [_] => true,
        [_, second] => second.key_type == KeyType::Range,
        _ => false,
    };
    if is_simple {
        return key_schema(given, attributes, "globalSecondaryIndexes.keySchema");
    }
    let mut parts = defined(given, attributes)?;
    let hashes = given
        .iter()
        .take_while(|element| element.key_type == KeyType::Hash)
        .count();
    if hashes == 0 {
        return Err(first_is_no_hash());
    }
    if given[hashes..]
        .iter()
        .any(|element| element.key_type == KeyType::Hash)
    {
        return Err(Invalid::parameter(
            "All HASH key attributes must precede RANGE key attributes in the KeySchema",
        ));
    }
    for (count, kind) in [(hashes, "HASH"), (given.len() - hashes, "RANGE")] {
        if count > MOST_KEY_ATTRIBUTES {
            return Err(Invalid::parameter(format!(
                "The KeySchema exceeds the maximum allowed number of {kind} key attributes"
            )));
        }
    }
    let names: BTreeSet<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    if names.len() < parts.len() {
        return Err(Invalid::new(
            "The KeySchema contains multiple key attributes with the same name",
        ));
    }
    let mut ranges = parts.split_off(hashes).into_iter();
    let mut hashes = parts.into_iter();
    Ok(KeySchema {
        hash: hashes.next().ok_or_else(first_is_no_hash)?,
        more_hash: hashes.collect(),
        range: ranges.next(),
        more_range: ranges.collect(),
    })
}

pub fn local_index(
    given: generated::LocalSecondaryIndex,
    table: &KeySchema,
    attributes: &[KeyAttribute],
    id: u64,
) -> Result<Index, Invalid> {
    if table.range.is_none() {
        return Err(Invalid::parameter(
            "Table KeySchema does not have a range key, which is required when specifying a \
             LocalSecondaryIndex",
        ));
    }
    let name = given.index_name;
    let keys = key_schema(
        &given.key_schema,
        attributes,
        "localSecondaryIndexes.keySchema",
    )?;
    if keys.range.is_none() {
        return Err(Invalid::parameter(format!(
            "Index KeySchema does not have a range key for index: {name}"
        )));
    }
    if keys.hash.name != table.hash.name {
        return Err(Invalid::parameter(format!(
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: \
             {name}. index hash key: {}, table hash key: {}",
            keys.hash.name, table.hash.name
        )));
    }
    Ok(Index {
        id,
        projection: projection(given.projection)?,
        name,
        keys,
        local: true,
        throughput: Throughput::default(),
        on_demand_limits: None,
        backfilling: false,
    })
}

pub fn global_index(
    given: generated::GlobalSecondaryIndex,
    attributes: &[KeyAttribute],
    on_demand: bool,
    id: u64,
) -> Result<Index, Invalid> {
    let name = given.index_name;
    let keys = global_key_schema(&given.key_schema, attributes)?;
    let projection = projection(given.projection)?;
    let throughput = match given.provisioned_throughput.as_ref() {
        Some(_) if on_demand => {
            return Err(Invalid::parameter(format!(
                "ProvisionedThroughput should not be specified for index: {name} when BillingMode \
                 is PAY_PER_REQUEST"
            )));
        }
        None if !on_demand => {
            return Err(Invalid::parameter(format!(
                "ProvisionedThroughput must be specified for index: {name}"
            )));
        }
        given => throughput(given, on_demand)?,
    };
    Ok(Index {
        id,
        name,
        keys,
        projection,
        local: false,
        throughput,
        on_demand_limits: given.on_demand_throughput.as_ref().map(on_demand_limits),
        backfilling: false,
    })
}

fn projection(given: generated::Projection) -> Result<Projection, Invalid> {
    let Some(kind) = given.projection_type else {
        return Err(Invalid::parameter("Unknown ProjectionType: null"));
    };
    match (kind, given.non_key_attributes) {
        (ProjectionType::Include, Some(names)) => Ok(Projection::Include(names)),
        (ProjectionType::Include, None) => Err(Invalid::parameter(
            "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        )),
        (kind, Some(_)) => Err(Invalid::parameter(format!(
            "ProjectionType is {kind}, but NonKeyAttributes is specified"
        ))),
        (ProjectionType::All, None) => Ok(Projection::All),
        (ProjectionType::KeysOnly, None) => Ok(Projection::KeysOnly),
    }
}

pub fn check_indexes(indexes: &[Index]) -> Result<(), Invalid> {
    let mut names = BTreeSet::new();
    if let Some(twice) = indexes.iter().find(|index| !names.insert(&index.name)) {
        return Err(Invalid::parameter(format!(
            "Duplicate index name: {}",
            twice.name
        )));
    }
    let locals = indexes.iter().filter(|index| index.local).count();
    if locals > MOST_LOCAL_INDEXES {
        return Err(Invalid::parameter(
            "Number of LocalSecondaryIndexes exceeds per-table limit of 5",
        ));
    }
    if indexes.len() - locals > MOST_GLOBAL_INDEXES {
        return Err(Invalid::parameter(
            "GlobalSecondaryIndex count exceeds the per-table limit of 20",
        ));
    }
    Ok(())
}

fn check_all_used(
    attributes: &[KeyAttribute],
    keys: &KeySchema,
    indexes: &[Index],
) -> Result<(), Invalid> {
    let used: BTreeSet<&str> = indexes
        .iter()
        .map(|index| &index.keys)
        .chain([keys])
        .flat_map(KeySchema::attributes)
        .map(|attribute| attribute.name.as_str())
        .collect();
    if attributes
        .iter()
        .all(|attribute| used.contains(attribute.name.as_str()))
    {
        return Ok(());
    }
    if indexes.is_empty() {
        return Err(Invalid::parameter(
            "Number of attributes in KeySchema does not exactly match number of attributes defined \
             in AttributeDefinitions",
        ));
    }
    let defined: Vec<&str> = attributes
        .iter()
        .map(|attribute| attribute.name.as_str())
        .collect();
    let used: Vec<&str> = used.into_iter().collect();
    Err(Invalid::parameter(format!(
        "Some AttributeDefinitions are not used. AttributeDefinitions: [{}], keys used: [{}]",
        defined.join(", "),
        used.join(", ")
    )))
}

/// The view of a stream that is to be; `None` if none is.
pub fn stream_view(given: &StreamSpecification) -> Result<Option<View>, Invalid> {
    match (given.stream_enabled, given.stream_view_type) {
        (false, None) => Ok(None),
        (false, Some(_)) => Err(Invalid::parameter(
            "StreamViewType cannot be specified when StreamEnabled is false",
        )),
        (true, None) => Err(Invalid::parameter(
            "StreamViewType must be specified when StreamEnabled is true",
        )),
        (true, Some(view)) => Ok(Some(match view {
            StreamViewType::KeysOnly => View::Keys,
            StreamViewType::NewImage => View::New,
            StreamViewType::OldImage => View::Old,
            StreamViewType::NewAndOldImages => View::Both,
        })),
    }
}
