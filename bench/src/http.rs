//! A small HTTP/1.1 client on one kept-alive connection, so that the client costs little.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};

/// Nothing measured takes nearly as long; it ends a bench whose server is stuck.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);
/// Up to so many bytes a body goes out in one piece with its head.
const COPIED: usize = 256 << 10;

pub struct Connection {
    port: u16,
    reader: BufReader<TcpStream>,
    request: Vec<u8>,
    /// The server said that it closes: some do after so many requests.
    is_ended: bool,
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Connection {
    pub fn open(port: u16) -> anyhow::Result<Self> {
        Ok(Self {
            port,
            reader: connect(port)?,
            request: Vec::new(),
            is_ended: false,
        })
    }

    /// Sends one request and reads its answer. The credential scope routes it; permissive mode
    /// does not check the signature.
    pub fn send(
        &mut self,
        service: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        self.begin(service, method, path, headers, body)?;
        self.read_answer()
    }

    /// Sends one request and leaves its answer to be read.
    pub fn begin(
        &mut self,
        service: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> anyhow::Result<()> {
        if self.is_ended {
            *self = Self::open(self.port)?;
        }
        self.request.clear();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/\
             aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\n\
             x-amz-date: 20260101T000000Z\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        )?;
        // A large body is not copied first: the copy would be measured along with the server.
        let apart = if body.len() > COPIED { body } else { &[] };
        if apart.is_empty() {
            self.request.extend_from_slice(body);
        }
        let stream = self.reader.get_mut();
        stream.write_all(&self.request).context("send a request")?;
        stream.write_all(apart).context("send a body")
    }

    /// As [`send`](Self::send); an error unless the status is 2xx.
    pub fn expect(
        &mut self,
        service: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> anyhow::Result<Vec<u8>> {
        let answer = self.send(service, method, path, headers, body)?;
        if !(200..300).contains(&answer.status) {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            bail!("{method} {path} answered {}: {text}", answer.status);
        }
        Ok(answer.body)
    }

    /// The answer to what was begun first.
    pub fn read_answer(&mut self) -> anyhow::Result<Answer> {
        let mut line = String::new();
        self.reader.read_line(&mut line).context("read an answer")?;
        let status = line.split(' ').nth(1).context("a status line")?.parse()?;
        let (mut length, mut is_chunked) = (0, false);
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let header = line.trim_end();
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
            is_chunked |= name.eq_ignore_ascii_case("transfer-encoding");
            self.is_ended |= name.eq_ignore_ascii_case("connection")
                && value.trim().eq_ignore_ascii_case("close");
        }
        if is_chunked {
            let body = self.read_chunks()?;
            return Ok(Answer { status, body });
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok(Answer { status, body })
    }

    fn read_chunks(&mut self) -> anyhow::Result<Vec<u8>> {
        let (mut body, mut line) = (Vec::new(), String::new());
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).context("a chunk's size")?;
            let begin = body.len();
            body.resize(begin + size, 0);
            self.reader.read_exact(&mut body[begin..])?;
            line.clear();
            self.reader.read_line(&mut line)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

fn connect(port: u16) -> anyhow::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).context("connect to the server")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    Ok(BufReader::new(stream))
}
