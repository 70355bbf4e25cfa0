//! An HTTP/1.1 response read from all bytes received so far (RFC 9112): strict, bounded, and the same for every way the
//! network may cut it, because it begins anew each time.

/// Most bytes of status line and header fields.
const LONGEST_HEAD: usize = 4096;
/// Most bytes of a body as sent, chunk lines included. No message of a device is as long.
const LONGEST_BODY: usize = 4096;

/// A whole answer with status 200.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Response {
    pub(super) body: Vec<u8>,
    /// Whether the connection may carry another request.
    pub(super) keeps_open: bool,
}

/// Bytes that are no answer of a yubihsm-connector.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Bad {
    #[error("it answered with {0}")]
    Status(String),
    #[error("its answer is no HTTP/1.1 response: {0}")]
    Malformed(&'static str),
    #[error("its answer is longer than {LONGEST_HEAD} bytes of header and {LONGEST_BODY} of body")]
    TooLong,
}

/// How the end of the body is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Framing {
    Length(usize),
    Chunked,
}

/// A body and what stands behind it; none where more must come.
type Body<'a> = Option<(Vec<u8>, &'a [u8])>;

/// The response that `bytes` are; none where more must come.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Response>, Bad> {
    let Some((head, rest)) = split(bytes, b"\r\n\r\n") else {
        return if bytes.len() > LONGEST_HEAD { Err(Bad::TooLong) } else { Ok(None) };
    };
    if head.len() > LONGEST_HEAD {
        return Err(Bad::TooLong);
    }
    let head = str::from_utf8(head).map_err(|_| Bad::Malformed("its header is not text"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let status = status.strip_prefix("HTTP/1.1 ").ok_or(Bad::Malformed("it begins with no status line"))?;
    let (framing, closes) = fields(lines)?;
    let Some((body, surplus)) = read_body(framing, rest)? else {
        return if rest.len() > LONGEST_BODY { Err(Bad::TooLong) } else { Ok(None) };
    };
    if !surplus.is_empty() {
        return Err(Bad::Malformed("bytes after its end"));
    }
    if status != "200" && !status.starts_with("200 ") {
        // The connector says in the body what is wrong, in words.
        let words = String::from_utf8_lossy(&body);
        let printable = |letter: char| if letter.is_control() { ' ' } else { letter };
        return Err(Bad::Status(format!("{status}: {words}").chars().map(printable).take(200).collect()));
    }
    Ok(Some(Response { body, keeps_open: !closes }))
}

/// What the header fields say of the body's end, and whether the connection ends with it. Two answers to one question
/// are an error (RFC 9112, 6.3).
fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Result<(Framing, bool), Bad> {
    let (mut framing, mut closes) = (None, false);
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Bad::Malformed("a header field without a colon"))?;
        let value = value.trim_matches([' ', '\t']);
        let found = if name.eq_ignore_ascii_case("content-length") {
            let length = decimal(value).ok_or(Bad::Malformed("its Content-Length is no number"))?;
            Framing::Length(length)
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err(Bad::Malformed("its Transfer-Encoding is not chunked"));
            }
            Framing::Chunked
        } else {
            closes |= name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close");
            continue;
        };
        if framing.replace(found).is_some() {
            return Err(Bad::Malformed("the length of its body is given twice"));
        }
    }
    let framing = framing.ok_or(Bad::Malformed("the length of its body is not given"))?;
    Ok((framing, closes))
}

fn read_body(framing: Framing, rest: &[u8]) -> Result<Body<'_>, Bad> {
    match framing {
        Framing::Length(length) if length > LONGEST_BODY => Err(Bad::TooLong),
        Framing::Length(length) => Ok(rest.split_at_checked(length).map(|(body, rest)| (body.to_vec(), rest))),
        Framing::Chunked => read_chunks(rest),
    }
}

/// RFC 9112, 7.1. Chunk extensions and trailer fields are read over.
fn read_chunks(mut rest: &[u8]) -> Result<Body<'_>, Bad> {
    let mut body = Vec::new();
    loop {
        let Some((line, after)) = split(rest, b"\r\n") else { return Ok(None) };
        let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let size = hexadecimal(size.trim_ascii_end()).ok_or(Bad::Malformed("a chunk without a length"))?;
        if size > LONGEST_BODY {
            return Err(Bad::TooLong);
        }
        if size == 0 {
            return Ok(read_trailer(after).map(|behind| (body, behind)));
        }
        let Some((chunk, after)) = after.split_at_checked(size) else { return Ok(None) };
        let Some((end, after)) = after.split_first_chunk() else { return Ok(None) };
        if end != b"\r\n" {
            return Err(Bad::Malformed("a chunk longer than its length"));
        }
        body.extend_from_slice(chunk);
        rest = after;
    }
}

/// What stands behind the empty line that ends the trailer.
fn read_trailer(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (line, after) = split(rest, b"\r\n")?;
        if line.is_empty() {
            return Some(after);
        }
        rest = after;
    }
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let position = bytes.windows(at.len()).position(|window| window == at)?;
    let (before, rest) = bytes.split_at_checked(position)?;
    rest.split_at_checked(at.len()).map(|(_, after)| (before, after))
}

/// Digits only, which `parse` alone would not ask for.
fn decimal(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn hexadecimal(digits: &[u8]) -> Option<usize> {
    let text = str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    usize::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests;
