//! A key in two SoftHSM tokens, and every way of getting it out that a user who has the PIN could try.

use cryptoki::{
    error::{Error as CryptokiError, RvError},
    mechanism::Mechanism,
    object::{Attribute, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
};
use hsm_drivers::{
    Disposition, Error, Pin, Protection, TriesLeft,
    pkcs11::ceremony::{Ceremony, Replica},
};
use hsm_types::{Algorithm, KeyLabel, PublicKey, Verifier};
use libtest_mimic::Trial;

use crate::{
    backend::{Backend, input, label, sign},
    softhsm::{SO_PIN, Token, USER_PIN, module, user_pin},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("replicate::a_replica_signs_for_the_original", a_replica_signs_for_the_original),
        trial("replicate::a_family_is_replicated_with_its_chain_code", a_family_is_replicated_with_its_chain_code),
        trial("replicate::a_replica_is_made_once_and_proved_again", a_replica_is_made_once_and_proved_again),
        trial("replicate::a_replica_can_be_replicated", a_replica_can_be_replicated),
        trial("replicate::an_interruption_at_any_object_is_gone_on_from", an_interruption_is_gone_on_from),
        trial("replicate::a_key_made_without_backup_is_not_replicated", a_key_made_without_backup),
        trial("replicate::what_is_there_is_neither_used_nor_overwritten", what_is_there_is_not_overwritten),
        trial("replicate::a_key_is_not_replicated_into_its_own_token", not_into_its_own_token),
        trial("replicate::a_wrong_so_pin_ends_it_and_the_user_stays_logged_in", a_wrong_so_pin_ends_it),
        trial("replicate::softhsm_does_not_wrap_ed25519_and_nothing_is_left", softhsm_does_not_wrap_ed25519),
        trial("replicate::while_a_trusted_wrap_key_is_there_the_key_does_not_serve", a_trusted_wrap_key_is_there),
        trial("replicate::the_user_alone_cannot_take_the_key_out", the_user_alone_cannot_take_the_key_out),
        trial("replicate::a_replica_that_can_no_longer_leave_is_unfit", a_replica_that_can_no_longer_leave_is_unfit),
    ]
}

pub(crate) fn so_pin() -> Pin {
    Pin::new(SO_PIN.to_owned())
}

pub(crate) fn with_backup(token: &Token, key: &KeyLabel, algorithm: Algorithm) -> PublicKey {
    token.ceremony.borrow_mut().generate_key(key, algorithm, Protection::LeavesWrapped).unwrap()
}

fn replicate(from: &Token, key: &KeyLabel, to: &Token) -> Result<Replica, Error> {
    from.ceremony.borrow_mut().replicate(key, &so_pin(), &user_pin(), &mut to.ceremony.borrow_mut())
}

/// Everything the logged-in user sees, class by class.
pub(crate) fn objects(token: &Token) -> Vec<(ObjectClass, usize)> {
    let classes = [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY, ObjectClass::SECRET_KEY, ObjectClass::DATA];
    let session = token.raw_session();
    let count = |class| (class, session.find_objects(&[Attribute::Class(class)]).unwrap().len());
    classes.into_iter().map(count).collect()
}

pub(crate) fn seen(private: usize, public: usize, data: usize) -> Vec<(ObjectClass, usize)> {
    vec![
        (ObjectClass::PRIVATE_KEY, private),
        (ObjectClass::PUBLIC_KEY, public),
        (ObjectClass::SECRET_KEY, 0),
        (ObjectClass::DATA, data),
    ]
}

pub(crate) fn destroy(token: &Token, class: ObjectClass, key: &KeyLabel) {
    let session = token.raw_session();
    for object in session.find_objects(&[Attribute::Class(class), Attribute::Label(key.as_str().into())]).unwrap() {
        session.destroy_object(object).unwrap();
    }
}

fn a_replica_signs_for_the_original() {
    for algorithm in [Algorithm::Secp256k1, Algorithm::P256] {
        let (from, to) = (Token::new(), Token::new());
        let key = label("kept-twice");
        let public_key = with_backup(&from, &key, algorithm);
        assert_eq!(replicate(&from, &key, &to), Ok(Replica { public_key: public_key.clone(), made: true }));
        let verifier = Verifier::new(public_key.clone());
        for token in [&from, &to] {
            let mut device = token.device();
            assert_eq!(device.public_key(&key), Ok(public_key.clone()));
            assert_eq!(device.protection(&key), Ok(Protection::LeavesWrapped));
            assert_eq!(device.chain_code(&key), Ok(None));
            sign(&mut *device, &key, &verifier, &input(algorithm, 1));
            assert_eq!(objects(token), seen(1, 1, 0), "and no wrap key");
        }
    }
}

fn a_family_is_replicated_with_its_chain_code() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("parent");
    let (public_key, chain_code) = from.ceremony.borrow_mut().generate_parent(&key, Protection::LeavesWrapped).unwrap();
    assert_eq!(replicate(&from, &key, &to), Ok(Replica { public_key, made: true }));
    assert_eq!(to.device().chain_code(&key), Ok(Some(chain_code)));
    assert_eq!(objects(&to), seen(1, 1, 1));
    let listed = to.ceremony.borrow_mut().list_keys().unwrap();
    assert!(listed[0].backup && listed[0].children && listed[0].findings.is_empty(), "{listed:?}");
}

fn a_replica_is_made_once_and_proved_again() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("kept-twice");
    let public_key = with_backup(&from, &key, Algorithm::Secp256k1);
    replicate(&from, &key, &to).unwrap();
    assert_eq!(replicate(&from, &key, &to), Ok(Replica { public_key, made: false }));
    assert_eq!(objects(&to), seen(1, 1, 0));
    // What is beside it is proved, too.
    to.put_chain_code(&key, &[0xa5; 32]);
    let error = replicate(&from, &key, &to).unwrap_err();
    assert!(error.to_string().contains("the chain code beside it in the other token is not its own"), "{error}");
}

fn a_replica_can_be_replicated() {
    let (first, second, third) = (Token::new(), Token::new(), Token::new());
    let key = label("kept-thrice");
    let public_key = with_backup(&first, &key, Algorithm::Secp256k1);
    replicate(&first, &key, &second).unwrap();
    assert_eq!(replicate(&second, &key, &third), Ok(Replica { public_key: public_key.clone(), made: true }));
    sign(&mut *third.device(), &key, &Verifier::new(public_key), &input(Algorithm::Secp256k1, 1));
}

/// As an interrupted call leaves the other token: the private key comes last.
fn an_interruption_is_gone_on_from() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("interrupted");
    let (public_key, _) = from.ceremony.borrow_mut().generate_parent(&key, Protection::LeavesWrapped).unwrap();
    replicate(&from, &key, &to).unwrap();
    for missing in [&[ObjectClass::PRIVATE_KEY][..], &[ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY]] {
        missing.iter().for_each(|class| destroy(&to, *class, &key));
        assert_eq!(to.device().public_key(&key), Err(Error::UnknownKey { key: key.clone() }));
        assert_eq!(replicate(&from, &key, &to), Ok(Replica { public_key: public_key.clone(), made: true }));
        assert_eq!(objects(&to), seen(1, 1, 1));
    }
}

fn a_key_made_without_backup() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("stays");
    from.generate(&key, Algorithm::Secp256k1);
    let error = replicate(&from, &key, &to).unwrap_err();
    assert!(error.to_string().contains("made without a backup and never leaves"), "{error}");
    assert_eq!(error.disposition(), Disposition::NotSent);
    assert_eq!(objects(&to), seen(0, 0, 0));
    let key = label("nobody");
    assert_eq!(replicate(&from, &key, &to), Err(Error::UnknownKey { key: key.clone() }));
}

fn what_is_there_is_not_overwritten() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("taken");
    with_backup(&from, &key, Algorithm::Secp256k1);
    let other = with_backup(&to, &key, Algorithm::Secp256k1);
    assert_eq!(replicate(&from, &key, &to), Err(Error::KeyExists { key: key.clone() }));
    assert_eq!(to.device().public_key(&key), Ok(other));

    let family = label("family");
    from.ceremony.borrow_mut().generate_parent(&family, Protection::LeavesWrapped).unwrap();
    to.put_chain_code(&family, &[0xa5; 32]);
    let error = replicate(&from, &family, &to).unwrap_err();
    assert!(error.to_string().contains("the chain code that waits for it in the other token"), "{error}");
    assert_eq!(objects(&to), seen(1, 1, 1));
}

fn not_into_its_own_token() {
    let token = Token::new();
    let key = label("kept-twice");
    with_backup(&token, &key, Algorithm::Secp256k1);
    let mut same = Ceremony::open(&module(), &token.label, Some(&token.serial), &user_pin()).unwrap();
    let error = token.ceremony.borrow_mut().replicate(&key, &so_pin(), &user_pin(), &mut same).unwrap_err();
    assert!(error.to_string().contains("both are the same token"), "{error}");
}

fn a_wrong_so_pin_ends_it() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("kept-twice");
    let public_key = with_backup(&from, &key, Algorithm::Secp256k1);
    let wrong = Pin::new("so-271828".to_owned());
    let error =
        from.ceremony.borrow_mut().replicate(&key, &wrong, &user_pin(), &mut to.ceremony.borrow_mut()).unwrap_err();
    assert!(matches!(error, Error::PinRefused { tries_left: TriesLeft::CountLow, .. }), "{error:?}");
    assert!(error.to_string().contains("as its security officer"), "{error}");
    assert_eq!(from.ceremony.borrow_mut().list_keys().unwrap().len(), 1, "the user sees the private key");
    assert_eq!(objects(&to), seen(0, 0, 0));
    assert_eq!(replicate(&from, &key, &to), Ok(Replica { public_key, made: true }));
}

/// SoftHSM 2.6.1 gives CKR_KEY_NOT_WRAPPABLE for CKK_EC_EDWARDS; other tokens do not.
fn softhsm_does_not_wrap_ed25519() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("edwards");
    with_backup(&from, &key, Algorithm::Ed25519);
    let error = replicate(&from, &key, &to).unwrap_err();
    assert!(error.to_string().contains("CKR_KEY_NOT_WRAPPABLE"), "{error}");
    assert_eq!(objects(&from), seen(1, 1, 0), "the trusted key is gone");
    assert_eq!(objects(&to), seen(0, 0, 0));
    from.device().public_key(&key).unwrap();
}

fn trusted_template(session: &Session, trusted: bool) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Wrap(true),
        Attribute::Trusted(trusted),
        Attribute::Value(session.generate_random_vec(32).unwrap()),
    ]
}

fn a_trusted_wrap_key_is_there() {
    let token = Token::new();
    let (key, stays) = (label("kept-twice"), label("stays"));
    with_backup(&token, &key, Algorithm::Secp256k1);
    token.generate(&stays, Algorithm::Secp256k1);
    let session = token.raw_session();
    session.logout().unwrap();
    session.login(UserType::So, Some(&SO_PIN.into())).unwrap();
    let wrap_key = session.create_object(&trusted_template(&session, true)).unwrap();
    session.logout().unwrap();
    session.login(UserType::User, Some(&USER_PIN.into())).unwrap();

    let mut device = token.device();
    let Error::KeyUnfit { findings, .. } = device.public_key(&key).unwrap_err() else { panic!("not unfit") };
    assert!(findings.len() == 1 && findings[0].contains("CKA_TRUSTED"), "{findings:?}");
    assert!(device.protection(&key).is_err() && device.sign(&key, &input(Algorithm::Secp256k1, 0)).is_err());
    device.sign(&stays, &input(Algorithm::Secp256k1, 0)).unwrap();
    assert!(replicate(&token, &key, &Token::new()).is_err());

    session.destroy_object(wrap_key).unwrap();
    device.sign(&key, &input(Algorithm::Secp256k1, 0)).unwrap();
}

fn code<T: std::fmt::Debug>(result: Result<T, CryptokiError>) -> RvError {
    match result {
        Err(CryptokiError::Pkcs11(code, _)) => code,
        other => panic!("{other:?}"),
    }
}

fn the_user_alone_cannot_take_the_key_out() {
    let token = Token::new();
    let key = label("kept-twice");
    with_backup(&token, &key, Algorithm::Secp256k1);
    let session = token.raw_session();
    let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(key.as_str().into())];
    let [private]: [ObjectHandle; 1] = session.find_objects(&wanted).unwrap().try_into().unwrap();

    let wrap_key = session.create_object(&trusted_template(&session, false)).unwrap();
    for mechanism in [Mechanism::AesKeyWrapPad, Mechanism::AesKeyWrap] {
        assert_eq!(code(session.wrap_key(&mechanism, wrap_key, private)), RvError::KeyNotWrappable);
    }
    let read_only = RvError::AttributeReadOnly;
    assert_eq!(code(session.create_object(&trusted_template(&session, true))), read_only);
    assert_eq!(code(session.update_attributes(wrap_key, &[Attribute::Trusted(true)])), read_only);
    for change in [Attribute::WrapWithTrusted(false), Attribute::Sensitive(false)] {
        assert_eq!(code(session.update_attributes(private, std::slice::from_ref(&change))), read_only);
        assert_eq!(code(session.copy_object(private, &[change])), read_only);
    }
    let copy = session.copy_object(private, &[Attribute::Token(false)]).unwrap();
    assert_eq!(code(session.wrap_key(&Mechanism::AesKeyWrapPad, wrap_key, copy)), RvError::KeyNotWrappable);
}

/// `CKA_EXTRACTABLE` may become false, never true again; what came from elsewhere is then an import like any other.
fn a_replica_that_can_no_longer_leave_is_unfit() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("kept-twice");
    with_backup(&from, &key, Algorithm::Secp256k1);
    replicate(&from, &key, &to).unwrap();
    let mut device = to.device();
    device.sign(&key, &input(Algorithm::Secp256k1, 0)).unwrap();
    let session = to.raw_session();
    let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(key.as_str().into())];
    let [private]: [ObjectHandle; 1] = session.find_objects(&wanted).unwrap().try_into().unwrap();
    session.update_attributes(private, &[Attribute::Extractable(false)]).unwrap();
    let Error::KeyUnfit { findings, .. } = device.protection(&key).unwrap_err() else { panic!("not unfit") };
    assert!(findings.iter().any(|finding| finding.contains("CKA_LOCAL")), "{findings:?}");
}
