//! Query and Scan.

use crate::support::{Json, World, json, key, range_keys, with};

fn of_hash(more: Json) -> Json {
    let mut input = json!({
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "a"}},
    });
    if let Some(values) = more.get("Values") {
        for (name, value) in values.as_object().unwrap() {
            input["ExpressionAttributeValues"][name] = value.clone();
        }
    }
    for (name, value) in more
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != "Values")
    {
        input[name] = value.clone();
    }
    input
}

async fn filled() -> World {
    let world = World::start().await;
    world.table(json!({})).await;
    for sk in -5..5 {
        world
            .put(with(key("a", sk), json!({"even": {"BOOL": sk % 2 == 0}})))
            .await;
        world.put(key("b", sk)).await;
    }
    world
}

#[tokio::test]
async fn range_keys_are_compared_and_ordered_as_numbers() {
    let world = filled().await;
    for (condition, expected) in [
        ("sk = :n", vec![-3]),
        ("sk < :n", vec![-5, -4]),
        (":n >= sk", vec![-5, -4, -3]),
        ("sk > :n", vec![-2, -1, 0, 1, 2, 3, 4]),
        ("sk BETWEEN :n AND :n", vec![-3]),
    ] {
        let input = of_hash(json!({
            "KeyConditionExpression": format!("pk = :pk AND {condition}"),
            "Values": {":n": {"N": "-3"}},
        }));
        assert_eq!(
            range_keys(&world.query(input).await),
            expected,
            "{condition}"
        );
    }
    let down = of_hash(json!({"ScanIndexForward": false, "Limit": 3}));
    assert_eq!(range_keys(&world.query(down).await), [4, 3, 2]);
}

#[tokio::test]
async fn pages_join_up_in_both_directions() {
    let world = filled().await;
    for forward in [true, false] {
        let mut found = Vec::new();
        let mut start = Json::Null;
        loop {
            let mut input = of_hash(json!({"ScanIndexForward": forward, "Limit": 3}));
            if !start.is_null() {
                input["ExclusiveStartKey"] = start;
            }
            let page = world.query(input).await;
            found.extend(range_keys(&page));
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
        let mut expected: Vec<i64> = (-5..5).collect();
        if !forward {
            expected.reverse();
        }
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn filters_count_what_they_leave_out() {
    let world = filled().await;
    let input = of_hash(json!({
        "FilterExpression": "even = :yes", "Values": {":yes": {"BOOL": true}},
        "Select": "COUNT",
    }));
    let answer = world.query(input).await;
    assert_eq!(
        (&answer["Count"], &answer["ScannedCount"]),
        (&json!(5), &json!(10))
    );
    assert!(answer.get("Items").is_none());
}

#[tokio::test]
async fn a_page_ends_before_a_megabyte() {
    let world = World::start().await;
    world.table(json!({})).await;
    for sk in 0..5 {
        world
            .put(with(
                key("a", sk),
                json!({"v": {"S": "x".repeat(300 * 1024)}}),
            ))
            .await;
    }
    let page = world
        .query(of_hash(json!({"ReturnConsumedCapacity": "TOTAL"})))
        .await;
    assert_eq!(range_keys(&page), [0, 1, 2]);
    assert_eq!(page["LastEvaluatedKey"], key("a", 2));
    assert_eq!(page["ConsumedCapacity"]["CapacityUnits"], 113.0);
    let rest = of_hash(json!({"ExclusiveStartKey": page["LastEvaluatedKey"]}));
    let page = world.query(rest).await;
    assert_eq!(range_keys(&page), [3, 4]);
    assert!(page.get("LastEvaluatedKey").is_none());
}

#[tokio::test]
async fn segments_of_a_scan_share_the_table_without_overlap() {
    let world = World::start().await;
    world.table(json!({})).await;
    for n in 0..60 {
        world.put(key(&format!("h{n}"), n)).await;
    }
    let mut all = Vec::new();
    for segment in 0..4 {
        let found = range_keys(
            &world
                .scan(json!({"Segment": segment, "TotalSegments": 4}))
                .await,
        );
        assert!(
            !found.is_empty() && found.len() < 30,
            "{} in one of four",
            found.len()
        );
        all.extend(found);
    }
    all.sort_unstable();
    assert_eq!(all, (0..60).collect::<Vec<i64>>());
    let mut paged = Vec::new();
    let mut start = None;
    loop {
        let mut input = json!({"Segment": 1, "TotalSegments": 4, "Limit": 2});
        if let Some(start) = start.take() {
            input["ExclusiveStartKey"] = start;
        }
        let page = world.scan(input).await;
        paged.extend(range_keys(&page));
        match page.get("LastEvaluatedKey") {
            Some(key) => start = Some(key.clone()),
            None => break,
        }
    }
    let whole = range_keys(&world.scan(json!({"Segment": 1, "TotalSegments": 4})).await);
    assert_eq!(paged, whole);
}

#[tokio::test]
async fn requests_are_refused_in_aws_words() {
    let world = filled().await;
    let name = json!({"TableName": "test"});
    for (more, message) in [
        (
            json!({"KeyConditionExpression": "sk = :pk"}),
            "Query condition missed key schema element: pk",
        ),
        (
            json!({"KeyConditionExpression": "pk > :pk"}),
            "Query key condition not supported",
        ),
        (
            json!({"KeyConditionExpression": "pk = :pk AND sk = :pk"}),
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            json!({"FilterExpression": "sk = :pk"}),
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk",
        ),
        (
            json!({"IndexName": "nothing"}),
            "The table does not have the specified index: nothing",
        ),
        (
            json!({"ExclusiveStartKey": key("b", 1)}),
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            json!({"ExclusiveStartKey": {"pk": {"S": "a"}}}),
            "The provided starting key is invalid: The provided key element does not match the schema",
        ),
        (
            json!({"Select": "SPECIFIC_ATTRIBUTES"}),
            "1 validation error detected: Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        ),
        (
            json!({"Select": "COUNT", "ProjectionExpression": "even"}),
            "1 validation error detected: Cannot specify the ProjectionExpression when choosing to get only the Count",
        ),
        (
            json!({"Limit": 0}),
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
    ] {
        let input = with(name.clone(), of_hash(more));
        assert_eq!(world.invalid("Query", input).await, message);
    }
    assert_eq!(
        world.invalid("Query", name.clone()).await,
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
    );
    for (more, message) in [
        (
            json!({"Segment": 4, "TotalSegments": 4}),
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 4 is not less than TotalSegments: 4",
        ),
        (
            json!({"Segment": 0}),
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
        ),
        (
            json!({"TotalSegments": 1}),
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is present",
        ),
    ] {
        assert_eq!(
            world.invalid("Scan", with(name.clone(), more)).await,
            message
        );
    }
}
