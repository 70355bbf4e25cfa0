use super::*;

const WITH_LENGTH: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\ncontent-length: 5\r\n\r\n\x81\0\x02\r\n";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
    2;extension\r\n\x81\0\r\n3 \r\n\x02\r\n\r\n0\r\nTrailer: x\r\n\r\n";

fn head(fields: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n").into_bytes()
}

fn malformed(bytes: &[u8]) -> bool {
    matches!(read(bytes), Err(Bad::Malformed(_)))
}

#[test]
fn a_response_is_whole_with_its_last_byte_and_never_before() {
    for whole in [WITH_LENGTH, CHUNKED] {
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), Ok(None), "the first {cut} bytes");
        }
        let body = vec![0x81, 0x00, 0x02, b'\r', b'\n'];
        assert_eq!(read(whole), Ok(Some(Response { body, keeps_open: true })));
        assert!(malformed(&[whole, b"x"].concat()), "a byte behind it");
    }
}

#[test]
fn a_connection_that_is_to_close_is_not_kept() {
    let closing = head("Content-Length: 0\r\nConnection: Close");
    assert_eq!(read(&closing), Ok(Some(Response { body: Vec::new(), keeps_open: false })));
}

#[test]
fn another_status_is_told_with_what_the_connector_says() {
    let bytes = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 20\r\n\r\nno device\nplugged in";
    let error = read(bytes).unwrap_err().to_string();
    assert_eq!(error, "it answered with 500 Internal Server Error: no device plugged in");
    assert!(read(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n").is_err());
}

#[test]
fn a_body_whose_end_is_not_told_once_is_refused() {
    for fields in [
        "Content-Type: text/plain",
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Content-Length: +1",
        "Content-Length: -1",
        "Content-Length: ",
        "Content-Length: 0x1",
        "Content-Length: 99999999999999999999999",
        "Content-Length 1",
    ] {
        assert!(malformed(&head(fields)), "{fields}");
    }
    for begin in ["HTTP/1.0 200 OK", "HTTP/2 200", "SSH-2.0-x", ""] {
        let bytes = format!("{begin}\r\nContent-Length: 0\r\n\r\n");
        assert!(malformed(bytes.as_bytes()), "{begin}");
    }
    assert!(malformed(b"HTTP/1.1 200 OK\r\nX: \xff\r\nContent-Length: 0\r\n\r\n"));
}

#[test]
fn chunks_without_their_length_are_refused() {
    for chunks in ["x\r\n", "\r\n", "-1\r\n", "+1\r\na\r\n", "2\r\nabc\r\n", "ffffffffffffffffff\r\n"] {
        let bytes = [head("Transfer-Encoding: chunked"), chunks.as_bytes().to_vec()].concat();
        assert!(malformed(&bytes), "{chunks}");
    }
}

#[test]
fn what_is_too_long_is_refused_before_it_is_all_there() {
    assert_eq!(read(&head("Content-Length: 4097")), Err(Bad::TooLong));
    let endless = [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(900)].concat();
    assert_eq!(read(&endless), Err(Bad::TooLong));
    let chunked = head("Transfer-Encoding: chunked");
    assert_eq!(read(&[&chunked[..], b"1001\r\n"].concat()), Err(Bad::TooLong));
    assert_eq!(read(&[chunked.clone(), b"1\r\na\r\n".repeat(900)].concat()), Err(Bad::TooLong));
    assert_eq!(read(&[chunked, [b'1'; 5000].to_vec()].concat()), Err(Bad::TooLong));
    let longest = [head("Content-Length: 4096"), vec![0xa5; 4096]].concat();
    assert!(matches!(read(&longest), Ok(Some(response)) if response.body.len() == 4096));
}

#[test]
fn no_altered_byte_makes_it_panic() {
    for whole in [WITH_LENGTH, CHUNKED] {
        for position in 0..whole.len() {
            for byte in 0..=255 {
                let mut altered = whole.to_vec();
                altered[position] = byte;
                let _ = read(&altered);
            }
        }
    }
}
