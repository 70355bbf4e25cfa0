//! `chancery-watcher run`: configured, started, killed, and asked as an exchange's backend asks it.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use watcher_client::{
    journal::{Assigned, Deposit, WithdrawalView},
    run::words::{ChainView, DepositsAnswer, WithdrawalsAnswer},
};

use super::{
    Result, ensure,
    node::Node,
    program::{Program, free_address},
    step::{explained, until},
};

/// How deep a block must be to be believed.
pub(crate) const CONFIRMATIONS: u32 = 2;
/// Everything behind this line is written anew in each run.
const MARK: &str = "# What follows is the demonstration's, and written anew by each run.";

/// The daemon and its place; the program may come and go.
pub(crate) struct Daemon {
    directory: PathBuf,
    watcher: PathBuf,
    program: Option<Program>,
    http: reqwest::Client,
    url: String,
    token: String,
    chain: &'static str,
}

impl Daemon {
    /// Completes `watcher.toml` with the chain, starts the daemon, and waits until it answers.
    pub(crate) async fn start<N: Node>(directory: &Path, watcher: &Path, node: &N) -> Result<Self> {
        let listen = free_address()?;
        let token = token(&directory.join("api-token"))?;
        let config = directory.join("watcher.toml");
        let text = fs::read_to_string(&config)?;
        let kept = text.split(MARK).next().unwrap_or_default().trim_end();
        let run = format!("[run]\nlisten = \"{listen}\"\ntoken_file = \"api-token\"\n");
        fs::write(&config, format!("{kept}\n\n{MARK}\n\n{run}\n{}", section(node)))?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("http://{listen}");
        let mut daemon = Self {
            directory: directory.to_owned(),
            watcher: watcher.to_owned(),
            program: None,
            http,
            url,
            token,
            chain: N::CHAIN,
        };
        daemon.run().await?;
        Ok(daemon)
    }

    /// Where its API listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Starts the program, and waits until it has addresses to give out.
    pub(crate) async fn run(&mut self) -> Result<()> {
        let mut command = self.command(&["run"]);
        command.env_remove("CHANCERY_LOG");
        self.program = Some(Program::start(command, &self.directory.join("watcher.log"))?);
        let mut trouble = None;
        let ready = until("the watcher has addresses ready", async || {
            self.check()?;
            let Ok(chain) = self.standing().await else { return Ok(None) };
            trouble = chain.trouble;
            Ok(chain.pool.is_some_and(|pool| pool.free > 0).then_some(()))
        })
        .await;
        ready.map_err(|error| explained(error, trouble))
    }

    /// An error where it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.program.as_mut().map_or(Ok(()), Program::check)
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.program.take().map_or(Ok(()), Program::kill)
    }

    /// Ends it in order.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        match self.program.take() {
            Some(program) => program.stop().await,
            None => Ok(()),
        }
    }

    /// A command of `chancery-watcher` with this config.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.watcher);
        command.args(arguments).arg("--config").arg(self.directory.join("watcher.toml"));
        command
    }

    /// The same, for people to type.
    pub(crate) fn typed(&self, arguments: &[&str]) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        let short = |path: &Path| path.strip_prefix(&here).unwrap_or(path).display().to_string();
        let config = short(&self.directory.join("watcher.toml"));
        format!("{} {} --config {config}", short(&self.watcher), arguments.join(" "))
    }

    /// The address of a customer: the same name is the same address, for ever.
    pub(crate) async fn address(&self, name: &str) -> Result<String> {
        let path = format!("chains/{}/addresses/{name}", self.chain);
        Ok(self.ask::<Assigned>(Method::PUT, &path, None).await?.address)
    }

    /// The last block whose deposits it has read, and what keeps it from more.
    pub(crate) async fn height(&self) -> Result<(Option<u64>, Option<String>)> {
        let chain = self.standing().await?;
        Ok((chain.height, chain.trouble.or(chain.alarm.map(|alarm| alarm.what))))
    }

    /// Every deposit there was.
    pub(crate) async fn deposits(&self) -> Result<Vec<Deposit>> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let page: DepositsAnswer =
                self.ask(Method::GET, &format!("deposits?chain={}&after={after}", self.chain), None).await?;
            if page.deposits.is_empty() {
                return Ok(all);
            }
            all.extend(page.deposits);
            after = page.next;
        }
    }

    /// Every withdrawal there was.
    pub(crate) async fn withdrawals(&self) -> Result<Vec<WithdrawalView>> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page: WithdrawalsAnswer =
                self.ask(Method::GET, &format!("withdrawals?chain={}{after}", self.chain), None).await?;
            all.extend(page.withdrawals);
            let Some(next) = page.next else { return Ok(all) };
            after = format!("&after={next}");
        }
    }

    /// Wants a withdrawal.
    pub(crate) async fn create(&self, id: &str, asset: &str, to: &str, amount: &str) -> Result<WithdrawalView> {
        let body = json!({ "chain": self.chain, "asset": asset, "destination": to, "amount": amount });
        self.ask(Method::PUT, &format!("withdrawals/{id}"), Some(&body)).await
    }

    /// A withdrawal as it stands.
    pub(crate) async fn withdrawal(&self, id: &str) -> Result<WithdrawalView> {
        self.ask(Method::GET, &format!("withdrawals/{id}"), None).await
    }

    /// Asks for a higher fee (`bump`), or that it pays nobody (`cancel`).
    pub(crate) async fn wish(&self, id: &str, wish: &str) -> Result<WithdrawalView> {
        self.ask(Method::POST, &format!("withdrawals/{id}/{wish}"), None).await
    }

    /// The bytes of a withdrawal's last transaction, as the journal keeps them.
    pub(crate) async fn signed_bytes(&self, id: &str) -> Result<String> {
        let exported: Value = self.ask(Method::GET, &format!("withdrawals/{id}/export"), None).await?;
        let last = exported["withdrawal"]["transactions"].as_array().and_then(|all| all.last());
        let bytes = last.and_then(|last| last["signed"]["transaction"].as_str());
        Ok(bytes.ok_or_else(|| format!("{id} is not signed"))?.to_owned())
    }

    async fn standing(&self) -> Result<ChainView> {
        self.ask(Method::GET, &format!("chains/{}", self.chain), None).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Value>) -> Result<T> {
        let url = format!("{}/v1/{path}", self.url);
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let status: StatusCode = answer.status();
        let bytes = answer.bytes().await?;
        ensure(status.is_success(), || format!("{path}: {status}: {}", String::from_utf8_lossy(&bytes)))?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

fn section<N: Node>(node: &N) -> String {
    format!(
        "[[chain]]\nname = \"{}\"\nnode = \"{}\"\nkey = \"{}\"\nasset = \"{}\"\nconfirmations = {CONFIRMATIONS}\n\
         max_fee = \"0.01\"\npoll_ms = 100\n{}",
        N::CHAIN,
        node.url(),
        N::KEY,
        N::ASSET,
        node.section(),
    )
}

/// What a caller of the API must show: made once, and kept from others.
fn token(file: &Path) -> Result<String> {
    if !file.exists() {
        let token = hex::encode(rand::random::<[u8; 32]>());
        fs::File::options().write(true).create_new(true).mode(0o600).open(file)?.write_all(token.as_bytes())?;
    }
    Ok(fs::read_to_string(file)?.trim().to_owned())
}
