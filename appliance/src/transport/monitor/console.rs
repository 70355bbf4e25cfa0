//! Routes of the console page: read only, on loopback, for browsers that were asked for it by this machine's own names.

use std::{net::IpAddr, sync::Arc};

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue},
    http::uri::Authority,
};

use super::super::{
    answers::{json_with, stored_json},
    problem::internal,
};
use crate::{
    console::{EntryPage, EntryQuery, Home, Parts, PolicyPage, RefusedPage, assets, history_json},
    operations::{FoundEntries, Operations, Overview},
    refusal::Refusal,
};

type Members = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// The page, its parts and its files.
pub(super) fn routes(operations: Arc<Operations>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/parts", get(parts))
        .route("/history.json", get(history))
        .route("/entries/{index}", get(entry))
        .route("/entries/{index}/receipt.json", get(receipt))
        .route("/policy", get(policy))
        .route("/assets/{hash}/{name}", get(asset))
        .with_state(operations)
        .layer(from_fn(guarded))
}

/// Only for names of this machine: another name that leads here is a page of others that wants to read (DNS rebinding).
async fn guarded(request: Request, next: Next) -> Response {
    if !is_for_loopback(request.headers()) {
        let detail =
            "Ask by localhost, 127.0.0.1 or [::1]: from elsewhere, by a tunnel such as ssh -L 9464:127.0.0.1:9464.";
        return with_headers(refused(StatusCode::MISDIRECTED_REQUEST, "Not this name", detail));
    }
    with_headers(next.run(request).await)
}

fn is_for_loopback(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    !authority.as_str().contains('@')
        && (name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback()))
}

/// Nothing from elsewhere, nothing inline, in nobody's frame.
fn with_headers(mut response: Response) -> Response {
    const HEADERS: [(&str, &str); 5] = [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

async fn home(State(operations): State<Arc<Operations>>, members: Members) -> Response {
    let Ok(query) = read(members) else { return bad_query() };
    let (overview, found) = (operations.overview().await, search(&operations, &query).await);
    let parts = all_parts(&operations, &overview, &query, Some(&found));
    page(StatusCode::OK, &Home::new(&overview, parts, &query))
}

async fn parts(State(operations): State<Arc<Operations>>, members: Members) -> Response {
    let Ok(query) = read(members) else { return bad_query() };
    let overview = operations.overview().await;
    let found = if query.is_newest() { Some(search(&operations, &query).await) } else { None };
    page(StatusCode::OK, &all_parts(&operations, &overview, &query, found.as_ref()))
}

fn all_parts(
    operations: &Operations,
    overview: &Overview,
    query: &EntryQuery,
    found: Option<&Result<FoundEntries, String>>,
) -> Parts {
    Parts::new(overview, &operations.last_day(), query, found.map(|found| found.as_ref().map_err(Clone::clone)))
}

async fn search(operations: &Operations, query: &EntryQuery) -> Result<FoundEntries, String> {
    operations.search_entries(query.search()?).await.map_err(|refusal| refusal.problem.detail)
}

async fn history(State(operations): State<Arc<Operations>>) -> Response {
    stored_json(StatusCode::OK, history_json(jiff::Timestamp::now(), &operations.last_day()))
}

async fn entry(State(operations): State<Arc<Operations>>, Path(index): Path<String>) -> Response {
    let log_key = operations.log_key();
    match index.parse().ok().map(|index| operations.proven_entry(index)) {
        Some(Ok(Some(proven))) => page(StatusCode::OK, &EntryPage::new(&proven, &log_key)),
        Some(Err(refusal)) => unavailable(&refusal),
        Some(Ok(None)) | None => no_entry(),
    }
}

async fn receipt(State(operations): State<Arc<Operations>>, Path(index): Path<String>) -> Response {
    let found = match index.parse().ok().map(|index| operations.proven_entry(index)) {
        Some(Ok(Some(proven))) => proven,
        Some(Err(refusal)) => return unavailable(&refusal),
        Some(Ok(None)) | None => return no_entry(),
    };
    let Some(receipt) = found.receipt else {
        let detail = "No checkpoint covers this entry yet: one is made each second while the token of the log answers.";
        return refused(StatusCode::SERVICE_UNAVAILABLE, "No receipt yet", detail);
    };
    let mut response = json_with(StatusCode::OK, &receipt);
    // Digits and letters alone.
    let name = format!("attachment; filename=\"receipt-{}.json\"", receipt.index);
    if let Ok(value) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response
}

async fn policy(State(operations): State<Arc<Operations>>) -> Response {
    page(StatusCode::OK, &PolicyPage::new(&*operations.overview().await))
}

/// Their address changes with their content, so that a browser need never ask again.
async fn asset(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(asset) = assets::at(&format!("/assets/{hash}/{name}")) else {
        return refused(
            StatusCode::NOT_FOUND,
            "No such file",
            "Reload the page: the appliance is another version now.",
        );
    };
    const FOR_EVER: &str = "public, max-age=31536000, immutable";
    ([(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, FOR_EVER)], asset.bytes).into_response()
}

fn read(members: Members) -> Result<EntryQuery, ()> {
    let Query(members) = members.map_err(|_| ())?;
    Ok(EntryQuery::read(members.iter().map(|(name, value)| (name.as_str(), value.trim()))))
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(body) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page of the console has no HTML form");
            internal().into_response()
        }
    }
}

fn refused(status: StatusCode, title: &str, detail: &str) -> Response {
    page(status, &RefusedPage { title: title.to_owned(), detail: detail.to_owned() })
}

fn no_entry() -> Response {
    refused(StatusCode::NOT_FOUND, "No such entry", "The log has no entry of this index.")
}

fn bad_query() -> Response {
    refused(StatusCode::BAD_REQUEST, "Not a filter", "The address cannot be read: choose the filter again.")
}

fn unavailable(refusal: &Refusal) -> Response {
    refused(StatusCode::SERVICE_UNAVAILABLE, "It cannot be read", &refusal.problem.detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let with = |hosts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, HeaderValue::from_static(host));
            }
            is_for_loopback(&headers)
        };
        for good in ["localhost", "LOCALHOST:9464", "127.0.0.1", "127.0.0.1:8080", "127.8.8.8", "[::1]", "[::1]:9464"] {
            assert!(with(&[good]), "{good}");
        }
        let bad = [
            "",
            "evil.example",
            "evil.example:9464",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.7",
            "0.0.0.0:9464",
            "[::]:9464",
            "evil@localhost",
            "localhost@evil.example",
            "::1",
            "2130706433",
        ];
        for bad in bad {
            assert!(!with(&[bad]), "{bad}");
        }
        assert!(!with(&[]) && !with(&["localhost", "evil.example"]));
    }
}
