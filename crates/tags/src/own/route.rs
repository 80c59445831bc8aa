//! One route of a service, and the routers that it takes.

use serde_json::{Map, Value, json};

use super::draft::{Draft, Written};
use super::guard::{self, Guards};
use super::matching::{self, Fault};
use super::{options, scalar, specificity, target};
use crate::finding::Finding;
use crate::reader::Deployment;
use crate::router::{Action, Before, Dialect, Priority, Router, Rule, Target, Tls};
use crate::service::{Instance, ServiceId};

/// One route.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Route {
    pub(super) name: String,
    pub(super) instance: String,
    tag: Option<String>,
    pub(super) meets: Meets,
    before: Vec<Before>,
    pub(super) action: Action,
    options: Map<String, Value>,
    /// For canaries: their share of the requests, in percent.
    pub(super) weight: Option<u32>,
}

/// Which requests it is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Meets {
    rule: Rule,
    priority: Priority,
    gateways: Vec<String>,
    tls: Option<Tls>,
    redirect_https: bool,
}

impl Route {
    /// Reads a draft; `None`: it cannot be told which requests are meant.
    pub(super) fn build(
        id: &ServiceId,
        instance: &Instance,
        draft: &Draft<'_>,
        deployment: &Deployment,
        findings: &mut Vec<Finding>,
    ) -> Option<Self> {
        let read = || Ok((Meets::read(draft)?, target::read(id, draft, deployment)?));
        let (meets, target) = match read() {
            Ok(read) => read,
            Err(fault) => {
                findings.push(told(id, draft, "is not served", fault));
                return None;
            }
        };
        let mut treatment = Vec::new();
        let mut options = options::read(draft, &mut |why, tag| {
            treatment.push(Finding::error(id, format!("left out: {why}")).tag(tag));
        });
        let weight = weight(id, draft, &mut treatment);
        findings.append(&mut treatment);
        let (guards, action) = match guard::read(draft) {
            Ok(guards) => (guards, Action::Forward(vec![target])),
            Err(fault) => {
                findings.push(told(id, draft, "is closed", fault));
                options.clear();
                let reason = "an access rule of this route cannot be read".to_owned();
                (Guards::default(), Action::Closed { status: 403, reason })
            }
        };
        options.extend(guards.options);
        let tag =
            ["rule", "hosts"].into_iter().find_map(|name| draft.get(name)).map(|written| written.tag.clone());
        let instance = instance.id.clone();
        Some(Self {
            name: draft.name.to_owned(),
            instance,
            tag,
            meets,
            before: guards.before,
            action,
            options,
            weight,
        })
    }

    /// Whether two instances mean the same by a name.
    pub(super) fn says_the_same_as(&self, other: &Self) -> bool {
        let other = Self { instance: self.instance.clone(), ..other.clone() };
        *self == other
    }

    /// Who is let in.
    pub(super) fn guards(&self) -> (&[Before], [Option<&Value>; 2]) {
        (&self.before, ["basicAuth", "apiKeyAuth"].map(|name| self.options.get(name)))
    }

    /// Its upstreams, unless it is closed.
    pub(super) fn targets(&mut self) -> Option<&mut Vec<Target>> {
        match &mut self.action {
            Action::Forward(targets) => Some(targets),
            _ => None,
        }
    }

    /// The routers that serve it: one, and one more where plain requests are sent to https.
    pub(super) fn routers(self, id: &ServiceId) -> Vec<Router> {
        let redirect_https = self.meets.redirect_https;
        let router = Router {
            dialect: Dialect::Own,
            name: self.name,
            exclusive_name: None,
            owner: id.clone(),
            instance: Some(self.instance),
            tag: self.tag,
            rule: self.meets.rule,
            priority: self.meets.priority,
            entry_points: self.meets.gateways,
            tls: self.meets.tls,
            before: self.before,
            action: self.action,
            options: self.options,
            secrets: Vec::new(),
        };
        if !redirect_https {
            return vec![router];
        }
        let fields = Map::from_iter([("httpsRedirect".to_owned(), json!(true))]);
        let redirect = Router {
            name: format!("{}#https", router.name),
            tls: None,
            before: Vec::new(),
            action: Action::Redirect(fields),
            options: Map::new(),
            ..router.clone()
        };
        vec![router, redirect]
    }
}

impl Meets {
    fn read<'a>(draft: &'a Draft<'_>) -> Result<Self, Fault<'a>> {
        let rule = matching::rule(draft)?;
        let written = number(draft, "priority")?.unwrap_or_default();
        let gateways = match draft.get("gateways") {
            None => Vec::new(),
            Some(written) => scalar::list(&written.value).map_err(|why| (why, Some(written)))?,
        };
        let redirect_https = flag(draft, "redirectHttps")?.unwrap_or_default();
        let secret = match draft.get("tls.secret") {
            None => None,
            Some(written) => Some(scalar::reference(&written.value).map_err(|why| (why, Some(written)))?),
        };
        let wants_tls = flag(draft, "tls")?.unwrap_or(secret.is_some() || redirect_https);
        if !wants_tls && redirect_https {
            return Err((
                "redirectHttps sends requests to a route that tls=false does not serve".to_owned(),
                None,
            ));
        }
        let tls = wants_tls.then(|| Tls { secret, ..Tls::default() });
        let priority = specificity::priority(&rule, written);
        let gateways = gateways.into_iter().map(str::to_owned).collect();
        Ok(Self { rule, priority, gateways, tls, redirect_https })
    }
}

fn flag<'a>(draft: &'a Draft<'_>, name: &str) -> Result<Option<bool>, Fault<'a>> {
    let Some(written) = draft.get(name) else { return Ok(None) };
    scalar::flag(&written.value).map(Some).map_err(|why| (why, Some(written)))
}

fn number<'a>(draft: &'a Draft<'_>, name: &str) -> Result<Option<i32>, Fault<'a>> {
    let Some(written) = draft.get(name) else { return Ok(None) };
    scalar::whole(&written.value).map(Some).map_err(|why| (why, Some(written)))
}

fn weight(id: &ServiceId, draft: &Draft<'_>, findings: &mut Vec<Finding>) -> Option<u32> {
    let written = draft.get("weight")?;
    let read = scalar::whole(&written.value).and_then(|weight| {
        if weight <= 100 { Ok(weight) } else { Err(format!("{weight} is more than 100 percent")) }
    });
    read.map_err(|why| findings.push(Finding::error(id, format!("left out: {why}")).tag(&written.tag))).ok()
}

fn told(
    id: &ServiceId,
    draft: &Draft<'_>,
    what: &str,
    (why, written): (String, Option<&Written>),
) -> Finding {
    let finding = Finding::error(id, format!("route {:?} {what}: {why}", draft.name));
    match written {
        Some(written) => finding.tag(&written.tag),
        None => finding,
    }
}
