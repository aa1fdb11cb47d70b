//! Instructions and allocations of a program, counted by valgrind.
//!
//! callgrind counts both in one run: its profile says how often each function was called, and
//! those that allocate are functions like others. That needs no allocator of our own, which
//! would be unsafe code, and the same profile shows who allocates.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// Where the counting begins.
const FROM: &str = "counted::measured";

/// What in the C library gives memory out.
const ALLOCATING: [&str; 6] =
    ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"];

/// What a program did, from the call of its function `counted::measured` to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Commands, as the program says.
    pub commands: u32,
    /// Instructions.
    pub instructions: u32,
    /// Calls that gave out memory, or more of it.
    pub allocations: u32,
}

impl Profile {
    /// Instructions for each command.
    #[must_use]
    pub fn instructions_each(&self) -> f64 {
        f64::from(self.instructions) / f64::from(self.commands)
    }

    /// Allocations for each command.
    #[must_use]
    pub fn allocations_each(&self) -> f64 {
        f64::from(self.allocations) / f64::from(self.commands)
    }
}

/// Runs a program under callgrind and leaves its profile in `file`.
///
/// # Panics
/// Where there is no valgrind, or the program fails.
#[must_use]
pub fn profile(program: &Path, arguments: &[&str], file: &Path) -> Profile {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--zero-before={FROM}")])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(arguments)
        .output()
        .expect("valgrind is needed (Debian: valgrind)");
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{arguments:?}: {errors}");
    let commands = String::from_utf8_lossy(&run.stdout).trim().parse().expect("a count");
    let text = std::fs::read_to_string(file).expect("a profile");
    let (instructions, allocations) = read(&text);
    assert!(instructions > 0, "{FROM} was not called: {errors}");
    Profile { commands, instructions, allocations }
}

/// Instructions and allocations of a profile, by the format that valgrind's manual describes:
/// a name stands in full where it comes first, as `(7) malloc`, and is `(7)` from then on.
fn read(text: &str) -> (u32, u32) {
    let (mut instructions, mut allocations) = (0, 0);
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut called = "";
    for line in text.lines() {
        let Some((key, value)) = line.split_once(['=', ':']) else { continue };
        match key {
            "totals" => instructions = value.trim().parse().unwrap_or(0),
            "fn" | "cfn" => {
                let (number, name) = value.split_once(' ').unwrap_or((value, ""));
                if !name.is_empty() {
                    names.insert(number, name);
                }
                if key == "cfn" {
                    called = names.get(number).copied().unwrap_or("");
                }
            }
            "calls" if ALLOCATING.contains(&called) => {
                let times = value.split(' ').next().and_then(|times| times.parse().ok());
                allocations += times.unwrap_or(0);
            }
            _ => {}
        }
    }
    (instructions, allocations)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn calls_are_counted_whether_the_name_was_given_before_or_not() {
        let text = "\
            events: Ir\n\nfl=(1) a.rs\nfn=(1) main\n1 10\ncfi=(2) malloc.c\ncfn=(2) malloc\n\
            calls=3 0\n1 30\ncfn=(3) _int_malloc\ncalls=9 0\n1 30\n\nfn=(4) realloc\n2 5\n\n\
            fn=(1)\n2 7\ncfn=(4)\ncalls=2 0\n2 5\ncfn=(2)\ncalls=1 0\n3 4\n\ntotals: 12345\n";
        assert_eq!(read(text), (12345, 6));
    }
}
