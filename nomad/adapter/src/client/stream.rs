//! An answer that does not end: one JSON value a line.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::Response;
use tokio::time::timeout;

use super::answer::BODY_MAX;
use super::{Call, Failure};

/// The lines of one answer.
#[derive(Debug)]
pub(crate) struct Lines {
    response: Response,
    buffer: BytesMut,
    call: Call,
    address: String,
}

impl Lines {
    pub(super) fn new(response: Response, call: Call, address: String) -> Self {
        Self { response, buffer: BytesMut::new(), call, address }
    }

    /// The next line, for which nothing may take longer than `silence` to come. After a failure there are no more.
    pub(crate) async fn next(&mut self, silence: Duration) -> Result<BytesMut, Failure> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line = self.buffer.split_to(searched + end + 1);
                line.truncate(searched + end);
                return Ok(line);
            }
            searched = self.buffer.len();
            if searched > BODY_MAX {
                return Err(self.broken("a line of the stream is larger than is read"));
            }
            match timeout(silence, self.response.chunk()).await {
                Err(_) => return Err(self.broken(&format!("it has said nothing for {silence:?}"))),
                Ok(Err(error)) => return Err(Failure::unreachable(&self.call, &self.address, &error)),
                Ok(Ok(None)) => return Err(self.broken("it has ended the stream")),
                Ok(Ok(Some(chunk))) => self.buffer.extend_from_slice(&chunk),
            }
        }
    }

    /// Something that is no event.
    pub(crate) fn malformed(&self) -> Failure {
        Failure::malformed(&self.call, &self.address)
    }

    fn broken(&self, why: &str) -> Failure {
        Failure::broken(&self.call, &self.address, why)
    }
}
