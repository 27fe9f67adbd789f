//! Pages for people.

use crate::app;

#[test]
fn the_documentation_works_with_no_internet() {
    let app = app();
    let anonymous = app.anonymous();
    for path in ["/docs", "/redoc", "/problems", "/problems/not_enough"] {
        let page = anonymous.get(path).expect(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert!(
            !page.text.contains("http://") && !page.text.contains("https://"),
            "{path} asks for something elsewhere"
        );
        for attribute in ["src=\"", "href=\"/docs/", "spec-url=\""] {
            for part in page.text.split(attribute).skip(1) {
                let asset = part.split('"').next().unwrap();
                let asset = if attribute.starts_with("href") { format!("/docs/{asset}") } else { asset.to_owned() };
                anonymous.get(&asset).expect(200);
            }
        }
    }
    let initializer = anonymous.get("/docs/swagger-initializer.js").expect(200).text;
    assert!(initializer.contains("/openapi.json") && !initializer.contains("http"), "{initializer}");
    let script = anonymous.get("/docs/swagger-ui-bundle.js").expect(200);
    assert!(script.text.len() > 100_000 && script.header("content-type").unwrap().contains("javascript"));
}

#[test]
fn the_start_leads_to_the_documentation() {
    let answer = app().anonymous().get("/").expect(307);
    assert_eq!(answer.header("location"), Some("/ui"));
}

#[test]
fn every_kind_of_problem_has_a_page() {
    let app = app();
    let list = app.anonymous().get("/problems").expect(200).text;
    let slugs: Vec<&str> =
        list.split("<a href=\"/problems/").skip(1).map(|part| part.split('"').next().unwrap()).collect();
    assert!(slugs.len() > 30, "{slugs:?}");
    for slug in slugs {
        let page = app.anonymous().get(&format!("/problems/{slug}")).expect(200);
        assert!(page.text.contains(&format!("/problems/{slug}")));
    }
}
