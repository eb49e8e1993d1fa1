//! What a template may cost.

use vtl::{RenderError, Template};

use crate::rendered;

fn stopped(template: &str) -> RenderError {
    rendered(template, "").unwrap_err()
}

#[test]
fn loops_inside_loops_end() {
    let template = "#foreach($a in [1..1000])#foreach($b in [1..1000])#foreach($c in [1..1000])\
                    #set($x = 1)#end#end#end";
    assert!(matches!(
        stopped(template),
        RenderError::Steps | RenderError::Memory
    ));
}

#[test]
fn texts_that_double_end() {
    let template = "#set($s = 'xxxxxxxxxxxxxxxx')#foreach($i in [1..100])#set($s = \"$s$s\")#end";
    assert!(matches!(
        stopped(template),
        RenderError::Memory | RenderError::Output
    ));
    let template = "#set($s = 'aaaaaaaaaaaaaaaaaaaa')#foreach($i in [1..50])\
                    #set($s = $s.replace('a', $s))#end";
    assert_eq!(stopped(template), RenderError::Memory);
    let template = "#set($s = 'aaaaaaaaaaaaaaaaaaaa')#foreach($i in [1..50])\
                    #set($s = $s.replaceAll('a', $s))#end";
    assert_eq!(stopped(template), RenderError::Memory);
}

#[test]
fn lists_that_hold_themselves_end() {
    assert_eq!(
        stopped("#set($l = [1])#set($x = $l.add($l))$l"),
        RenderError::Depth
    );
    assert_eq!(
        stopped("#set($m = {})#set($m.m = $m)$m"),
        RenderError::Depth
    );
    let deep = "#set($l = [1])#foreach($i in [1..500])#set($l = [$l])#end$l";
    assert_eq!(stopped(deep), RenderError::Depth);
    let wide = "#set($l = [1])#foreach($i in [1..40])#set($l = [$l, $l])#end$l";
    assert!(matches!(
        stopped(wide),
        RenderError::Steps | RenderError::Memory
    ));
    let doubled = "#set($l = [1])#foreach($i in [1..100])#set($x = $l.addAll($l))#end";
    assert_eq!(stopped(doubled), RenderError::Memory);
}

#[test]
fn ranges_are_bounded_before_they_are_made() {
    assert_eq!(
        stopped("#set($r = [0..9000000000000000000])"),
        RenderError::Memory
    );
    assert_eq!(
        stopped("#set($r = [-9000000000000000000..9000000000000000000])"),
        RenderError::Memory
    );
}

#[test]
fn blocks_and_macros_that_call_themselves_end() {
    assert_eq!(stopped("#define($a)$a#end$a"), RenderError::Depth);
    assert_eq!(stopped("#macro(a)#a()#end#a()"), RenderError::Depth);
    assert_eq!(
        stopped("#set($s = '#evaluate($s)')#evaluate($s)"),
        RenderError::Depth
    );
}

#[test]
fn nesting_is_bounded() {
    for deep in [
        "#if(true)".repeat(5_000),
        format!("#set($x = {}", "(".repeat(5_000)),
        format!("#set($x = {}", "!".repeat(5_000)),
        format!("#set($x = {}1", "-".repeat(5_000)),
        format!("$x{}", "[$x".repeat(5_000)),
        format!("$x{}", ".a($x".repeat(5_000)),
        format!("#set($x = 1{})", " + 1".repeat(5_000)),
    ] {
        let read = Template::parse(&deep);
        assert!(read.is_err() || !deep.starts_with('#'));
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_template_or_is_refused(text in "\\PC{0,200}") {
        let _ = rendered(&text, "{\"a\":[1]}");
    }

    #[test]
    fn pieces_of_templates_in_any_order(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "#if(", "#foreach(", "#set(", "#end", "#else", "#elseif(", "$a", "$!{", "}", ")", "(", "[",
                "]", "$input.path('$')", ".a", "\"", "'", "==", " in ", " = ", "1", "..", "#define(", "#macro(m ",
                "#m(", "\\", "##", "#*", "*#", "\n", "{", ":", ",", "#stop", "#break", ".size()", "$foreach.",
                "#[[", "]]#", "é", "-", "+", "/", "%", "$util.parseJson(",
            ]),
            0..40,
        )
    ) {
        let text = pieces.concat();
        let _ = rendered(&text, "{\"a\":[1,{\"b\":2}]}");
    }

    #[test]
    fn texts_without_signs_stay(text in "[^$#\\\\]{0,200}") {
        proptest::prop_assert_eq!(rendered(&text, "").unwrap().text, text);
    }
}
