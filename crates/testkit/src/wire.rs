//! Reading one HTTP/1.1 request from a socket, byte for byte.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::recorded::{Recorded, find_header};

const MAX_HEAD_BYTES: usize = 1 << 20;
const MAX_BODY_BYTES: usize = 256 << 20;

/// Reads the next request; `None` when the client closed before its first byte. Bytes beyond it stay in `buffer`.
pub(crate) async fn read_request(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    connection: usize,
) -> io::Result<Option<Recorded>> {
    let Some(mut request) = read_head(reader, buffer, connection).await? else { return Ok(None) };
    let chunked =
        find_header(&request.headers, "transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
    if chunked {
        read_chunked(reader, buffer, &mut request).await?;
    } else if let Some(length) = find_header(&request.headers, "content-length") {
        let length: usize = length.trim().parse().map_err(|_| invalid("content-length is not a number"))?;
        request.body = take(reader, buffer, length, &mut request.received).await?;
    }
    Ok(Some(request))
}

async fn read_head(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    connection: usize,
) -> io::Result<Option<Recorded>> {
    loop {
        if let Some((mut request, length)) = parse_head(buffer, connection)? {
            request.received = buffer.drain(..length).collect();
            return Ok(Some(request));
        }
        if buffer.len() > MAX_HEAD_BYTES {
            return Err(invalid("request head is too long"));
        }
        if reader.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
}

fn parse_head(buffer: &[u8], connection: usize) -> io::Result<Option<(Recorded, usize)>> {
    let mut storage = vec![httparse::EMPTY_HEADER; 512];
    let mut head = httparse::Request::new(&mut storage);
    let httparse::Status::Complete(length) =
        head.parse(buffer).map_err(|error| invalid(&error.to_string()))?
    else {
        return Ok(None);
    };
    let headers = head
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let request = Recorded {
        connection,
        method: head.method.unwrap_or_default().to_owned(),
        path: head.path.unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
        received: Vec::new(),
    };
    Ok(Some((request, length)))
}

async fn read_chunked(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    request: &mut Recorded,
) -> io::Result<()> {
    loop {
        let line = take_line(reader, buffer, &mut request.received).await?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| invalid("chunk size is not hexadecimal"))?;
        if size == 0 {
            break;
        }
        if request.body.len() + size > MAX_BODY_BYTES {
            return Err(invalid("request body is too long"));
        }
        let data = take(reader, buffer, size, &mut request.received).await?;
        request.body.extend_from_slice(&data);
        take_line(reader, buffer, &mut request.received).await?;
    }
    while !take_line(reader, buffer, &mut request.received).await?.is_empty() {}
    Ok(())
}

async fn take_line(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    received: &mut Vec<u8>,
) -> io::Result<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line: Vec<u8> = buffer.drain(..end + 2).collect();
            received.extend_from_slice(&line);
            return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
        }
        if buffer.len() > MAX_HEAD_BYTES {
            return Err(invalid("chunk line is too long"));
        }
        if reader.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn take(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    length: usize,
    received: &mut Vec<u8>,
) -> io::Result<Vec<u8>> {
    if length > MAX_BODY_BYTES {
        return Err(invalid("request body is too long"));
    }
    while buffer.len() < length {
        if reader.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let data: Vec<u8> = buffer.drain(..length).collect();
    received.extend_from_slice(&data);
    Ok(data)
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
