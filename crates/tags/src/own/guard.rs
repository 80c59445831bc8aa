//! Who is let in. A guard that cannot be read lets nobody in.

use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::matching::Fault;
use super::scalar;
use crate::router::{Action, Before, Rule};

/// The guards of a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Guards {
    pub(super) before: Vec<Before>,
    pub(super) options: Map<String, Value>,
}

/// Reads them; the fault closes the route.
pub(super) fn read<'a>(draft: &'a Draft<'_>) -> Result<Guards, Fault<'a>> {
    let mut guards = Guards::default();
    if draft.in_doubt {
        return Err(("an option that is not known may be a guard that is misspelt".to_owned(), None));
    }
    for (name, allows) in [("deny", false), ("allow", true)] {
        let Some(written) = draft.get(name) else { continue };
        let ranges = scalar::networks(&written.value).map_err(|why| (why, Some(written)))?;
        let inside = Rule::ClientIp(ranges);
        let when = if allows { inside.negated() } else { inside };
        guards.before.push(Before { when, action: Action::Respond { status: 403, body: String::new() } });
    }
    for name in ["basicAuth", "apiKeyAuth"] {
        let Some(written) = draft.get(name) else { continue };
        let secret = scalar::reference(&written.value).map_err(|why| (why, Some(written)))?;
        guards.options.insert(name.to_owned(), json!({ "secretRef": secret }));
    }
    Ok(guards)
}
