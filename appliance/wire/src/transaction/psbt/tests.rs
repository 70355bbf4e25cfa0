mod bips;
mod costs;
mod finish;
mod forms;
mod maps;
mod refusals;
mod sample;

use super::*;
