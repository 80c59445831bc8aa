//! Middlewares that a route has, and what it has of them.

use biplane_core::key::ResourceRef;
use biplane_tags::finding::Severity;
use biplane_tags::service::SourceKind;
use serde_json::{Value, json};

use super::{Gateway, instance, settings, status};

const RULE: &str = "routers.r.rule=Host(`a.example`) && PathPrefix(`/api`)";

fn through(names: &str, middlewares: &[&str]) -> Gateway {
    let mut tags = vec![RULE.to_owned(), format!("routers.r.middlewares={names}")];
    tags.extend(middlewares.iter().map(|one| format!("middlewares.{one}")));
    Gateway::of(&tags.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What becomes of `path`, as Envoy would rewrite it.
fn rewritten(names: &str, middlewares: &[&str], path: &str) -> String {
    let gateway = through(names, middlewares);
    let rewrite = &gateway.options("a.example")["regexRewrite"];
    let pattern = rewrite["pattern"]["regex"].as_str().unwrap_or_else(|| panic!("{:#?}", gateway.told()));
    let regex = regex::Regex::new(pattern).expect("a pattern");
    let substitution = rewrite["substitution"].as_str().expect("a substitution");
    // `\1` is `$1` in the crate's form.
    let digits = regex::Regex::new(r"\\([0-9])").expect("a pattern");
    let substitution = digits.replace_all(&substitution.replace('$', "$$"), "$${$1}").into_owned();
    regex.replace_all(path, substitution).into_owned()
}

#[test]
fn paths_change_as_traefik_changes_them() {
    let add = "add.addprefix.prefix=/internal";
    let strip = "strip.stripprefix.prefixes=/api, /v2";
    let more = "more.stripprefix.prefixes=/users";
    let regex = "regex.stripprefixregex.regex=^/api/[a-z]+";
    let replace = "replace.replacepath.path=/new path";
    let pattern = "pattern.replacepathregex.regex=^/api/(?P<rest>.*)";
    let replacement = "pattern.replacepathregex.replacement=/x/${rest}";
    for (names, middlewares, path, wanted) in [
        ("add", &[add] as &[&str], "/api/a", "/internal/api/a"),
        ("strip", &[strip], "/api/a", "/a"),
        ("strip", &[strip], "/api", "/"),
        ("strip", &[strip], "/apis", "/s"),
        ("strip", &[strip], "/api//a", "//a"),
        ("strip", &[strip], "/other", "/other"),
        ("strip,add", &[strip, add], "/api/a", "/internal/a"),
        ("strip,add", &[strip, add], "/other", "/internal/other"),
        ("strip,more", &[strip, more], "/api/users/7", "/7"),
        ("strip,more", &[strip, more], "/users/7", "/7"),
        ("add,add", &[add], "/a", "/internal/internal/a"),
        ("regex", &[regex], "/api/abc/7", "/7"),
        ("regex,add", &[regex, add], "/api/abc", "/internal/"),
        ("replace", &[replace], "/api/a", "/new%20path"),
        ("replace,add", &[replace, add], "/api/a", "/internal/new%20path"),
        ("pattern", &[pattern, replacement], "/api/a/b", "/x/a/b"),
        ("strip,replace", &[strip, replace], "/api/a", "/new%20path"),
    ] {
        assert_eq!(rewritten(names, middlewares, path), wanted, "{names} {path}");
    }
}

#[test]
fn changes_of_the_path_that_cannot_be_joined_close_the_route() {
    let pattern =
        ["p.replacepathregex.regex=a", "p.replacepathregex.replacement=b", "s.stripprefix.prefixes=/x"];
    for names in ["s,p", "p,s"] {
        let gateway = through(names, &pattern);
        assert_eq!(status(gateway.route("a.example")), Some(503), "{names}");
        gateway.tells(Severity::Error, "cannot be joined");
    }
}

#[test]
fn the_prefix_that_is_stripped_is_told_where_it_is_known() {
    let told =
        |gateway: &Gateway| gateway.options("a.example")["headerManipulation"]["requestHeadersToAdd"].clone();
    let header = json!([{"header": {"key": "X-Forwarded-Prefix", "value": "/api"}, "append": false}]);
    assert_eq!(told(&through("s", &["s.stripprefix.prefixes=/api"])), header);
    assert_eq!(told(&through("s", &["s.stripprefix.prefixes=/other"])), Value::Null);
}

#[test]
fn headers_are_set_and_taken_away() {
    let gateway = through(
        "h,again",
        &[
            "h.headers.customrequestheaders.X-From=100% edge",
            "h.headers.customrequestheaders.X-Drop=",
            "h.headers.customrequestheaders.Host=inner.example",
            "h.headers.customresponseheaders.Server=",
            "h.headers.framedeny=true",
            "h.headers.contenttypenosniff=true",
            "h.headers.referrerpolicy=no-referrer",
            "again.headers.customframeoptionsvalue=SAMEORIGIN",
            "again.headers.customrequestheaders.x-from=later",
        ],
    );
    let set = |key: &str, value: &str| json!({"header": {"key": key, "value": value}, "append": false});
    // Requests go through the middlewares forwards, responses backwards.
    let manipulation = json!({
        "requestHeadersToAdd": [set("x-from", "later")],
        "requestHeadersToRemove": ["X-Drop"],
        "responseHeadersToAdd": [
            set("Referrer-Policy", "no-referrer"),
            set("X-Content-Type-Options", "nosniff"),
            set("X-Frame-Options", "DENY"),
        ],
        "responseHeadersToRemove": ["Server"],
    });
    let options = json!({"hostRewrite": "inner.example", "headerManipulation": manipulation});
    assert_eq!(gateway.options("a.example"), options);
    let percent = through("h", &["h.headers.customrequestheaders.X-From=100% edge"]);
    let added = &percent.options("a.example")["headerManipulation"]["requestHeadersToAdd"];
    assert_eq!(*added, json!([set("X-From", "100%% edge")]));
}

#[test]
fn transport_security_is_told_over_tls_only_unless_it_is_forced() {
    let sts = ["h.headers.stsseconds=60", "h.headers.stsincludesubdomains=true", "h.headers.stspreload=true"];
    let told = |more: &str| {
        let tags = [&sts[..], &[more]].concat();
        through("h", &tags).options("a.example")["headerManipulation"]["responseHeadersToAdd"][0]["header"]["value"].clone()
    };
    assert_eq!(told("h.headers.framedeny=false"), Value::Null);
    assert_eq!(told("h.headers.forcestsheader=true"), json!("max-age=60; includeSubDomains; preload"));
    let tls = Gateway::of(&[
        RULE,
        "routers.r.tls=true",
        "routers.r.middlewares=h",
        "middlewares.h.headers.stsseconds=60",
    ]);
    let value = &tls.options("a.example")["headerManipulation"]["responseHeadersToAdd"][0]["header"]["value"];
    assert_eq!(*value, json!("max-age=60"));
}

#[test]
fn cross_origin_headers_become_the_cors_option() {
    let gateway = through(
        "h",
        &[
            "h.headers.accesscontrolalloworiginlist=https://a.example, *",
            "h.headers.accesscontrolalloworiginlistregex=\\.b\\.example$",
            "h.headers.accesscontrolallowmethods=GET,PUT",
            "h.headers.accesscontrolallowheaders=X-A",
            "h.headers.accesscontrolexposeheaders=X-B",
            "h.headers.accesscontrolmaxage=100",
            "h.headers.accesscontrolallowcredentials=true",
            "h.headers.addvaryheader=true",
        ],
    );
    let cors = json!({
        "allowOrigin": ["https://a.example", "*"],
        "allowOriginRegex": [".*(?:\\.b\\.example$).*"],
        "allowMethods": ["GET", "PUT"],
        "allowHeaders": ["X-A"],
        "exposeHeaders": ["X-B"],
        "maxAge": "100",
        "allowCredentials": true,
    });
    let vary = json!({"header": {"key": "Vary", "value": "Origin"}, "append": true});
    let options = gateway.options("a.example");
    assert_eq!(options["cors"], cors);
    assert_eq!(options["headerManipulation"]["responseHeadersToAdd"], json!([vary]));
    gateway.tells_nothing();
}

#[test]
fn retries_are_tries_beside_the_first() {
    let gateway = through("r", &["r.retry.attempts=3", "r.retry.initialinterval=100ms"]);
    let retries = json!({
        "retryOn": "connect-failure,refused-stream,reset-before-request",
        "numRetries": 2,
        "retryBackOff": {"baseInterval": "0.1s", "maxInterval": "0.2s"},
    });
    assert_eq!(gateway.options("a.example"), json!({ "retries": retries }));
    gateway.tells_nothing();
}

#[test]
fn posts_are_not_tried_again_by_status() {
    let gateway = through("r", &["r.retry.attempts=2", "r.retry.status=502-503,429"]);
    let methods = |route: &Value| -> Vec<Value> {
        let matchers = route["matchers"].as_array().expect("matchers");
        matchers
            .iter()
            .map(|matcher| matcher["methods"].clone())
            .filter(|methods| !methods.is_null())
            .collect()
    };
    let codes = |route: &Value| route["options"]["retries"]["retriableStatusCodes"].clone();
    let routes = gateway.routes("a.example");
    let found: Vec<_> = routes.iter().map(|route| (methods(route), codes(route))).collect();
    assert_eq!(found.len(), 2, "{routes:#?}");
    assert!(found.contains(&(Vec::new(), json!([429, 502, 503]))), "{found:?}");
    let unsafe_methods = ["POST", "LOCK", "PATCH"].map(|method| json!([method])).to_vec();
    assert!(found.contains(&(unsafe_methods, Value::Null)), "{found:?}");
    let all =
        through("r", &["r.retry.attempts=2", "r.retry.status=503", "r.retry.retrynonidempotentmethod=true"]);
    assert_eq!(all.options("a.example")["retries"]["retriableStatusCodes"], json!([503]));
}

#[test]
fn users_with_sha_hashes_are_let_in() {
    let gateway = through(
        "auth",
        &[
            "auth.basicauth.users=joe:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=, old:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
            "auth.basicauth.headerfield=X-User",
            "auth.basicauth.removeheader=true",
        ],
    );
    let options = gateway.options("a.example");
    assert_eq!(options["basicAuth"]["forwardUsernameHeader"], json!("X-User"));
    assert_eq!(options["headerManipulation"]["requestHeadersToRemove"], json!(["Authorization"]));
    let secrets: Vec<_> =
        gateway.documents.values().filter(|document| !document["credentials"].is_null()).collect();
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets[0]["credentials"], json!({"users": {"joe": "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}}));
    assert_eq!(secrets[0]["metadata"]["name"], options["basicAuth"]["secretRef"]["name"]);
    gateway.tells(Severity::Warning, "user 2 is not let in");
}

#[test]
fn settings_name_users_in_the_place_of_a_middleware() {
    let mut settings = settings();
    let secret = ResourceRef { namespace: "edge".to_owned(), name: "staff".to_owned() };
    settings.traefik.users = [("auth@file".to_owned(), secret.clone()), ("auth".to_owned(), secret)].into();
    for name in ["auth@file", "auth"] {
        let mut gateway = Gateway::new(settings.clone());
        let tags = [
            "traefik.http.routers.r.rule=Host(`a.example`)".to_owned(),
            format!("traefik.http.routers.r.middlewares={name}"),
            "traefik.http.middlewares.auth.basicauth.users=joe:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"
                .to_owned(),
        ];
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        gateway.set(SourceKind::Nomad, "web", vec![instance("i", &tags)]);
        let auth = json!({"secretRef": {"name": "staff", "namespace": "edge"}});
        assert_eq!(gateway.options("a.example")["basicAuth"], auth, "{name}");
        gateway.tells_nothing();
    }
}

#[test]
fn what_keeps_nobody_out_is_left_out_with_a_warning() {
    for middleware in [
        "m.compress=true",
        "m.buffering.maxrequestbodybytes=1",
        "m.ratelimit.average=1",
        "m.inflightreq.amount=1",
        "m.circuitbreaker.expression=x",
        "m.errors.status=500",
        "m.grpcweb.alloworigins=*",
        "m.redirectscheme.scheme=http",
        "m.retry.attempts=0",
    ] {
        let gateway = through("m", &[middleware]);
        assert!(gateway.route("a.example")["routeAction"].is_object(), "{middleware}");
        gateway.tells(Severity::Warning, "left out");
    }
    through("m", &["m.contenttype.autodetect=true"]).tells_nothing();
}

#[test]
fn middlewares_of_the_service_come_last() {
    let gateway = Gateway::of(&[
        RULE,
        "routers.r.middlewares=strip",
        "services.web.middlewares=add",
        "services.web.loadbalancer.server.port=80",
        "middlewares.strip.stripprefix.prefixes=/api",
        "middlewares.add.addprefix.prefix=/x",
    ]);
    assert_eq!(gateway.options("a.example")["regexRewrite"]["substitution"], json!(r"/x/\1"));
}

#[test]
fn certificates_of_clients_cannot_be_made_up() {
    let gateway = through("m", &["m.passtlsclientcert.pem=true"]);
    let removed = &gateway.options("a.example")["headerManipulation"]["requestHeadersToRemove"];
    assert_eq!(*removed, json!(["X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info"]));
    gateway.tells(Severity::Warning, "passTLSClientCert cannot be built");
}
