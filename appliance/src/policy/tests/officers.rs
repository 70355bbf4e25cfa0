//! Keys of officers, as `ssh-keygen` writes them, and a policy that has officers.

pub(in super::super) const ALICE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEizZH22L0BlAHR/IpShoxdADyDfvT6l0iz1Ne8SsdS4";
pub(in super::super) const BOB: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBC5i6wjaou\
    3VpNRvlj2MEkRhBbu80c5NPm0wP1mTuOheqQ2lw6iW568Tj0F86XjiPhl/FFa0p8tTpnLmjS+HaQY=";
pub(in super::super) const CAROL: &str = "sk-ssh-ed25519@openssh.com \
    AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIEZLrAH9VjwRBkLEWE/UuHcja66qqFEQaK9ZMQdlqKg6AAAABHNzaDo=";
pub(in super::super) const DAVE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEHwstm3UbUOjBjnAWFakMA65a8ovUkubLvu6weWwgdy";
pub(in super::super) const ERIN: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINccdar+UDL2rEdExMruk9TjSUyzG8GZFbHC2DwRTU+U";

/// With every key of a document that officers are about.
pub(in super::super) const OFFICERS: &str = r#"# Who decides, and what about.
version = 3

[[officer]]
name = "alice"
ssh_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEizZH22L0BlAHR/IpShoxdADyDfvT6l0iz1Ne8SsdS4"]

[[officer]]
name = "bob"
ssh_keys = ["ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBC5i6wjaou3VpNRvlj2MEkRhBbu80c5NPm0wP1mTuOheqQ2lw6iW568Tj0F86XjiPhl/FFa0p8tTpnLmjS+HaQY= bob@desk"]

# First and spare.
[[officer]]
name = "carol"
ssh_keys = [
  "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIEZLrAH9VjwRBkLEWE/UuHcja66qqFEQaK9ZMQdlqKg6AAAABHNzaDo=",
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEHwstm3UbUOjBjnAWFakMA65a8ovUkubLvu6weWwgdy",
]

[quorum]
policy = 1
loosen = 2
loosen_delay = "24h"
unfreeze = 2

[[watcher]]
name = "w"
public_keys_sha256 = ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]

[[key]]
name = "attest"
algorithm = "ed25519"
evidence = "blind"
state = "retiring"

[[rule]]
name = "attest"
watchers = ["w"]
keys = ["attest"]
action = { approve = 2, of = ["alice", "bob"], expires = "4h", delay = "10m" }

[[limit]]
name = "a minute"
max_signatures = 5
window = "1m"
beyond = { approve = 1, of = ["carol"], expires = "1d" }
"#;
