//! Velocity itself: <https://velocity.apache.org/engine/1.7/user-guide.html>

use crate::text;

#[test]
fn references_in_every_form() {
    let all = "#set($a = 'x')$a ${a}y $!a $!{a} $b ${b} $!b|$!{b} $a.b| $a. $5 $ a";
    assert_eq!(text(all), "x xy x x $b ${b} | | x. $5 $ a");
}

#[test]
fn what_has_no_value_is_written_as_it_stands_unless_its_variable_has() {
    assert_eq!(text("$nobody.home(1)[2]"), "$nobody.home(1)[2]");
    assert_eq!(text("[$context.nothing][$stageVariables.nothing]"), "[][]");
}

#[test]
fn escapes() {
    assert_eq!(
        text(r"#set($a = 1)\$a \\$a \\\$a \$b \\$b \x"),
        r"$a \1 \$a \$b \\$b \x"
    );
    assert_eq!(text(r"\#set($a = 1)"), "#set($a = 1)");
    assert_eq!(text(r"\#foo #foo # #5"), r"\#foo #foo # #5");
}

#[test]
fn comments_and_unparsed_text() {
    assert_eq!(
        text("a## b\nc#* d\n *#e#[[ $x #if ]]#"),
        "ac".to_owned() + "e $x #if "
    );
}

#[test]
fn conditions() {
    let which = |x: &str| {
        text(&format!(
            "#set($x = {x})#if($x == 1)one#elseif($x > 1 && $x < 5)few#{{else}}many#end"
        ))
    };
    assert_eq!(which("1"), "one");
    assert_eq!(which("3"), "few");
    assert_eq!(which("9"), "many");
    assert_eq!(text("#if($nothing)a#else b#end"), " b");
    assert_eq!(text("#if(!$nothing)a#end#if('')b#end#if(false)c#end"), "ab");
    assert_eq!(
        text("#if(1 == 1.0 and 'a' eq 'a' or not true)yes#end"),
        "yes"
    );
    assert_eq!(text("#if('1' == 1)yes#end#if($a == $b)both#end"), "yesboth");
    assert_eq!(
        text("#if(2 ge 2 && 1 le 2 && 2 ne 1 && 1 lt 2 && 2 gt 1)yes#end"),
        "yes"
    );
}

#[test]
fn loops() {
    assert_eq!(
        text("#foreach($i in [1..3])$i#if($foreach.hasNext),#end#end$!i"),
        "1,2,3"
    );
    assert_eq!(
        text("#foreach($i in [3..1])$velocityCount:$i #end"),
        "1:3 2:2 3:1 "
    );
    let nested = "#foreach($a in ['x','y'])#foreach($b in [1,2])\
                  $foreach.parent.index$foreach.count #end#end";
    assert_eq!(text(nested), "01 02 11 12 ");
    assert_eq!(
        text("#foreach($i in [1..9])#if($i == 3)#break#end$i#end."),
        "12."
    );
    assert_eq!(text("#foreach($v in {'a':1,'b':2})$v#end"), "12");
    assert_eq!(text("#set($i = 'o')#foreach($i in [1])$i#end$i"), "1o");
    assert_eq!(
        text("#foreach($i in [1,2])$foreach.first/$foreach.last #end"),
        "true/false false/true "
    );
    assert_eq!(text("a#stop b"), "a");
    // AWS's bound.
    assert_eq!(text("#foreach($i in [1..2000])x#end").len(), 1_000);
}

#[test]
fn arithmetic_as_java_does_it() {
    assert_eq!(
        text(
            "#set($a = 7 / 2)#set($b = 7 % 4 * (1 + 2))#set($c = 1.5 + 1)#set($d = -3)$a $b $c $d"
        ),
        "3 9 2.5 -3"
    );
    assert_eq!(
        text("#set($a = 1)#set($a = $a + 1)#set($s = 'n' + $a)$a $s"),
        "2 n2"
    );
    // Division by nothing gives nothing, and nothing is not set.
    assert_eq!(text("#set($a = 'kept')#set($a = 1 / 0)$a"), "kept");
    assert_eq!(text("#set($a = 10000000.0 * 10)$a"), "1.0E8");
}

#[test]
fn lists_maps_and_texts() {
    let lists = "#set($l = [1, 'b', [2.0], {'k': true}])$l $l.size() $l[0] $l.get(1) \
                 #set($x = $l.add(5))$l.contains(5) $l.isEmpty() $l[-1] $l.subList(0, 2)";
    assert_eq!(
        text(lists),
        "[1, b, [2.0], {k=true}] 4 1 btrue false 5 [1, b]"
    );
    let maps = "#set($m = {'a': 1})#set($m.b = 2)#set($m['c d'] = 3)$!m.put('e', 4)\
                $m $m.a $m.get('b') $m['c d'] $m.containsKey('z') $m.keySet() $m.values() \
                #foreach($e in $m.entrySet())$e.key=$e.getValue();#end $m.size()";
    let expected = "{a=1, b=2, c d=3, e=4} 1 2 3 false [a, b, c d, e] [1, 2, 3, 4] \
                    a=1;b=2;c d=3;e=4; 4";
    assert_eq!(text(maps), expected);
    let texts = "#set($s = ' Hello ')$s.trim().toUpperCase() $s.length() $s.indexOf('l') \
                 $s.replace('l', 'L') $s.trim().substring(1, 3) $s.contains('ell') \
                 $s.trim().split('l').size() $s.equals(' Hello ') $s.trim().charAt(0) \
                 $s.replaceAll('([aeo])', '<$1>') $s.matches('.*lo ') $s.isEmpty()";
    let expected = "HELLO 7 3  HeLLo  el true 3 true H  H<e>ll<o>  true false";
    assert_eq!(text(texts), expected);
    assert_eq!(text("#set($i = 0)#set($n = $i.parseInt('12') + 1)$n"), "13");
    assert_eq!(text("#set($s = 'a,b,,')$s.split(',')"), "[a, b]");
    assert_eq!(
        text("#set($s = 'äöü')$s.length() $s.substring(1) $s.indexOf('ü')"),
        "3 öü 2"
    );
}

#[test]
fn quotes() {
    assert_eq!(
        text(r#"#set($n = 'w')#set($s = "hi $n ""x"" \u00e9")$s"#),
        "hi w \"x\" é"
    );
    assert_eq!(text("#set($s = 'hi $n ''x''')$s"), "hi $n 'x'");
    assert_eq!(
        text(r##"#set($s = "#if(true)a#end")$s #set($h = "#")$h"##),
        "a#"
    );
}

#[test]
fn directives_take_their_lines_ends() {
    let template = "a\n  #set($x = 1)\n#if($x == 1)\nb\n#end\n#foreach($i in [1])\nc\n#end\nd";
    assert_eq!(text(template), "a\nb\nc\nd");
}

#[test]
fn blocks_and_macros() {
    assert_eq!(
        text("#define($b)[$x]#end#set($x = 1)$b#set($x = 2)$b"),
        "[1][2]"
    );
    let loops = "#define($loop){#foreach($k in $m.keySet())\"$k\":\"$m[$k]\"#if($foreach.hasNext),#end#end}#end\
                 #set($m = {'a': 1, 'b': 2})$loop";
    assert_eq!(text(loops), r#"{"a":"1","b":"2"}"#);
    assert_eq!(
        text("#macro(greet $who)hi $who!#end#greet('you')#greet(\"me\")"),
        "hi you!hi me!"
    );
    assert_eq!(text("#evaluate('#set($x = 3)$x')"), "3");
}

#[test]
fn what_does_not_end_is_an_error_with_its_line() {
    for broken in [
        "a\n#if(true)",
        "a\n#foreach($x in $y) ",
        "a\n#set($x)",
        "a\n#set(x = 1)",
        "a\n#end",
        "a\n#if(",
        "a\n#* ",
        "a\n#set($x = )",
        "a\n#set($x = [1",
        "a\n#parse('x')",
    ] {
        let error = vtl::Template::parse(broken).unwrap_err();
        assert_eq!(error.line, 2, "{broken}: {error}");
    }
}
