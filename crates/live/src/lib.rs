//! The configuration of a running router: read from its file, followed, and swapped without a pause.
//!
//! A [`Live`] compiles what the file says beside the requests, and only a configuration that can run takes the place of
//! the one before: whatever else happens, that one stays, and [`Live::status`], the metrics and the log say why. Requests
//! in flight keep the snapshot they began with; what was learned and counted is the router's, and stays.
//!
//! Parts of the process that are built from the configuration too, such as listeners, are followers: they prepare what
//! is to change before the swap, and can refuse it.

mod change;
mod downloads;
mod live;
mod replace;
mod restart;
mod status;
mod text;
mod versions;
mod watch;

pub use change::{ChangeError, Changed, Shown};
pub use live::{Change, Checked, Follower, Live, LiveParts, Reload, Variables};
pub use status::{Cause, LastReload, LiveStatus};
pub use text::ConfigText;
pub use versions::Version;
pub use watch::{WATCH_INTERVAL, Watcher};
