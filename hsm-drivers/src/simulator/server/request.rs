//! HTTP/1.1 requests, as far as clients of a connector send them: a request line, headers, a body of known length.

/// Bytes of a request line and headers at most, and of a body.
const LONGEST_HEAD: usize = 8192;
const LONGEST_BODY: usize = 65_536;

/// One request.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Request {
    /// Method and path with a space between.
    pub(super) call: String,
    pub(super) body: Vec<u8>,
    /// Whether the client wants the connection closed afterwards.
    pub(super) close: bool,
}

/// What was read is no request.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct BadRequest;

impl Request {
    /// Takes the first request out of `bytes`; none where it is not all there.
    pub(super) fn take(bytes: &mut Vec<u8>) -> Result<Option<Self>, BadRequest> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return if bytes.len() > LONGEST_HEAD { Err(BadRequest) } else { Ok(None) };
        };
        let head = bytes.get(..end).unwrap_or_default();
        let head = str::from_utf8(head).map_err(|_| BadRequest)?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(path), Some(version)) = (words.next(), words.next(), words.next()) else {
            return Err(BadRequest);
        };
        let mut request = Self { call: format!("{method} {path}"), body: Vec::new(), close: version == "HTTP/1.0" };
        let mut length = 0;
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(BadRequest)?;
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok().filter(|length| *length <= LONGEST_BODY).ok_or(BadRequest)?;
            } else if name.eq_ignore_ascii_case("connection") {
                request.close |= value.eq_ignore_ascii_case("close");
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(BadRequest);
            }
        }
        let whole = end + 4 + length;
        if bytes.len() < whole {
            return Ok(None);
        }
        request.body = bytes.drain(..whole).skip(end + 4).collect();
        Ok(Some(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_one_by_one_however_they_arrive() {
        let first = b"POST /connector/api HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 3\r\n\r\nabc";
        let second = b"GET /connector/status HTTP/1.1\r\nConnection: close\r\n\r\n";
        let mut bytes = Vec::new();
        let mut taken = Vec::new();
        for byte in first.iter().chain(second) {
            bytes.push(*byte);
            taken.extend(Request::take(&mut bytes).unwrap());
        }
        let post = Request { call: "POST /connector/api".to_owned(), body: b"abc".to_vec(), close: false };
        let get = Request { call: "GET /connector/status".to_owned(), body: vec![], close: true };
        assert_eq!(taken, [post, get]);
        assert!(bytes.is_empty());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bad in [
            "GET\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nx\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            "x".repeat(8193),
        ] {
            assert_eq!(Request::take(&mut bad.into_bytes()), Err(BadRequest));
        }
    }
}
