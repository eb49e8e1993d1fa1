//! What API Gateway adds:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html>

use vtl::Json;

use crate::{rendered, text, with};

const BODY: &str = r#"{"z":1,"a":{"b":[1,"x",{"c":null}],"d-e":"it's"},"f":1.50}"#;

#[test]
fn the_payload() {
    assert_eq!(with(BODY, "$input.body"), BODY);
    assert_eq!(
        with(BODY, "$input.json('$.a')"),
        r#"{"b":[1,"x",{"c":null}],"d-e":"it's"}"#
    );
    assert_eq!(with(BODY, "$input.json('$')"), BODY.replace("1.50", "1.5"));
    assert_eq!(
        with(BODY, "$input.json('$.a.d-e') $input.json('$.none')"),
        r#""it's" """#
    );
    assert_eq!(
        with(BODY, "$input.path('$.a').b[1] $input.path('$.a.b').size()"),
        "x 3"
    );
    assert_eq!(with(BODY, "[$input.path('$.none')]"), "[]");
    assert_eq!(
        with(BODY, "$input.path('$.a')"),
        r#"{b=[1,"x",{"c":null}], d-e=it's}"#
    );
    assert_eq!(with("", "$input.body $input.json('$')"), "{} {}");
    assert_eq!(
        with("plain", "$input.json('$') $input.path('$')"),
        r#""plain" plain"#
    );
}

#[test]
fn the_parameters() {
    assert_eq!(
        text("$input.params('id') $input.params('q') $input.params('x-name')"),
        "7 a b it's"
    );
    assert_eq!(text("[$input.params('none')]"), "[]");
    assert_eq!(
        text("$input.params().path.id $input.params().querystring.get('id')"),
        "7 other"
    );
    // The template of AWS's documentation.
    let all = r#"#set($allParams = $input.params())
{
"params" : {
    #foreach($type in $allParams.keySet())
    #set($params = $allParams.get($type))
    "$type" : {
    #foreach($paramName in $params.keySet())
    "$paramName" : "$util.escapeJavaScript($params.get($paramName)).replaceAll("\\'","'")"
        #if($foreach.hasNext),#end
    #end
    }
    #if($foreach.hasNext),#end
    #end
}}"#;
    let all = text(all);
    let json = Json::parse(&all).unwrap_or_else(|| panic!("{all}"));
    let expected = r#"{"params":{"path":{"id":"7"},"querystring":{"q":"a b","id":"other"},"header":{"Accept":"*/*","X-Name":"it's"}}}"#;
    assert_eq!(json.to_string(), expected);
}

#[test]
fn the_utilities() {
    assert_eq!(
        text(r#"$util.escapeJavaScript("it's ""a"" \ é")"#),
        r#"it\'s \"a\" \\ \u00E9"#
    );
    assert_eq!(
        text("$util.urlEncode('a b&ü*') $util.urlDecode('a+b%26')"),
        "a+b%26%C3%BC* a b&"
    );
    assert_eq!(
        text("$util.base64Encode('hi!') $util.base64Decode('aGkh')"),
        "aGkh hi!"
    );
    assert_eq!(
        text(r#"#set($o = $util.parseJson('{"a":[1,{"b":2}]}'))$o.a[1].b $o"#),
        r#"2 {a=[1,{"b":2}]}"#
    );
    assert_eq!(text("[$util.parseJson('{')][$util.none('x')]"), "[][]");
}

#[test]
fn context_and_stage() {
    let template = "$context.stage $context.identity.sourceIp $context.authorizer.principalId \
                    ${stageVariables.version} $stageVariables.get('version')";
    assert_eq!(text(template), "prod 1.2.3.4 me v1 v1");
}

#[test]
fn overrides() {
    let template = "#set($context.responseOverride.status = 418)\
                    #set($context.responseOverride.header.X = 'y')\
                    #set($context.requestOverride.path.id = \"a$context.stage\")";
    let rendered = rendered(template, "").unwrap();
    assert_eq!(rendered.text, "");
    assert_eq!(
        rendered.response_override.to_string(),
        r#"{"header":{"X":"y"},"status":418}"#
    );
    let request = rendered.request_override.to_string();
    assert_eq!(
        request,
        r#"{"header":{},"path":{"id":"aprod"},"querystring":{}}"#
    );
}

/// A list made into another, as AWS's photo example does it.
#[test]
fn a_list_made_into_another() {
    let template = "#set($root = $input.path('$'))[#foreach($e in $root.photos){\"id\":$e.id,\
                    \"title\":\"$e.title\"}#if($foreach.hasNext),#end#end]";
    let body = r#"{"photos":[{"id":1,"title":"a"},{"id":2}]}"#;
    assert_eq!(
        with(body, template),
        r#"[{"id":1,"title":"a"},{"id":2,"title":""}]"#
    );
}
