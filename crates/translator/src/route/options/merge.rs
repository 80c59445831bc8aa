//! Which options hold where several say something: an object's own, then those that it refers to in
//! their order, then those of the delegating parent.
//!
//! The merge is shallow, as in Gloo: a field that is set hides the whole field below it. Fields
//! that Envoy allows one of count as one field: a route that sets `prefixRewrite` hides its
//! parent's `regexRewrite`.

use biplane_core::options::{RouteOptions, VirtualHostOptions};

/// Fills what `over` leaves open from `under`.
pub(in crate::route) fn route(over: &mut RouteOptions, under: RouteOptions) {
    if !has_path_rewrite(over) {
        over.prefix_rewrite = under.prefix_rewrite;
        over.regex_rewrite = under.regex_rewrite;
    }
    if !has_host_rewrite(over) {
        over.host_rewrite = under.host_rewrite;
        over.auto_host_rewrite = under.auto_host_rewrite;
        over.host_rewrite_path_regex = under.host_rewrite_path_regex;
        over.host_rewrite_header = under.host_rewrite_header;
    }
    fill(&mut over.timeout, under.timeout);
    fill(&mut over.idle_timeout, under.idle_timeout);
    fill(&mut over.max_stream_duration, under.max_stream_duration);
    fill(&mut over.retries, under.retries);
    fill(&mut over.header_manipulation, under.header_manipulation);
    fill(&mut over.append_x_forwarded_host, under.append_x_forwarded_host);
    fill(&mut over.cors, under.cors);
    fill(&mut over.lb_hash, under.lb_hash);
    fill(&mut over.basic_auth, under.basic_auth);
    fill(&mut over.api_key_auth, under.api_key_auth);
    if over.upgrades.is_empty() {
        over.upgrades = under.upgrades;
    }
}

/// Fills what `over` leaves open from `under`.
pub(in crate::route) fn virtual_host(over: &mut VirtualHostOptions, under: VirtualHostOptions) {
    fill(&mut over.retries, under.retries);
    fill(&mut over.header_manipulation, under.header_manipulation);
    fill(&mut over.cors, under.cors);
    fill(&mut over.basic_auth, under.basic_auth);
    fill(&mut over.api_key_auth, under.api_key_auth);
    fill(&mut over.include_request_attempt_count, under.include_request_attempt_count);
    fill(&mut over.include_attempt_count_in_response, under.include_attempt_count_in_response);
}

fn fill<T>(over: &mut Option<T>, under: Option<T>) {
    *over = over.take().or(under);
}

const fn has_path_rewrite(options: &RouteOptions) -> bool {
    options.prefix_rewrite.is_some() || options.regex_rewrite.is_some()
}

const fn has_host_rewrite(options: &RouteOptions) -> bool {
    options.host_rewrite.is_some()
        || options.auto_host_rewrite.is_some()
        || options.host_rewrite_path_regex.is_some()
        || options.host_rewrite_header.is_some()
}

#[cfg(test)]
mod tests {
    use biplane_core::options::{
        ApiKeyAuth, BasicAuth, Cors, HeaderManipulation, HostRewritePathRegex, LbHash, MaxStreamDuration,
        RegexRewrite, Retries, Upgrade,
    };
    use biplane_core::scalars::Duration;

    use super::*;

    fn merged(mut over: RouteOptions, under: RouteOptions) -> RouteOptions {
        route(&mut over, under);
        over
    }

    fn all_set() -> RouteOptions {
        RouteOptions {
            regex_rewrite: Some(RegexRewrite::default()),
            timeout: Some(Duration::default()),
            idle_timeout: Some(Duration::default()),
            max_stream_duration: Some(MaxStreamDuration::default()),
            retries: Some(Retries { retry_on: "5xx".to_owned(), ..Retries::default() }),
            header_manipulation: Some(HeaderManipulation::default()),
            host_rewrite: Some("under.example.com".to_owned()),
            append_x_forwarded_host: Some(true),
            cors: Some(Cors::default()),
            lb_hash: Some(LbHash::default()),
            basic_auth: Some(BasicAuth::default()),
            api_key_auth: Some(ApiKeyAuth::default()),
            upgrades: vec![Upgrade::default()],
            ..RouteOptions::default()
        }
    }

    #[test]
    fn unset_options_take_every_field_from_below() {
        assert_eq!(merged(RouteOptions::default(), all_set()), all_set());
    }

    #[test]
    fn set_option_hides_the_whole_option_below() {
        let own = Some(Retries { num_retries: Some(3), ..Retries::default() });
        let over = RouteOptions { retries: own.clone(), ..RouteOptions::default() };
        assert_eq!(merged(over, all_set()), RouteOptions { retries: own, ..all_set() });
    }

    #[test]
    fn prefix_rewrite_hides_regex_rewrite_below() {
        let over = RouteOptions { prefix_rewrite: Some("/".to_owned()), ..RouteOptions::default() };
        let result = merged(over, all_set());
        assert_eq!((result.prefix_rewrite.as_deref(), result.regex_rewrite), (Some("/"), None));
    }

    #[test]
    fn each_form_of_host_rewrite_hides_the_others_below() {
        let forms = [
            RouteOptions { auto_host_rewrite: Some(false), ..RouteOptions::default() },
            RouteOptions { host_rewrite_header: Some("x-host".to_owned()), ..RouteOptions::default() },
            RouteOptions {
                host_rewrite_path_regex: Some(HostRewritePathRegex::default()),
                ..RouteOptions::default()
            },
        ];
        for form in forms {
            assert_eq!(merged(form, all_set()).host_rewrite, None);
        }
    }

    #[test]
    fn virtual_host_options_fill_by_field() {
        let mut over = VirtualHostOptions {
            include_request_attempt_count: Some(false),
            ..VirtualHostOptions::default()
        };
        let under = VirtualHostOptions {
            retries: Some(Retries::default()),
            basic_auth: Some(BasicAuth::default()),
            api_key_auth: Some(ApiKeyAuth::default()),
            include_request_attempt_count: Some(true),
            include_attempt_count_in_response: Some(true),
            ..VirtualHostOptions::default()
        };
        virtual_host(&mut over, under.clone());
        assert_eq!(over, VirtualHostOptions { include_request_attempt_count: Some(false), ..under });
    }
}
