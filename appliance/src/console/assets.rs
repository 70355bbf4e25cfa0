//! Files the browser asks for, from the binary. Their names hold a hash of their content: a browser may keep them for ever.

use std::sync::LazyLock;

use appliance_wire::sha256_hex;

/// One file.
#[derive(Debug)]
pub(crate) struct Asset {
    name: &'static str,
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: &'static [u8],
}

/// Where the page finds the file of this name. A name that is not there is found by the tests.
pub(crate) fn path(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| &asset.path)
}

/// The file at this path.
pub(crate) fn at(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

static ASSETS: LazyLock<[Asset; 6]> = LazyLock::new(|| {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    const STYLE: &str = "text/css; charset=utf-8";
    [
        asset("console.css", STYLE, include_bytes!("assets/console.css")),
        asset("console.js", SCRIPT, include_bytes!("assets/console.js")),
        asset("icon.svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
        asset("htmx.min.js", SCRIPT, include_bytes!("assets/third-party/htmx.min.js")),
        asset("uPlot.iife.min.js", SCRIPT, include_bytes!("assets/third-party/uPlot.iife.min.js")),
        asset("uPlot.min.css", STYLE, include_bytes!("assets/third-party/uPlot.min.css")),
    ]
});

fn asset(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let hash: String = sha256_hex(bytes).chars().take(16).collect();
    Asset { name, path: format!("/assets/{hash}/{name}"), content_type, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_those_that_were_published() {
        // SHA-256 of the files in the npm packages that `third-party/README.md` names.
        let published = [
            ("htmx.min.js", "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"),
            ("uPlot.iife.min.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
            ("uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
        ];
        for (name, hash) in published {
            assert_eq!(sha256_hex(at(path(name)).unwrap().bytes), hash, "{name}");
        }
    }

    #[test]
    fn a_path_changes_with_the_content() {
        let (one, other) = (asset("a.js", "", b"1"), asset("a.js", "", b"2"));
        assert!(one.path != other.path && one.path.ends_with("/a.js"));
        assert!(at("/assets/a.js").is_none() && at("").is_none());
    }
}
