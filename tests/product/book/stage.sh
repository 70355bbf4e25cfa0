# What stands before the commands of a page: the directories and programs they expect, and a box to try them on.
# Run as root in a mount and network namespace of its own, in an empty directory. Pages name its functions, as
# `<!-- setting: NAME -->`.

stage=$PWD
served=
export PATH="$stage/bin:$PATH" HOME="$stage/home"
mkdir -p home/.ssh place/etc place/run/chancery place/var/chancery place/backups place/mnt/backup place/srv/www
ip link set lo up
# The machine's own stay as they are: what is mounted here nobody else sees.
cp -a /etc/. place/etc/ 2>/dev/null
mkdir -p place/etc/chancery
grep -q '^chancery:' place/etc/passwd || echo 'chancery:x:990:990::/nonexistent:/usr/sbin/nologin' >> place/etc/passwd
grep -q '^chancery:' place/etc/group || echo 'chancery:x:990:' >> place/etc/group
mount --bind place/etc /etc
mount --bind place/run /run
mount --bind place/var /var/lib
mount --bind place/backups /var/backups
mount --bind place/mnt /mnt
mount --bind place/srv /srv

# A page's commands, and what of the real ones cannot be waited for.
chancery() {
    case " $* " in
        *' serve '*) serve "$@" ;;
        *' --follow '*) for_a_while chancery "$@" ;;
        *) command chancery "$@" ;;
    esac
}
chancery-watcher() {
    case " $* " in
        *' --follow '* | *' witness --config '*) for_a_while chancery-watcher "$@" ;;
        *) command chancery-watcher "$@" ;;
    esac
}
# It looks for `chancery` beside the name it was called by.
chancery-provision() { "$stage/bin/chancery-provision" "$@"; }
for_a_while() { timeout --preserve-status 3 "$@" || [ $? -eq 143 ]; }
# A refusal is a failure.
curl() { command curl --fail-with-body "$@"; }

# In another terminal, until the stage needs another one. As the real one it ends badly where it is refused.
serve() {
    stopped
    command chancery "$@" > "$stage/serve.log" 2>&1 &
    served=$!
    local asked=()
    for word in "$@"; do [ "$word" = serve ] || asked+=("$word"); done
    until command chancery status "${asked[@]}" > /dev/null 2>&1; do
        kill -0 $served 2> /dev/null || { wait $served; local status=$?; served=; return $status; }
        sleep 0.05
    done
}
stopped() {
    [ -z "${served-}" ] && return 0
    kill $served 2> /dev/null
    wait $served
    served=
}
serving() { [ -n "${served-}" ] || chancery serve; }

# A box at /etc/chancery, where the page's commands are typed. Its keys and watcher are those of the quickstart.
a_box() {
    stopped
    rm -rf /etc/chancery/* /var/lib/chancery/* && cd /etc/chancery
    command chancery-provision init --directory . --development
    mkdir -p var target && ln -s .. var/quickstart && ln -s "$stage/bin" target/debug
    sed -i 's|^directory = .*|directory = "/var/lib/chancery/state"|' chancery.toml
    sed -i 's|^socket = .*|socket = "/run/chancery/admin.sock"|' chancery.toml
    ln -s /var/lib/chancery/state state
    command chancery-provision key generate btc-hot --algorithm secp256k1 --config chancery.toml
    command chancery-provision key generate btc-vault --algorithm secp256k1 --children --config chancery.toml
}
its_log_begins() {
    local key
    key=$(command chancery policy install policy.toml --genesis --json "$@" | jq -r .log_key)
    sed -i "s|^log_keys = .*|log_keys = [\"$key\"]|" watcher.toml
}
a_box_that_serves() {
    a_box
    its_log_begins
    serving
}
a_box_with_officers() {
    a_box
    mkdir officers
    for name in alice bob carol; do ssh-keygen -q -t ed25519 -N '' -C $name -f officers/$name; done
    cp officers/alice ~/.ssh/id_ed25519_sk
    for name in alice bob carol; do
        printf '\n[[officer]]\nname = "%s"\nssh_keys = ["%s"]\n' $name "$(cat officers/$name.pub)"
    done >> policy.toml
    cat >> policy.toml << 'END'

[quorum]
policy = 2
loosen = 2
loosen_delay = "10s"
unfreeze = 2

[[rule]]
name = "large withdrawals"
watchers = ["btc-watcher"]
keys = ["btc-hot"]
asset = "BTC"
max_amount = "5"
max_fee = "0.001"
action = { approve = 2, of = ["alice", "bob", "carol"], expires = "4h" }
END
    its_log_begins
    serving
}
# ID, and how much it pays: more than 0.5 takes officers.
asked_for() {
    command chancery-watcher sign "$1" --config watcher.toml --key btc-hot --asset BTC --fee 0.0001 \
        --digest 5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953 \
        --output "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080=${2:-0.1}"
}
a_policy_that_loosens() {
    sed -i 's/^version = .*/version = 3/; s/max_amount = "5"/max_amount = "8"/' policy.toml
}
the_next_version() {
    local version
    version=$(sed -n 's/^version = \([0-9]*\).*/\1/p' policy.toml)
    sed -i "s/^version = .*/version = $((version + 1))/" policy.toml
}
# As alice and bob sign: the act, then its namespace.
signed_by_two() {
    local namespace=$1
    shift
    "$@" --text > act.txt
    for name in alice bob; do
        ssh-keygen -q -Y sign -n "$namespace" -f officers/$name act.txt && mv act.txt.sig $name.sig
    done
}
elsewhere() {
    stopped
    mkdir "$stage/elsewhere" && cd "$stage/elsewhere"
}
# Everything that was accepted after the copy is lost.
a_true_loss() {
    stopped
    rm -rf /mnt/backup/state && cp -a /var/lib/chancery/state /mnt/backup/state
    serving
    asked_for "wd-lost-$RANDOM"
    stopped
    rm -rf /var/lib/chancery/state && cp -a /mnt/backup/state /var/lib/chancery/state
}
the_delay_is_over() {
    while command chancery key list | grep -q 'may be destroyed in'; do sleep 0.2; done
}
# A second copy of the log, and a place for what leaves its store.
a_box_with_copies() {
    a_box
    mkdir /mnt/mirror
    sed -i '/^directory = /a mirror_directory = "/mnt/mirror"\narchive_directory = "/mnt/archive"' chancery.toml
    its_log_begins
    serving
    asked_for wd-1042
}
a_receipt() {
    serving
    LOG_KEY=$(command chancery status --json | jq -r .log_key)
    asked_for wd-1044
    until command chancery-watcher status wd-1044 --json | jq -e .receipt > receipt.json; do sleep 0.1; done
    stopped
}
a_box_without_vault() {
    a_box
    rm -rf /etc/chancery/* && cd /etc/chancery
    command chancery-provision init --directory . --development
    command chancery-provision key generate btc-hot --algorithm secp256k1 --config chancery.toml
}

# The sample plan, its secrets in files.
a_plan() {
    mkdir "$stage/ceremony" && cd "$stage/ceremony"
    cp "$repository"/provisioning/plans/softhsm-policy.toml .
    sed "s|/usr/lib/softhsm/libsofthsm2.so|${SOFTHSM2_MODULE:-/usr/lib/softhsm/libsofthsm2.so}|" \
        "$repository/provisioning/plans/softhsm.toml" > plan.toml
    local number=0
    while grep -q 'so_pin = { prompt' plan.toml; do
        number=$((number + 1))
        sed -i "0,/so_pin = { prompt = true }/s||so_pin = { file = \"token/so-pin-$number\" }|" plan.toml
    done
    sed -i 's|^pin = { prompt = true }|pin = { file = "token/pin-spare" }|' plan.toml
}
# As without a terminal: confirmations are taken as given, shares lie in files.
nobody_is_asked() {
    chancery-provision() {
        case "$1 $2 ${!#}" in
            *--yes) "$stage/bin/chancery-provision" "$@" ;;
            'ceremony run '* | 'ceremony rehearse '*) "$stage/bin/chancery-provision" "$@" --yes ;;
            'backup create '* | 'backup restore '* | 'ceremony officers '*)
                "$stage/bin/chancery-provision" "$@" --share-file shares/Carol.txt --share-file shares/Dave.txt ;;
            *) "$stage/bin/chancery-provision" "$@" ;;
        esac
    }
}
# The device that yubihsm.md names second, in the configuration.
a_second_device() {
    stopped
    cat >> trial/chancery.toml << 'END'

[[token]]
name = "second"
driver = "yubihsm"
connector = "simulator"
environment = { CHANCERY_SIMULATOR = "second/simulator" }
authentication_key = 2
password = { file = "second/password" }
END
}
it_is_a_witness() {
    cat >> watcher.toml << 'END'

[witness]
name = "exchange.example/watcher-a"
key = "witness.key"
END
}
a_log_of_sixteen() {
    local number=0
    while [ "$(wc -l < state/log.jsonl)" -lt 18 ]; do
        number=$((number + 1))
        asked_for "fill-$number" 0.01
    done
    until command chancery-watcher status "fill-$number" --json | jq -e .receipt; do sleep 0.1; done
}
officers_unfreeze_the_watcher() {
    signed_by_two chancery-unfreeze command chancery unfreeze --watcher btc-watcher --reason over
    command chancery unfreeze --watcher btc-watcher --reason over --signature alice.sig --signature bob.sig
}
a_large_request() {
    sed 's/"0.10000000"/"2"/; s/customer-wd-991/customer-wd-992/' request.json > large.json
}
# What the service manager would do.
systemctl() {
    case $1 in
        stop) stopped ;;
        start | restart | enable) serve serve ;;
        status) kill -0 "${served:-0}" ;;
        *) return 1 ;;
    esac
}
# The quickstart's directory, stopped, with a request in its log.
a_quickstart() {
    elsewhere
    command chancery-provision init --directory var/quickstart --development
    mkdir target && ln -s "$stage/bin" target/debug
    for key in btc-hot 'btc-vault --children'; do
        command chancery-provision key generate $key --algorithm secp256k1 --config var/quickstart/chancery.toml
    done
    cd var/quickstart && its_log_begins --config chancery.toml && cd ../..
}
# A cold copy of the state, kept when the log began, and a checkpoint of later; then the store is damaged.
a_damaged_store() {
    stopped
    cp -a /var/lib/chancery/state /var/backups/chancery-genesis
    serving
    asked_for wd-7
    LOG_KEY=$(command chancery status --json | jq -r .log_key)
    stopped
    cp /var/lib/chancery/state/checkpoint /var/backups/checkpoint
    CHECKPOINT=/var/backups/checkpoint
    printf 'x' | dd of=/var/lib/chancery/state/store/db bs=1 seek=100 conv=notrunc
}
a_true_loss_with_receipts() {
    a_box_that_serves
    stopped
    rm -rf /mnt/backup/state && cp -a /var/lib/chancery/state /mnt/backup/state
    serving
    asked_for wd-8
    until command chancery-watcher status wd-8 --json > receipts.json && jq -e .receipt receipts.json; do
        sleep 0.1
    done
    stopped
    rm -rf /var/lib/chancery/state && cp -a /mnt/backup/state /var/lib/chancery/state
}
a_second_token() {
    a_box_that_serves
    stopped
    a_token_called_second
    SOFTHSM2_CONF=token/softhsm2.conf softhsm2-util --delete-token --token chancery
}
a_token_called_second() {
    SOFTHSM2_CONF=token/softhsm2.conf softhsm2-util --init-token --free --label second --so-pin 12345678 \
        --pin 87654321
    (umask 077; echo 87654321 > token/pin-second)
    sed -n '/^\[\[token/,/^$/p' chancery.toml | sed '
        s/^name = .*/name = "second"/; s/^label = .*/label = "second"/; /^serial/d
        s/^pin = .*/pin = { file = "token\/pin-second" }/' > second.toml
    (echo; cat second.toml) >> chancery.toml
}
# What the custodians' policy of ceremony.md is for: another one, while the appliance serves.
a_policy_to_renew() {
    serve serve --config chancery.toml
    the_next_version
}
systemd-run() {
    while [ "$1" != chancery ]; do shift; done
    "$@"
}
# What looks at the machine, and not at Chancery.
for word in journalctl timedatectl chronyc dmesg iostat ss df; do eval "$word() { :; }"; done
a_box_with_an_alarm() {
    a_box_that_serves
    ln -s pki PKI
    mkdir /var/lib/chancery/state/evidence
    asked_for wd-1042
}
the_package_is_installed() {
    mkdir -p place/usr/chancery/examples/ceremony "$stage/installed" && cd "$stage/installed"
    cp "$repository"/provisioning/plans/*.toml "$stage/place/usr/chancery/examples/ceremony/"
    mount --bind "$stage/place/usr" /usr/share/doc
}
# As the vendor's tool leaves it, with a configuration for it.
an_empty_token() {
    a_box
    rm -r state
    SOFTHSM2_CONF=token/softhsm2.conf softhsm2-util --delete-token --token chancery
    SOFTHSM2_CONF=token/softhsm2.conf softhsm2-util --init-token --free --label chancery --so-pin 12345678 \
        --pin "$(cat token/pin)"
    sed -i '/^serial = /d' chancery.toml
}
