//! The options of middlewares.

use super::Shape::{Any, Flag, Map, Number, Set, Span, Struct as Below, StructOrTrue, Text, Texts};
use super::Struct;

pub(super) static MIDDLEWARE: Struct = Struct {
    name: "middleware",
    fields: &[
        ("addPrefix", Below(&ADD_PREFIX)),
        ("stripPrefix", Below(&STRIP_PREFIX)),
        ("stripPrefixRegex", Below(&STRIP_PREFIX_REGEX)),
        ("replacePath", Below(&REPLACE_PATH)),
        ("replacePathRegex", Below(&REPLACE_PATH_REGEX)),
        ("chain", Below(&CHAIN)),
        ("ipWhiteList", Below(&IP_WHITE_LIST)),
        ("ipAllowList", Below(&IP_ALLOW_LIST)),
        ("headers", Below(&HEADERS)),
        ("encodedCharacters", Below(&ENCODED_CHARACTERS)),
        ("errors", Below(&ERRORS)),
        ("rateLimit", Below(&RATE_LIMIT)),
        ("redirectRegex", Below(&REDIRECT_REGEX)),
        ("redirectScheme", Below(&REDIRECT_SCHEME)),
        ("basicAuth", Below(&USER_AUTH)),
        ("digestAuth", Below(&USER_AUTH)),
        ("forwardAuth", Below(&FORWARD_AUTH)),
        ("inFlightReq", Below(&IN_FLIGHT_REQ)),
        ("buffering", Below(&BUFFERING)),
        ("circuitBreaker", Below(&CIRCUIT_BREAKER)),
        ("compress", StructOrTrue(&COMPRESS)),
        ("passTLSClientCert", Below(&PASS_TLS_CLIENT_CERT)),
        ("retry", Below(&RETRY)),
        ("contentType", StructOrTrue(&CONTENT_TYPE)),
        ("grpcWeb", Below(&GRPC_WEB)),
        ("plugin", Map(&Any)),
    ],
    defaults: &[],
};

static ADD_PREFIX: Struct = Struct { name: "addPrefix", fields: &[("prefix", Text)], defaults: &[] };

static STRIP_PREFIX: Struct =
    Struct { name: "stripPrefix", fields: &[("prefixes", Texts), ("forceSlash", Set(&Flag))], defaults: &[] };

static STRIP_PREFIX_REGEX: Struct =
    Struct { name: "stripPrefixRegex", fields: &[("regex", Texts)], defaults: &[] };

static REPLACE_PATH: Struct = Struct { name: "replacePath", fields: &[("path", Text)], defaults: &[] };

static REPLACE_PATH_REGEX: Struct =
    Struct { name: "replacePathRegex", fields: &[("regex", Text), ("replacement", Text)], defaults: &[] };

static CHAIN: Struct = Struct { name: "chain", fields: &[("middlewares", Texts)], defaults: &[] };

static IP_STRATEGY: Struct = Struct {
    name: "ipStrategy",
    fields: &[("depth", Number), ("excludedIPs", Texts), ("ipv6Subnet", Set(&Number))],
    defaults: &[],
};

static IP_WHITE_LIST: Struct = Struct {
    name: "ipWhiteList",
    fields: &[("sourceRange", Texts), ("ipStrategy", StructOrTrue(&IP_STRATEGY))],
    defaults: &[],
};

static IP_ALLOW_LIST: Struct = Struct {
    name: "ipAllowList",
    fields: &[
        ("sourceRange", Texts),
        ("ipStrategy", StructOrTrue(&IP_STRATEGY)),
        ("rejectStatusCode", Number),
    ],
    defaults: &[],
};

static HEADERS: Struct = Struct {
    name: "headers",
    fields: &[
        ("customRequestHeaders", Map(&Text)),
        ("customResponseHeaders", Map(&Text)),
        ("accessControlAllowCredentials", Flag),
        ("accessControlAllowHeaders", Texts),
        ("accessControlAllowMethods", Texts),
        ("accessControlAllowOriginList", Texts),
        ("accessControlAllowOriginListRegex", Texts),
        ("accessControlExposeHeaders", Texts),
        ("accessControlMaxAge", Number),
        ("addVaryHeader", Flag),
        ("allowedHosts", Texts),
        ("hostsProxyHeaders", Texts),
        ("sslProxyHeaders", Map(&Text)),
        ("stsSeconds", Number),
        ("stsIncludeSubdomains", Flag),
        ("stsPreload", Flag),
        ("forceSTSHeader", Flag),
        ("frameDeny", Flag),
        ("customFrameOptionsValue", Text),
        ("contentTypeNosniff", Flag),
        ("browserXssFilter", Flag),
        ("customBrowserXSSValue", Text),
        ("contentSecurityPolicy", Text),
        ("contentSecurityPolicyReportOnly", Text),
        ("publicKey", Text),
        ("referrerPolicy", Text),
        ("permissionsPolicy", Text),
        ("isDevelopment", Flag),
        ("featurePolicy", Set(&Text)),
        ("sslRedirect", Set(&Flag)),
        ("sslTemporaryRedirect", Set(&Flag)),
        ("sslHost", Set(&Text)),
        ("sslForceHost", Set(&Flag)),
    ],
    defaults: &[],
};

static ENCODED_CHARACTERS: Struct = Struct {
    name: "encodedCharacters",
    fields: &[
        ("allowEncodedSlash", Flag),
        ("allowEncodedBackSlash", Flag),
        ("allowEncodedNullCharacter", Flag),
        ("allowEncodedSemicolon", Flag),
        ("allowEncodedPercent", Flag),
        ("allowEncodedQuestionMark", Flag),
        ("allowEncodedHash", Flag),
    ],
    defaults: &[],
};

static ERRORS: Struct = Struct {
    name: "errors",
    fields: &[
        ("status", Texts),
        ("statusRewrites", Map(&Number)),
        ("service", Text),
        ("query", Text),
        ("errorRequestHeaders", Texts),
    ],
    defaults: &[],
};

static SOURCE_CRITERION: Struct = Struct {
    name: "sourceCriterion",
    fields: &[("ipStrategy", Below(&IP_STRATEGY)), ("requestHeaderName", Text), ("requestHost", Flag)],
    defaults: &[],
};

static RATE_LIMIT: Struct = Struct {
    name: "rateLimit",
    fields: &[
        ("average", Number),
        ("period", Span),
        ("burst", Number),
        ("sourceCriterion", Below(&SOURCE_CRITERION)),
        ("redis", Below(&REDIS)),
    ],
    defaults: &[("period", "1s"), ("burst", "1")],
};

static REDIS: Struct = Struct {
    name: "redis",
    fields: &[
        ("endpoints", Texts),
        ("tls", Below(&CLIENT_TLS)),
        ("username", Text),
        ("password", Text),
        ("db", Number),
        ("poolSize", Number),
        ("minIdleConns", Number),
        ("maxActiveConns", Number),
        ("readTimeout", Set(&Span)),
        ("writeTimeout", Set(&Span)),
        ("dialTimeout", Set(&Span)),
    ],
    defaults: &[
        ("endpoints", "localhost:6379"),
        ("readTimeout", "3s"),
        ("writeTimeout", "3s"),
        ("dialTimeout", "5s"),
    ],
};

static CLIENT_TLS: Struct = Struct {
    name: "tls",
    fields: &[
        ("ca", Text),
        ("cert", Text),
        ("key", Text),
        ("insecureSkipVerify", Flag),
        ("caOptional", Set(&Flag)),
    ],
    defaults: &[],
};

static REDIRECT_REGEX: Struct = Struct {
    name: "redirectRegex",
    fields: &[("regex", Text), ("replacement", Text), ("permanent", Flag)],
    defaults: &[],
};

static REDIRECT_SCHEME: Struct = Struct {
    name: "redirectScheme",
    fields: &[("scheme", Text), ("port", Text), ("permanent", Flag)],
    defaults: &[],
};

/// `basicAuth` and `digestAuth`.
static USER_AUTH: Struct = Struct {
    name: "basicAuth",
    fields: &[
        ("users", Texts),
        ("usersFile", Text),
        ("realm", Text),
        ("removeHeader", Flag),
        ("headerField", Text),
    ],
    defaults: &[],
};

static FORWARD_AUTH: Struct = Struct {
    name: "forwardAuth",
    fields: &[
        ("address", Text),
        ("tls", Below(&CLIENT_TLS)),
        ("trustForwardHeader", Set(&Flag)),
        ("authResponseHeaders", Texts),
        ("authResponseHeadersRegex", Text),
        ("authRequestHeaders", Texts),
        ("maxResponseBodySize", Set(&Number)),
        ("addAuthCookiesToResponse", Texts),
        ("headerField", Text),
        ("forwardBody", Flag),
        ("maxBodySize", Set(&Number)),
        ("preserveLocationHeader", Flag),
        ("preserveRequestMethod", Flag),
        ("authSigninURL", Text),
    ],
    defaults: &[("maxBodySize", "-1")],
};

static IN_FLIGHT_REQ: Struct = Struct {
    name: "inFlightReq",
    fields: &[("amount", Number), ("sourceCriterion", Below(&SOURCE_CRITERION))],
    defaults: &[],
};

static BUFFERING: Struct = Struct {
    name: "buffering",
    fields: &[
        ("maxRequestBodyBytes", Number),
        ("memRequestBodyBytes", Number),
        ("maxResponseBodyBytes", Number),
        ("memResponseBodyBytes", Number),
        ("retryExpression", Text),
    ],
    defaults: &[],
};

static CIRCUIT_BREAKER: Struct = Struct {
    name: "circuitBreaker",
    fields: &[
        ("expression", Text),
        ("checkPeriod", Span),
        ("fallbackDuration", Span),
        ("recoveryDuration", Span),
        ("responseCode", Number),
    ],
    defaults: &[
        ("checkPeriod", "100ms"),
        ("fallbackDuration", "10s"),
        ("recoveryDuration", "10s"),
        ("responseCode", "503"),
    ],
};

static COMPRESS: Struct = Struct {
    name: "compress",
    fields: &[
        ("excludedContentTypes", Texts),
        ("includedContentTypes", Texts),
        ("minResponseBodyBytes", Number),
        ("encodings", Texts),
        ("defaultEncoding", Text),
    ],
    defaults: &[("encodings", "gzip, br, zstd")],
};

static SUBJECT: Struct = Struct {
    name: "subject",
    fields: &[
        ("country", Flag),
        ("province", Flag),
        ("locality", Flag),
        ("organization", Flag),
        ("organizationalUnit", Flag),
        ("commonName", Flag),
        ("serialNumber", Flag),
        ("domainComponent", Flag),
    ],
    defaults: &[],
};

static ISSUER: Struct = Struct {
    name: "issuer",
    fields: &[
        ("country", Flag),
        ("province", Flag),
        ("locality", Flag),
        ("organization", Flag),
        ("commonName", Flag),
        ("serialNumber", Flag),
        ("domainComponent", Flag),
    ],
    defaults: &[],
};

static CLIENT_CERT_INFO: Struct = Struct {
    name: "info",
    fields: &[
        ("notAfter", Flag),
        ("notBefore", Flag),
        ("sans", Flag),
        ("serialNumber", Flag),
        ("subject", Below(&SUBJECT)),
        ("issuer", Below(&ISSUER)),
    ],
    defaults: &[],
};

static PASS_TLS_CLIENT_CERT: Struct = Struct {
    name: "passTLSClientCert",
    fields: &[("pem", Flag), ("info", Below(&CLIENT_CERT_INFO))],
    defaults: &[],
};

static RETRY: Struct = Struct {
    name: "retry",
    fields: &[
        ("attempts", Number),
        ("timeout", Span),
        ("initialInterval", Span),
        ("maxRequestBodyBytes", Set(&Number)),
        ("status", Texts),
        ("disableRetryOnNetworkError", Flag),
        ("retryNonIdempotentMethod", Flag),
    ],
    defaults: &[("maxRequestBodyBytes", "2097152")],
};

static CONTENT_TYPE: Struct =
    Struct { name: "contentType", fields: &[("autoDetect", Set(&Flag))], defaults: &[] };

static GRPC_WEB: Struct = Struct { name: "grpcWeb", fields: &[("allowOrigins", Texts)], defaults: &[] };
