//! Every setting of the server: one table, read from a file, the environment and flags.
//!
//! [`table`] says of each setting its key in the file, its kind and range, its variable and flag, what it
//! means, and where it is in [`ServerConfig`](crate::ServerConfig), whose default is its default.
//! [`Sources::load`] reads them, [`commented_file`] writes `docs/annals.toml`. A setting is added with one
//! line in `section!` (`config.rs`) or in `GENERAL` (`table.rs`), and nowhere else.

mod commented;
mod file;
mod held;
mod load;
mod setting;
mod suggest;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use commented::commented_file;
pub(crate) use file::read_text;
pub(crate) use held::Held;
pub use load::{Entry, Loaded, Origin, Sources};
pub use setting::{Change, Setting};
pub(crate) use setting::{RELOADED, RESTART, section, setting};
pub use table::table;
pub use value::{Kind, Value, parse_size, parse_span, write_size, write_span};
