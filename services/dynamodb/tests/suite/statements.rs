//! ExecuteStatement, BatchExecuteStatement and ExecuteTransaction.

use crate::support::{Json, World, json, key, range_keys, with};

async fn run(world: &World, statement: &str, parameters: Json) -> Json {
    world
        .ok("ExecuteStatement", request(statement, parameters))
        .await
}

fn request(statement: &str, parameters: Json) -> Json {
    let mut input = json!({"Statement": statement});
    if parameters != json!([]) {
        input["Parameters"] = parameters;
    }
    input
}

async fn filled() -> World {
    let world = World::start().await;
    world.table(json!({})).await;
    for sk in 0..6 {
        world
            .put(with(
                key("a", sk),
                json!({"n": {"N": (sk * 10).to_string()}}),
            ))
            .await;
    }
    world
}

#[tokio::test]
async fn statements_do_what_operations_do() {
    let world = filled().await;
    let select = "SELECT sk FROM \"test\" WHERE pk = ? AND sk > 1 AND n < 50 ORDER BY sk DESC";
    let found = run(&world, select, json!([{"S": "a"}])).await;
    assert_eq!(range_keys(&found), [4, 3, 2]);
    let list = json!({"m": {"M": {"l": {"L": [{"S": "x"}, {"S": "y"}]}}}});
    world.put(with(key("c", 1), list)).await;
    let select = "SELECT m.l[1], sk FROM test WHERE pk = 'c' AND sk = 1";
    let column = json!([{"l[1]": {"S": "y"}, "sk": {"N": "1"}}]);
    assert_eq!(run(&world, select, json!([])).await["Items"], column);
    let found = run(&world, "SELECT * FROM test WHERE n IN [0, 50]", json!([])).await;
    assert_eq!(found["Items"].as_array().unwrap().len(), 2);

    let insert = "INSERT INTO test VALUE {'pk': ?, 'sk': 1, 'tags': <<'x'>>}";
    run(&world, insert, json!([{"S": "b"}])).await;
    let again = request(insert, json!([{"S": "b"}]));
    let (code, message) = world.refused("ExecuteStatement", again).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        (
            "DuplicateItemException",
            "Duplicate primary key exists in table"
        )
    );

    let update = "UPDATE test SET n = 1, tags = set_add(tags, <<'y'>>) WHERE pk = 'b' AND sk = 1 RETURNING ALL NEW *";
    let updated = run(&world, update, json!([])).await;
    let expected = json!({"n": {"N": "1"}, "tags": {"SS": ["x", "y"]}});
    assert_eq!(updated["Items"], json!([with(key("b", 1), expected)]));
    let missing = request("UPDATE test SET n = 1 WHERE pk = 'b' AND sk = 2", json!([]));
    let (code, _) = world.refused("ExecuteStatement", missing).await;
    assert_eq!(code, "ConditionalCheckFailedException");
    assert!(world.get("b", 2).await.is_null());

    let delete = "DELETE FROM test WHERE pk = 'b' AND sk = 1 AND n = 1 RETURNING ALL OLD *";
    assert_eq!(
        run(&world, delete, json!([])).await["Items"][0]["n"],
        json!({"N": "1"})
    );
    assert!(world.get("b", 1).await.is_null());
}

#[tokio::test]
async fn a_transaction_of_statements_can_ask_without_writing() {
    let world = filled().await;
    let transaction = |checked: &str| {
        json!({"TransactStatements": [
            {"Statement": format!("EXISTS(SELECT * FROM test WHERE pk = 'a' AND sk = 1 AND {checked})")},
            {"Statement": "UPDATE test SET n = 77 WHERE pk = 'a' AND sk = 2"},
        ]})
    };
    let error = world
        .call("ExecuteTransaction", transaction("n = 11"))
        .await
        .expect_err("n is 10");
    assert_eq!(error.code, "TransactionCanceledException");
    assert!(
        error.message.ends_with("[ConditionalCheckFailed, None]"),
        "{}",
        error.message
    );
    assert_eq!(world.get("a", 2).await["n"], json!({"N": "20"}));
    world.ok("ExecuteTransaction", transaction("n = 10")).await;
    assert_eq!(world.get("a", 2).await["n"], json!({"N": "77"}));
    assert_eq!(world.get("a", 1).await["n"], json!({"N": "10"}));

    let alone = "EXISTS(SELECT * FROM test WHERE pk = 'a' AND sk = 1)";
    let only_there = "The EXISTS function can only be used in transactions";
    let message = world
        .invalid("ExecuteStatement", request(alone, json!([])))
        .await;
    assert_eq!(message, only_there);
    let batch = json!({"Statements": [{"Statement": alone}]});
    let answer = world.ok("BatchExecuteStatement", batch).await;
    assert_eq!(answer["Responses"][0]["Error"]["Message"], only_there);
}

#[tokio::test]
async fn a_token_belongs_to_its_statement() {
    let world = filled().await;
    let select = |hash: &str| json!({"Statement": format!("SELECT * FROM test WHERE pk = '{hash}'"), "Limit": 4});
    let page = world.ok("ExecuteStatement", select("a")).await;
    let token = json!({"NextToken": page["NextToken"]});
    let other = with(select("b"), token);
    assert_eq!(
        world.invalid("ExecuteStatement", other).await,
        "NextToken does not match request"
    );
    let broken = with(select("a"), json!({"NextToken": "abc"}));
    assert_eq!(
        world.invalid("ExecuteStatement", broken).await,
        "Given NextToken is invalid"
    );
}

#[tokio::test]
async fn selects_come_in_pages() {
    let world = filled().await;
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let mut input = json!({"Statement": "SELECT * FROM test WHERE pk = 'a'", "Limit": 4});
        if let Some(token) = token.take() {
            input["NextToken"] = token;
        }
        let page = world.ok("ExecuteStatement", input).await;
        found.extend(range_keys(&page));
        match page.get("NextToken") {
            Some(next) => token = Some(next.clone()),
            None => break,
        }
    }
    assert_eq!(found, [0, 1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn statements_of_a_batch_stand_for_themselves() {
    let world = filled().await;
    let batch = |statements: &[&str]| {
        let statements: Vec<_> = statements
            .iter()
            .map(|one| json!({"Statement": one}))
            .collect();
        json!({"Statements": statements})
    };
    let answer = world
        .ok(
            "BatchExecuteStatement",
            batch(&[
                "SELECT n FROM test WHERE pk = 'a' AND sk = 1",
                "SELECT n FROM test WHERE pk = 'a'",
                "SELECT n FROM missing WHERE pk = 'a' AND sk = 1",
            ]),
        )
        .await;
    let responses = &answer["Responses"];
    assert_eq!(
        responses[0],
        json!({"TableName": "test", "Item": {"n": {"N": "10"}}})
    );
    assert_eq!(responses[1]["Error"]["Code"], "ValidationError");
    assert_eq!(responses[2]["Error"]["Code"], "ResourceNotFound");
    let answer = world
        .ok(
            "BatchExecuteStatement",
            batch(&[
                "INSERT INTO test VALUE {'pk': 'c', 'sk': 1}",
                "INSERT INTO test VALUE {'pk': 'a', 'sk': 1}",
            ]),
        )
        .await;
    assert_eq!(answer["Responses"][0], json!({"TableName": "test"}));
    assert_eq!(answer["Responses"][1]["Error"]["Code"], "DuplicateItem");
    assert_eq!(world.get("c", 1).await, key("c", 1));
    let mixed = batch(&[
        "SELECT * FROM test WHERE pk = 'a' AND sk = 1",
        "DELETE FROM test WHERE pk = 'a' AND sk = 1",
    ]);
    assert!(
        world
            .invalid("BatchExecuteStatement", mixed)
            .await
            .contains("not both")
    );
}

#[tokio::test]
async fn statements_of_a_transaction_stand_together() {
    let world = filled().await;
    let transaction = |statements: &[&str]| {
        let statements: Vec<_> = statements
            .iter()
            .map(|one| json!({"Statement": one}))
            .collect();
        json!({"TransactStatements": statements})
    };
    let (code, message) = world
        .refused(
            "ExecuteTransaction",
            transaction(&[
                "INSERT INTO test VALUE {'pk': 'c', 'sk': 1}",
                "INSERT INTO test VALUE {'pk': 'a', 'sk': 1}",
            ]),
        )
        .await;
    assert_eq!(code, "TransactionCanceledException");
    assert!(message.ends_with("[None, DuplicateItem]"), "{message}");
    assert!(world.get("c", 1).await.is_null());
    world
        .ok(
            "ExecuteTransaction",
            transaction(&[
                "INSERT INTO test VALUE {'pk': 'c', 'sk': 1}",
                "UPDATE test SET n = 7 WHERE pk = 'a' AND sk = 1",
            ]),
        )
        .await;
    let read = world
        .ok(
            "ExecuteTransaction",
            transaction(&[
                "SELECT n FROM test WHERE pk = 'a' AND sk = 1",
                "SELECT * FROM test WHERE pk = 'c' AND sk = 1",
            ]),
        )
        .await;
    assert_eq!(
        read["Responses"],
        json!([{"Item": {"n": {"N": "7"}}}, {"Item": key("c", 1)}])
    );
}
