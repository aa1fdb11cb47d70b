//! The copy of the tree into which bugs are planted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::patch::Patch;

/// A copy of the work tree, with what is not committed yet.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The tree that is copied.
    pub(crate) source: PathBuf,
    /// The copy.
    pub(crate) copy: PathBuf,
}

impl Tree {
    /// Brings the copy up to date. What is the same already keeps its time, so that it is not
    /// built again.
    pub(crate) fn sync(&self) -> Result<(), String> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&self.source)
            .output()
            .map_err(|error| format!("git: {error}"))?;
        if !listed.status.success() {
            return Err(String::from_utf8_lossy(&listed.stderr).into_owned());
        }
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let files: BTreeSet<&Path> = listed.split_terminator('\0').map(Path::new).collect();
        for file in &files {
            self.copy_file(file)?;
        }
        self.remove_others(&self.copy, &files)
    }

    /// Plants a bug.
    ///
    /// # Errors
    /// When it does not apply, or changes nothing.
    pub(crate) fn plant(&self, patch: &Patch) -> Result<(), String> {
        let applied = Command::new("git")
            .args(["apply", "--whitespace=nowarn"])
            .arg(&patch.file)
            .current_dir(&self.copy)
            // The copy lies inside a repository, and is none itself.
            .env("GIT_CEILING_DIRECTORIES", self.copy.parent().unwrap_or(&self.copy))
            .output()
            .map_err(|error| format!("git: {error}"))?;
        if !applied.status.success() {
            let why = String::from_utf8_lossy(&applied.stderr).into_owned();
            return Err(format!("{} does not apply any more: {why}", patch.name));
        }
        for file in &patch.touches {
            if std::fs::read(self.copy.join(file)).ok() == self.whole(file) {
                return Err(format!("{} does not change {}", patch.name, file.display()));
            }
        }
        Ok(())
    }

    /// Takes a bug out again.
    pub(crate) fn uproot(&self, patch: &Patch) -> Result<(), String> {
        patch.touches.iter().try_for_each(|file| self.copy_file(file))
    }

    fn copy_file(&self, file: &Path) -> Result<(), String> {
        let (from, to) = (self.source.join(file), self.copy.join(file));
        let told = |error: std::io::Error| format!("{}: {error}", to.display());
        // Deleted in the work tree, and not committed yet.
        let Some(bytes) = self.whole(file) else {
            return Ok(());
        };
        if std::fs::read(&to).is_ok_and(|known| known == bytes) {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(told)?;
        }
        std::fs::write(&to, bytes).map_err(told)?;
        let permissions = std::fs::metadata(&from).map_err(told)?.permissions();
        std::fs::set_permissions(&to, permissions).map_err(told)
    }

    /// A file without any bug, as the copy has it.
    fn whole(&self, file: &Path) -> Option<Vec<u8>> {
        let bytes = std::fs::read(self.source.join(file)).ok()?;
        match file.to_str() {
            Some("Cargo.toml" | "Cargo.lock") => Some(renumbered(&String::from_utf8_lossy(&bytes))),
            _ => Some(bytes),
        }
    }

    /// Removes what the source does not have; installed modules of Node stay.
    fn remove_others(&self, folder: &Path, files: &BTreeSet<&Path>) -> Result<(), String> {
        let told = |error: std::io::Error| format!("{}: {error}", folder.display());
        for entry in std::fs::read_dir(folder).map_err(told)? {
            let entry = entry.map_err(told)?;
            let path = entry.path();
            let inside = path.strip_prefix(&self.copy).unwrap_or(&path);
            if entry.file_type().map_err(told)?.is_dir() {
                if entry.file_name() != "node_modules" {
                    self.remove_others(&path, files)?;
                }
            } else if !files.contains(inside) || !self.source.join(inside).exists() {
                std::fs::remove_file(&path).map_err(told)?;
            }
        }
        Ok(())
    }
}

/// A manifest or lock file in which the workspace's own packages are of another version.
///
/// The copy is built in the build directory of the work tree, where everything from the
/// registry is built already. Cargo tells packages of two workspaces apart by name and version
/// there, and not by their path: of the same version, a planted bug would be taken for the
/// product.
fn renumbered(text: &str) -> Vec<u8> {
    let mut ours = false;
    let mut renumbered = String::with_capacity(text.len());
    for line in text.lines() {
        match line.strip_prefix("version = \"").and_then(|rest| rest.strip_suffix('"')) {
            Some(version) if ours => {
                renumbered.push_str(&format!("version = \"{version}+planted\"\n"));
            }
            _ => {
                renumbered.push_str(line);
                renumbered.push('\n');
            }
        }
        ours = line == "[workspace.package]" || line.starts_with("name = \"drop-");
    }
    renumbered.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::renumbered;

    #[test]
    fn only_the_workspaces_own_packages_are_renumbered() {
        let manifest =
            "[workspace.package]\nversion = \"0.1.0\"\n\n[dependencies]\nversion = \"1\"\n";
        let expected = manifest.replace("0.1.0", "0.1.0+planted");
        assert_eq!(renumbered(manifest), expected.into_bytes());
        let lock = "[[package]]\nname = \"drop-core\"\nversion = \"0.1.0\"\n\n\
            [[package]]\nname = \"dtoa\"\nversion = \"0.1.0\"\n";
        let expected = lock.replacen("0.1.0", "0.1.0+planted", 1);
        assert_eq!(renumbered(lock), expected.into_bytes());
    }
}
