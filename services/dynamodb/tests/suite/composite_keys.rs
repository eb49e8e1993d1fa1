//! Global indexes whose keys have several attributes.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html>

use crate::support::{Json, World, json, key, range_keys, with};

/// By tournament and region; then by round, score and player.
fn matches() -> Json {
    let element = |name, kind| json!({"AttributeName": name, "KeyType": kind});
    json!({
        "IndexName": "matches", "Projection": {"ProjectionType": "ALL"},
        "KeySchema": [
            element("tournament", "HASH"), element("region", "HASH"),
            element("round", "RANGE"), element("score", "RANGE"), element("player", "RANGE"),
        ],
    })
}

fn definitions() -> Json {
    let define = |name: &str| {
        let kind = if ["sk", "score"].contains(&name) {
            "N"
        } else {
            "S"
        };
        json!({"AttributeName": name, "AttributeType": kind})
    };
    let names = [
        "pk",
        "sk",
        "tournament",
        "region",
        "round",
        "score",
        "player",
    ];
    Json::Array(names.map(define).into())
}

fn item(sk: i64, region: &str, round: &str, score: i32, player: &str) -> Json {
    let more = json!({
        "tournament": {"S": "T"}, "region": {"S": region}, "round": {"S": round},
        "score": {"N": score.to_string()}, "player": {"S": player},
    });
    with(key("a", sk), more)
}

async fn world() -> World {
    let world = World::start().await;
    world
        .table(json!({
            "AttributeDefinitions": definitions(),
            "GlobalSecondaryIndexes": [matches()],
        }))
        .await;
    for item in [
        item(1, "EU", "final", 7, "bo"),
        item(2, "EU", "final", -3, "cy"),
        item(3, "EU", "final", 7, "al"),
        item(4, "EU", "fin", 100, "al"),
        item(5, "EU", "semi\0final", 1, "di"),
        item(6, "US", "final", 7, "al"),
    ] {
        world.put(item).await;
    }
    // Without one of the attributes an item is not in the index.
    let mut lacking = item(7, "EU", "final", 7, "al");
    lacking.as_object_mut().unwrap().remove("player");
    world.put(lacking).await;
    world
}

fn asking(condition: &str, more: Json) -> Json {
    let all = json!({
        ":t": {"S": "T"}, ":r": {"S": "EU"}, ":final": {"S": "final"}, ":fin": {"S": "fin"},
        ":seven": {"N": "7"}, ":zero": {"N": "0"}, ":al": {"S": "al"}, ":a": {"S": "a"},
    });
    let mut values = all.as_object().unwrap().clone();
    values.retain(|name, _| {
        condition
            .split(|c: char| !(c.is_alphanumeric() || c == ':'))
            .any(|word| word == name)
    });
    with(
        json!({
            "IndexName": "matches", "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
        }),
        more,
    )
}

#[tokio::test]
async fn conditions_go_from_left_to_right() {
    let world = world().await;
    let hash = "tournament = :t AND #r = :r";
    let names = json!({"ExpressionAttributeNames": {"#r": "region"}});
    for (condition, found) in [
        ("", &[4, 2, 3, 1, 5][..]),
        (" AND round = :final", &[2, 3, 1]),
        (" AND round > :fin", &[2, 3, 1, 5]),
        (" AND round >= :fin", &[4, 2, 3, 1, 5]),
        (" AND round < :final", &[4]),
        (" AND round <= :final", &[4, 2, 3, 1]),
        (" AND begins_with(round, :fin)", &[4, 2, 3, 1]),
        (" AND round BETWEEN :fin AND :final", &[4, 2, 3, 1]),
        (" AND round = :final AND score < :seven", &[2]),
        (
            " AND round = :final AND score BETWEEN :zero AND :seven",
            &[3, 1],
        ),
        (
            " AND round = :final AND score = :seven AND player = :al",
            &[3],
        ),
        (
            " AND score = :seven AND round = :final AND player > :al",
            &[1],
        ),
        (
            " AND round = :final AND score = :seven AND begins_with(player, :a)",
            &[3],
        ),
    ] {
        let condition = format!("{hash}{condition}");
        let answer = world.query(asking(&condition, names.clone())).await;
        assert_eq!(range_keys(&answer), found, "{condition}");
    }
    let backwards = with(names.clone(), json!({"ScanIndexForward": false}));
    let answer = world.query(asking(hash, backwards)).await;
    assert_eq!(range_keys(&answer), [5, 1, 3, 2, 4]);

    // A page ends at a key of all attributes, the table's too.
    let mut pages = Vec::new();
    let mut start = Json::Null;
    loop {
        let mut more = with(names.clone(), json!({"Limit": 2}));
        if !start.is_null() {
            more["ExclusiveStartKey"] = start;
        }
        let answer = world.query(asking(hash, more)).await;
        pages.extend(range_keys(&answer));
        start = answer["LastEvaluatedKey"].clone();
        if start.is_null() {
            break;
        }
        assert_eq!(start.as_object().unwrap().len(), 7);
    }
    assert_eq!(pages, [4, 2, 3, 1, 5]);

    let statement = "SELECT * FROM test.matches WHERE tournament = 'T' AND \"region\" = 'EU' \
                     AND round = 'final' AND score > 0 AND player <> 'bo'";
    let answer = world
        .ok("ExecuteStatement", json!({"Statement": statement}))
        .await;
    assert_eq!(range_keys(&answer), [3]);
}

#[tokio::test]
async fn what_a_query_cannot_ask() {
    let world = world().await;
    for (condition, message) in [
        (
            "tournament = :t",
            "Query condition missed key schema element: region",
        ),
        (
            "#r = :r",
            "Query condition missed key schema element: tournament",
        ),
        (
            "tournament = :t AND #r = :r AND score = :seven",
            "Query condition missed key schema element: round",
        ),
        (
            "tournament = :t AND #r = :r AND round > :fin AND score = :seven",
            "Query key condition not supported",
        ),
        (
            "tournament = :t AND #r > :r",
            "Query key condition not supported",
        ),
        (
            "tournament = :t AND #r = :r AND round = :seven",
            "One or more parameter values were invalid: Condition parameter type does not match \
             schema type",
        ),
    ] {
        let names = condition
            .contains("#r")
            .then(|| json!({"ExpressionAttributeNames": {"#r": "region"}}));
        let asked = asking(condition, names.unwrap_or_else(|| json!({})));
        let asked = with(json!({"TableName": "test"}), asked);
        let error = world.invalid("Query", asked).await;
        assert_eq!(error, message, "{condition}");
    }
}

#[tokio::test]
async fn schemas_have_up_to_four_of_each_kind() {
    let world = world().await;
    let table = world
        .ok("DescribeTable", json!({"TableName": "test"}))
        .await["Table"]
        .clone();
    assert_eq!(
        table["GlobalSecondaryIndexes"][0]["KeySchema"],
        matches()["KeySchema"]
    );
    assert_eq!(table["GlobalSecondaryIndexes"][0]["ItemCount"], 6);

    let names = ["a", "b", "c", "d", "e"];
    let schema = |kinds: &str| -> Json {
        let element = |(at, kind)| {
            let kind = if kind == 'H' { "HASH" } else { "RANGE" };
            json!({"AttributeName": names[at % 5], "KeyType": kind})
        };
        kinds.chars().enumerate().map(element).collect()
    };
    let parameter = "One or more parameter values were invalid: ";
    for (kinds, message) in [
        (
            "RH",
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type".to_owned(),
        ),
        (
            "HRH",
            format!(
                "{parameter}All HASH key attributes must precede RANGE key attributes in the KeySchema"
            ),
        ),
        (
            "HHHHH",
            format!(
                "{parameter}The KeySchema exceeds the maximum allowed number of HASH key attributes"
            ),
        ),
        (
            "HRRRRR",
            format!(
                "{parameter}The KeySchema exceeds the maximum allowed number of RANGE key attributes"
            ),
        ),
        (
            "HHHRRR",
            "The KeySchema contains multiple key attributes with the same name".to_owned(),
        ),
    ] {
        let defined: Vec<Json> = ["pk", "a", "b", "c", "d", "e"]
            .map(|name| json!({"AttributeName": name, "AttributeType": "S"}))
            .into();
        let table = json!({
            "TableName": "refused", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": defined,
            "GlobalSecondaryIndexes": [{
                "IndexName": "index", "KeySchema": schema(kinds),
                "Projection": {"ProjectionType": "ALL"},
            }],
        });
        let error = world.invalid("CreateTable", table).await;
        assert_eq!(error, message, "{kinds}");
    }
    // A table has two at the most.
    let defined: Vec<Json> = ["a", "b", "c"]
        .map(|name| json!({"AttributeName": name, "AttributeType": "S"}))
        .into();
    let table = json!({
        "TableName": "refused", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": schema("HRR"), "AttributeDefinitions": defined,
    });
    let error = world.invalid("CreateTable", table).await;
    assert!(
        error.ends_with(
            "at 'keySchema' failed to satisfy constraint: Member must have length less than or \
             equal to 2"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn an_index_of_several_attributes_is_added_later() {
    let world = World::start().await;
    world.table(json!({})).await;
    world.put(item(1, "EU", "final", 7, "al")).await;
    world
        .ok(
            "UpdateTable",
            json!({
                "TableName": "test", "AttributeDefinitions": definitions(),
                "GlobalSecondaryIndexUpdates": [{"Create": matches()}],
            }),
        )
        .await;
    world.index_filled().await;
    let names = json!({"ExpressionAttributeNames": {"#r": "region"}});
    let condition = "tournament = :t AND #r = :r AND round = :final";
    let found = world.query(asking(condition, names)).await;
    assert_eq!(range_keys(&found), [1]);
}
