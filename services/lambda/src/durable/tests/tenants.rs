//! Executions of functions with tenants: whom one is for, it is for to its end.

use super::rig::{Rig, update, wait};
use crate::generated::{ChainedInvokeOptions, OperationAction, OperationType, OperationUpdate};

#[tokio::test]
async fn every_invocation_is_for_the_tenant_of_the_beginning() {
    let rig = Rig::new().await;
    let arn = rig.start_for("blue", None).await.unwrap();
    let mut turn = rig.turn().await;
    assert_eq!(turn.tenant.as_deref(), Some("blue"));
    turn.checkpoint(vec![wait("w", 10)]).await;
    turn.pending();
    assert!(rig.is_quiet().await);
    // It is kept with the execution, not with the server.
    let rig = rig.restart().await;
    rig.manual.advance(std::time::Duration::from_secs(10));
    let turn = rig.turn().await;
    assert_eq!(turn.tenant.as_deref(), Some("blue"));
    turn.succeed("1");
    rig.ended(&arn).await;
}

#[tokio::test]
async fn a_name_finds_no_execution_of_another_tenant() {
    let rig = Rig::new().await;
    let blue = rig.start_for("blue", Some("n")).await.unwrap();
    assert_eq!(rig.start_for("blue", Some("n")).await.unwrap(), blue);
    let refused = rig.start_for("green", Some("n")).await.unwrap_err();
    assert_eq!(refused.code, "DurableExecutionAlreadyStartedException");
}

#[tokio::test]
async fn a_chained_execution_is_for_whom_the_checkpoint_names() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut parent = rig.turn().await;
    assert_eq!(parent.tenant, None);
    let chained = |id: &str, tenant: Option<&str>| OperationUpdate {
        chained_invoke_options: Some(ChainedInvokeOptions {
            function_name: "isolated:$LATEST".to_owned(),
            tenant_id: tenant.map(str::to_owned),
            ..ChainedInvokeOptions::default()
        }),
        ..update(id, OperationType::ChainedInvoke, OperationAction::Start)
    };
    let updates = vec![chained("named", Some("blue")), chained("nameless", None)];
    let answer = parent.checkpoint(updates).await;
    let operations = answer.new_execution_state.operations.unwrap();
    let nameless = operations.iter().find(|it| it.id == "nameless").unwrap();
    let error = nameless.chained_invoke_details.as_ref().unwrap();
    let message = error.error.as_ref().unwrap().error_message.as_deref();
    assert!(
        message.unwrap().contains("Add a valid tenant ID"),
        "{message:?}"
    );
    parent.pending();
    // The parent has seen the answer of the nameless one: only the child is left to run.
    let child = rig.turn().await;
    assert_eq!(child.tenant.as_deref(), Some("blue"));
    child.succeed("42");
    let parent = rig.turn().await;
    assert_eq!(
        parent.operation("named")["ChainedInvokeDetails"]["Result"],
        "42"
    );
    parent.succeed("1");
    rig.ended(&arn).await;
}
