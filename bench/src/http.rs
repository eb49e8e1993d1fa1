//! A small HTTP/1.1 client on one kept-alive connection, so that the client costs little.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, bail};

pub struct Connection {
    reader: BufReader<TcpStream>,
    request: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Connection {
    pub fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("connect to the server")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::new(stream),
            request: Vec::new(),
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
        self.request.clear();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/\
             aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\n\
             x-amz-date: 20260101T000000Z\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        )?;
        self.request.extend_from_slice(body);
        self.reader
            .get_mut()
            .write_all(&self.request)
            .context("send a request")?;
        self.read_answer()
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

    fn read_answer(&mut self) -> anyhow::Result<Answer> {
        let mut line = String::new();
        self.reader.read_line(&mut line).context("read an answer")?;
        let status = line.split(' ').nth(1).context("a status line")?.parse()?;
        let mut length = 0;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let header = line.trim_end();
            if header.is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok(Answer { status, body })
    }
}
