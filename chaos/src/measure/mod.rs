//! What is measured: processes by what the operating system says, latencies, and whether all messages came, once and in order.

mod latency;
mod order;
mod process;

pub use latency::{Latency, Percentiles};
pub use order::{Faults, Order};
pub use process::{Cores, Memory, Processes, own_cpu};
