//! A router that may be served: checked, compiled, with all that its routes need.

use std::collections::BTreeSet;

use biplane_core::path::Step as PathStep;
use biplane_core::report::{Report, Severity};
use serde_json::{Map, Value, json};

use super::{Document, gateways, policy, probe, upstream};
use crate::compile::{self, Branch, Domain, Matcher};
use crate::finding::Finding;
use crate::router::{Action, Dialect, Priority, Router, Rule, Tls};
use crate::service::ServiceId;
use crate::settings::Settings;

/// A router that may be served.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) owner: ServiceId,
    pub(super) instance: Option<String>,
    pub(super) tag: Option<String>,
    /// How people call it.
    pub(super) label: String,
    pub(super) priority: Priority,
    pub(super) tls: Option<Tls>,
    /// `None`: all.
    pub(super) gateways: Option<BTreeSet<String>>,
    /// The domains that its branches are bound to.
    pub(super) claims: BTreeSet<Domain>,
    /// What answers, in order; the last is the router's own action.
    pub(super) steps: Vec<Step>,
    /// Upstreams and secrets.
    pub(super) needs: Vec<Document>,
}

/// One route of a router.
#[derive(Debug)]
pub(super) struct Step {
    branches: Vec<Branch>,
    /// The fields of core's `Route` but for the matchers.
    fields: Map<String, Value>,
}

impl Step {
    /// What it matches on a domain; none: nothing.
    pub(super) fn on(&self, domain: &Domain) -> Vec<Matcher> {
        let mut matchers: Vec<_> = self
            .branches
            .iter()
            .filter(|branch| reaches(&branch.claim(), domain))
            .filter_map(|branch| branch.on(domain))
            .collect();
        let mut seen = BTreeSet::new();
        matchers.retain(|matcher| seen.insert(matcher.clone()));
        matchers
    }

    /// The route with these matchers.
    pub(super) fn route(&self, matchers: &[Matcher]) -> Value {
        let mut route = Map::new();
        route.insert("matchers".to_owned(), matchers.iter().map(Matcher::json).collect());
        route.extend(self.fields.clone());
        Value::Object(route)
    }
}

/// Whether a branch with this claim has requests on a domain. Hosts with a port are in no suffix of Envoy's: those
/// of a suffix come to the domain of all others.
fn reaches(claim: &Domain, domain: &Domain) -> bool {
    claim.contains(domain) || (*domain == Domain::Any && matches!(claim, Domain::Suffix(_)))
}

/// Checks a router. Without an entry it is not served at all, which the findings say.
pub(super) fn admit(router: &Router, settings: &Settings) -> (Option<Entry>, Vec<Finding>) {
    match checked(router, settings) {
        Ok((entry, findings)) => (Some(entry), findings),
        Err(finding) => (None, vec![blame(*finding, router)]),
    }
}

/// Names the instance and the tag that a router came of.
pub(super) fn blame(mut finding: Finding, router: &Router) -> Finding {
    finding.instance.clone_from(&router.instance);
    finding.tag.clone_from(&router.tag);
    finding
}

fn checked(router: &Router, settings: &Settings) -> Result<(Entry, Vec<Finding>), Box<Finding>> {
    let refuse = |message: String| Finding::error(&router.owner, format!("not served: {message}"));
    let branches = compile::compile(&router.rule).map_err(|why| refuse(why.to_string()))?;
    if branches.is_empty() {
        return Err(Box::new(refuse("no request can match the rule".to_owned())));
    }
    let gateways = gateways::of_entry_points(&router.entry_points, settings);
    if gateways.as_ref().is_some_and(BTreeSet::is_empty) {
        let why = refuse("the settings give no gateway to its entry points".to_owned());
        return Err(Box::new(why.hint("list gateways for them under tags.entryPoints")));
    }
    let claims: BTreeSet<_> = branches.iter().map(Branch::claim).collect();
    if let Some(why) = policy::refused(&router.owner, &claims, gateways.as_ref(), settings) {
        let why = refuse(why).hint("the gateway's operator can add a rule to tags.policy");
        return Err(Box::new(why));
    }
    let mut entry = Entry {
        owner: router.owner.clone(),
        instance: router.instance.clone(),
        tag: router.tag.clone(),
        label: label(router),
        priority: router.priority,
        tls: router.tls.clone(),
        gateways,
        claims,
        steps: Vec::new(),
        needs: Vec::new(),
    };
    let mut findings = Vec::new();
    let built = answers(router, &branches, settings, &mut entry)
        .map_err(|why| Box::new(Finding::error(&router.owner, format!("it is closed: {why}"))))
        .and_then(|()| probe::decodes(&entry).map_err(|report| of_core(router, "it is closed: ", *report)));
    match built {
        Ok(warnings) => findings.extend(warnings.into_iter().map(|report| *of_core(router, "", report))),
        Err(finding) => {
            findings.push(*finding);
            close(&mut entry, branches);
            // Where core refuses the rule itself, or the TLS settings, there is nothing to stand among others.
            probe::decodes(&entry).map_err(|report| of_core(router, "not served: ", *report))?;
        }
    }
    let findings = findings.into_iter().map(|finding| blame(finding, router)).collect();
    Ok((entry, findings))
}

/// What core says of the objects that a router became. The place in an object says little to those who wrote a
/// tag, so only its last field is told.
fn of_core(router: &Router, what: &str, report: Report) -> Box<Finding> {
    let field = report.path.0.iter().rev().find_map(|step| match step {
        PathStep::Field(name) => Some(format!("{name}: ")),
        PathStep::Index(_) => None,
    });
    let message = format!("{what}{}{}", field.unwrap_or_default(), report.message);
    let mut finding = match report.severity {
        Severity::Error => Finding::error(&router.owner, message),
        Severity::Warning => Finding::warning(&router.owner, message),
    };
    finding.hint = report.hint;
    Box::new(finding)
}

/// `web@traefik`
fn label(router: &Router) -> String {
    let dialect = match router.dialect {
        Dialect::Own => "biplane",
        Dialect::Traefik => "traefik",
        Dialect::Fabio => "fabio",
    };
    format!("{}@{dialect}", router.name)
}

/// Fills in the steps and what they need.
fn answers(
    router: &Router,
    branches: &[Branch],
    settings: &Settings,
    entry: &mut Entry,
) -> Result<(), String> {
    for (position, before) in router.before.iter().enumerate() {
        let rule = Rule::And(vec![router.rule.clone(), before.when.clone()]);
        let branches = compile::compile(&rule).map_err(|why| why.to_string())?;
        let mut fields = answer(&before.action).ok_or("only an action may forward")?;
        fields.insert("name".to_owned(), json!(format!("{}#{}", entry.label, position + 1)));
        entry.steps.push(Step { branches, fields });
    }
    let (mut fields, forwards) = match &router.action {
        Action::Forward(targets) => (upstream::forward(targets, settings, &mut entry.needs)?, true),
        other => (answer(other).expect("all others answer themselves"), false),
    };
    fields.insert("name".to_owned(), json!(entry.label));
    let mut options = router.options.clone();
    if !forwards {
        // They change what goes to an upstream.
        options.retain(|field, _| !matches!(field.as_str(), "prefixRewrite" | "regexRewrite"));
    }
    if !options.is_empty() && !matches!(router.action, Action::Closed { .. }) {
        fields.insert("options".to_owned(), Value::Object(options));
    }
    entry.needs.extend(router.secrets.iter().map(|secret| upstream::secret(secret, settings)));
    entry.steps.push(Step { branches: branches.to_vec(), fields });
    Ok(())
}

/// The fields of a route that answers itself; `None`: it does not.
fn answer(action: &Action) -> Option<Map<String, Value>> {
    let fields = match action {
        Action::Forward(_) => return None,
        Action::Redirect(fields) => json!({ "redirectAction": fields }),
        Action::Respond { status, body } if body.is_empty() => {
            json!({ "directResponseAction": { "status": status } })
        }
        Action::Respond { status, body } => {
            json!({ "directResponseAction": { "status": status, "body": body } })
        }
        Action::Closed { status, reason } => {
            json!({ "directResponseAction": { "status": status, "body": format!("closed: {reason}\n") } })
        }
    };
    match fields {
        Value::Object(fields) => Some(fields),
        _ => unreachable!("an object is written above"),
    }
}

/// Nobody is let in where a router cannot be built: what it was to guard stays guarded.
fn close(entry: &mut Entry, branches: Vec<Branch>) {
    let action = Action::Closed { status: 503, reason: "the tags of this route cannot be served".to_owned() };
    let mut fields = answer(&action).expect("a closed route answers itself");
    fields.insert("name".to_owned(), json!(entry.label));
    entry.steps = vec![Step { branches, fields }];
    entry.needs.clear();
}
