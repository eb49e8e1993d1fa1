//! The items in an object of an import, one after another.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Format.html>

use std::io::{BufRead, BufReader, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, Bytes};
use flate2::bufread::MultiGzDecoder;
use serde_json::{Map, Value};

use super::json;
use super::key::{KeyAttribute, KeyKind};
use super::number::Number;
use super::value::{Attribute, Item};
use crate::archive::Format;

/// A line beyond is no item: the largest, all of it escaped, is shorter.
const LONGEST_LINE: u64 = 8 << 20;

/// An item, or what is wrong with its line.
pub type Read1 = Result<Item, String>;

/// Reads an object. What cannot be read at all ends it with an error.
pub fn items(
    object: Bytes,
    is_gzip: bool,
    format: &Format,
    attributes: &[KeyAttribute],
) -> Box<dyn Iterator<Item = Read1> + Send> {
    let plain = object.reader();
    let source: Box<dyn Read + Send> = if is_gzip {
        Box::new(MultiGzDecoder::new(plain))
    } else {
        Box::new(plain)
    };
    match format {
        Format::Json => Box::new(Lines(Some(BufReader::new(source))).flat_map(of_json)),
        Format::Csv { delimiter, columns } => {
            let delimiter = delimiter
                .and_then(|it| u8::try_from(it).ok())
                .unwrap_or(b',');
            let reader = csv::ReaderBuilder::new()
                .delimiter(delimiter)
                .has_headers(false)
                .flexible(true)
                .from_reader(source.take(u64::MAX));
            let mut rows = reader.into_records();
            let columns = columns.clone().or_else(|| {
                let header = rows.next()?.ok()?;
                Some(header.iter().map(str::to_owned).collect())
            });
            let columns = columns.unwrap_or_default();
            let attributes = attributes.to_vec();
            let mut broken = false;
            let rows = std::iter::from_fn(move || {
                let row = rows.next().filter(|_| !broken)?;
                broken = row.is_err();
                Some(row)
            });
            Box::new(rows.map(move |row| match row {
                Ok(row) => of_row(&row, &columns, &attributes),
                Err(error) => Err(error.to_string()),
            }))
        }
    }
}

/// Lines that are not empty. Ends after the first error.
struct Lines<R>(Option<BufReader<R>>);

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<Vec<u8>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let reader = self.0.as_mut()?;
            let mut line = Vec::new();
            match reader.take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(length) if length as u64 == LONGEST_LINE => {
                    self.0 = None;
                    return Some(Err("A line is too long to be an item".to_owned()));
                }
                Ok(_) if line.iter().all(u8::is_ascii_whitespace) => {}
                Ok(_) => return Some(Ok(line)),
                Err(error) => {
                    self.0 = None;
                    return Some(Err(error.to_string()));
                }
            }
        }
    }
}

/// The items of a line: as a rule one, but they may also stand one after another.
fn of_json(line: Result<Vec<u8>, String>) -> Vec<Read1> {
    let line = match line {
        Ok(line) => line,
        Err(error) => return vec![Err(error)],
    };
    let documents = serde_json::Deserializer::from_slice(&line).into_iter::<Map<String, Value>>();
    let items = documents.map(|document| {
        let mut document = document.map_err(|error| format!("Invalid JSON: {error}"))?;
        match document.remove("Item") {
            Some(Value::Object(members)) => json::read(members).map_err(|invalid| invalid.message),
            _ => Err("The line has no Item".to_owned()),
        }
    });
    items.collect()
}

/// Everything is text but key attributes of another type. An empty field is no attribute.
fn of_row(row: &csv::StringRecord, columns: &[String], attributes: &[KeyAttribute]) -> Read1 {
    if row.len() > columns.len() {
        return Err("The row has more fields than there are columns".to_owned());
    }
    let fields = columns
        .iter()
        .zip(row)
        .filter(|(_, field)| !field.is_empty());
    fields
        .map(|(name, field)| {
            let kind = attributes.iter().find(|attribute| attribute.name == *name);
            let value = match kind.map(|attribute| attribute.kind) {
                None | Some(KeyKind::S) => Attribute::S(field.to_owned()),
                Some(KeyKind::N) => Attribute::N(Number::parse(field).map_err(|it| it.message)?),
                Some(KeyKind::B) => {
                    let decoded = STANDARD.decode(field);
                    let bytes = decoded.map_err(|_| format!("{name} is no base64"))?;
                    Attribute::B(bytes.into())
                }
            };
            Ok((name.clone(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn csv(columns: Option<Vec<String>>, text: &'static str) -> Vec<Read1> {
        let attributes = [KeyAttribute {
            name: "n".to_owned(),
            kind: KeyKind::N,
        }];
        let format = Format::Csv {
            delimiter: None,
            columns,
        };
        items(
            Bytes::from_static(text.as_bytes()),
            false,
            &format,
            &attributes,
        )
        .collect()
    }

    #[test]
    fn rows_are_texts_and_key_attributes() {
        let read = csv(None, "id,n,note\na,1,\"x, \"\"y\"\"\"\nb,x,\nc,2,,\nd,3\n");
        let item = read[0].clone().unwrap();
        assert_eq!(item["id"], Attribute::S("a".into()));
        assert_eq!(item["n"], Attribute::N(Number::parse("1").unwrap()));
        assert_eq!(item["note"], Attribute::S("x, \"y\"".into()));
        assert!(read[1].is_err() && read[2].is_err());
        assert_eq!(read[3].clone().unwrap().len(), 2);
        let named = csv(Some(vec!["id".into(), "n".into()]), "a,1\n");
        assert_eq!(named[0].clone().unwrap()["id"], Attribute::S("a".into()));
    }

    proptest! {
        #[test]
        fn nonsense_is_refused_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200), gzip: bool, json: bool,
        ) {
            let csv = Format::Csv { delimiter: Some(';'), columns: None };
            let format = if json { Format::Json } else { csv };
            let read = items(bytes.into(), gzip, &format, &[]);
            prop_assert!(read.count() <= 201);
        }
    }
}
