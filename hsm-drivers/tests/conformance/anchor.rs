//! The anchor of a PKCS#11 token, and through a worker.

use cryptoki::object::{Attribute, ObjectClass};
use hsm_drivers::worker::{Request, Response};
use libtest_mimic::Trial;

use crate::{backend::Backend as _, softhsm::Token, trial, worker};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("anchor::the_newer_of_two_objects_counts_and_one_is_left", the_newer_counts),
        trial("anchor::a_token_that_changes_no_object_gets_another", a_token_that_changes_no_object),
        trial("anchor::an_object_that_is_no_anchor_is_refused", an_object_that_is_none),
        trial("anchor::a_token_that_is_gone_has_not_lost_it", a_token_that_is_gone),
        trial("anchor::it_is_private_and_stays_in_the_token", it_is_private),
        trial("anchor::a_worker_reads_and_writes_it", a_worker),
    ]
}

fn identity() -> [Attribute; 3] {
    let application = Attribute::Application(b"chancery anchor".to_vec());
    [Attribute::Class(ObjectClass::DATA), application, Attribute::Label(b"chancery-anchor".to_vec())]
}

fn put(token: &Token, number: u64, content: &[u8], modifiable: bool) {
    let value = [&number.to_be_bytes()[..], content].concat();
    let rest =
        [Attribute::Token(true), Attribute::Private(true), Attribute::Modifiable(modifiable), Attribute::Value(value)];
    token.raw_session().create_object(&[&identity()[..], &rest].concat()).unwrap();
}

fn count(token: &Token) -> usize {
    token.raw_session().find_objects(&identity()).unwrap().len()
}

fn the_newer_counts() {
    for (one, other) in [(1, 2), (2, 1), (255, 256), (256, 255)] {
        let token = Token::new();
        put(&token, one, &one.to_be_bytes(), true);
        put(&token, other, &other.to_be_bytes(), true);
        let mut device = token.device();
        assert_eq!(device.read_anchor().unwrap().unwrap(), one.max(other).to_be_bytes());
        device.write_anchor(b"next").unwrap();
        assert_eq!((device.read_anchor().unwrap().unwrap(), count(&token)), (b"next".to_vec(), 1));
    }
    let token = Token::new();
    put(&token, 1, b"one", true);
    put(&token, 1, b"other", true);
    // Two appliances wrote at once.
    assert_eq!(token.device().read_anchor().unwrap().unwrap(), b"other");
}

fn a_token_that_changes_no_object() {
    let token = Token::new();
    put(&token, 7, b"fixed", false);
    let mut device = token.device();
    device.write_anchor(b"another").unwrap();
    assert_eq!((token.device().read_anchor().unwrap().unwrap(), count(&token)), (b"another".to_vec(), 1));
}

fn an_object_that_is_none() {
    let token = Token::new();
    let rest = [Attribute::Token(true), Attribute::Private(true), Attribute::Value(b"short".to_vec())];
    token.raw_session().create_object(&[&identity()[..], &rest].concat()).unwrap();
    let mut device = token.device();
    for error in [device.read_anchor().unwrap_err(), device.write_anchor(b"new").unwrap_err()] {
        assert!(error.needs_operator() && error.to_string().contains("has 5 bytes"), "{error}");
    }
}

fn a_token_that_is_gone() {
    let token = Token::new();
    let mut device = token.device();
    device.write_anchor(b"here").unwrap();
    let (directory, away) = (token.directory(), token.away());
    std::fs::rename(&directory, &away).unwrap();
    let gone = [device.read_anchor().map(|_| ()), device.write_anchor(b"nowhere")];
    std::fs::rename(&away, &directory).unwrap();
    assert!(gone.iter().all(Result::is_err), "{gone:?}");
}

fn it_is_private() {
    let token = Token::new();
    token.device().write_anchor(b"content").unwrap();
    let session = token.raw_session();
    let of_token = [&identity()[..], &[Attribute::Token(true), Attribute::Private(true)]].concat();
    assert_eq!(session.find_objects(&of_token).unwrap().len(), 1);
    session.logout().unwrap();
    assert_eq!(session.find_objects(&identity()).unwrap().len(), 0, "it is shown without login");
}

fn a_worker() {
    let token = Token::new();
    let worker = worker::start(&token);
    let ask = |request| worker::call(&worker, request).unwrap();
    assert_eq!(ask(Request::ReadAnchor), Response::Anchor(None));
    assert_eq!(ask(Request::WriteAnchor(b"sent".to_vec())), Response::AnchorWritten);
    assert_eq!(ask(Request::ReadAnchor), Response::Anchor(Some(b"sent".to_vec())));
}
