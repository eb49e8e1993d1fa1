//! A small HTTP/1.1 client that says exactly what it is told to, and keeps its connection.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// No answer takes longer than this, on a machine under load.
const PATIENCE: Duration = Duration::from_mins(1);

/// One client: an access key, a region, and a connection that is made again when it has ended.
pub struct Client {
    port: u16,
    access_key: String,
    region: String,
    connection: Option<BufReader<TcpStream>>,
}

/// A request about to be sent.
pub struct Request<'a> {
    service: &'a str,
    method: &'a str,
    target: &'a str,
    headers: Vec<String>,
    body: &'a [u8],
}

/// An answer read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl<'a> Request<'a> {
    /// `service` is the name in the credential scope; an empty one sends no signature at all.
    pub fn new(service: &'a str, method: &'a str, target: &'a str) -> Self {
        Self {
            service,
            method,
            target,
            headers: Vec::new(),
            body: b"",
        }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(format!("{name}: {value}"));
        self
    }

    #[must_use]
    pub fn body(mut self, body: &'a [u8]) -> Self {
        self.body = body;
        self
    }
}

impl Client {
    pub fn new(port: u16) -> Self {
        let (access_key, region) = ("test".to_owned(), "us-east-1".to_owned());
        Self {
            port,
            access_key,
            region,
            connection: None,
        }
    }

    /// Sends one request and reads its answer. An error means that the server was not there, or
    /// went away before it had answered.
    pub fn send(&mut self, request: &Request<'_>) -> Result<Answer> {
        let answer = self.exchange(request);
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    fn exchange(&mut self, request: &Request<'_>) -> Result<Answer> {
        let head = self.head(request);
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(self.port)?),
        };
        connection
            .get_mut()
            .write_all(&[head.as_bytes(), request.body].concat())?;
        let answer = read_answer(connection, request.method)?;
        if answer
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
        {
            self.connection = None;
        }
        Ok(answer)
    }

    fn head(&self, request: &Request<'_>) -> String {
        let Request {
            service,
            method,
            target,
            headers,
            body,
        } = request;
        let mut lines = vec![format!("{method} {target} HTTP/1.1")];
        lines.extend(headers.iter().cloned());
        if !names(headers, "host") {
            lines.push(format!("host: 127.0.0.1:{}", self.port));
        }
        if !names(headers, "content-length") {
            lines.push(format!("content-length: {}", body.len()));
        }
        if !service.is_empty() {
            let Self {
                access_key, region, ..
            } = self;
            lines.push(format!(
                "authorization: AWS4-HMAC-SHA256 Credential={access_key}/20260101/{region}/\
                 {service}/aws4_request, SignedHeaders=host;x-amz-date, Signature={:064}",
                0
            ));
            lines.push("x-amz-date: 20260101T000000Z".to_owned());
        }
        lines.join("\r\n") + "\r\n\r\n"
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics with the answer if it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "{error} in an answer of {}: {:?} {}",
                self.status,
                self.headers,
                self.text()
            )
        })
    }

    /// Panics with the answer unless its status is this one.
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.text());
        self
    }

    /// AWS's error code, wherever this protocol puts it.
    pub fn error_code(&self) -> String {
        if let Some(kind) = self.header("x-amzn-errortype") {
            return kind.split(':').next().unwrap_or_default().to_owned();
        }
        if let Ok(body) = serde_json::from_slice::<serde_json::Value>(&self.body) {
            let code = body["__type"]
                .as_str()
                .or(body["code"].as_str())
                .unwrap_or_default();
            return code.rsplit('#').next().unwrap_or_default().to_owned();
        }
        self.element("Code")
    }

    /// AWS's error message, wherever this protocol puts it.
    pub fn error_message(&self) -> String {
        if let Ok(body) = serde_json::from_slice::<serde_json::Value>(&self.body) {
            let message = body["message"].as_str().or(body["Message"].as_str());
            return message.unwrap_or_default().to_owned();
        }
        self.element("Message")
    }

    /// The text of the first XML element of that name; empty if there is none.
    pub fn element(&self, name: &str) -> String {
        let text = self.text();
        let inner = text
            .split_once(&format!("<{name}>"))
            .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")))
            .map_or("", |(inner, _)| inner);
        inner
            .replace("&apos;", "'")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
    }
}

fn names(headers: &[String], name: &str) -> bool {
    headers.iter().any(|line| {
        line.split(':')
            .next()
            .is_some_and(|one| one.eq_ignore_ascii_case(name))
    })
}

fn connect(port: u16) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

fn read_answer(stream: &mut BufReader<TcpStream>, method: &str) -> Result<Answer> {
    let status = loop {
        let line = read_line(stream)?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse::<u16>().ok());
        let status = status.ok_or_else(|| Error::new(ErrorKind::InvalidData, line))?;
        if status >= 200 {
            break status;
        }
        // 100 Continue: its empty line, then the real answer.
        while !read_line(stream)?.is_empty() {}
    };
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer {
        status,
        headers,
        body: Vec::new(),
    };
    if method != "HEAD" && status != 204 && status != 304 {
        answer.body = read_body(stream, &answer)?;
    }
    Ok(answer)
}

fn read_body(stream: &mut BufReader<TcpStream>, answer: &Answer) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let line = read_line(stream)?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16)
                .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
            let at = body.len();
            body.resize(at + size, 0);
            stream.read_exact(&mut body[at..])?;
            if size == 0 {
                // Trailers end as headers do.
                while !read_line(stream)?.is_empty() {}
                return Ok(body);
            }
            read_line(stream)?;
        }
    }
    match answer
        .header("content-length")
        .and_then(|length| length.parse().ok())
    {
        Some(length) => {
            body.resize(length, 0);
            stream.read_exact(&mut body)?;
        }
        None => drop(stream.read_to_end(&mut body)?),
    }
    Ok(body)
}

fn read_line(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}
