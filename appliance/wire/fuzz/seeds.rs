//! Writes the seeds of each target into its corpus: `seeds CORPUS_DIRECTORY`.

use std::{fs, io, path::PathBuf};

#[path = "checks/seeds.rs"]
mod seeds;

fn main() -> io::Result<()> {
    let corpus = PathBuf::from(std::env::args_os().nth(1).unwrap_or("corpus".into()));
    for (target, seeds) in [("psbt", seeds::psbt()), ("eip2718", seeds::eip2718()), ("request", seeds::request())] {
        let directory = corpus.join(target);
        fs::create_dir_all(&directory)?;
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(directory.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
