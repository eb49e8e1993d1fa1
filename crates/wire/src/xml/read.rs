//! XML bodies to the tree, led by the schema
//! (<https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html>).

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use crate::schema::{Location, MapSchema, MemberSchema, Schema, StructureSchema, TimestampFormat};
use crate::{Value, WireError, scalar};

/// Reads the members of a body, whatever its outermost element is called.
///
/// # Errors
/// `MalformedXML` for what is no XML; `SerializationException` for a scalar of the wrong type.
pub fn read_structure(schema: &StructureSchema, xml: &[u8]) -> Result<Value, WireError> {
    let outermost = parse(xml).ok_or_else(malformed)?;
    structure(schema, &outermost)
}

fn malformed() -> WireError {
    let message = "The XML you provided was not well-formed or did not validate against our \
                   published schema";
    WireError::bad_request("MalformedXML", message)
}

/// Deeper than any model is.
const DEEPEST: usize = 64;

/// An element as written, names without their prefixes.
#[derive(Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

/// `None` if the text is no well-formed XML, or too deep. Document types are refused: nothing of
/// AWS's has one, and entities could grow without bound.
fn parse(xml: &[u8]) -> Option<Element> {
    let mut reader = Reader::from_str(str::from_utf8(xml).ok()?);
    let mut open: Vec<Element> = Vec::new();
    let mut outermost = None;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) if outermost.is_none() && open.len() < DEEPEST => {
                open.push(Element::begun(&start)?);
            }
            Event::Empty(start) if outermost.is_none() => {
                end(Element::begun(&start)?, &mut open, &mut outermost);
            }
            Event::End(_) => end(open.pop()?, &mut open, &mut outermost),
            Event::Text(text) => {
                let text = text.decode().ok()?;
                add_text(&text, &mut open)?;
            }
            Event::CData(text) => add_text(&text.decode().ok()?, &mut open)?,
            Event::GeneralRef(reference) => {
                let reference = format!("&{};", reference.decode().ok()?);
                add_text(&unescape(&reference).ok()?, &mut open)?;
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Start(_) | Event::Empty(_) | Event::DocType(_) => return None,
            Event::Eof => return outermost.filter(|_| open.is_empty()),
        }
    }
}

fn end(element: Element, open: &mut [Element], outermost: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *outermost = Some(element),
    }
}

/// White space may stand outside the outermost element.
fn add_text(text: &str, open: &mut [Element]) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return None,
    }
    Some(())
}

impl Element {
    fn begun(start: &BytesStart<'_>) -> Option<Self> {
        let name = str::from_utf8(start.local_name().as_ref()).ok()?.to_owned();
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.ok()?;
            let key = str::from_utf8(attribute.key.as_ref()).ok()?.to_owned();
            let value = unescape(str::from_utf8(&attribute.value).ok()?)
                .ok()?
                .into_owned();
            attributes.push((key, value));
        }
        Some(Self {
            name,
            attributes,
            ..Self::default()
        })
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

fn structure(schema: &StructureSchema, element: &Element) -> Result<Value, WireError> {
    let mut members = Vec::new();
    for member in schema
        .members
        .iter()
        .filter(|member| member.location == Location::Body)
    {
        if let Some(value) = self::member(member, element)? {
            members.push((member.name.to_owned(), value));
        }
    }
    Ok(Value::Map(members))
}

fn member(member: &MemberSchema, parent: &Element) -> Result<Option<Value>, WireError> {
    let name = member.wire_name;
    if member.xml_attribute {
        let attribute = parent.attributes.iter().find(|(key, _)| key == name);
        return attribute
            .map(|(_, text)| scalar_of(member.schema, text))
            .transpose();
    }
    match member.schema {
        Schema::List(list) if list.flattened => {
            // Clients write the member's name or, where the model gives one, the item's.
            let is_item = |child: &&Element| {
                child.name == name || (child.name == list.member_name && child.name != "member")
            };
            let items = parent.children.iter().filter(is_item);
            let items: Vec<Value> = items
                .map(|child| value(list.member, child))
                .collect::<Result<_, _>>()?;
            Ok((!items.is_empty()).then_some(Value::List(items)))
        }
        Schema::Map(map) if map.flattened => {
            let entries = entries(map, parent.named(name))?;
            Ok((!entries.is_empty()).then_some(Value::Map(entries)))
        }
        schema => parent
            .named(name)
            .next()
            .map(|child| value(schema, child))
            .transpose(),
    }
}

fn value(schema: Schema, element: &Element) -> Result<Value, WireError> {
    match schema {
        Schema::Structure(schema) => structure(schema, element),
        Schema::List(list) => {
            let items = element
                .named(list.member_name)
                .map(|child| value(list.member, child));
            Ok(Value::List(items.collect::<Result<_, _>>()?))
        }
        Schema::Map(map) => Ok(Value::Map(entries(map, element.named("entry"))?)),
        schema => scalar_of(schema, &element.text),
    }
}

fn entries<'e>(
    map: &MapSchema,
    elements: impl Iterator<Item = &'e Element>,
) -> Result<Vec<(String, Value)>, WireError> {
    let mut entries = Vec::new();
    for entry in elements {
        let key = entry.named(map.key_name).next().ok_or_else(malformed)?;
        let held = entry.named(map.value_name).next().ok_or_else(malformed)?;
        entries.push((key.text.clone(), value(map.value, held)?));
    }
    Ok(entries)
}

fn scalar_of(schema: Schema, text: &str) -> Result<Value, WireError> {
    let text = if matches!(schema, Schema::String(_)) {
        text
    } else {
        text.trim()
    };
    scalar::parse(schema, text, TimestampFormat::Iso8601)
        .ok_or_else(|| WireError::serialization(scalar::mismatch("STRING_VALUE", schema)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Bounds, ListSchema, StringSchema};

    const TEXT: Schema = Schema::String(&StringSchema::ANY);
    static LIST: ListSchema = ListSchema {
        member: TEXT,
        member_name: "Item",
        flattened: false,
        bounds: Bounds::NONE,
    };
    static FLAT: ListSchema = ListSchema {
        member: TEXT,
        member_name: "Item",
        flattened: true,
        bounds: Bounds::NONE,
    };
    static MAP: MapSchema = MapSchema {
        key: TEXT,
        value: Schema::Integer(&Bounds::NONE),
        key_name: "K",
        value_name: "V",
        flattened: false,
        bounds: Bounds::NONE,
    };
    static BODY: StructureSchema = StructureSchema {
        name: "Body",
        members: &[
            MemberSchema::new("Type", TEXT)
                .named("xsi:type")
                .xml_attribute(),
            MemberSchema::new("Name", TEXT),
            MemberSchema::new("Items", Schema::List(&LIST)),
            MemberSchema::new("Flat", Schema::List(&FLAT)),
            MemberSchema::new("Counts", Schema::Map(&MAP)),
            MemberSchema::new("At", Schema::Timestamp(None)),
            MemberSchema::new("Inner", Schema::Structure(&BODY)),
        ],
        payload: None,
    };

    #[test]
    fn members_of_every_kind() {
        let xml = r#"<?xml version="1.0"?>
            <b:Body xmlns:b="urn:x" xsi:type="t&amp;u">
              <Name> a&lt;b&#233;<![CDATA[&]]> </Name><Unknown><Name>no</Name></Unknown>
              <Items><Item>1</Item><Item/></Items><Flat>x</Flat><Item>y</Item>
              <Counts><entry><K>k</K><V> 7 </V></entry></Counts>
              <At>2026-11-23T20:35:44Z</At><Inner><Name>in</Name></Inner>
            </b:Body>"#;
        let body = read_structure(&BODY, xml.as_bytes()).unwrap();
        let text = |text: &str| Value::Str(text.to_owned());
        assert_eq!(body.get("Type"), Some(&text("t&u")));
        assert_eq!(body.get("Name"), Some(&text(" a<bé& ")));
        assert_eq!(
            body.get("Items"),
            Some(&Value::List(vec![text("1"), text("")]))
        );
        assert_eq!(
            body.get("Flat"),
            Some(&Value::List(vec![text("x"), text("y")]))
        );
        assert_eq!(
            body.get("Counts"),
            Some(&Value::Map(vec![("k".into(), Value::Int(7))]))
        );
        let at = base::Timestamp::from_millis(1_795_466_144_000);
        assert_eq!(body.get("At"), Some(&Value::Time(at)));
        assert_eq!(body.get("Inner").unwrap().get("Name"), Some(&text("in")));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(xml in "(<[/!?a]?[a-zC]{0,3}[ =\"/\\[\\]-]{0,3}>?|&[a-z#0-9]{0,4};?|.){0,20}") {
            let _ = read_structure(&BODY, xml.as_bytes());
        }
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        for wrong in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a>&nope;</a>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
            "<Body><Counts><entry><K>k</K></entry></Counts></Body>",
            &deep,
        ] {
            let error = read_structure(&BODY, wrong.as_bytes()).unwrap_err();
            assert_eq!(error.code, "MalformedXML", "{wrong}");
        }
        let error = read_structure(&BODY, b"<Body><At>soon</At></Body>").unwrap_err();
        assert_eq!(error.code, "SerializationException");
    }
}
