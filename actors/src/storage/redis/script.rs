//! The scripts that Redis runs whole: a fenced batch, the register's compare-and-set, and its lease key.

use std::sync::LazyLock;

use redis::{Cmd, Script, cmd};

/// A batch. `ARGV[1]` is the epoch, or empty; with an epoch `KEYS[1]` is the fence. `ARGV[2]` is the number of its mark, or
/// empty, and `ARGV[3]` says how many keys keep it, which come next. Each further key is what one command changes; its
/// name, the number of its arguments and these stand in `ARGV`. Yields 0 if the fence is higher.
///
/// Marks are set last: a command that fails ends the script, and the batch is not counted as written.
const BATCH: &str = "
local epoch, number, marks = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local first = epoch and 2 or 1
if number and tonumber(redis.call('GET', KEYS[first]) or '0') >= number then return 1 end
if epoch then
  local seen = tonumber(redis.call('GET', KEYS[1]) or '0')
  if seen > epoch then return 0 end
  if seen < epoch then redis.call('SET', KEYS[1], ARGV[1]) end
end
local at = 4
for k = first + marks, #KEYS do
  local count = tonumber(ARGV[at + 1])
  redis.call(ARGV[at], KEYS[k], unpack(ARGV, at + 2, at + 1 + count))
  at = at + 2 + count
end
for k = first, first + marks - 1 do redis.call('SET', KEYS[k], ARGV[2], 'EX', 3600) end
return 1";

/// The register: `KEYS[1]` becomes epoch `ARGV[2]` and view `ARGV[3]` if its epoch is `ARGV[1]`. Says yes again if that has
/// been done, because an attempt whose answer was lost is repeated.
const SWAP: &str = "
local found = redis.call('HGET', KEYS[1], 'epoch') or '0'
if found == ARGV[2] and redis.call('HGET', KEYS[1], 'view') == ARGV[3] then return 1 end
if found ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'view', ARGV[3])
return 1";

/// The lease key: `KEYS[2]` is the holder's, `ARGV[2]`, for `ARGV[3]` milliseconds if it is nobody else's and the register,
/// `KEYS[1]`, is at epoch `ARGV[1]`.
const CLAIM: &str = "
if (redis.call('HGET', KEYS[1], 'epoch') or '0') ~= ARGV[1] then return 0 end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1";

/// How a script is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// By its hash: the server has seen it.
    Hash,
    /// By its text: the server may not have seen it, and will have then.
    Text,
}

/// One of the scripts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// A fenced batch.
    Batch,
    /// The register's compare-and-set.
    Swap,
    /// The lease key.
    Claim,
}

/// A call of a script, without its keys and arguments.
pub(super) fn call(which: Which, by: By) -> Cmd {
    static BATCH_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(BATCH));
    static SWAP_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(SWAP));
    static CLAIM_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(CLAIM));
    let (script, text) = match which {
        Which::Batch => (&BATCH_SCRIPT, BATCH),
        Which::Swap => (&SWAP_SCRIPT, SWAP),
        Which::Claim => (&CLAIM_SCRIPT, CLAIM),
    };
    let mut call = cmd(if by == By::Hash { "EVALSHA" } else { "EVAL" });
    call.arg(if by == By::Hash { script.get_hash() } else { text });
    call
}
