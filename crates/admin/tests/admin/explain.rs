//! Asking why a request is answered as it is.

use biplane_admin::AccessOptions;
use biplane_admin_api::explain::ExplainQuery;

use crate::contract::Contract;
use crate::plane::Plane;
use crate::server::Server;

#[tokio::test]
async fn a_query_arrives_as_it_was_asked_with_all_its_headers() {
    let server = Server::start(Plane::default(), &AccessOptions::default()).await;
    let query = ExplainQuery {
        url: "http://example.com/a?b=c&d".to_owned(),
        header: vec!["x-a: 1 & 2".to_owned(), "x-b: ä".to_owned()],
        limit: Some(3),
        ..ExplainQuery::default()
    };
    let explanation = server.client().explain(&query).await.expect("an explanation");
    assert_eq!((explanation.url, explanation.notes), (query.url, query.header));
}

#[tokio::test]
async fn what_is_missing_twice_or_unknown_is_refused_by_name() {
    let server = Server::start(Plane::default(), &AccessOptions::default()).await;
    let cases = [
        ("", "url is missing"),
        ("?url=a&url=b", "url is given twice"),
        ("?url=a&user=b", "there is no parameter"),
        ("?url=a&limit=all", "limit must be a whole number"),
    ];
    for (query, message) in cases {
        let path = format!("/v1/explain{query}");
        let answer = server.get(&path).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body.contains(message), "{query}: {}", answer.body);
        Contract::of_server().check("GET", &path, &answer);
    }
}
