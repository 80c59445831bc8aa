//! Following symbolic links by hand, so that every link on the way is known: each of them may be
//! swapped, and each such swap must be noticed.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// As many as the kernel follows.
const LINKS_MAX: usize = 40;

/// The real path of `rest` as seen from `base`, which must be real itself. `on_link` is told the real
/// place of every link before it is read, so that it can be watched from then on.
pub(crate) fn resolve(base: &Path, rest: &Path, on_link: &mut dyn FnMut(&Path)) -> io::Result<PathBuf> {
    let mut real = base.to_owned();
    let mut todo = VecDeque::new();
    push_front(&mut todo, &mut real, rest);
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            real.pop();
            continue;
        }
        let place = real.join(&name);
        if !is_symlink(&place, links > 0, on_link)? {
            real = place;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(io::Error::other("too many levels of symbolic links"));
        }
        on_link(&place);
        match place.read_link() {
            Ok(target) => push_front(&mut todo, &mut real, &target),
            // It became something else between the two calls: look again.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => todo.push_front(name),
            Err(error) => return Err(error),
        }
    }
    Ok(real)
}

/// Whether there is a link at `place`. Where a link leads to nothing, the place of the nothing is told as
/// well: something may come there.
fn is_symlink(place: &Path, behind_link: bool, on_link: &mut dyn FnMut(&Path)) -> io::Result<bool> {
    match place.symlink_metadata() {
        Err(error) if behind_link && error.kind() == io::ErrorKind::NotFound => {
            on_link(place);
            Ok(place.symlink_metadata()?.is_symlink())
        }
        found => Ok(found?.is_symlink()),
    }
}

fn push_front(todo: &mut VecDeque<OsString>, real: &mut PathBuf, path: &Path) {
    if path.is_absolute() {
        *real = PathBuf::from("/");
    }
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    for part in parts.rev() {
        todo.push_front(part.as_os_str().to_owned());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn follow(base: &Path, rest: &str) -> io::Result<(PathBuf, Vec<PathBuf>)> {
        let mut links = Vec::new();
        let real = resolve(base, Path::new(rest), &mut |link| links.push(link.to_owned()))?;
        Ok((real, links))
    }

    fn directory() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let real = directory.path().canonicalize().expect("it exists");
        (directory, real)
    }

    #[test]
    fn every_link_on_the_way_is_told_in_order() {
        let (_guard, base) = directory();
        std::fs::create_dir(base.join("one")).expect("create");
        std::fs::write(base.join("one/a.yaml"), "").expect("write");
        symlink("one", base.join("data")).expect("link");
        symlink("data/a.yaml", base.join("a.yaml")).expect("link");
        let (real, links) = follow(&base, "a.yaml").expect("it resolves");
        assert_eq!(real, base.join("one/a.yaml"));
        assert_eq!(links, [base.join("a.yaml"), base.join("data")]);
    }

    #[test]
    fn parents_and_absolute_targets_are_followed() {
        let (_guard, base) = directory();
        std::fs::create_dir(base.join("deep")).expect("create");
        std::fs::write(base.join("a.yaml"), "").expect("write");
        symlink("../a.yaml", base.join("deep/up.yaml")).expect("link");
        symlink(base.join("deep"), base.join("absolute")).expect("link");
        assert_eq!(follow(&base, "absolute/up.yaml").expect("it resolves").0, base.join("a.yaml"));
    }

    #[test]
    fn a_link_to_itself_is_an_error() {
        let (_guard, base) = directory();
        symlink("loop", base.join("loop")).expect("link");
        follow(&base, "loop").expect_err("a loop leads nowhere");
    }

    #[test]
    fn a_dangling_link_and_where_it_leads_are_told() {
        let (_guard, base) = directory();
        symlink("nowhere", base.join("dangling")).expect("link");
        let mut links = 0;
        let error = resolve(&base, Path::new("dangling"), &mut |_| links += 1).expect_err("it dangles");
        assert_eq!((error.kind(), links), (io::ErrorKind::NotFound, 2));
    }
}
