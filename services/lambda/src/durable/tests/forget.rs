//! A function is deleted under its executions.

use serde_json::json;
use wire::Value;

use super::rig::{Rig, update, wait};
use crate::domain::function_name::FunctionName;
use crate::durable::chained_functions;
use crate::generated::{ChainedInvokeOptions, OperationAction, OperationType, OperationUpdate};

#[tokio::test]
async fn its_executions_end_and_go_and_those_that_wait_for_them_learn_of_it() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut parent = rig.turn().await;
    let chained = OperationUpdate {
        chained_invoke_options: Some(ChainedInvokeOptions {
            function_name: "child:$LATEST".to_owned(),
            ..ChainedInvokeOptions::default()
        }),
        ..update("i", OperationType::ChainedInvoke, OperationAction::Start)
    };
    parent.checkpoint(vec![chained]).await;
    parent.pending();
    let mut child = rig.turn().await;
    let child_arn = child.execution();
    child.checkpoint(vec![wait("w", 50)]).await;
    child.pending();
    assert!(rig.is_quiet().await);
    rig.durable.forget_function(FunctionName {
        place: arn.place.clone(),
        name: "child".to_owned(),
        qualifier: None,
    });
    let parent = rig.turn().await;
    assert_eq!(parent.operation("i")["Status"], "STOPPED");
    let error = &parent.operation("i")["ChainedInvokeDetails"]["Error"];
    assert_eq!(error["ErrorType"], "ResourceNotFoundException");
    for _ in 0..200 {
        if rig.durable.describe(&child_arn, true).await.is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(rig.durable.describe(&child_arn, true).await.is_err());
    rig.get(&arn).await;
}

#[tokio::test]
async fn a_checkpoint_needs_permission_for_what_it_invokes() {
    let rig = Rig::new().await;
    let place = rig.start().await.place;
    let text = |text: &str| Value::Str(text.to_owned());
    let options = Value::Map(vec![("FunctionName".to_owned(), text("child:1"))]);
    let updates = Value::List(vec![
        Value::Map(vec![("Id".to_owned(), text("a"))]),
        Value::Map(vec![("ChainedInvokeOptions".to_owned(), options)]),
    ]);
    let checkpoint = Value::Map(vec![("Updates".to_owned(), updates)]);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:child:1";
    assert_eq!(json!(chained_functions(&checkpoint, &place)), json!([arn]));
}
