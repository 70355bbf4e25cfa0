//! The smallest client there can be: one session over the host's end of the channel, in the same process.

use hsm_drivers::{
    simulator::{Options, Simulator},
    yubihsm2::protocol::{
        Algorithm, BadFrame, Capabilities, Command, Domains, ErrorCode, Frame, Label, LogEntries,
        channel::{ChannelError, StaticKeys, host},
    },
};

/// One open session.
pub(crate) struct Session(host::Channel);

/// What a command came to.
pub(crate) type Outcome = Result<Vec<u8>, ChannelError>;

pub(crate) fn fresh() -> Simulator {
    Simulator::open(None, Options::default()).unwrap()
}

/// The error of a command the device refused, in the session or in clear.
pub(crate) const fn refused(code: ErrorCode) -> ChannelError {
    ChannelError::Frame(BadFrame::Refused(code))
}

impl Session {
    pub(crate) fn open(simulator: &mut Simulator, key: u16, password: &str) -> Result<Self, ChannelError> {
        let keys = StaticKeys::from_password(password.as_bytes());
        let (handshake, create) = host::Handshake::begin(key, keys, rand_challenge());
        let (pending, authenticate) = handshake.answer(&simulator.exchange(&create))?;
        pending.open(&simulator.exchange(&authenticate)).map(Self)
    }

    /// With the factory's authentication key.
    pub(crate) fn factory(simulator: &mut Simulator) -> Self {
        Self::open(simulator, 1, "password").unwrap()
    }

    pub(crate) fn run(&mut self, simulator: &mut Simulator, command: Command, data: &[u8]) -> Outcome {
        let sealed = self.0.seal(&Frame::command(command, data.to_vec())).unwrap();
        let response = simulator.exchange(&sealed.message);
        Ok(self.0.open(&sealed, &response)?.into_response(command)?)
    }

    pub(crate) fn echo(&mut self, simulator: &mut Simulator) -> Outcome {
        self.run(simulator, Command::ECHO, b"hello")
    }

    /// A key of this algorithm; it may sign, and leave under a wrap key.
    pub(crate) fn generate(&mut self, simulator: &mut Simulator, id: u16, algorithm: Algorithm) {
        let capabilities = Capabilities::SIGN_ECDSA | Capabilities::SIGN_EDDSA | Capabilities::EXPORTABLE_UNDER_WRAP;
        let data = new_object(id, "key", Domains(1), capabilities, algorithm);
        self.run(simulator, Command::GENERATE_ASYMMETRIC_KEY, &data).unwrap();
    }

    pub(crate) fn sign(&mut self, simulator: &mut Simulator, id: u16) -> Outcome {
        self.run(simulator, Command::SIGN_ECDSA, &[&id.to_be_bytes()[..], &[0x42; 32]].concat())
    }

    pub(crate) fn log(&mut self, simulator: &mut Simulator) -> LogEntries {
        LogEntries::decode(&self.run(simulator, Command::GET_LOG_ENTRIES, &[]).unwrap()).unwrap()
    }

    /// An authentication key whose password is its label.
    pub(crate) fn put_authentication_key(
        &mut self,
        simulator: &mut Simulator,
        (id, password): (u16, &str),
        domains: Domains,
        capabilities: Capabilities,
        delegated: Capabilities,
    ) -> Outcome {
        let algorithm = Algorithm::AES128_YUBICO_AUTHENTICATION;
        let mut data = new_object(id, password, domains, capabilities, algorithm);
        data.extend(delegated.0.to_be_bytes());
        data.extend(*StaticKeys::from_password(password.as_bytes()).to_bytes());
        self.run(simulator, Command::PUT_AUTHENTICATION_KEY, &data)
    }

    pub(crate) fn set_option(&mut self, simulator: &mut Simulator, option: u8, value: &[u8]) -> Outcome {
        let length = u16::try_from(value.len()).unwrap();
        let data = [&[option][..], &length.to_be_bytes(), value].concat();
        self.run(simulator, Command::SET_OPTION, &data)
    }
}

/// What every command that makes an object begins with.
pub(crate) fn new_object(
    id: u16,
    label: &str,
    domains: Domains,
    capabilities: Capabilities,
    algorithm: Algorithm,
) -> Vec<u8> {
    let mut data = id.to_be_bytes().to_vec();
    data.extend(Label::new(label).unwrap().0);
    data.extend(domains.0.to_be_bytes());
    data.extend(capabilities.0.to_be_bytes());
    data.push(algorithm.0);
    data
}

/// r and s of the DER form, each without zeros in front.
pub(crate) fn numbers(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    assert_eq!((der[0], usize::from(der[1])), (0x30, der.len() - 2));
    let strip = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect();
    let r_end = 4 + usize::from(der[3]);
    (strip(&der[4..r_end]), strip(&der[r_end + 2..]))
}

/// Different each time is all a test needs.
fn rand_challenge() -> [u8; 8] {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes()
}
