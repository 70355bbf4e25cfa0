//! One-byte codes and their names in Yubico's documentation. A code this page does not know is kept and shown as a
//! number: newer firmware has more of them.

/// A one-byte code with named values.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $code:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub u8);

        impl $name {
            $(#[doc = concat!("`", $text, "`")] $(#[$item_doc])* pub const $item: Self = Self($code);)*

            /// Every code that has a name.
            pub const NAMED: &'static [Self] = &[$(Self::$item,)*];

            /// The name in Yubico's documentation; none where the code is not known here.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($text),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{:#04x}", self.0),
                }
            }
        }
    };
}

codes! {
    /// What a message asks for. The response to it has the same code with the high bit set.
    Command {
        ECHO = 0x01 "echo",
        CREATE_SESSION = 0x03 "create-session",
        AUTHENTICATE_SESSION = 0x04 "authenticate-session",
        SESSION_MESSAGE = 0x05 "session-message",
        DEVICE_INFO = 0x06 "get-device-info",
        RESET_DEVICE = 0x08 "reset-device",
        GET_DEVICE_PUBLIC_KEY = 0x0a "get-device-public-key",
        CLOSE_SESSION = 0x40 "close-session",
        GET_STORAGE_INFO = 0x41 "get-storage-info",
        PUT_OPAQUE = 0x42 "put-opaque",
        GET_OPAQUE = 0x43 "get-opaque",
        PUT_AUTHENTICATION_KEY = 0x44 "put-authentication-key",
        PUT_ASYMMETRIC_KEY = 0x45 "put-asymmetric-key",
        GENERATE_ASYMMETRIC_KEY = 0x46 "generate-asymmetric-key",
        SIGN_PKCS1 = 0x47 "sign-pkcs1",
        LIST_OBJECTS = 0x48 "list-objects",
        DECRYPT_PKCS1 = 0x49 "decrypt-pkcs1",
        EXPORT_WRAPPED = 0x4a "export-wrapped",
        IMPORT_WRAPPED = 0x4b "import-wrapped",
        PUT_WRAP_KEY = 0x4c "put-wrap-key",
        GET_LOG_ENTRIES = 0x4d "get-log-entries",
        GET_OBJECT_INFO = 0x4e "get-object-info",
        SET_OPTION = 0x4f "set-option",
        GET_OPTION = 0x50 "get-option",
        GET_PSEUDO_RANDOM = 0x51 "get-pseudo-random",
        PUT_HMAC_KEY = 0x52 "put-hmac-key",
        SIGN_HMAC = 0x53 "sign-hmac",
        GET_PUBLIC_KEY = 0x54 "get-public-key",
        SIGN_PSS = 0x55 "sign-pss",
        SIGN_ECDSA = 0x56 "sign-ecdsa",
        DERIVE_ECDH = 0x57 "derive-ecdh",
        DELETE_OBJECT = 0x58 "delete-object",
        DECRYPT_OAEP = 0x59 "decrypt-oaep",
        GENERATE_HMAC_KEY = 0x5a "generate-hmac-key",
        GENERATE_WRAP_KEY = 0x5b "generate-wrap-key",
        VERIFY_HMAC = 0x5c "verify-hmac",
        SIGN_SSH_CERTIFICATE = 0x5d "sign-ssh-certificate",
        PUT_TEMPLATE = 0x5e "put-template",
        GET_TEMPLATE = 0x5f "get-template",
        DECRYPT_OTP = 0x60 "decrypt-otp",
        CREATE_OTP_AEAD = 0x61 "create-otp-aead",
        RANDOMIZE_OTP_AEAD = 0x62 "randomize-otp-aead",
        REWRAP_OTP_AEAD = 0x63 "rewrap-otp-aead",
        SIGN_ATTESTATION_CERTIFICATE = 0x64 "sign-attestation-certificate",
        PUT_OTP_AEAD_KEY = 0x65 "put-otp-aead-key",
        GENERATE_OTP_AEAD_KEY = 0x66 "generate-otp-aead-key",
        SET_LOG_INDEX = 0x67 "set-log-index",
        WRAP_DATA = 0x68 "wrap-data",
        UNWRAP_DATA = 0x69 "unwrap-data",
        SIGN_EDDSA = 0x6a "sign-eddsa",
        BLINK_DEVICE = 0x6b "blink-device",
        CHANGE_AUTHENTICATION_KEY = 0x6c "change-authentication-key",
        PUT_SYMMETRIC_KEY = 0x6d "put-symmetric-key",
        GENERATE_SYMMETRIC_KEY = 0x6e "generate-symmetric-key",
        DECRYPT_ECB = 0x6f "decrypt-ecb",
        ENCRYPT_ECB = 0x70 "encrypt-ecb",
        DECRYPT_CBC = 0x71 "decrypt-cbc",
        ENCRYPT_CBC = 0x72 "encrypt-cbc",
        PUT_PUBLIC_WRAP_KEY = 0x73 "put-public-wrap-key",
        WRAP_KEY_RSA = 0x74 "get-rsa-wrapped-key",
        UNWRAP_KEY_RSA = 0x75 "put-rsa-wrapped-key",
        EXPORT_WRAPPED_RSA = 0x76 "export-rsa-wrapped",
        IMPORT_WRAPPED_RSA = 0x77 "import-rsa-wrapped",
        /// The code of a response that carries an [`ErrorCode`].
        ERROR = 0x7f "error",
    }
}

impl Command {
    /// The code of the response to this command.
    #[must_use]
    pub const fn response(self) -> u8 {
        self.0 | 0x80
    }
}

codes! {
    /// Why the device says no.
    ErrorCode {
        OK = 0x00 "ok",
        INVALID_COMMAND = 0x01 "invalid-command",
        INVALID_DATA = 0x02 "invalid-data",
        INVALID_SESSION = 0x03 "invalid-session",
        AUTHENTICATION_FAILED = 0x04 "authentication-failed",
        SESSIONS_FULL = 0x05 "sessions-full",
        SESSION_FAILED = 0x06 "session-failed",
        STORAGE_FAILED = 0x07 "storage-failed",
        WRONG_LENGTH = 0x08 "wrong-length",
        INSUFFICIENT_PERMISSIONS = 0x09 "insufficient-permissions",
        LOG_FULL = 0x0a "log-full",
        OBJECT_NOT_FOUND = 0x0b "object-not-found",
        INVALID_ID = 0x0c "invalid-id",
        SSH_CA_CONSTRAINT_VIOLATION = 0x0e "ssh-ca-constraint-violation",
        INVALID_OTP = 0x0f "invalid-otp",
        DEMO_MODE = 0x10 "demo-mode",
        OBJECT_EXISTS = 0x11 "object-exists",
        ALGORITHM_DISABLED = 0x12 "algorithm-disabled",
        COMMAND_UNEXECUTED = 0xff "command-unexecuted",
    }
}

codes! {
    /// What kind an object is. An object id means nothing without it.
    ObjectType {
        OPAQUE = 0x01 "opaque",
        AUTHENTICATION_KEY = 0x02 "authentication-key",
        ASYMMETRIC_KEY = 0x03 "asymmetric-key",
        WRAP_KEY = 0x04 "wrap-key",
        HMAC_KEY = 0x05 "hmac-key",
        TEMPLATE = 0x06 "template",
        OTP_AEAD_KEY = 0x07 "otp-aead-key",
        SYMMETRIC_KEY = 0x08 "symmetric-key",
        PUBLIC_WRAP_KEY = 0x09 "public-wrap-key",
    }
}

codes! {
    /// Algorithm of an object. Those only commands name, like paddings, are left out.
    Algorithm {
        RSA_2048 = 9 "rsa2048",
        RSA_3072 = 10 "rsa3072",
        RSA_4096 = 11 "rsa4096",
        EC_P256 = 12 "ecp256",
        EC_P384 = 13 "ecp384",
        EC_P521 = 14 "ecp521",
        EC_K256 = 15 "eck256",
        EC_BP256 = 16 "ecbp256",
        EC_BP384 = 17 "ecbp384",
        EC_BP512 = 18 "ecbp512",
        HMAC_SHA1 = 19 "hmac-sha1",
        HMAC_SHA256 = 20 "hmac-sha256",
        HMAC_SHA384 = 21 "hmac-sha384",
        HMAC_SHA512 = 22 "hmac-sha512",
        AES128_CCM_WRAP = 29 "aes128-ccm-wrap",
        OPAQUE_DATA = 30 "opaque-data",
        OPAQUE_X509_CERTIFICATE = 31 "opaque-x509-certificate",
        TEMPLATE_SSH = 36 "template-ssh",
        AES128_YUBICO_OTP = 37 "aes128-yubico-otp",
        AES128_YUBICO_AUTHENTICATION = 38 "aes128-yubico-authentication",
        AES192_YUBICO_OTP = 39 "aes192-yubico-otp",
        AES256_YUBICO_OTP = 40 "aes256-yubico-otp",
        AES192_CCM_WRAP = 41 "aes192-ccm-wrap",
        AES256_CCM_WRAP = 42 "aes256-ccm-wrap",
        EC_ECDSA_SHA256 = 43 "ecdsa-sha256",
        ED25519 = 46 "ed25519",
        EC_P224 = 47 "ecp224",
        EC_P256_YUBICO_AUTHENTICATION = 49 "ecp256-yubico-authentication",
        AES128 = 50 "aes128",
        AES192 = 51 "aes192",
        AES256 = 52 "aes256",
    }
}

codes! {
    /// A device-wide option.
    OptionTag {
        FORCE_AUDIT = 0x01 "force-audit",
        COMMAND_AUDIT = 0x03 "command-audit",
        ALGORITHM_TOGGLE = 0x04 "algorithm-toggle",
        FIPS_MODE = 0x05 "fips-mode",
    }
}
