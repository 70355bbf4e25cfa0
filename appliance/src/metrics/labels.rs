//! What metrics are told apart by. Each label has few values: names of the configuration or of a signed policy, and words
//! of this program. What a caller writes is never one.

use prometheus_client::encoding::EncodeLabelSet;

/// Label sets of one or more texts.
macro_rules! labels {
    ($($name:ident { $($label:ident),+ })+) => {$(
        #[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
        pub(super) struct $name {
            $(pub(super) $label: String,)+
        }
    )+};
}

labels! {
    CallLabel { call }
    CertificateLabel { name }
    CodeLabel { code }
    DenialLabels { rule, key }
    LimitLabel { limit }
    LimitLabels { limit, scope, asset }
    ReasonLabel { reason }
    RequestLabels { watcher, key, outcome }
    StateLabel { state }
    TokenErrorLabels { token, code }
    TokenLabel { token }
    WatcherLabel { watcher }
    WitnessLabel { witness }
}
