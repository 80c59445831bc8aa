//! How messages cross gRPC: responses are written piece by piece into the connection's buffer, requests
//! are read into the slim types of [`crate::wire`].

use std::marker::PhantomData;

use bytes::BufMut;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::stream::Response;
use crate::wire::Message;

/// Encodes [`Response`] and decodes `R`.
#[derive(Debug)]
pub(crate) struct DiscoveryCodec<R>(PhantomData<R>);

impl<R> Default for DiscoveryCodec<R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<R: Message + Default + 'static> Codec for DiscoveryCodec<R> {
    type Encode = Response;
    type Decode = R;
    type Encoder = ResponseEncoder;
    type Decoder = RequestDecoder<R>;

    fn encoder(&mut self) -> Self::Encoder {
        ResponseEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        RequestDecoder(PhantomData)
    }
}

/// Writes the chunks of a response.
#[derive(Debug)]
pub(crate) struct ResponseEncoder;

impl Encoder for ResponseEncoder {
    type Item = Response;
    type Error = Status;

    fn encode(&mut self, response: Response, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(response.len());
        for chunk in response.chunks {
            buffer.put(chunk);
        }
        Ok(())
    }
}

/// Reads a request.
#[derive(Debug)]
pub(crate) struct RequestDecoder<R>(PhantomData<R>);

impl<R: Message + Default> Decoder for RequestDecoder<R> {
    type Item = R;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<R>, Status> {
        let request = R::decode(buffer);
        request
            .map(Some)
            .map_err(|error| Status::invalid_argument(format!("request does not decode: {error}")))
    }
}
