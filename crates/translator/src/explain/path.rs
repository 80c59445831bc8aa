//! What the connection manager does to a path before routes see it.

/// The path with `.` and `..` resolved, `\` turned into `/` and letters written as themselves (`normalize`), and
/// with repeated slashes as one (`merge_slashes`). The query stays as it is.
pub fn normalized(path: &str, normalize: bool, merge_slashes: bool) -> String {
    let (bare, query) = match path.find(['?', '#']) {
        Some(at) => path.split_at(at),
        None => (path, ""),
    };
    let mut bare = bare.to_owned();
    if normalize {
        bare = resolved(&unescaped(&bare.replace('\\', "/")));
    }
    if merge_slashes {
        while bare.contains("//") {
            bare = bare.replace("//", "/");
        }
    }
    bare + query
}

/// `%6c` as `l`: what means the same wherever it stands. `%2F` is no slash.
fn unescaped(path: &str) -> String {
    let mut parts = path.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).map(char::from);
        if let Some(code) = code.filter(|code| code.is_ascii_alphanumeric() || "-._~".contains(*code)) {
            out.push(code);
            out.push_str(&part[2..]);
        } else {
            out.push('%');
            out.push_str(part);
        }
    }
    out
}

fn resolved(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            "." => {}
            ".." => drop(kept.pop()),
            _ => {
                kept.push(part);
                continue;
            }
        }
        if is_last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}
