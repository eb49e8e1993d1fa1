//! `multipart/form-data` as it arrives: fields in memory, the file as a stream.
//!
//! <https://www.rfc-editor.org/rfc/rfc7578>

use bytes::{Buf as _, Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};

use crate::content::ByteStream;
use crate::error::Error;

/// Longest head of one part.
const MAX_HEAD: usize = 16 * 1024;
/// Most bytes of all fields before the file.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>
const MAX_FIELDS: usize = 20 * 1024;
/// Longest boundary.
const MAX_BOUNDARY: usize = 70;

/// What comes before the content of the file.
#[derive(Debug)]
pub struct Form {
    /// In the order in which they were sent, names in lower case.
    pub fields: Vec<(String, String)>,
    pub file_name: Option<String>,
}

/// The boundary of a `multipart/form-data` content type.
pub fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("boundary");
        is_it.then(|| value.trim().trim_matches('"'))
    })?;
    (1..=MAX_BOUNDARY)
        .contains(&boundary.len())
        .then_some(boundary)
}

/// Reads a form up to the content of its file, and gives that as it arrives.
///
/// # Errors
/// `MalformedPOSTRequest`, `MaxPostPreDataLengthExceeded`; `InvalidArgument` without a file.
pub async fn read(body: ByteStream, boundary: &str) -> Result<(Form, ByteStream), Error> {
    let mut reader = Reader::new(body, boundary);
    let (mut fields, mut size) = (Vec::new(), 0);
    reader.skip_to_delimiter().await?;
    while let Some(head) = reader.head().await? {
        if head.name == "file" {
            let form = Form {
                fields,
                file_name: head.file_name,
            };
            return Ok((form, reader.into_file().boxed()));
        }
        let value = reader.field(MAX_FIELDS - size).await?;
        size += head.name.len() + value.len();
        if size > MAX_FIELDS {
            return Err(too_long());
        }
        let value = String::from_utf8(value.to_vec()).map_err(|_| malformed())?;
        fields.push((head.name, value));
    }
    Err(Error::invalid_argument(
        "POST requires exactly one file upload per request.",
        "file",
        "0",
    ))
}

fn malformed() -> Error {
    Error::bad_request(
        "MalformedPOSTRequest",
        "The body of your POST request is not well-formed multipart/form-data.",
    )
}

fn too_long() -> Error {
    Error::bad_request(
        "MaxPostPreDataLengthExceeded",
        "Your POST request fields preceding the upload file were too large.",
    )
}

struct Head {
    name: String,
    file_name: Option<String>,
}

struct Reader {
    body: ByteStream,
    buffer: BytesMut,
    /// What every part ends with.
    delimiter: Vec<u8>,
}

impl Reader {
    fn new(body: ByteStream, boundary: &str) -> Self {
        Self {
            body,
            // The first boundary may begin the body.
            buffer: BytesMut::from(&b"\r\n"[..]),
            delimiter: format!("\r\n--{boundary}").into_bytes(),
        }
    }

    async fn more(&mut self) -> Result<(), Error> {
        match self.body.next().await {
            Some(chunk) => {
                self.buffer.extend_from_slice(&chunk?);
                Ok(())
            }
            None => Err(malformed()),
        }
    }

    fn find(&self, what: &[u8]) -> Option<usize> {
        find(&self.buffer, what)
    }

    /// What may be taken although the delimiter has not been found: all but its possible start.
    fn safe(&self) -> usize {
        self.buffer.len().saturating_sub(self.delimiter.len() - 1)
    }

    async fn skip_to_delimiter(&mut self) -> Result<(), Error> {
        loop {
            if let Some(at) = self.find(&self.delimiter) {
                self.buffer.advance(at);
                return Ok(());
            }
            let safe = self.safe();
            self.buffer.advance(safe);
            self.more().await?;
        }
    }

    /// Of the part after the delimiter; `None` at the end of the form.
    async fn head(&mut self) -> Result<Option<Head>, Error> {
        let after = self.delimiter.len();
        while self.buffer.len() < after + 2 {
            self.more().await?;
        }
        match &self.buffer[after..after + 2] {
            b"--" => return Ok(None),
            b"\r\n" => self.buffer.advance(after + 2),
            _ => return Err(malformed()),
        }
        let end = loop {
            match self.find(b"\r\n\r\n") {
                Some(end) => break end,
                None if self.buffer.len() > MAX_HEAD => return Err(too_long()),
                None => self.more().await?,
            }
        };
        let head = self.buffer.split_to(end);
        self.buffer.advance(4);
        let text = std::str::from_utf8(&head).map_err(|_| malformed())?;
        disposition(text).map(Some).ok_or_else(malformed)
    }

    /// The value of a field, of not many more bytes than these.
    async fn field(&mut self, most: usize) -> Result<Bytes, Error> {
        loop {
            if let Some(at) = self.find(&self.delimiter) {
                return Ok(self.buffer.split_to(at).freeze());
            }
            if self.safe() > most {
                return Err(too_long());
            }
            self.more().await?;
        }
    }

    /// The content of the part, to its end. What comes after it is not read.
    fn into_file(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        stream::try_unfold(Some(self), |reader| async move {
            let Some(mut reader) = reader else {
                return Ok(None);
            };
            loop {
                if let Some(at) = reader.find(&reader.delimiter) {
                    let last = reader.buffer.split_to(at).freeze();
                    return Ok(Some((last, None)));
                }
                let safe = reader.safe();
                if safe > 0 {
                    let chunk = reader.buffer.split_to(safe).freeze();
                    return Ok(Some((chunk, Some(reader))));
                }
                reader.more().await?;
            }
        })
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let first = what.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        let at = from + at;
        if bytes[at..].starts_with(what) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// `form-data; name="key"; filename="a.txt"`.
fn disposition(head: &str) -> Option<Head> {
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.trim().eq_ignore_ascii_case("content-disposition");
        is_it.then_some(value)
    })?;
    let (mut name, mut file_name) = (None, None);
    for (key, value) in parameters(line) {
        match key.as_str() {
            "name" => name = Some(value.to_ascii_lowercase()),
            "filename" => file_name = Some(value),
            _ => {}
        }
    }
    Some(Head {
        name: name?,
        file_name,
    })
}

/// The parameters of a header, whose values may be quoted and hold semicolons then.
fn parameters(line: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = line.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_matches([' ', ';', '\t']).to_ascii_lowercase();
        let (value, next) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let (value, next) = unquote(quoted);
                (value, next)
            }
            None => match after.split_once(';') {
                Some((value, next)) => (value.trim().to_owned(), next),
                None => (after.trim().to_owned(), ""),
            },
        };
        found.push((key, value));
        rest = next;
    }
    found
}

/// Up to the closing quote; a backslash is kept unless it stands before a quote, as browsers send.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' if characters.peek().is_some_and(|(_, next)| *next == '"') => {
                value.push('"');
                characters.next();
            }
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use proptest::prelude::*;

    use super::*;

    fn chunks(body: &[u8], size: usize) -> ByteStream {
        let chunks: Vec<_> = body
            .chunks(size.max(1))
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        stream::iter(chunks).boxed()
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(work)
    }

    async fn whole(body: &[u8], size: usize) -> Result<(Form, Vec<u8>), Error> {
        let (form, file) = read(chunks(body, size), "XX").await?;
        let parts: Vec<Bytes> = file.try_collect().await?;
        Ok((form, parts.concat()))
    }

    #[test]
    fn boundaries() {
        assert_eq!(boundary("multipart/form-data; boundary=XX"), Some("XX"));
        assert_eq!(
            boundary("Multipart/Form-Data; a=b; boundary=\"X X\""),
            Some("X X")
        );
        for none in [
            "multipart/form-data",
            "text/plain; boundary=x",
            "multipart/form-data; boundary=",
        ] {
            assert_eq!(boundary(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn a_form_is_read_however_it_is_cut(
            file in prop::collection::vec(prop::sample::select(b"\r\n-Xa".to_vec()), 0..200),
            size in 1..40_usize,
        ) {
            prop_assume!(find(&file, b"\r\n--XX").is_none());
            let mut body = b"--XX\r\nContent-Disposition: form-data; name=\"Key\"\r\n\r\na;b\r\n\
                --XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x;\\\"y.txt\"\r\n\
                Content-Type: text/plain\r\n\r\n".to_vec();
            body.extend(&file);
            body.extend(b"\r\n--XX--\r\nrest");
            let (form, content) = run(whole(&body, size)).unwrap();
            prop_assert_eq!(form.fields, [("key".to_owned(), "a;b".to_owned())]);
            prop_assert_eq!(form.file_name.as_deref(), Some("x;\"y.txt"));
            prop_assert_eq!(content, file);
        }

        #[test]
        fn anything_else_is_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = run(whole(&body, 7));
        }
    }

    #[test]
    fn forms_that_cannot_be() {
        let head = "--XX\r\nContent-Disposition: form-data; name=\"";
        let code = |body: String| match run(whole(body.as_bytes(), 1000)) {
            Err(Error::Client(error)) => error.code.into_owned(),
            _ => "none".to_owned(),
        };
        assert_eq!(
            code(format!("{head}a\"\r\n\r\nb\r\n--XX--")),
            "InvalidArgument"
        );
        assert_eq!(
            code(format!("{head}file\"\r\n\r\nb")),
            "MalformedPOSTRequest"
        );
        assert_eq!(code("no boundary".to_owned()), "MalformedPOSTRequest");
        let long = "v".repeat(30_000);
        assert_eq!(
            code(format!("{head}a\"\r\n\r\n{long}\r\n--XX--")),
            "MaxPostPreDataLengthExceeded"
        );
    }
}
