//! The tree to XML text.

use crate::schema::{MemberSchema, Schema, StructureSchema, TimestampFormat};
use crate::{Value, scalar};

/// Which of a member's names elements carry.
pub type ElementName = fn(&MemberSchema) -> &'static str;

/// An XML document in the making.
pub struct Xml {
    text: String,
    element_name: ElementName,
}

impl Xml {
    pub fn new(element_name: ElementName) -> Self {
        Self {
            text: String::new(),
            element_name,
        }
    }

    pub fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    /// With attributes; each is escaped.
    pub fn open_with(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.text.push('<');
        self.text.push_str(name);
        for (key, value) in attributes {
            self.text.push(' ');
            self.text.push_str(key);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
        }
        self.text.push('>');
    }

    pub fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    pub fn element(&mut self, name: &str, content: &str) {
        self.open(name);
        escape(content, &mut self.text);
        self.close(name);
    }

    /// As it is.
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    /// The members that are there, each as elements, in the model's order.
    pub fn members(&mut self, schema: &StructureSchema, value: &Value) {
        for member in schema.members.iter().filter(|member| !member.xml_attribute) {
            if let Some(value) = value.get(member.name)
                && *value != Value::Null
            {
                self.value((self.element_name)(member), member.schema, value);
            }
        }
    }

    pub fn value(&mut self, name: &str, schema: Schema, value: &Value) {
        match (schema, value) {
            (Schema::Structure(structure), Value::Map(_)) => {
                self.open_structure(name, structure, value);
                self.members(structure, value);
                self.close(name);
            }
            (Schema::List(list), Value::List(items)) => {
                if list.flattened {
                    // The item's own name, if the model gives one, stands for the list's.
                    let name = if list.member_name == "member" {
                        name
                    } else {
                        list.member_name
                    };
                    for item in items {
                        self.value(name, list.member, item);
                    }
                } else {
                    self.open(name);
                    for item in items {
                        self.value(list.member_name, list.member, item);
                    }
                    self.close(name);
                }
            }
            (Schema::Map(map), Value::Map(entries)) => {
                let entry_name = if map.flattened { name } else { "entry" };
                if !map.flattened {
                    self.open(name);
                }
                for (key, value) in entries {
                    self.open(entry_name);
                    self.element(map.key_name, key);
                    self.value(map.value_name, map.value, value);
                    self.close(entry_name);
                }
                if !map.flattened {
                    self.close(name);
                }
            }
            _ => {
                if let Some(text) = scalar::format(schema, value, TimestampFormat::Iso8601) {
                    self.element(name, &text);
                }
            }
        }
    }

    fn open_structure(&mut self, name: &str, schema: &StructureSchema, value: &Value) {
        let attributes: Vec<(&str, String)> = schema
            .members
            .iter()
            .filter(|member| member.xml_attribute)
            .filter_map(|member| {
                let value = value.get(member.name)?;
                let text = scalar::format(member.schema, value, TimestampFormat::Iso8601)?;
                Some((member.wire_name, text))
            })
            .collect();
        let attributes: Vec<(&str, &str)> = attributes
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        self.open_with(name, &attributes);
    }
}

/// Characters that XML 1.0 cannot hold at all become U+FFFD.
fn escape(text: &str, xml: &mut String) {
    for letter in text.chars() {
        match letter {
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '&' => xml.push_str("&amp;"),
            '"' => xml.push_str("&quot;"),
            '\r' => xml.push_str("&#xD;"),
            '\t' | '\n' => xml.push(letter),
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            _ => xml.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_and_control_characters_are_escaped() {
        let mut xml = String::new();
        escape("a<b>&\"c\"\r\n\u{1}é", &mut xml);
        assert_eq!(xml, "a&lt;b&gt;&amp;&quot;c&quot;&#xD;\n\u{fffd}é");
    }
}
