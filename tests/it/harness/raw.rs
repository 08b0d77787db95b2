//! The Postgres protocol by hand, for what no driver does: broken frames, a reader that stops reading, single messages.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection whose messages are bytes.
pub struct Raw(pub TcpStream);

/// A message of the server: its type and its body.
#[derive(Debug)]
pub struct Message {
    /// The first byte.
    pub kind: u8,
    /// What follows the length.
    pub body: Vec<u8>,
}

impl Message {
    /// The fields of an ErrorResponse or NoticeResponse by their letter.
    pub fn field(&self, letter: u8) -> String {
        let parts = self
            .body
            .split(|&b| b == 0)
            .find(|part| part.first() == Some(&letter));
        parts.map_or(String::new(), |part| {
            String::from_utf8_lossy(&part[1..]).into_owned()
        })
    }
}

impl Raw {
    /// Connects without a word.
    pub fn open(port: u16) -> Raw {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout can be set");
        Raw(stream)
    }

    /// Connects and starts a session; the server is ready for a query afterwards.
    pub fn session(port: u16) -> Raw {
        let mut raw = Raw::open(port);
        raw.startup(&[("user", "alcedo"), ("database", "alcedo")]);
        raw.until(b'Z');
        raw
    }

    /// Sends a startup message of protocol 3.0.
    pub fn startup(&mut self, parameters: &[(&str, &str)]) {
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        for (key, value) in parameters {
            body.extend_from_slice(format!("{key}\0{value}\0").as_bytes());
        }
        body.push(0);
        let length = i32::try_from(body.len() + 4).expect("a startup message is short");
        self.write(&length.to_be_bytes());
        self.write(&body);
    }

    /// Sends bytes as they are; a server that has closed the connection is no failure of the sender.
    pub fn write(&mut self, bytes: &[u8]) {
        match self.0.write_all(bytes) {
            Err(e)
                if !matches!(
                    e.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                panic!("sending {} bytes: {e}", bytes.len())
            }
            _ => {}
        }
    }

    /// Sends a message.
    pub fn send(&mut self, kind: u8, body: &[u8]) {
        let length = i32::try_from(body.len() + 4).expect("test messages are short");
        self.write(&[&[kind][..], &length.to_be_bytes(), body].concat());
    }

    /// Sends a simple query.
    pub fn query(&mut self, sql: &str) {
        self.send(b'Q', format!("{sql}\0").as_bytes());
    }

    /// Receives the one byte that answers a request for encryption.
    pub fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.0.read_exact(&mut byte).expect("a byte comes");
        byte[0]
    }

    /// Receives a message; `None` when the server has closed the connection.
    pub fn receive(&mut self) -> Option<Message> {
        let mut head = [0; 5];
        match self.0.read_exact(&mut head) {
            Ok(()) => {}
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
                ) =>
            {
                return None;
            }
            Err(e) => panic!("no message: {e}"),
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; length as usize - 4];
        self.0.read_exact(&mut body).expect("a message comes whole");
        Some(Message {
            kind: head[0],
            body,
        })
    }

    /// Receives up to and with a message of that kind.
    pub fn until(&mut self, kind: u8) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.receive();
            let message = message
                .unwrap_or_else(|| panic!("closed before {:?}: {messages:?}", char::from(kind)));
            let last = message.kind == kind;
            messages.push(message);
            if last {
                return messages;
            }
        }
    }
}
