use super::*;

fn environment(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
    move |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
}

fn heard(socket: &UnixDatagram) -> String {
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut message = [0; 1000];
    let length = socket.recv(&mut message).unwrap();
    String::from_utf8(message[..length].to_vec()).unwrap()
}

#[test]
fn it_is_told_at_a_path_and_under_an_abstract_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let at_path = UnixDatagram::bind(&path).unwrap();
    let manager = ServiceManager::of(environment(&[("NOTIFY_SOCKET", path.to_str().unwrap())])).unwrap();
    manager.ready("serving\nERRNO=5");
    assert_eq!(heard(&at_path), "READY=1\nSTATUS=serving ERRNO=5");
    manager.needs(Duration::from_millis(1500));
    assert_eq!(heard(&at_path), "EXTEND_TIMEOUT_USEC=1500000");

    let name = format!("service-manager-test-{}", process::id());
    let abstract_one = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let manager = ServiceManager::of(environment(&[("NOTIFY_SOCKET", &format!("@{name}"))])).unwrap();
    manager.reloading();
    let heard = heard(&abstract_one);
    let usec = heard.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().parse::<i64>().unwrap();
    let now = clock_gettime(ClockId::Monotonic).tv_sec;
    assert!((now - 60..=now).contains(&(usec / 1_000_000)), "{usec} at {now} s");
}

#[test]
fn a_socket_made_anew_is_found_and_one_that_is_gone_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let first = UnixDatagram::bind(&path).unwrap();
    let manager = ServiceManager::of(environment(&[("NOTIFY_SOCKET", path.to_str().unwrap())])).unwrap();
    drop(first);
    std::fs::remove_file(&path).unwrap();
    manager.alive();
    let second = UnixDatagram::bind(&path).unwrap();
    manager.alive();
    assert_eq!(heard(&second), "WATCHDOG=1");
}

#[test]
fn the_watchdog_counts_only_where_it_watches_this_process() {
    let own = process::id().to_string();
    let watchdog = |pairs: &[(&str, &str)]| {
        let pairs: Vec<_> = [("NOTIFY_SOCKET", "@nobody")].iter().chain(pairs).copied().collect();
        ServiceManager::of(environment(&pairs)).unwrap().watchdog()
    };
    assert_eq!(watchdog(&[("WATCHDOG_USEC", "30000000")]), Some(Duration::from_secs(30)));
    assert_eq!(watchdog(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", &own)]), Some(Duration::from_secs(30)));
    assert_eq!(watchdog(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "1")]), None);
    assert_eq!(watchdog(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "this")]), None);
    assert_eq!(watchdog(&[("WATCHDOG_USEC", "0")]), None);
    assert_eq!(watchdog(&[]), None);
}

#[test]
fn without_a_manager_nothing_is_sent_and_a_name_of_no_kind_is_refused() {
    ServiceManager::of(environment(&[])).unwrap().ready("serving");
    assert!(ServiceManager::of(environment(&[("NOTIFY_SOCKET", "")])).unwrap().listener.is_none());
    assert!(ServiceManager::of(environment(&[("NOTIFY_SOCKET", "vsock:2:1")])).is_err());
}
