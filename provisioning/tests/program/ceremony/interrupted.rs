//! Ceremonies that end in the middle, at every step, and are gone on with.

use std::fs;

use super::{
    Hall,
    terminal::{People, Terminal},
};

const RESUME: [&str; 6] = ["ceremony", "run", "plan.toml", "--out", "out", "--resume"];

/// Kills the program at every step, once before anybody answers and once while the answer is carried out, and goes on each
/// time with the same command.
fn killed_at_every_step(hall: &Hall) -> (People, u32) {
    let mut people = People::default();
    let (mut reached, mut kills) = (0, 0);
    loop {
        let mut terminal = hall.terminal(&RESUME);
        let Some((asked, (number, _))) = next_new(&mut terminal, &mut people, reached) else {
            terminal.succeeded();
            return (people, kills);
        };
        drop(asked);
        terminal.kill();
        let mut terminal = hall.terminal(&RESUME);
        if let Some((asked, _)) = next_new(&mut terminal, &mut people, reached) {
            terminal.answer(&asked, &mut people);
            terminal.kill();
        }
        (reached, kills) = (number, kills + 2);
    }
}

/// Answers until a step after `reached` is on the screen.
fn next_new(
    terminal: &mut Terminal,
    people: &mut People,
    reached: u32,
) -> Option<(super::terminal::Asked, (u32, u32))> {
    while let Some(asked) = terminal.next() {
        match asked.step() {
            Some(step) if step.0 > reached => return Some((asked, step)),
            _ => terminal.answer(&asked, people),
        }
    }
    None
}

fn is_whole(hall: &Hall, kills: u32) {
    assert!(kills >= 26, "{kills} kills");
    hall.verify().succeeded();
    assert!(hall.acts_of("resumed").len() > 20);
    for (act, count) in [("token", 2), ("key", 3), ("backup", 1), ("restore", 1), ("policy", 1), ("ended", 1)] {
        assert_eq!(hall.acts_of(act).len(), count, "{act}");
    }
    // Each interruption among the shares voids those handed out before.
    let (splits, voids) = (hall.acts_of("split").len(), hall.acts_of("shares-void").len());
    assert_eq!(splits, voids + 1);
    assert!(voids >= 3, "{voids}");
}

#[test]
fn with_softhsm_it_goes_on_from_every_step() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    let (_, kills) = killed_at_every_step(&hall);
    is_whole(&hall, kills);
    let listed = hall.run(&["key", "list", "--config", "out/chancery.toml", "--json"]).succeeded().json();
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
}

#[test]
fn with_simulated_devices_it_goes_on_from_every_step() {
    let hall = Hall::simulated();
    let (_, kills) = killed_at_every_step(&hall);
    is_whole(&hall, kills);
}

#[test]
fn a_ceremony_that_is_over_stays_as_it_is() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    hall.ceremony(&["--yes"]).succeeded();
    let (transcript, asked) = (hall.place.read("out/transcript.json"), hall.asked());
    hall.ceremony(&["--yes", "--resume"]).succeeded();
    assert_eq!((hall.place.read("out/transcript.json"), hall.asked()), (transcript, asked));
    fs::remove_file(hall.place.path("out/transcript.json")).unwrap();
    hall.ceremony(&["--yes", "--resume"]).succeeded();
    hall.verify().succeeded();
}

#[test]
fn ctrl_c_leaves_a_ceremony_that_goes_on() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    let mut people = People::default();
    let mut terminal = hall.terminal(&["ceremony", "run", "plan.toml", "--out", "out"]);
    let _ = next_new(&mut terminal, &mut people, 3);
    terminal.interrupt();
    assert!(terminal.next().is_none());
    drop(terminal);
    let mut terminal = hall.terminal(&RESUME);
    terminal.play(&mut people);
    terminal.succeeded();
    hall.verify().succeeded();
}
