//! From routers, middlewares and services to the routers that the table knows.

use serde_json::{Map, Value, json};

use super::dynamic::Router as Written;
use super::group::Group;
use super::instance::Problem;
use super::middleware::{self, Draft};
use super::names::{self, Reference};
use super::registry::{Found, Kind, Registry};
use super::rule;
use super::target::{self, Backend};
use crate::finding::{Finding, Severity};
use crate::router::{Action, Dialect, Priority, Router, Rule, Tls};
use crate::service::ServiceId;
use crate::settings::TraefikSettings;

/// Chains that may lie within each other.
const MAX_DEPTH: usize = 16;
/// What to try where a name is not known.
const UNKNOWN: &str = "tags know what other tags of the same source and namespace define";
/// Traefik's service of routers that only redirect; it answers 418.
const NOTHING: &str = "noop@internal";
/// Methods that Traefik does not try again on its own.
const UNSAFE_METHODS: [&str; 3] = ["POST", "LOCK", "PATCH"];

/// All routers of a service, and what is wrong with them.
pub(crate) fn routers(
    registry: &Registry,
    id: &ServiceId,
    settings: &TraefikSettings,
    namespace: &str,
) -> (Vec<Router>, Vec<Finding>) {
    let (mut routers, mut findings) = (Vec::new(), Vec::new());
    let groups = registry.owner(id).map(|(groups, _)| groups).unwrap_or_default();
    for (at, group) in groups.iter().enumerate() {
        for (name, written) in &group.configuration.routers {
            let builder = Builder { registry, id, group, settings, namespace, name, written };
            let (built, problems) = builder.build();
            findings.extend(problems.into_iter().map(|problem| builder.finding(problem)));
            for router in built {
                join(&mut routers, router, at);
            }
        }
    }
    for router in &mut routers {
        if let Action::Forward(targets) = &mut router.action
            && let [only] = targets.as_mut_slice()
        {
            only.weight = 1;
        }
    }
    (routers, findings)
}

/// Adds a router. A canary's that answers the same requests in the same way as one of the stable instances shares
/// them by the number of instances; its name is another one in any case.
fn join(routers: &mut Vec<Router>, mut router: Router, group: usize) {
    let alike = routers.iter_mut().find(|known| {
        known.rule == router.rule
            && known.priority == router.priority
            && known.entry_points == router.entry_points
    });
    if let (Some(known), true) = (alike, group > 0)
        && known.tls == router.tls
        && known.before == router.before
        && known.options == router.options
        && let (Action::Forward(known), Action::Forward(more)) = (&mut known.action, &router.action)
    {
        known.extend(more.iter().cloned());
        return;
    }
    if routers.iter().any(|known| known.name == router.name) {
        router.name = format!("{}-canary-{group}", router.name);
    }
    routers.push(router);
}

/// One router on its way.
struct Builder<'a> {
    registry: &'a Registry,
    id: &'a ServiceId,
    group: &'a Group,
    settings: &'a TraefikSettings,
    namespace: &'a str,
    name: &'a str,
    written: &'a Written,
}

impl Builder<'_> {
    fn finding(&self, problem: Problem) -> Finding {
        let message = format!("router {}: {}", self.name, problem.message);
        let mut finding = match problem.severity {
            Severity::Error => Finding::error(self.id, message),
            Severity::Warning => Finding::warning(self.id, message),
        };
        finding.instance = self.group.router_of.get(self.name).cloned();
        finding.tag = problem.tag;
        finding.hint = problem.hint;
        finding
    }

    fn build(&self) -> (Vec<Router>, Vec<Problem>) {
        match self.rule() {
            Ok(rule) => {
                let (draft, backend) = self.draft(&rule);
                let problems = draft.problems.iter().chain(&backend.problems).cloned().collect();
                (self.finished(&rule, draft, &backend), problems)
            }
            Err(problem) => (Vec::new(), vec![*problem]),
        }
    }

    fn rule(&self) -> Result<Rule, Box<Problem>> {
        let fail = |message: String| Box::new(Problem::new(Severity::Error, format!("left out: {message}")));
        if !self.written.parent_refs.is_empty() {
            return Err(fail("routers under a parent (parentRefs) cannot be built".to_owned()));
        }
        if !["", "v3", "default"].contains(&self.written.rule_syntax.to_lowercase().as_str()) {
            let problem =
                fail(format!("its rule is in the syntax {}, only v3 is read", self.written.rule_syntax));
            return Err(Box::new(problem.hint("rewrite the rule in the syntax of version 3")));
        }
        rule::parse(&self.written.rule).map_err(|error| {
            let mut problem = *fail(format!("the rule {:?} is refused: {error}", self.written.rule));
            problem.hint = error.hint;
            Box::new(problem)
        })
    }

    fn draft<'r>(&'r self, rule: &'r Rule) -> (Draft<'r>, Backend) {
        let mut draft = Draft::new(rule, self.written.tls.is_some(), self.namespace);
        self.tls_options(&mut draft);
        self.go_through(&self.written.middlewares, self.id, self.group, &mut draft, 0);
        let backend = if let Some((bare, found)) = self.service() {
            let service = &found.group.configuration.services[bare];
            self.go_through(&service.middlewares, found.owner, found.group, &mut draft, 0);
            target::build(bare, service, found, self.settings)
        } else {
            self.without_service(&mut draft);
            Backend::default()
        };
        (draft, backend)
    }

    fn without_service(&self, draft: &mut Draft<'_>) {
        if self.written.service == NOTHING {
            draft.closed.get_or_insert((418, "nothing is behind this route".to_owned()));
            return;
        }
        draft.close(503, format!("the service {} is not known", self.written.service), Some(UNKNOWN));
    }

    /// Options may ask clients for certificates, and are kept where they are not read.
    fn tls_options(&self, draft: &mut Draft<'_>) {
        let options = self.written.tls.as_ref().map(|tls| tls.options.as_str()).unwrap_or_default();
        let bare = options.split('@').next().unwrap_or_default();
        if !["", "default"].contains(&bare) {
            let hint = "leave tls.options out, or write a VirtualService with an sslConfig";
            draft.close(403, format!("the TLS options {options} are not known"), Some(hint));
        }
    }

    fn service(&self) -> Option<(&str, Found<'_>)> {
        let found = self.registry.find(self.id, self.group, Kind::Service, &self.written.service)?;
        match names::reference(&self.written.service, self.id.source, &self.id.namespace) {
            Reference::Own(bare) => Some((bare, found)),
            Reference::Foreign => None,
        }
    }

    /// Goes through middlewares that are named by tags of `group`, chains included. Behind what closes the route only
    /// names that are not known matter, since all of them are told.
    fn go_through(
        &self,
        names: &[String],
        id: &ServiceId,
        group: &Group,
        draft: &mut Draft<'_>,
        depth: usize,
    ) {
        for name in names.iter().filter(|name| !name.is_empty()) {
            if let Some(secret) = self.settings.users.get(name) {
                middleware::let_in(name, secret, draft);
                continue;
            }
            let Some((middleware, found)) = self.registry.middleware(id, group, name) else {
                draft.close(403, format!("the middleware {name} is not known"), Some(UNKNOWN));
                continue;
            };
            let chained: Vec<String> = middleware.chained().map(str::to_owned).collect();
            if depth >= MAX_DEPTH {
                return draft.forbid(format!("the chain {name} leads to itself, or through too many others"));
            }
            if !chained.is_empty() && middleware.0.len() == 1 {
                self.go_through(&chained, found.owner, found.group, draft, depth + 1);
            } else if draft.closed.is_none() {
                middleware::apply(name, middleware, draft);
            }
        }
    }

    fn finished(&self, rule: &Rule, mut draft: Draft<'_>, backend: &Backend) -> Vec<Router> {
        if let Some(path) = &backend.path {
            middleware::add_prefix_of_service(&self.written.service, path, &mut draft);
        }
        let action = match (&draft.closed, &backend.broken) {
            (Some((status, reason)), _) => Action::Closed { status: *status, reason: reason.clone() },
            (None, Some(reason)) => Action::Closed { status: 503, reason: reason.clone() },
            (None, None) if backend.targets.is_empty() => Action::Closed {
                status: 503,
                reason: format!("the service {} has no instance", self.written.service),
            },
            (None, None) => Action::Forward(backend.targets.clone()),
        };
        let options = options(&draft, backend, &action);
        let split = draft.retries_spare_unsafe_methods && matches!(action, Action::Forward(_));
        let router = self.router(rule.clone(), action, options, draft);
        if split { without_retries_of_unsafe_methods(&router) } else { vec![router] }
    }

    fn router(&self, rule: Rule, action: Action, options: Map<String, Value>, draft: Draft<'_>) -> Router {
        let priority = match self.written.priority {
            0 => i64::try_from(self.written.rule.len()).unwrap_or(i64::MAX),
            priority => priority,
        };
        let forwards = matches!(action, Action::Forward(_));
        Router {
            dialect: Dialect::Traefik,
            name: self.name.to_owned(),
            exclusive_name: Some(self.exclusive_name()),
            owner: self.id.clone(),
            instance: self.group.router_of.get(self.name).cloned(),
            tag: Some(format!("traefik.http.routers.{}.rule={}", self.name, self.written.rule)),
            rule,
            priority: Priority(priority),
            entry_points: self.written.entry_points.iter().filter(|name| !name.is_empty()).cloned().collect(),
            tls: self.written.tls.as_ref().map(|_| Tls::default()),
            before: draft.before,
            action,
            options,
            secrets: if forwards { draft.secrets } else { Vec::new() },
        }
    }

    /// Traefik has one list of names for each namespace, if it reads several.
    fn exclusive_name(&self) -> String {
        match self.id.namespace.as_str() {
            "" => self.name.to_owned(),
            namespace => format!("{}@{namespace}", self.name),
        }
    }
}

/// What the route has besides its matcher and its action.
fn options(draft: &Draft<'_>, backend: &Backend, action: &Action) -> Map<String, Value> {
    let mut options = Map::new();
    if !matches!(action, Action::Forward(_)) {
        return options;
    }
    // Traefik waits for an answer as long as it takes, and lets WebSockets through.
    options.insert("timeout".to_owned(), json!("0s"));
    options.insert("upgrades".to_owned(), json!([{"websocket": {}}]));
    options.extend(backend.options.clone());
    options.extend(draft.options.clone());
    if let Some(rewrite) = draft.path.option() {
        options.insert("regexRewrite".to_owned(), rewrite);
    }
    if let Some(headers) = draft.headers.option() {
        options.insert("headerManipulation".to_owned(), headers);
    }
    options
}

/// Two routers for one: by status codes only methods are tried again that may be.
fn without_retries_of_unsafe_methods(router: &Router) -> Vec<Router> {
    let unsafe_methods = Rule::Or(UNSAFE_METHODS.map(|method| Rule::Method(method.to_owned())).to_vec());
    let mut other = router.clone();
    other.name = format!("{}-unsafe-methods", router.name);
    other.rule = Rule::And(vec![router.rule.clone(), unsafe_methods.clone()]);
    if let Some(retries) = other.options.get_mut("retries") {
        let on = retries["retryOn"].as_str().unwrap_or_default();
        let on: Vec<&str> = on.split(',').filter(|one| *one != "retriable-status-codes").collect();
        let on = on.join(",");
        if let Some(retries) = retries.as_object_mut() {
            retries.shift_remove("retriableStatusCodes");
            retries.insert("retryOn".to_owned(), json!(on));
        }
        if on.is_empty() {
            other.options.shift_remove("retries");
        }
    }
    let mut first = router.clone();
    first.rule = Rule::And(vec![router.rule.clone(), unsafe_methods.negated()]);
    vec![first, other]
}
